//! Claims as a table: what it would do, and doing it.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::client::http::{Answer, Api, answer};
use crate::cli::client::output::{agreed, hint, print, safe_json, show, table};

/// A table, and what all its lines say that do not say otherwise.
#[derive(Debug, Args)]
pub struct Preview {
    /// CSV whose first line names the columns; - is standard input.
    file: PathBuf,
    #[command(flatten)]
    defaults: Defaults,
    /// Show all lines that the server tells, and not only those that cannot be taken.
    #[arg(long)]
    all: bool,
}

/// The same, and whether it is meant.
#[derive(Debug, Args)]
pub struct Import {
    /// CSV whose first line names the columns; - is standard input, and needs --yes.
    file: PathBuf,
    #[command(flatten)]
    defaults: Defaults,
    /// Leave out lines that cannot be taken, rather than do nothing.
    #[arg(long)]
    skip_wrong: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// What all lines say that do not say otherwise.
#[derive(Debug, Default, Args)]
pub struct Defaults {
    /// Path of the site.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// Name of the profile.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Tags, with commas between.
    #[arg(long, value_name = "TAG,...")]
    tags: Option<String>,
    /// Only devices that come with the claims' own credentials take them.
    #[arg(long)]
    own_credential: bool,
}

impl Defaults {
    fn query(&self) -> Vec<(&str, &str)> {
        let texts = [("site", &self.site), ("profile", &self.profile), ("tags", &self.tags)];
        let said = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
        let own = self.own_credential.then_some(("own_credential", "true"));
        said.chain(own).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Told {
    rows: Vec<Line>,
    counts: Counts,
    sha256: String,
    encoding: String,
    exposed: u64,
}

#[derive(Debug, Deserialize)]
struct Line {
    line: u64,
    verdict: String,
    words: Option<String>,
    claim: Value,
}

#[derive(Debug, Deserialize)]
struct Done {
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Counts {
    new: u64,
    changes: u64,
    same: u64,
    conflict: u64,
    wrong: u64,
}

impl Counts {
    fn words(self) -> String {
        let Self { new, changes, same, conflict, wrong } = self;
        format!(
            "{new} new, {changes} changed, {same} the same, {conflict} in conflict, {wrong} wrong"
        )
    }

    fn bad(self) -> u64 {
        self.conflict + self.wrong
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let place = || file.display().to_string();
    if file.as_os_str() != "-" {
        return std::fs::read(file).with_context(place);
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).with_context(place)?;
    Ok(bytes)
}

async fn sent(
    api: &Api,
    verb: &str,
    query: &[(&str, &str)],
    bytes: Vec<u8>,
) -> anyhow::Result<Answer> {
    let request = api.request(Method::POST, &["claims", verb], query);
    let request = request.header(header::CONTENT_TYPE, "text/csv").body(bytes);
    answer(api.send(request).await?).await
}

/// `muster claims preview`
pub(super) async fn preview(api: &Api, preview: Preview) -> anyhow::Result<()> {
    let Preview { file, defaults, all } = preview;
    let told = sent(api, "preview", &defaults.query(), read(&file)?).await?;
    if api.json {
        return Ok(print(&safe_json(told.text()))?);
    }
    let told: Told = told.read()?;
    look(&told, all)?;
    hint(&told.counts.words());
    Ok(())
}

/// Shows the lines that matter.
fn look(told: &Told, all: bool) -> anyhow::Result<()> {
    if told.encoding != "utf8" {
        hint("the file is read as Latin-1: look whether its letters are right");
    }
    if told.exposed > 0 {
        hint(&format!(
            "{} of these claims hold secrets and ask for no credential of their own: any new device that \
             says the serial number of one is given them (--own-credential)",
            told.exposed
        ));
    }
    let bad = |line: &&Line| matches!(line.verdict.as_str(), "conflict" | "wrong");
    let lines: Vec<Vec<String>> =
        told.rows.iter().filter(|line| all || bad(line)).map(row).collect();
    if !lines.is_empty() {
        print(&table(&["line", "serial", "mac", "verdict", "why"], &lines))?;
    }
    Ok(())
}

fn row(line: &Line) -> Vec<String> {
    let text = |name: &str| line.claim[name].as_str().unwrap_or("-").to_owned();
    let words = line.words.clone().unwrap_or_default();
    vec![line.line.to_string(), text("serial"), text("mac"), line.verdict.clone(), words]
}

/// `muster claims import`
pub(super) async fn import(api: &Api, import: Import) -> anyhow::Result<()> {
    let Import { file, defaults, skip_wrong, yes } = import;
    let bytes = read(&file)?;
    let mut query = defaults.query();
    let told: Told = sent(api, "preview", &query, bytes.clone()).await?.read()?;
    if !api.json {
        look(&told, false)?;
    }
    let words = told.counts.words();
    let bad = told.counts.bad();
    if bad > 0 && !skip_wrong {
        bail!("{words}: nothing was stored; --skip-wrong leaves {bad} lines out");
    }
    if !yes {
        if file.as_os_str() == "-" || !std::io::stdin().is_terminal() {
            bail!("{words}: --yes goes on");
        }
        ensure!(agreed(&format!("{words}: import?"))?, "nothing was stored");
    }
    // Just what was told, and nothing that came to be since.
    query.push(("expected", &told.sha256));
    if skip_wrong {
        query.push(("skip_wrong", "true"));
    }
    show(api, &sent(api, "import", &query, bytes).await?, |done: Done| done.counts.words())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_is_shown_in_a_line_each() {
        let told: Told = serde_json::from_value(json!({
            "rows": [
                { "line": 2, "verdict": "new", "words": null, "claim": { "serial": "A1" } },
                { "line": 3, "verdict": "wrong", "words": "why", "claim": { "mac": "x" } },
            ],
            "counts": { "new": 1, "changes": 0, "same": 0, "conflict": 0, "wrong": 1 },
            "sha256": "x", "encoding": "utf8", "separator": ",", "exposed": 0,
        }))
        .unwrap();
        assert_eq!(row(&told.rows[0]), ["2", "A1", "-", "new", ""]);
        assert_eq!(row(&told.rows[1]), ["3", "-", "x", "wrong", "why"]);
        assert_eq!(told.counts.bad(), 1);
        let defaults =
            Defaults { site: Some("eu".to_owned()), own_credential: true, ..Defaults::default() };
        assert_eq!(defaults.query(), [("site", "eu"), ("own_credential", "true")]);
    }
}
