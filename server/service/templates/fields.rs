//! What people say of a template, and the same checked. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::template::{MAX_BODY, Variable, check_variables};
use crate::store::templates::{Template, Version};

/// Characters of a description and of a note.
const MAX_WORDS: usize = 1_000;

/// What people say of a template; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateFields {
    /// What people call it, 1 to 64 characters. A template always has one, and no two the same.
    pub name: Option<String>,
    /// For people, at most 1000 characters; empty when absent.
    pub description: Option<String>,
    /// The RouterOS script with `{{ variables }}`, at most 64 KiB. A template always has one.
    pub body: Option<String>,
    /// What it declares; nothing when absent.
    pub variables: Option<Vec<Variable>>,
    /// Why this version is made, at most 1000 characters; empty when absent.
    pub note: Option<String>,
    /// It is for the bench: it is taken only if it fits into what a board takes, waits before its first
    /// change, and is over in time. No when absent.
    pub bench: Option<bool>,
}

/// The same, whole and checked but for what only rendering it shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub name: String,
    pub description: String,
    pub body: String,
    pub variables: Vec<Variable>,
    pub note: String,
    pub bench: bool,
}

impl TemplateFields {
    /// What is said of a stored template and a version of it.
    pub fn of(template: &Template, version: &Version) -> Self {
        Self {
            name: Some(template.name.clone()),
            description: Some(template.description.clone()),
            body: Some(version.body.clone()),
            variables: Some(version.variables.0.clone()),
            note: Some(version.note.clone()),
            bench: Some(template.bench),
        }
    }

    pub(super) fn checked(self) -> Result<Draft, Error> {
        let name = self.name.ok_or_else(|| Error::invalid("/name", "a template has a name"))?;
        check_name(&name)?;
        let draft = Draft {
            name,
            description: words(self.description, "/description")?,
            body: checked_body(self.body.as_deref().unwrap_or_default())?,
            variables: self.variables.unwrap_or_default(),
            note: words(self.note, "/note")?,
            bench: self.bench.unwrap_or_default(),
        };
        check_declared(&draft.variables)?;
        Ok(draft)
    }
}

/// Variables that can be declared, and kept.
pub(super) fn check_declared(variables: &[Variable]) -> Result<(), Error> {
    check_variables(variables)?;
    let large = serde_json::to_string(variables).map_or(usize::MAX, |text| text.len());
    if large > MAX_BODY {
        return Err(Error::invalid("/variables", format!("at most {MAX_BODY} bytes as JSON")));
    }
    Ok(())
}

/// A template with the line ends that RouterOS wants, which browsers change.
pub(super) fn checked_body(body: &str) -> Result<String, Error> {
    let body = body.replace("\r\n", "\n");
    if body.trim().is_empty() {
        return Err(Error::invalid("/body", "a template has a body"));
    }
    if body.len() > MAX_BODY {
        return Err(Error::invalid("/body", format!("at most {MAX_BODY} bytes")));
    }
    Ok(body)
}

fn words(text: Option<String>, pointer: &str) -> Result<String, Error> {
    let text = text.unwrap_or_default();
    if text.chars().count() > MAX_WORDS || text.contains('\0') {
        let why = format!("at most {MAX_WORDS} characters, and no U+0000");
        return Err(Error::invalid(pointer, why));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn place(fields: serde_json::Value) -> String {
        let fields: TemplateFields = serde_json::from_value(fields).unwrap();
        match fields.checked() {
            Err(Error::Invalid { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_template_may_be() {
        let fields = TemplateFields {
            name: Some("home".to_owned()),
            body: Some("a\r\nb\n".to_owned()),
            ..TemplateFields::default()
        };
        assert_eq!(fields.checked().unwrap().body, "a\nb\n");
        for (fields, pointer) in [
            (json!({ "body": "a" }), "/name"),
            (json!({ "name": " a", "body": "a" }), "/name"),
            (json!({ "name": "a" }), "/body"),
            (json!({ "name": "a", "body": " \n" }), "/body"),
            (json!({ "name": "a", "body": "x".repeat(MAX_BODY + 1) }), "/body"),
            (json!({ "name": "a", "body": "a", "note": "x".repeat(1_001) }), "/note"),
            (json!({ "name": "a", "body": "a", "description": "\0" }), "/description"),
        ] {
            assert_eq!(place(fields), pointer);
        }
        let variable = json!({ "name": "site", "type": "ip" });
        let fields = json!({ "name": "a", "body": "a", "variables": [variable] });
        assert_eq!(place(fields), "/variables/0/name");
    }
}
