//! How a template, and a version of it, are shown.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::Summary;
use crate::cli::client::output::{clean_lines, compact, fields, maybe, table, time, yes};

#[derive(Debug, Deserialize)]
pub(super) struct Template {
    #[serde(flatten)]
    about: Summary,
    body: String,
    variables: Vec<Variable>,
    note: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    version: i32,
    body: String,
    variables: Vec<Variable>,
    note: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: bool,
    default: Option<Value>,
    help: Option<String>,
}

/// A template as it is now.
pub(super) fn view(template: Template) -> String {
    let Template { about, body, variables, note } = template;
    let rows = fields(&[
        ("template_id", about.template_id.to_string()),
        ("name", about.name),
        ("version", about.version.to_string()),
        ("note", maybe(Some(note))),
        ("builtin", yes(about.builtin)),
        ("bench", yes(about.bench)),
        ("description", maybe(Some(about.description))),
        ("updated_at", time(about.updated_at)),
    ]);
    whole(&rows, variables, &body)
}

/// One version of a template.
pub(super) fn version_view(version: Version) -> String {
    let rows = fields(&[
        ("version", version.version.to_string()),
        ("note", maybe(Some(version.note))),
        ("created_by", version.created_by),
        ("created_at", time(version.created_at)),
    ]);
    whole(&rows, version.variables, &version.body)
}

fn whole(rows: &str, variables: Vec<Variable>, body: &str) -> String {
    let row = |v: Variable| {
        let default = v.default.map(|default| compact(&default));
        vec![v.name, v.kind, yes(v.required), maybe(default), maybe(v.help)]
    };
    let rows_of: Vec<Vec<String>> = variables.into_iter().map(row).collect();
    let declared = match rows_of.is_empty() {
        true => String::new(),
        false => {
            let header = ["variable", "type", "required", "default", "help"];
            format!("\n\n{}", table(&header, &rows_of))
        }
    };
    format!("{rows}{declared}\n\n{}", clean_lines(body))
}
