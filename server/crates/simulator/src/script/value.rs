//! Values of scripts, and what operators make of them.

use std::sync::Arc;

use super::syntax::Block;

/// What a variable holds or a command gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// `nil`, and what commands give that give nothing.
    Nothing,
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Number(i64),
    /// Text, and all that is like it: addresses, times, ids.
    Text(String),
    /// Several.
    List(Vec<Value>),
    /// What can be called.
    Code(Arc<Block>),
}

impl Value {
    /// As `[:tostr]` makes it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(items) => joined(items, ";", Self::text),
            Self::Code(block) => block.source.clone(),
        }
    }

    /// As a property of an item holds it.
    pub(crate) fn property(&self) -> String {
        match self {
            Self::Truth(truth) => if *truth { "yes" } else { "no" }.to_owned(),
            Self::List(items) => joined(items, ",", Self::property),
            _ => self.text(),
        }
    }

    /// What a property reads as.
    pub(crate) fn of_property(text: &str) -> Self {
        match text {
            "yes" => Self::Truth(true),
            "no" => Self::Truth(false),
            _ => Self::of_word(text),
        }
    }

    /// What a word of an expression is.
    pub(crate) fn of_word(word: &str) -> Self {
        match word {
            "true" | "yes" => Self::Truth(true),
            "false" | "no" => Self::Truth(false),
            _ => word.parse().map_or_else(|_| Self::Text(word.to_owned()), Self::Number),
        }
    }

    /// Whether a condition holds; none where it is no condition.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Text(text) => match text.as_str() {
                "true" | "yes" => Some(true),
                "false" | "no" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// As a number, if it is one.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// `[:len]`
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            other => other.text().chars().count(),
        }
    }

    /// `[:typeof]`
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nil",
            Self::Truth(_) => "bool",
            Self::Number(_) => "num",
            Self::Text(text) if text.starts_with('*') => "id",
            Self::Text(_) => "str",
            Self::List(_) => "array",
            Self::Code(_) => "code",
        }
    }

    /// Whether both are the same, whatever they are held as.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self.truth(), other.truth()) {
            (Some(one), Some(two)) => one == two,
            _ => self.text() == other.text(),
        }
    }
}

/// Two values with an operator between them; none where that is nothing.
pub(crate) fn both(operator: &str, left: &Value, right: &Value) -> Option<Value> {
    let numbers = || left.number().zip(right.number());
    let count = |made: fn(i64, i64) -> Option<i64>| {
        numbers().and_then(|(a, b)| made(a, b)).map(Value::Number)
    };
    let truths = || left.truth().zip(right.truth());
    let ordered = |fits: fn(std::cmp::Ordering) -> bool| {
        let ordering = match numbers() {
            Some((a, b)) => a.cmp(&b),
            None => left.text().cmp(&right.text()),
        };
        Some(Value::Truth(fits(ordering)))
    };
    match operator {
        "=" => Some(Value::Truth(left.same(right))),
        "!=" => Some(Value::Truth(!left.same(right))),
        "<" => ordered(std::cmp::Ordering::is_lt),
        ">" => ordered(std::cmp::Ordering::is_gt),
        "<=" => ordered(std::cmp::Ordering::is_le),
        ">=" => ordered(std::cmp::Ordering::is_ge),
        "~" => Some(Value::Truth(fits(&left.text(), &right.text()))),
        "in" => match right {
            Value::List(items) => Some(Value::Truth(items.iter().any(|item| item.same(left)))),
            _ => None,
        },
        "&&" | "and" => truths().map(|(a, b)| Value::Truth(a && b)),
        "||" | "or" => truths().map(|(a, b)| Value::Truth(a || b)),
        "." => Some(Value::Text(left.text() + &right.text())),
        "," => Some(Value::List([items(left), items(right)].concat())),
        "->" => match left {
            Value::List(items) => {
                let at = usize::try_from(right.number()?).ok()?;
                Some(items.get(at).cloned().unwrap_or(Value::Nothing))
            }
            _ => None,
        },
        "+" => count(i64::checked_add),
        "-" => count(i64::checked_sub),
        "*" => count(i64::checked_mul),
        "/" => count(i64::checked_div),
        "%" => count(i64::checked_rem),
        "&" => count(|a, b| Some(a & b)),
        "|" => count(|a, b| Some(a | b)),
        "^" => count(|a, b| Some(a ^ b)),
        _ => None,
    }
}

/// Whether a text fits a regular expression. Of these it knows plain text with `^` before and `$`
/// behind, which is what scripts use.
pub(crate) fn fits(text: &str, pattern: &str) -> bool {
    let (pattern, begins) = pattern.strip_prefix('^').map_or((pattern, false), |rest| (rest, true));
    let (pattern, ends) = pattern.strip_suffix('$').map_or((pattern, false), |rest| (rest, true));
    match (begins, ends) {
        (true, true) => text == pattern,
        (true, false) => text.starts_with(pattern),
        (false, true) => text.ends_with(pattern),
        (false, false) => text.contains(pattern),
    }
}

/// A value as several.
pub(crate) fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Nothing => Vec::new(),
        Value::List(items) => items.clone(),
        Value::Text(text) if text.is_empty() => Vec::new(),
        other => vec![other.clone()],
    }
}

fn joined(items: &[Value], between: &str, text: fn(&Value) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(between)
}
