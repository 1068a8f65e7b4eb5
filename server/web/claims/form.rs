//! A claim as a form, all of it as text, so that what was typed stays as it was typed. Pure.
//!
//! A stored secret is shown as a mask, and stays what it is while that stands there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{said, tags};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::fleet::variables::Variables;
use crate::store::claims::Claim;
use crate::web::manage::version;

/// Fields of the form, for what is wrong with them.
pub(super) const FIELDS: [&str; 9] = [
    "serial",
    "mac",
    "model",
    "site",
    "profile",
    "customer",
    "tags",
    "factory_password",
    "variables",
];
/// Empty rows behind the filled ones.
const BLANK: usize = 2;

/// The form. No `Debug`: a value may be a secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ClaimForm {
    /// The version of the claim for which it was filled in; empty for a new one.
    pub(super) version: String,
    serial: String,
    pub(super) mac: String,
    model: String,
    site: String,
    pub(super) profile: String,
    customer: String,
    tags: String,
    factory_password: String,
    own_credential: bool,
    variable: Vec<String>,
    value: Vec<String>,
}

/// A variable with its value.
#[derive(Clone, Default, PartialEq, Serialize)]
pub(super) struct VariableRow {
    name: String,
    value: String,
}

impl ClaimForm {
    /// Of a claim that is to be made, as far as it is known.
    pub(super) fn blank(serial: String, site: String, profile: String) -> Self {
        Self { serial, site, profile, ..Self::default() }
    }

    /// Of a claim that is stored.
    pub(super) fn of(claim: &Claim) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        let fields = ClaimFields::of(claim);
        let rows = rows(&fields.variables);
        Self {
            version: version(claim.updated_at),
            serial: text(fields.serial),
            mac: text(fields.mac),
            model: text(fields.model),
            site: text(fields.site),
            profile: text(fields.profile),
            customer: text(fields.customer),
            tags: fields.tags.join(" "),
            factory_password: text(fields.factory_password),
            own_credential: fields.own_credential,
            variable: rows.iter().map(|row| row.name.clone()).collect(),
            value: rows.into_iter().map(|row| row.value).collect(),
        }
    }

    /// What was written; a value that nobody changed stays what it was, also where it is no text.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/variables`.
    pub(super) fn fields(&self, had: &Variables) -> Result<ClaimFields, Error> {
        Ok(ClaimFields {
            serial: said(&self.serial),
            mac: said(&self.mac),
            model: said(&self.model),
            site: said(&self.site),
            profile: said(&self.profile),
            variables: self.given(had)?,
            tags: tags(&self.tags),
            customer: said(&self.customer),
            // Blanks may be part of it.
            factory_password: Some(self.factory_password.clone()).filter(|text| !text.is_empty()),
            own_credential: self.own_credential,
        })
    }

    fn given(&self, had: &Variables) -> Result<Variables, Error> {
        let wrong = |why: String| Err(Error::invalid("/variables", why));
        let mut all = Variables::default();
        for VariableRow { name, value } in self.filled() {
            if name.is_empty() {
                return wrong("There is a value without the name of its variable.".to_owned());
            }
            let before = had.0.get(&name).filter(|before| flat(&shown(before)) == flat(&value));
            let value = before.cloned().unwrap_or(Value::String(value));
            if all.0.contains_key(&name) {
                return wrong(format!("{name} stands there twice."));
            }
            all.0.insert(name, value);
        }
        Ok(all)
    }

    /// The variables that were written.
    fn filled(&self) -> Vec<VariableRow> {
        let cell = |column: &[String], at: usize| column.get(at).cloned().unwrap_or_default();
        let row = |at: usize| VariableRow {
            name: cell(&self.variable, at).trim().to_owned(),
            value: cell(&self.value, at),
        };
        let all = (0..self.variable.len().max(self.value.len())).map(row);
        all.filter(|row| *row != VariableRow::default()).collect()
    }

    /// The same, and empty rows for more.
    pub(super) fn variables(&self) -> Vec<VariableRow> {
        let mut rows = self.filled();
        rows.extend((0..BLANK).map(|_| VariableRow::default()));
        rows
    }
}

/// Variables as a form shows them.
pub(super) fn rows(variables: &Variables) -> Vec<VariableRow> {
    let row =
        |(name, value): (&String, &Value)| VariableRow { name: name.clone(), value: shown(value) };
    variables.0.iter().map(row).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As a field of one line gives it back.
fn flat(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::fleet::secret::{Keys, MASK};

    fn variables(value: Value) -> Variables {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_nobody_changes_comes_back_as_it_was() {
        let keys = Keys::new([7; 32]);
        let had = variables(json!({
            "vlan": 7, "dns": ["192.0.2.1"], "gone": null, "note": "a\r\nb", "blank": " x ",
            "ppp_password": "hunter2",
        }));
        let claim = Claim {
            variables: had.sealed(&keys, "claim"),
            factory_sealed: Some(vec![7]),
            ..super::super::tests::claim(false)
        };
        let before = ClaimFields::of(&claim);
        let form = ClaimForm::of(&claim);
        assert!(!json!(form).to_string().contains("hunter2"));
        assert_eq!(form.value.len(), 6);
        // As a browser sends it.
        let sent = ClaimForm { value: form.value.iter().map(|v| flat(v)).collect(), ..form };
        assert_eq!(sent.fields(&before.variables).unwrap(), before);
        assert_eq!(before.factory_password.as_deref(), Some(MASK));
        assert_eq!(sent.variables().len(), 6 + BLANK);
    }

    #[test]
    fn what_is_typed_is_text() {
        let form = ClaimForm {
            serial: " HGF1 ".to_owned(),
            site: " ".to_owned(),
            tags: "b, a".to_owned(),
            factory_password: " ".to_owned(),
            variable: ["vlan", " ppp_user ", "", "none"].map(str::to_owned).into(),
            value: ["8", "anna", "", ""].map(str::to_owned).into(),
            ..ClaimForm::default()
        };
        let fields = form.fields(&variables(json!({ "vlan": 7 }))).unwrap();
        assert_eq!(
            fields.variables,
            variables(json!({ "vlan": "8", "ppp_user": "anna", "none": "" }))
        );
        assert_eq!((fields.serial.as_deref(), fields.site), (Some("HGF1"), None));
        assert_eq!(fields.tags, ["b", "a"]);
        assert_eq!(fields.factory_password.as_deref(), Some(" "));
    }

    #[test]
    fn variables_have_a_name_and_each_its_own() {
        for names in [["", "a"], ["a", "a"]] {
            let form = ClaimForm {
                variable: names.map(str::to_owned).into(),
                value: ["x", "y"].map(str::to_owned).into(),
                ..ClaimForm::default()
            };
            let Err(Error::Invalid { pointer, .. }) = form.fields(&Variables::default()) else {
                panic!("{names:?}")
            };
            assert_eq!(pointer, "/variables");
        }
    }
}
