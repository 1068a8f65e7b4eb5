//! What the forms of a site's page show, and what they say. Pure.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::windows::{self, WindowRow, WindowsForm};
use crate::error::Error;
use crate::fleet::variables::Variables;
use crate::store::sites::Site;
use crate::web::manage::version;

/// Where a site stands, what it is called, and its clock.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PlaceForm {
    pub(super) version: String,
    pub(super) path: String,
    pub(super) name: Option<String>,
    pub(super) time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VariablesForm {
    pub(super) version: String,
    pub(super) variables: String,
}

/// What the forms of the page show.
#[derive(Debug, Serialize)]
pub(super) struct Draft {
    pub(super) version: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) variables: String,
    pub(super) windows: Vec<WindowRow>,
}

/// What was sent, and is shown again as there is something wrong with it.
pub(super) enum Sent<'a> {
    Nothing,
    Place(&'a PlaceForm),
    Variables(&'a VariablesForm),
    Windows(&'a WindowsForm),
}

impl Draft {
    pub(super) fn of(site: &Site, sent: &Sent<'_>) -> Self {
        let stored = Self {
            version: version(site.updated_at),
            path: site.path.clone(),
            name: site.name.clone(),
            time_zone: site.time_zone.clone(),
            variables: written(&Variables::masked(&site.variables)),
            windows: windows::rows(&site.windows),
        };
        match sent {
            Sent::Nothing => stored,
            Sent::Place(sent) => Self {
                version: sent.version.clone(),
                path: sent.path.clone(),
                name: sent.name.clone().unwrap_or_default(),
                time_zone: sent.time_zone.clone().unwrap_or_default(),
                ..stored
            },
            Sent::Variables(sent) => {
                Self { version: sent.version.clone(), variables: sent.variables.clone(), ..stored }
            }
            Sent::Windows(sent) => {
                Self { version: sent.version.clone(), windows: sent.rows(), ..stored }
            }
        }
    }
}

/// Variables as they are edited.
fn written(variables: &Variables) -> String {
    if variables.0.is_empty() {
        return String::new();
    }
    format!("{:#}", json!(variables))
}

/// Variables as they were edited.
pub(super) fn read(text: &str) -> Result<Variables, Error> {
    if text.trim().is_empty() {
        return Ok(Variables::default());
    }
    serde_json::from_str(text)
        .map_err(|e| Error::invalid("/variables", format!("This is no JSON object: {e}.")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::tests::site;
    use super::*;

    #[test]
    fn variables_are_written_as_they_are_read() {
        let variables = json!({ "vlan": 7, "dns": ["192.0.2.1"] });
        let variables: Variables = serde_json::from_value(variables).unwrap();
        assert_eq!(read(&written(&variables)).unwrap(), variables);
        assert_eq!(written(&Variables::default()), "");
        assert_eq!(read(" \r\n").unwrap(), Variables::default());
        for bad in ["[]", "{", "7", "{\"a\": }"] {
            let Err(Error::Invalid { pointer, message }) = read(bad) else { panic!("{bad}") };
            assert_eq!(pointer, "/variables");
            assert!(message.contains("line 1"), "{message}");
        }
    }

    #[test]
    fn what_was_sent_is_shown_in_its_own_form_only() {
        let stored = site("eu.lv", "Latvia");
        let sent =
            PlaceForm { version: "1".to_owned(), path: "eu.x".to_owned(), ..PlaceForm::default() };
        let draft = Draft::of(&stored, &Sent::Place(&sent));
        assert_eq!(
            (draft.path.as_str(), draft.name.as_str(), draft.version.as_str()),
            ("eu.x", "", "1")
        );
        let sent = VariablesForm { variables: "{".to_owned(), ..VariablesForm::default() };
        let draft = Draft::of(&stored, &Sent::Variables(&sent));
        assert_eq!((draft.path.as_str(), draft.variables.as_str()), ("eu.lv", "{"));
    }
}
