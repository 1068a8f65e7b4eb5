//! What changed between two states of a thing, field by field, as people read it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::web::format::shortened;

/// Fields that are shown of one entry.
const MOST: usize = 40;
/// Characters that are shown of one value.
const LONGEST: usize = 300;

/// A field that changed; a side that is `None` did not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    field: String,
    old: Option<String>,
    new: Option<String>,
}

/// The fields that changed, in order of their names, and how many more there are.
pub(super) fn changes(before: Option<&Value>, after: Option<&Value>) -> (Vec<Change>, usize) {
    let (old, new) = (fields(before), fields(after));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let shown = |value: Option<&&Value>| value.map(|value| shortened(&words(value), LONGEST));
    let mut changes: Vec<Change> = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Change {
            field: name.clone(),
            old: shown(old.get(name)),
            new: shown(new.get(name)),
        })
        .collect();
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    (changes, more)
}

/// The values of a state by the names that lead to them, such as `support.notes`. What says nothing
/// is left out, so that a field that was empty before is only new.
fn fields(state: Option<&Value>) -> BTreeMap<String, &Value> {
    let mut fields = BTreeMap::new();
    if let Some(state) = state {
        collect("", state, &mut fields);
    }
    fields
}

fn collect<'a>(name: &str, value: &'a Value, fields: &mut BTreeMap<String, &'a Value>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Object(inner) => {
            for (key, value) in inner {
                collect(&below(key), value, fields);
            }
        }
        // A list of things is walked, one of words is one value.
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (i, item) in items.iter().enumerate() {
                collect(&below(&(i + 1).to_string()), item, fields);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            fields.insert(name.to_owned(), value);
        }
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(before: Value, after: Value) -> Vec<(String, Option<String>, Option<String>)> {
        let (changes, _) = changes(Some(&before), Some(&after));
        changes.into_iter().map(|c| (c.field, c.old, c.new)).collect()
    }

    fn change(
        field: &str,
        old: Option<&str>,
        new: Option<&str>,
    ) -> (String, Option<String>, Option<String>) {
        (field.to_owned(), old.map(str::to_owned), new.map(str::to_owned))
    }

    #[test]
    fn only_what_changed_is_told() {
        let before = json!({ "name": "Riga", "time_zone": "UTC", "windows": [], "old": 1 });
        let after = json!({ "name": "Rīga", "time_zone": "UTC", "windows": [{ "days": ["mon", "tue"], "minutes": 30 }] });
        let expected = [
            change("name", Some("Riga"), Some("Rīga")),
            change("old", Some("1"), None),
            change("windows.1.days", None, Some("mon, tue")),
            change("windows.1.minutes", None, Some("30")),
        ];
        assert_eq!(told(before, after), expected);
        assert!(told(json!({ "a": null, "b": "" }), json!({ "b": null })).is_empty());
        assert_eq!(
            told(json!({ "on": true }), json!({ "on": false })),
            [change("on", Some("yes"), Some("no"))]
        );
    }

    #[test]
    fn what_is_new_and_what_is_gone_has_one_side() {
        let state = json!({ "tags": ["a", "b"] });
        let (made, _) = changes(None, Some(&state));
        assert_eq!(made, [Change { field: "tags".into(), old: None, new: Some("a, b".into()) }]);
        let (gone, _) = changes(Some(&state), None);
        assert_eq!(gone, [Change { field: "tags".into(), old: Some("a, b".into()), new: None }]);
        assert_eq!(changes(None, None), (Vec::new(), 0));
        assert_eq!(changes(None, Some(&json!("x"))).0.len(), 1);
    }

    #[test]
    fn a_great_change_is_cut() {
        let state: Value = (0..MOST + 2).map(|i| (format!("{i:03}"), json!("x"))).collect();
        let (changes, more) = changes(None, Some(&state));
        assert_eq!((changes.len(), more), (MOST, 2));
        let long = json!({ "text": "x".repeat(LONGEST + 1) });
        let (changes, _) = super::changes(None, Some(&long));
        assert_eq!(changes[0].new.as_ref().map(|text| text.chars().count()), Some(LONGEST + 1));
    }
}
