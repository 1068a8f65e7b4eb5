//! Jobs in words: what is asked of a device, what came back, and why. Pure.
//!
//! It is given arguments and results in which secrets are masked already, and knows no kind of job
//! but by its title: a new kind is told too.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::web::format::shortened;

/// States with the tone in which parts of a bar stand for them.
pub(in crate::web) const STATES: [(&str, &str); 7] = [
    ("queued", "a1"),
    ("running", "a2"),
    ("waiting", "a3"),
    ("done", "ok"),
    ("failed", "bad"),
    ("cancelled", "idle"),
    ("expired", "warn"),
];

/// Kinds with their titles, in the order in which they are offered.
pub(super) const KINDS: [(&str, &str); 22] = [
    ("get", "Read parameters"),
    ("set", "Set parameters"),
    ("refresh", "Read the data model"),
    ("reboot", "Reboot"),
    ("download", "Send a file to the device"),
    ("upload", "Fetch a file from the device"),
    ("upgrade", "Upgrade RouterOS"),
    ("configure", "Configure by a template"),
    ("connection_request", "Wake the device"),
    ("diagnose", "Test the connection"),
    ("factory_reset", "Factory reset"),
    ("add_object", "Add an object"),
    ("delete_object", "Delete an object"),
    ("get_attributes", "Read attributes"),
    ("set_attributes", "Set attributes"),
    ("methods", "Ask for methods"),
    ("schedule_inform", "Ask for a session later"),
    ("schedule_download", "Send a file within windows"),
    ("queued_transfers", "List open transfers"),
    ("cancel_transfer", "Cancel a transfer"),
    ("change_du_state", "Change software modules"),
    ("credentials", "Write credentials"),
];

/// Characters of a job's summary in a list.
const SUMMARY: usize = 140;
/// Rows of what was asked or answered that are shown.
const ROWS: usize = 500;

/// What a kind of job is called.
pub(in crate::web) fn title(kind: &str) -> &str {
    KINDS.iter().find(|(word, _)| *word == kind).map_or(kind, |(_, title)| *title)
}

/// Arguments in one line.
pub(in crate::web) fn summary(args: &Value) -> String {
    let Value::Object(fields) = args else { return shortened(&text(args), SUMMARY) };
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(|&(name, value)| (rank(name, value), name.as_str()));
    let parts = fields.into_iter().map(|(name, value)| part(name, value));
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    shortened(&parts.join(", "), SUMMARY)
}

/// What says most stands first.
fn rank(name: &str, value: &Value) -> u8 {
    match value {
        _ if name == "type" => 0,
        Value::Number(_) | Value::Bool(_) => 2,
        _ => 1,
    }
}

/// One argument, as a part of a line; empty where it says nothing to people.
fn part(name: &str, value: &Value) -> String {
    match (name, value) {
        ("kind" | "confirm" | "artifact_id" | "packages" | "timeout_ms" | "size", _)
        | (_, Value::Null) => String::new(),
        ("delay_seconds", Value::Number(n)) if n.as_u64() == Some(0) => String::new(),
        ("type", Value::String(word)) => word.replace('_', " "),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => match &items[..] {
            [] => String::new(),
            [only] => entry(only),
            [first, rest @ ..] => format!("{} and {} more", entry(first), rest.len()),
        },
        (_, Value::Object(_)) => summary(value),
        (_, Value::Bool(_) | Value::Number(_)) => format!("{} {value}", label(name)),
    }
}

/// An item of a list, as a part of a line.
fn entry(item: &Value) -> String {
    let Value::Object(fields) = item else { return text(item) };
    match (fields.get("name"), fields.get("value")) {
        (Some(name), Some(value)) => format!("{} = {}", text(name), text(value)),
        (Some(name), None) => text(name),
        (None, _) => summary(item),
    }
}

/// What was asked or answered, at length.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// What there is one of.
    pub(super) facts: Vec<Fact>,
    /// Lists: parameters, names, hops.
    pub(super) rows: Vec<Fact>,
    /// Rows that are not shown.
    pub(super) more: usize,
}

/// A name and its value.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) value: String,
    /// Where it leads, or empty.
    pub(super) href: String,
}

/// Arguments or a result at length. `files` = a file's id in it is one of an operator's.
pub(super) fn told(value: &Value, files: bool) -> Told {
    let mut told = Told::default();
    if let Value::Object(fields) = value {
        tell(&mut told, "", fields, files);
    }
    told.more = told.rows.len().saturating_sub(ROWS);
    told.rows.truncate(ROWS);
    told
}

fn tell(told: &mut Told, above: &str, fields: &Map<String, Value>, files: bool) {
    for (name, value) in fields {
        let label = match above {
            "" => label(name),
            above => format!("{above} {}", label(name)),
        };
        match (name.as_str(), value) {
            ("kind" | "confirm", _) | (_, Value::Null) => {}
            (_, Value::Object(inner)) => tell(told, &label, inner, files),
            (_, Value::Array(items)) => {
                told.rows.extend(items.iter().enumerate().map(|(i, item)| row(i, item)));
            }
            ("artifact_id", Value::String(id)) if files => {
                let href = format!("/files/{id}");
                told.facts.push(Fact { label: "file".to_owned(), value: id.clone(), href });
            }
            ("job_id", Value::String(id)) => {
                let href = format!("/jobs/{id}");
                told.facts.push(Fact { label: "job".to_owned(), value: id.clone(), href });
            }
            (_, value) => {
                told.facts.push(Fact { label, value: text(value), href: String::new() });
            }
        }
    }
}

/// An item of a list: by its name, or by its place.
fn row(index: usize, item: &Value) -> Fact {
    let fact = |label: String, value: String| Fact { label, value, href: String::new() };
    let Value::Object(fields) = item else { return fact(text(item), String::new()) };
    let rest = fields.iter().filter(|(name, value)| {
        !value.is_null() && !matches!(name.as_str(), "name" | "value" | "kind" | "type")
    });
    let rest: Vec<String> =
        rest.map(|(name, value)| format!("{} {}", label(name), text(value))).collect();
    let mut value = fields.get("value").map(text).unwrap_or_default();
    if !rest.is_empty() {
        let gap = if value.is_empty() { "" } else { ", " };
        value = format!("{value}{gap}{}", rest.join(", "));
    }
    match fields.get("name") {
        Some(name) => fact(text(name), value),
        None => fact((index + 1).to_string(), value),
    }
}

/// Why a job is as it is: its note, and what the device said of the fault.
pub(in crate::web) fn why(note: Option<&str>, fault: Option<&Value>) -> String {
    let note = note.unwrap_or_default();
    let said = fault.and_then(|fault| fault.get("text")).and_then(Value::as_str);
    match said.map(str::trim).filter(|said| !said.is_empty() && !note.contains(said)) {
        Some(said) if note.is_empty() => said.to_owned(),
        Some(said) => format!("{note}: “{said}”"),
        None => note.to_owned(),
    }
}

fn label(name: &str) -> String {
    name.replace('_', " ")
}

/// A value without the quotes of JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::spec::JobSpec;
    use crate::service::jobs;
    use serde_json::json;

    #[test]
    fn every_kind_and_every_state_has_its_words() {
        let error = serde_json::from_value::<JobSpec>(json!({ "kind": "?" })).unwrap_err();
        let all = error.to_string();
        // "unknown variant `?`, expected one of `get`, `set`, .."
        let kinds: Vec<&str> = all.split('`').skip(3).step_by(2).collect();
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
        for kind in kinds {
            assert_ne!(title(kind), kind, "{kind} has no title");
        }
        assert_eq!(STATES.map(|(state, _)| state), jobs::STATES);
        assert_eq!(title("new_kind"), "new_kind");
    }

    #[test]
    fn what_is_asked_fits_into_a_line() {
        let set = json!({ "kind": "set", "parameters": [
            { "name": "Device.A", "value": "1" }, { "name": "Device.B", "value": "2" },
        ] });
        let file = json!({ "type": "overwrite", "confirm": "overwrite the whole configuration" });
        let download =
            json!({ "kind": "download", "artifact_id": "x", "file": file, "delay_seconds": 0 });
        let later = json!({ "kind": "schedule_download", "download": download, "windows": [{}] });
        let ping = json!({ "type": "ping", "host": "192.0.2.1", "count": 4, "timeout_ms": 1000 });
        for (args, line) in [
            (set, "Device.A = 1 and 1 more"),
            (json!({ "kind": "get", "names": ["Device."] }), "Device."),
            (json!({ "kind": "refresh" }), ""),
            (json!({ "kind": "refresh", "path": "Device.WiFi." }), "Device.WiFi."),
            (json!({ "kind": "schedule_inform", "delay_seconds": 60 }), "delay seconds 60"),
            (download, "overwrite"),
            (later, "overwrite"),
            (json!({ "kind": "diagnose", "test": ping }), "ping, 192.0.2.1, count 4"),
            (json!({ "kind": "upgrade", "version": "7.16.1", "packages": ["x", "y"] }), "7.16.1"),
        ] {
            assert_eq!(summary(&args), line, "{args}");
        }
        let long = json!({ "kind": "get", "names": ["x".repeat(500)] });
        assert_eq!(summary(&long).chars().count(), SUMMARY + 1);
    }

    #[test]
    fn what_is_asked_and_answered_is_told_at_length() {
        let fact = |label: &str, value: &str, href: &str| Fact {
            label: label.to_owned(),
            value: value.to_owned(),
            href: href.to_owned(),
        };
        let args = json!({
            "kind": "download", "artifact_id": "a-1", "file": { "type": "alter" }, "delay_seconds": 5,
        });
        let asked = told(&args, true);
        assert_eq!((asked.facts.len(), asked.rows.len()), (3, 0), "{asked:?}");
        for one in [
            fact("file", "a-1", "/files/a-1"),
            fact("delay seconds", "5", ""),
            fact("file type", "alter", ""),
        ] {
            assert!(asked.facts.contains(&one), "{one:?} in {asked:?}");
        }
        assert!(told(&args, false).facts.contains(&fact("artifact id", "a-1", "")));
        let answered = told(
            &json!({
                "status": "applied", "instance": null,
                "parameters": [{ "name": "Device.A", "value": "1", "kind": "string" }],
                "attributes": [{ "name": "Device.B", "notification": 2 }],
                "hops": [{ "host": "192.0.2.1" }],
                "methods": ["Reboot"],
            }),
            false,
        );
        assert_eq!(answered.facts, [fact("status", "applied", "")]);
        for row in [
            fact("Device.A", "1", ""),
            fact("Device.B", "notification 2", ""),
            fact("1", "host 192.0.2.1", ""),
            fact("Reboot", "", ""),
        ] {
            assert!(answered.rows.contains(&row), "{row:?} in {:?}", answered.rows);
        }
        let many = told(&json!({ "names": vec!["x"; ROWS + 3] }), false);
        assert_eq!((many.rows.len(), many.more), (ROWS, 3));
        assert_eq!(told(&Value::Null, false), Told::default());
    }

    #[test]
    fn a_reason_holds_what_the_device_said_once() {
        let fault = json!({ "code": 9005, "text": "no such parameter" });
        let note = "the device refused: 9005 (invalid parameter name)";
        let both = format!("{note}: “no such parameter”");
        assert_eq!(why(Some(note), Some(&fault)), both);
        assert_eq!(why(Some(&both), Some(&fault)), both);
        assert_eq!(why(None, Some(&fault)), "no such parameter");
        assert_eq!(why(Some(note), Some(&json!({ "code": 9005, "text": " " }))), note);
        assert_eq!(why(None, None), "");
    }
}
