//! The values of variables as a form: a field for each that a template declares, the rest as JSON.
//! Pure.
//!
//! A stored secret is never shown: its field is empty, and left so it stays what it is. What is typed
//! stands in the form until it is taken, as with every other field.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::words;
use crate::error::Error;
use crate::fleet::secret::MASK;
use crate::fleet::template::{Kind, Text, Variable, settle};
use crate::fleet::variables::Variables;

/// From so many characters on a text may have several lines.
const LONG: usize = 200;

/// What a browser sends of it. Of the fields name, value and kind stand at the same place of their
/// lists. No `Debug`: a value may be a secret.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Given {
    /// Names of the variables that have a field.
    pub(in crate::web) variable: Vec<String>,
    /// What stands in the fields.
    pub(in crate::web) given: Vec<String>,
    /// What the fields are, as [`Field`] says it.
    pub(in crate::web) given_kind: Vec<String>,
    /// Secrets that have a value already.
    pub(in crate::web) kept: Vec<String>,
    /// Those of them that are to have none any more.
    pub(in crate::web) forget: Vec<String>,
    /// The other variables, as JSON.
    pub(in crate::web) others: String,
}

impl Given {
    /// Of values, secrets masked. Which have a field follows from a template, so all of them stand with
    /// the others.
    pub(in crate::web) fn of(variables: &Variables) -> Self {
        let others = match variables.0.is_empty() {
            true => String::new(),
            false => json!(variables).to_string(),
        };
        Self { others, ..Self::default() }
    }

    /// All of it; secrets that stay are masked.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/others` for what is no JSON object.
    pub(in crate::web) fn read(&self) -> Result<Variables, Error> {
        let mut all = self.rest()?;
        all.over(&self.fields());
        Ok(all)
    }

    fn rest(&self) -> Result<Variables, Error> {
        if self.others.trim().is_empty() {
            return Ok(Variables::default());
        }
        serde_json::from_str(&self.others)
            .map_err(|e| Error::invalid("/others", format!("This is no JSON object: {e}.")))
    }

    fn fields(&self) -> Variables {
        let text = |list: &[String], i: usize| list.get(i).cloned().unwrap_or_default();
        let mut said = Variables::default();
        for (i, name) in self.variable.iter().enumerate() {
            let stays = self.kept.contains(name) && !self.forget.contains(name);
            match value(&text(&self.given_kind, i), &text(&self.given, i)) {
                Some(value) => drop(said.0.insert(name.clone(), value)),
                None if stays => drop(said.0.insert(name.clone(), Value::from(MASK))),
                None => {}
            }
        }
        said
    }
}

/// What stands in a field of this kind; `None` = nothing.
fn value(kind: &str, text: &str) -> Option<Value> {
    // As browsers end lines.
    let text = text.replace("\r\n", "\n");
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    Some(match kind {
        "int" => match trimmed.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(trimmed),
        },
        "bool" => match trimmed {
            "yes" => Value::Bool(true),
            "no" => Value::Bool(false),
            other => Value::from(other),
        },
        "list" => {
            let lines = trimmed.lines().map(str::trim).filter(|line| !line.is_empty());
            Value::Array(lines.map(Value::from).collect())
        }
        // Blanks may be meant.
        "text" | "area" | "secret" | "secret_area" => Value::from(text),
        _ => Value::from(trimmed),
    })
}

/// The form.
#[derive(Clone, Default, Serialize)]
pub(in crate::web) struct Values {
    /// Fields under their headings.
    parts: Vec<Part>,
    /// The variables that have no field, as JSON.
    others: String,
}

#[derive(Clone, Serialize)]
struct Part {
    /// May be empty.
    title: String,
    fields: Vec<Field>,
}

#[derive(Clone, Serialize)]
struct Field {
    name: String,
    label: String,
    /// `text`, `area`, `line`, `secret`, `secret_area`, `int`, `bool`, `enum` or `list`.
    kind: &'static str,
    hint: String,
    required: bool,
    value: String,
    /// Of an enum or a bool.
    options: Vec<Choice>,
    /// Of a number; empty = without.
    min: String,
    max: String,
    /// A secret that has a value already.
    kept: bool,
    error: String,
}

#[derive(Clone, Serialize)]
struct Choice {
    value: String,
    label: String,
}

impl Values {
    /// Of what was sent, for a template that declares these.
    pub(in crate::web) fn again(
        declared: &[Variable],
        sent: &Given,
        above: &BTreeMap<String, String>,
    ) -> Self {
        match sent.read() {
            Ok(given) => Self::of(declared, &given, &sent.kept, above),
            Err(_) => Self {
                others: sent.others.clone(),
                ..Self::of(declared, &sent.fields(), &sent.kept, above)
            },
        }
    }

    /// Of what is given, secrets masked. `kept` are secrets that have a value, whatever was typed over
    /// them; `above` says what holds where nothing is given, by name.
    pub(in crate::web) fn of(
        declared: &[Variable],
        given: &Variables,
        kept: &[String],
        above: &BTreeMap<String, String>,
    ) -> Self {
        let wrong = wrong(declared, given);
        let (mut values, mut rest) = (Self::default(), given.clone());
        for variable in declared {
            let name = &variable.name;
            let secret = matches!(variable.kind, Kind::Secret(_));
            let given = given.0.get(name);
            let masked = secret && given.and_then(Value::as_str) == Some(MASK);
            let text = match masked {
                true => Some(String::new()),
                false => given.and_then(|value| shown(&variable.kind, value)),
            };
            if text.is_some() {
                rest.0.remove(name);
            }
            let above = above.get(name).map(String::as_str).unwrap_or_default();
            let mut field = Field::of(variable, text.unwrap_or_default(), above);
            field.kept = masked || (secret && kept.contains(name));
            field.error = wrong.get(name).cloned().unwrap_or_default();
            values.put(variable.section.as_deref().unwrap_or_default(), field);
        }
        if !rest.0.is_empty() {
            values.others = format!("{:#}", json!(rest));
        }
        values
    }

    fn put(&mut self, title: &str, field: Field) {
        match self.parts.iter_mut().find(|part| part.title == title) {
            Some(part) => part.fields.push(field),
            None => self.parts.push(Part { title: title.to_owned(), fields: vec![field] }),
        }
    }
}

/// Refuses values that do not fit what a template declares. One that is missing may still be given
/// by another layer.
///
/// # Errors
/// [`Error::Invalid`] at `/given`; [`Values`] says at each field what it is.
pub(in crate::web) fn check(declared: &[Variable], given: &Variables) -> Result<(), Error> {
    match wrong(declared, given).is_empty() {
        true => Ok(()),
        false => Err(Error::invalid("/given", "Some of the values of its variables do not fit.")),
    }
}

/// What is wrong with values, by name.
fn wrong(declared: &[Variable], given: &Variables) -> BTreeMap<String, String> {
    let (_, wrong) = settle(declared, given);
    // Nobody here knows what a mask stands for.
    let known = |name: &str| given.0.get(name).is_some_and(|value| value.as_str() != Some(MASK));
    let told = wrong.into_iter().filter(|wrong| !wrong.missing && known(&wrong.name));
    told.map(|wrong| (wrong.name, wrong.words)).collect()
}

impl Field {
    fn of(variable: &Variable, value: String, above: &str) -> Self {
        let kind = &variable.kind;
        let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
        let (min, max) = match kind {
            Kind::Int { min, max } => (number(*min), number(*max)),
            _ => (String::new(), String::new()),
        };
        Self {
            name: variable.name.clone(),
            label: variable.label.clone().unwrap_or_else(|| variable.name.clone()),
            kind: word(kind, &value),
            hint: hint(variable, above),
            required: variable.required,
            options: options(kind),
            value,
            min,
            max,
            kept: false,
            error: String::new(),
        }
    }
}

/// What the field of a variable is.
fn word(kind: &Kind, text: &str) -> &'static str {
    let long = |rules: &Text| rules.max.is_some_and(|max| max > LONG) || text.contains('\n');
    match kind {
        Kind::String(rules) if long(rules) => "area",
        Kind::String(_) => "text",
        Kind::Secret(rules) if long(rules) => "secret_area",
        Kind::Secret(_) => "secret",
        Kind::Ip | Kind::Prefix | Kind::Mac => "line",
        Kind::Int { .. } => "int",
        Kind::Bool => "bool",
        Kind::Enum { .. } => "enum",
        Kind::List { .. } => "list",
    }
}

fn options(kind: &Kind) -> Vec<Choice> {
    let choice = |word: &str| Choice { value: word.to_owned(), label: word.to_owned() };
    let said: Vec<Choice> = match kind {
        Kind::Bool => ["yes", "no"].map(choice).into(),
        Kind::Enum { values } => values.iter().map(|word| choice(word)).collect(),
        _ => return Vec::new(),
    };
    let none = Choice { value: String::new(), label: "not said here".to_owned() };
    [none].into_iter().chain(said).collect()
}

/// A value as its field shows it; `None` = the field could not give it back.
fn shown(kind: &Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::List { .. }, Value::Array(items)) => {
            let lines: Option<Vec<String>> = items.iter().map(line).collect();
            // An empty list is said, an empty field is not.
            Some(lines?.join("\n")).filter(|text| !text.is_empty())
        }
        (Kind::List { .. }, Value::String(text)) => {
            let items: Vec<&str> = text.split(',').map(str::trim).collect();
            Some(items.join("\n"))
        }
        (Kind::Bool, Value::Bool(_)) => line(value),
        (Kind::Bool, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Some("yes".to_owned()),
            "no" | "false" => Some("no".to_owned()),
            _ => None,
        },
        (Kind::Bool, _) => None,
        (Kind::Enum { values }, _) => line(value).filter(|word| values.contains(word)),
        (_, Value::String(text)) => {
            Some(text.clone()).filter(|text| !text.trim().is_empty() && !text.contains('\r'))
        }
        (_, Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// An item in a line of its own.
fn line(item: &Value) -> Option<String> {
    match item {
        Value::String(text) if text.trim().is_empty() || text.contains(['\n', '\r']) => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

/// What it is for and may be, and what holds without it.
fn hint(variable: &Variable, above: &str) -> String {
    let help = variable.help.as_deref().map(|help| sentence(help.trim())).unwrap_or_default();
    let default = variable.default.as_ref();
    let default = default.map(|value| words::value(&variable.name, value));
    let without = match (above, default) {
        ("", None) => String::new(),
        ("", Some(default)) => format!("Without it: {default}."),
        (above, _) => format!("Without it: {above}."),
    };
    let parts = [help, rules(&variable.kind), without];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn sentence(text: &str) -> String {
    match text.ends_with(['.', '!', '?']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

fn rules(kind: &Kind) -> String {
    match kind {
        Kind::String(rules) | Kind::Secret(rules) => match (rules.min, rules.max) {
            (None, None) => String::new(),
            (min, Some(max)) => format!("{} to {max} characters.", min.unwrap_or(0)),
            (Some(min), None) => format!("At least {min} characters."),
        },
        Kind::Ip => "An IP address, such as 192.0.2.1.".to_owned(),
        Kind::Prefix => {
            "An address with the length of its network, such as 192.168.88.1/24.".to_owned()
        }
        Kind::Mac => "An Ethernet address, such as E4:8D:8C:00:00:01.".to_owned(),
        Kind::Int { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}."),
            (Some(min), None) => format!("From {min} on."),
            (None, Some(max)) => format!("Up to {max}."),
            (None, None) => String::new(),
        },
        Kind::Bool | Kind::Enum { .. } => String::new(),
        Kind::List { of, max } => {
            let most = max.map(|max| format!(", at most {max}")).unwrap_or_default();
            format!("One a line{most}. {}", rules(of)).trim().to_owned()
        }
    }
}

/// One of each kind, with hostile words, for the tests of the pages.
#[cfg(test)]
pub(in crate::web) fn sample() -> Values {
    let values = json!({ "ssid": "<x-evil>", "wifi_password": MASK, "note": "a\n<x-evil>", "vlan": 9,
                         "guest": true, "dns": ["<x-evil>"], "other": "<x-evil>" });
    let given = serde_json::from_value(values).expect("an object");
    let above = BTreeMap::from([("gateway".to_owned(), "<x-evil>".to_owned())]);
    Values::of(&tests::declared(), &given, &[], &above)
}

#[cfg(test)]
mod tests;
