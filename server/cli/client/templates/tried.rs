//! What is wrong with a template, and what it gives.

use std::path::Path;

use anyhow::ensure;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{declared, text};
use crate::cli::client::http::{Answer, Api};
use crate::cli::client::output::{clean_lines, hint, maybe, print, show, table};

#[derive(Debug, Deserialize)]
struct Finding {
    line: usize,
    severity: String,
    words: String,
}

#[derive(Debug, Deserialize)]
struct Lint {
    findings: Vec<Finding>,
    size: Option<usize>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Preview {
    script: String,
    findings: Vec<Finding>,
    missing: Vec<Gap>,
    rescue: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Gap {
    name: String,
    words: String,
}

/// Says what is wrong with a template that is not stored; fails if something is.
pub(super) async fn lint(
    api: &Api,
    body: &Path,
    variables: Option<&Path>,
    bench: bool,
) -> anyhow::Result<()> {
    let asked = json!({ "body": text(body)?, "variables": declared(variables)?, "bench": bench });
    let answer = api.call(Method::POST, &["templates", "lint"], Some(&asked)).await?;
    let lint: Lint = answer.read()?;
    let errors = lint.findings.iter().filter(|finding| finding.severity == "error").count();
    show(api, &answer, |lint: Lint| match (lint.findings.is_empty(), lint.size, lint.limit) {
        (true, Some(size), None) => format!("nothing is wrong; about {size} bytes for a device"),
        (true, Some(size), Some(limit)) => {
            format!("nothing is wrong; about {size} of {limit} bytes for a board")
        }
        _ => findings(lint.findings),
    })?;
    ensure!(errors == 0, "{errors} errors");
    Ok(())
}

fn findings(findings: Vec<Finding>) -> String {
    let row = |f: Finding| vec![line(f.line), f.severity, f.words];
    table(&["line", "severity", "finding"], &findings.into_iter().map(row).collect::<Vec<_>>())
}

fn line(line: usize) -> String {
    maybe((line > 0).then(|| line.to_string()))
}

/// Prints the script of a preview, and beside it what is to be known of it.
pub(super) fn preview(api: &Api, answer: &Answer) -> anyhow::Result<()> {
    if api.json {
        return show(api, answer, |preview: Value| preview.to_string());
    }
    let preview: Preview = answer.read()?;
    print(clean_lines(&preview.script).trim_end())?;
    for gap in preview.missing {
        hint(&format!("{}: {}; a value is made up here", gap.name, gap.words));
    }
    for finding in preview.findings {
        hint(&format!("{}, line {}: {}", finding.severity, finding.line, finding.words));
    }
    if let Some(why) = preview.rescue {
        hint(&format!("if this cuts the device off, it cannot undo it by itself: {why}"));
    }
    Ok(())
}
