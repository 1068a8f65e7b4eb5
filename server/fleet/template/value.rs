//! What a variable may be, and what a value must be to be one. Pure.
//!
//! No message repeats a value: it may be a secret.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Kind, MAX_VARIABLES, Text, Values, Variable};
use crate::error::Error;
use crate::fleet::claim::mac;
use crate::fleet::secret::is_secret;
use crate::fleet::variables::Variables;

/// Characters of a name, a label and a section.
const MAX_NAME: usize = 64;
/// Characters of a help text.
const MAX_HELP: usize = 1_000;
/// Characters of a text where nobody says otherwise, and at most.
const TEXT: usize = 1_000;
const MAX_TEXT: usize = 10_000;
/// Items of a list where nobody says otherwise, and at most; words of an enum at most.
const ITEMS: usize = 100;
const MAX_ITEMS: usize = 1_000;
/// Characters of a pattern, and bytes of what is made of it.
const MAX_PATTERN: usize = 1_000;
const PATTERN_BYTES: usize = 4 << 20;
/// Patterns that are kept ready.
const PATTERNS: usize = 100;

/// What every template has without declaring it, and words that mean something else in one.
const RESERVED: [&str; 24] = [
    "device", "site", "customer", "acs", "board", "loop", "self", "and", "or", "not", "is", "in",
    "if", "else", "for", "true", "false", "True", "False", "none", "None", "null", "break",
    "continue",
];

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Of which variable.
    pub name: String,
    /// What it is to be.
    pub words: String,
    /// There is none, and one is required.
    pub missing: bool,
}

/// Refuses variables that cannot be declared.
///
/// # Errors
/// [`Error::Invalid`] at `/variables/N/...`.
pub fn check_variables(variables: &[Variable]) -> Result<(), Error> {
    if variables.len() > MAX_VARIABLES {
        return Err(Error::invalid("/variables", format!("at most {MAX_VARIABLES}")));
    }
    let mut names = HashSet::new();
    for (i, variable) in variables.iter().enumerate() {
        let invalid =
            |at: &str, why: String| Err(Error::invalid(format!("/variables/{i}{at}"), why));
        if let Err(why) = check_name(&variable.name) {
            return invalid("/name", why);
        }
        if !names.insert(variable.name.as_str()) {
            return invalid("/name", format!("`{}` is declared twice", variable.name));
        }
        let texts =
            [("/label", &variable.label, MAX_NAME), ("/section", &variable.section, MAX_NAME)];
        for (at, text, max) in texts.into_iter().chain([("/help", &variable.help, MAX_HELP)]) {
            let text = text.as_deref().unwrap_or_default();
            if text.chars().count() > max || text.contains('\0') {
                return invalid(at, format!("at most {max} characters, and no U+0000"));
            }
        }
        if let Err(why) = check_kind(&variable.kind) {
            return invalid("", format!("`{}`: {why}", variable.name));
        }
        let secret = matches!(variable.kind, Kind::Secret(_));
        if secret != is_secret(&variable.name) {
            return invalid("/name", secret_words(&variable.name, secret));
        }
        let Some(default) = &variable.default else { continue };
        if secret {
            let why = "a secret has no default: everybody who reads the template would know it";
            return invalid("/default", why.to_owned());
        }
        if let Err(why) = fit(&variable.kind, default) {
            return invalid("/default", why);
        }
    }
    Ok(())
}

fn secret_words(name: &str, secret: bool) -> String {
    if secret {
        format!(
            "a secret is known by its name, wherever its value stands: let `{name}` end in \
             `password`, `passphrase`, `secret` or `psk`"
        )
    } else {
        format!(
            "by its name `{name}` is a secret: make its type `secret`, or call it something else"
        )
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !first || !rest || name.len() > MAX_NAME {
        return Err(format!(
            "a name is a letter or `_`, then letters, digits and `_`, at most {MAX_NAME}"
        ));
    }
    if RESERVED.contains(&name) || name.starts_with("__tera") {
        return Err(format!("`{name}` means something else in a template"));
    }
    Ok(())
}

fn check_kind(kind: &Kind) -> Result<(), String> {
    match kind {
        Kind::String(text) | Kind::Secret(text) => check_text(text),
        Kind::Ip | Kind::Prefix | Kind::Mac | Kind::Bool => Ok(()),
        Kind::Int { min, max } => match (min, max) {
            (Some(min), Some(max)) if min > max => Err("`min` is more than `max`".to_owned()),
            _ => Ok(()),
        },
        Kind::Enum { values } => {
            let distinct: HashSet<&String> = values.iter().collect();
            let good = |word: &String| (1..=TEXT).contains(&word.chars().count());
            if values.is_empty() || values.len() > ITEMS || distinct.len() != values.len() {
                return Err(format!("`values` are 1 to {ITEMS} different words"));
            }
            match values.iter().all(good) {
                true => Ok(()),
                false => Err(format!("each of `values` has 1 to {TEXT} characters")),
            }
        }
        Kind::List { of, max } => {
            if matches!(**of, Kind::List { .. } | Kind::Secret(_)) {
                return Err("a list is of anything but lists and secrets".to_owned());
            }
            if max.is_some_and(|max| !(1..=MAX_ITEMS).contains(&max)) {
                return Err(format!("`max` of a list is 1 to {MAX_ITEMS}"));
            }
            check_kind(of)
        }
    }
}

fn check_text(text: &Text) -> Result<(), String> {
    let max = text.max.unwrap_or(TEXT);
    if !(1..=MAX_TEXT).contains(&max) || text.min.is_some_and(|min| min > max) {
        return Err(format!("`max` is 1 to {MAX_TEXT}, and `min` no more than it"));
    }
    match &text.pattern {
        Some(pattern) => compiled(pattern).map(|_| ()),
        None => Ok(()),
    }
}

/// The pattern as one that the whole of a text must match. They are asked for again and again, for
/// each device that is compared.
fn compiled(pattern: &str) -> Result<Regex, String> {
    static READY: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = ready.get(pattern) {
        return Ok(regex.clone());
    }
    if pattern.chars().count() > MAX_PATTERN {
        return Err(format!("a pattern has at most {MAX_PATTERN} characters"));
    }
    let build = |text: &str| {
        let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
        built.map_err(|e| format!("its pattern cannot be used: {e}"))
    };
    // By itself first: between the anchors `a)|(b` would be one.
    build(pattern)?;
    let regex = build(&format!(r"\A(?:{pattern})\z"))?;
    if ready.len() >= PATTERNS {
        ready.clear();
    }
    ready.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

/// The values that fit, whole and in one form, and what is wrong with the others. What nobody gives is
/// the default; without one a list is empty, a bool is no, and anything else is not there. Values that
/// no variable declares are left out.
pub fn settle(variables: &[Variable], given: &Variables) -> (Values, Vec<Wrong>) {
    let (mut values, mut wrong) = (Values::new(), Vec::new());
    for variable in variables {
        let name = &variable.name;
        let value = given.0.get(name).filter(|value| is_said(variable, value));
        match value.or(variable.default.as_ref()) {
            Some(value) => match fit(&variable.kind, value) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(words) => wrong.push(Wrong { name: name.clone(), words, missing: false }),
            },
            None if variable.required => {
                let words = "a value is required".to_owned();
                wrong.push(Wrong { name: name.clone(), words, missing: true });
            }
            None => values.extend(empty(&variable.kind).map(|value| (name.clone(), value))),
        }
    }
    (values, wrong)
}

/// Whether a value says anything: an empty field of a form or a table does not, but for a text that
/// may be empty.
fn is_said(variable: &Variable, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) if text.is_empty() => {
            matches!(variable.kind, Kind::String(_)) && !variable.required
        }
        _ => true,
    }
}

fn empty(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::List { .. } => Some(Value::Array(Vec::new())),
        Kind::Bool => Some(Value::Bool(false)),
        _ => None,
    }
}

/// The values with which a template is rendered.
///
/// # Errors
/// [`Error::Invalid`] that names every variable whose value is missing or does not fit.
pub fn resolve(variables: &[Variable], given: &Variables) -> Result<Values, Error> {
    let (values, wrong) = settle(variables, given);
    if wrong.is_empty() {
        return Ok(values);
    }
    let words: Vec<String> =
        wrong.iter().map(|wrong| format!("`{}`: {}", wrong.name, wrong.words)).collect();
    Err(Error::invalid("/variables", words.join("; ")))
}

/// The value in its one form; also from text, as forms and tables have it.
fn fit(kind: &Kind, value: &Value) -> Result<Value, String> {
    match kind {
        Kind::String(rules) | Kind::Secret(rules) => text(rules, value),
        Kind::Ip => {
            let words = "an IP address, such as 192.0.2.1";
            let address = plain(value).and_then(|text| text.parse::<IpAddr>().ok());
            address.map(|address| Value::from(address.to_string())).ok_or_else(|| words.to_owned())
        }
        Kind::Prefix => {
            let words = "an address with the length of its network, such as 192.168.88.1/24";
            let net = plain(value).and_then(|text| text.parse::<IpNet>().ok());
            net.map(|net| Value::from(net.to_string())).ok_or_else(|| words.to_owned())
        }
        Kind::Mac => plain(value)
            .and_then(mac)
            .map(Value::from)
            .ok_or_else(|| "an Ethernet address, such as E4:8D:8C:00:00:01".to_owned()),
        Kind::Int { min, max } => {
            let number = value.as_i64().or_else(|| plain(value)?.parse().ok());
            let within =
                |n: &i64| min.is_none_or(|min| *n >= min) && max.is_none_or(|max| *n <= max);
            number.filter(within).map(Value::from).ok_or_else(|| int_words(*min, *max))
        }
        Kind::Bool => {
            let said = plain(value).map(str::to_ascii_lowercase);
            match (value, said.as_deref()) {
                (Value::Bool(_), _) => Ok(value.clone()),
                (_, Some("yes" | "true")) => Ok(Value::Bool(true)),
                (_, Some("no" | "false")) => Ok(Value::Bool(false)),
                _ => Err("yes or no".to_owned()),
            }
        }
        Kind::Enum { values } => {
            let said = written(value).filter(|word| values.contains(word));
            said.map(Value::from).ok_or_else(|| format!("one of {}", values.join(", ")))
        }
        Kind::List { of, max } => list(of, max.unwrap_or(ITEMS), value),
    }
}

fn text(rules: &Text, value: &Value) -> Result<Value, String> {
    let said = written(value).ok_or("text")?;
    let (min, max) = (rules.min.unwrap_or(0), rules.max.unwrap_or(TEXT));
    if !(min..=max).contains(&said.chars().count()) {
        return Err(format!("{min} to {max} characters"));
    }
    if let Some(pattern) = &rules.pattern
        && !compiled(pattern)?.is_match(&said)
    {
        return Err(format!("text that matches `{pattern}`"));
    }
    Ok(Value::from(said))
}

/// Text, also where a number was meant as one.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text without the blanks around it.
fn plain(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim)
}

fn int_words(min: Option<i64>, max: Option<i64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        (Some(min), None) => format!("a whole number from {min} on"),
        (None, Some(max)) => format!("a whole number up to {max}"),
        (None, None) => "a whole number".to_owned(),
    }
}

fn list(of: &Kind, max: usize, value: &Value) -> Result<Value, String> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(Value::from).collect()
        }
        _ => return Err("a list".to_owned()),
    };
    if items.len() > max {
        return Err(format!("at most {max} in the list"));
    }
    let fitted: Result<Vec<Value>, String> = items.iter().map(|item| fit(of, item)).collect();
    Ok(Value::Array(fitted.map_err(|words| format!("in the list: {words}"))?))
}

/// Values with which a template can be tried: of all variables, or only of those that it needs.
pub fn samples(variables: &[Variable], all: bool) -> Values {
    let wanted = variables.iter().filter(|variable| all || variable.required);
    let given: BTreeMap<String, Value> = wanted
        .map(|variable| {
            let value = variable.default.clone().unwrap_or_else(|| sample(&variable.kind));
            (variable.name.clone(), value)
        })
        .collect();
    let (mut values, _) = settle(variables, &Variables(given.clone()));
    // A sample of a text need not match its pattern.
    for (name, value) in given {
        values.entry(name).or_insert(value);
    }
    values
}

/// A value of this kind; a pattern is not looked at.
pub fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::String(rules) | Kind::Secret(rules) => {
            let (min, max) = (rules.min.unwrap_or(0), rules.max.unwrap_or(TEXT));
            let length = "sample".len().clamp(min, max.max(min));
            Value::from("sample".chars().cycle().take(length).collect::<String>())
        }
        // Of one network, for templates that look whether they are.
        Kind::Ip => Value::from("192.168.88.10"),
        Kind::Prefix => Value::from("192.168.88.1/24"),
        Kind::Mac => Value::from("02:00:00:00:00:01"),
        Kind::Int { min, max } => Value::from(min.or(*max).unwrap_or(1)),
        Kind::Bool => Value::Bool(true),
        Kind::Enum { values } => Value::from(values.first().cloned().unwrap_or_default()),
        Kind::List { of, .. } => Value::Array(vec![sample(of)]),
    }
}

#[cfg(test)]
mod tests;
