//! What was changed on a device by hand, in terms of the variables that its configuration was made
//! from. Pure.
//!
//! A suggestion, for a person to look at: that a value of the configuration was the value of one
//! variable, and of no other, does not prove that it came from it.

use std::collections::BTreeMap;

use muster_routeros::export::{DiffLine, HIDDEN, Kind, Piece};
use muster_routeros::lex;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fleet::secret::is_secret;

/// A change that could be adopted: with it, what the device has is what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BackupAdoption)]
pub struct Adoption {
    /// The variable whose value it was.
    pub variable: String,
    /// The menu in which it was changed, such as `/ip/dns`.
    pub menu: String,
    /// The property there.
    pub property: String,
    /// What it was.
    pub from: String,
    /// What it is now, as a value for the variable.
    #[schema(value_type = Object)]
    pub to: Value,
}

/// What could be adopted of these changes, given the values of all variables. One variable for which
/// two values are to be had is left out.
pub fn adoptions(lines: &[DiffLine], variables: &BTreeMap<String, Value>) -> Vec<Adoption> {
    let changed = lines.iter().filter(|line| line.kind == Kind::Changed);
    let all: Vec<Adoption> = changed.flat_map(|line| of_line(line, variables)).collect();
    let other = |one: &Adoption, two: &Adoption| one.variable == two.variable && one.to != two.to;
    let mut kept: Vec<Adoption> = Vec::new();
    for one in &all {
        let is_there = kept.iter().any(|two| two.variable == one.variable);
        if !is_there && !all.iter().any(|two| other(one, two)) {
            kept.push(one.clone());
        }
    }
    kept
}

fn of_line(line: &DiffLine, variables: &BTreeMap<String, Value>) -> Vec<Adoption> {
    let (before, after) = (text(line.before.as_deref()), text(line.after.as_deref()));
    let (before, after) = (arguments(&before, &line.menu), arguments(&after, &line.menu));
    let mut found = Vec::new();
    for (property, from) in &before {
        let named = |(name, _): &&(String, String)| name == property && !property.is_empty();
        let Some((_, now)) = after.iter().find(named) else { continue };
        // What is hidden is not what the device has.
        if now == from || now.contains(HIDDEN) {
            continue;
        }
        if let Some((variable, had)) = the_one(variables, from)
            && let Some(to) = like(had, now)
        {
            let (menu, property, from) = (line.menu.clone(), property.clone(), from.clone());
            found.push(Adoption { variable, menu, property, from, to });
        }
    }
    found
}

/// The text of a line of which pieces differ.
pub fn text(pieces: Option<&[Piece]>) -> String {
    pieces.into_iter().flatten().map(|piece| piece.text.as_str()).collect()
}

fn arguments(line: &str, menu: &str) -> Vec<(String, String)> {
    let statement = lex::statements_under(line, menu).into_iter().next();
    statement.map(|statement| statement.arguments).unwrap_or_default()
}

/// The variable that has this value, if it is one and no secret.
fn the_one<'v>(variables: &'v BTreeMap<String, Value>, text: &str) -> Option<(String, &'v Value)> {
    let says = |value: &Value| match value {
        Value::String(value) => value == text && !text.is_empty(),
        Value::Number(value) => value.to_string() == text,
        // A yes is the value of every other property.
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let mut those = variables.iter().filter(|(name, value)| !is_secret(name) && says(value));
    match (those.next(), those.next()) {
        (Some((name, value)), None) => Some((name.clone(), value)),
        _ => None,
    }
}

/// The text as a value of the kind that the variable has now.
fn like(had: &Value, text: &str) -> Option<Value> {
    match had {
        Value::Number(_) => text.parse::<i64>().ok().map(Value::from),
        _ => Some(Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use muster_routeros::export;
    use serde_json::json;

    use super::*;

    fn suggested(before: &str, after: &str, variables: Value) -> Vec<(String, Value)> {
        let variables = serde_json::from_value(variables).unwrap();
        let found = adoptions(&export::diff(before, after), &variables);
        found.into_iter().map(|one| (one.variable, one.to)).collect()
    }

    #[test]
    fn a_changed_value_is_found_in_the_variable_that_it_came_from() {
        let dns = |servers: &str| format!("/ip dns\nset servers={servers}\n");
        let (old, new) = (dns("9.9.9.9"), dns("1.1.1.1"));
        let adopted = [("dns".to_owned(), json!("1.1.1.1"))];
        assert_eq!(suggested(&old, &new, json!({ "dns": "9.9.9.9", "ntp": "x" })), adopted);
        // It may be either.
        assert!(suggested(&old, &new, json!({ "dns": "9.9.9.9", "ntp": "9.9.9.9" })).is_empty());
        assert!(suggested(&old, &new, json!({ "dns_token": "9.9.9.9" })).is_empty());
        assert!(suggested(&old, &old, json!({ "dns": "9.9.9.9" })).is_empty());
        assert!(suggested(&old, &dns(export::HIDDEN), json!({ "dns": "9.9.9.9" })).is_empty());
    }

    #[test]
    fn a_number_stays_one_and_what_is_none_is_left_out() {
        let vlan = |id: &str| format!("/interface vlan\nset [ find name=wan ] vlan-id={id}\n");
        let variables = json!({ "vlan": 7 });
        let found = suggested(&vlan("7"), &vlan("8"), variables.clone());
        assert_eq!(found, [("vlan".to_owned(), json!(8))]);
        assert!(suggested(&vlan("7"), &vlan("none"), variables).is_empty());
    }

    #[test]
    fn one_variable_is_not_to_have_two_values() {
        let both = |one: &str, two: &str| {
            format!("/ip dns\nset servers={one}\n/system ntp client\nset servers={two}\n")
        };
        let variables = || json!({ "server": "9.9.9.9" });
        let old = both("9.9.9.9", "9.9.9.9");
        assert!(suggested(&old, &both("1.1.1.1", "2.2.2.2"), variables()).is_empty());
        let same = suggested(&old, &both("1.1.1.1", "1.1.1.1"), variables());
        assert_eq!(same, [("server".to_owned(), json!("1.1.1.1"))]);
    }
}
