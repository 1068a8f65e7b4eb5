//! Variables as the editor has them: TOML, with a table `[[variables]]` for each. Pure.
//!
//! Owns that what is wrong is told with its line, and that what is written here is read as the same.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use crate::error::Error;
use crate::fleet::template::{Variable, check_variables};

/// What can be said of a variable, in the order in which it is written.
const KEYS: [&str; 12] = [
    "name", "type", "of", "values", "min", "max", "pattern", "label", "help", "section",
    "required", "default",
];

type Table = BTreeMap<String, Spanned<Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    variables: Vec<Spanned<Table>>,
}

/// The variables that a text declares.
///
/// # Errors
/// [`Error::Invalid`] at `/variables`, with the line.
pub(super) fn read(text: &str) -> Result<Vec<Variable>, Error> {
    // As browsers send the ends of lines.
    let text = text.replace("\r\n", "\n");
    let document: Document =
        toml::from_str(&text).map_err(|e| wrong(&text, e.span(), e.message()))?;
    let tables = document.variables.iter();
    let variables: Vec<Variable> =
        tables.map(|table| variable(&text, table)).collect::<Result<_, Error>>()?;
    match check_variables(&variables) {
        Ok(()) => Ok(variables),
        Err(Error::Invalid { pointer, message }) => {
            Err(wrong(&text, place(&document, &pointer), &message))
        }
        Err(other) => Err(other),
    }
}

fn variable(text: &str, table: &Spanned<Table>) -> Result<Variable, Error> {
    let said = table.get_ref();
    // A word that is misspelt must not be one that says nothing.
    if let Some((key, value)) = said.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        let why = format!("`{key}` says nothing of a variable: it has {}", KEYS.join(", "));
        return Err(wrong(text, Some(value.span()), &why));
    }
    let fields: Map<String, Value> =
        said.iter().map(|(key, value)| (key.clone(), value.get_ref().clone())).collect();
    serde_json::from_value(Value::Object(fields))
        .map_err(|e| wrong(text, Some(table.span()), &e.to_string()))
}

/// Where in the text that stands which a pointer means: `/variables/2/name`.
fn place(document: &Document, pointer: &str) -> Option<Range<usize>> {
    let mut parts = pointer.split('/').skip(2);
    let index: usize = parts.next()?.parse().ok()?;
    let table = document.variables.get(index)?;
    let value = parts.next().and_then(|key| table.get_ref().get(key));
    Some(value.map_or_else(|| table.span(), Spanned::span))
}

fn wrong(text: &str, span: Option<Range<usize>>, why: &str) -> Error {
    let words = match span {
        Some(span) => format!("line {}: {why}", line(text, span.start)),
        None => why.to_owned(),
    };
    Error::invalid("/variables", words)
}

/// The line in which a byte stands; the first one is 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Variables as text.
pub(super) fn write(variables: &[Variable]) -> String {
    let tables: Vec<String> = variables.iter().map(table).collect();
    tables.join("\n")
}

fn table(variable: &Variable) -> String {
    let said = serde_json::to_value(variable).expect("a variable is plain data");
    let mut text = "[[variables]]\n".to_owned();
    for key in KEYS {
        let is_nothing =
            |value: &Value| value.is_null() || (key == "required" && *value == Value::Bool(false));
        if let Some(value) = said.get(key).filter(|value| !is_nothing(value)) {
            text.push_str(&format!("{key} = {}\n", written(value)));
        }
    }
    text
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("{key} = {}", written(value));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A pattern is easier to read between `'`, where a backslash is one.
fn quoted(text: &str) -> String {
    if text.contains('\\') && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    // Strings of JSON are strings of TOML, but for one character.
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    const TEXT: &str = "[[variables]]\nname = \"ssid\"\ntype = \"string\"\nmin = 1\nmax = 32\n\
        pattern = '\\w+'\nlabel = \"Name \\\"of\\\" it\"\nrequired = true\n\n\
        [[variables]]\nname = \"dns\"\ntype = \"list\"\nof = { type = \"ip\" }\nmax = 2\n\
        default = [\"192.0.2.1\"]\n\n\
        [[variables]]\nname = \"mode\"\ntype = \"enum\"\nvalues = [\"router\", \"bridge\"]\n\n\
        [[variables]]\nname = \"guests\"\ntype = \"bool\"\ndefault = false\n\n\
        [[variables]]\nname = \"vlan\"\ntype = \"int\"\nmin = -1\ndefault = 7\n";

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let variables = read(TEXT).unwrap();
        assert_eq!(variables.len(), 5);
        assert_eq!(write(&variables), TEXT);
        assert_eq!(read(&TEXT.replace('\n', "\r\n")).unwrap(), variables);
        assert!(read("").unwrap().is_empty());
        assert_eq!(write(&[]), "");
        for help in ["a\nb\t\u{7f}\u{1}", "it's \\", "\\d", "\"", "ā 𝄞"] {
            let variable: Variable =
                serde_json::from_value(json!({ "name": "a", "type": "ip", "help": help })).unwrap();
            let text = write(std::slice::from_ref(&variable));
            assert_eq!(read(&text).unwrap(), [variable], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, told) in [
            ("[[variables]]\nname = x", "line 2: "),
            ("name = \"a\"", "line 1: "),
            ("[[variables]]\nname = \"a\"\ntype = \"ip\"\nrequird = true", "line 4: `requird`"),
            ("\n[[variables]]\nname = \"a\"\ntype = \"text\"", "line 2: unknown variant `text`"),
            ("[[variables]]\ntype = \"ip\"", "line 1: missing field `name`"),
            ("[[variables]]\ntype = \"ip\"\nname = \"site\"", "line 3: `site`"),
            (
                "[[variables]]\nname = \"a\"\ntype = \"ip\"\n[[variables]]\nname = \"b\"\n\
                 type = \"int\"\ndefault = \"x\"",
                "line 7: a whole number",
            ),
            ("[[variables]]\nname = \"a\"\ntype = \"int\"\nmin = 2\nmax = 1", "line 1: `a`: `min`"),
        ] {
            match read(text) {
                Err(Error::Invalid { pointer, message }) => {
                    assert_eq!(pointer, "/variables");
                    assert!(message.starts_with(told), "{text}: {message}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
