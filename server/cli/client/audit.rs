//! `muster audit`.

use std::io::{self, IsTerminal};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;

use super::http::{Api, List, Span};
use super::output::{clean_lines, list, maybe, print, safe_json, time};

/// `muster audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List who changed what, newest first; --json and export show the state before and after.
    List {
        #[command(flatten)]
        narrow: Narrow,
        #[command(flatten)]
        span: Span,
    },
    /// Print all entries, newest first, with the state before and after.
    Export {
        #[command(flatten)]
        narrow: Narrow,
        /// In which form.
        #[arg(long, value_enum, default_value_t = Format::Ndjson)]
        format: Format,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub struct Narrow {
    /// Only what this user or token did.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only this action, or those that begin like it: site. is all of sites.
    #[arg(long)]
    action: Option<String>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line of JSON per entry, as the API has it.
    Ndjson,
    /// For spreadsheets.
    Csv,
}

impl Narrow {
    fn entries(&self) -> List<'_> {
        let narrow = [("actor", self.actor.as_deref()), ("action", self.action.as_deref())];
        let query = narrow.into_iter().filter_map(|(name, value)| Some((name, value?)));
        List { path: vec!["audit"], query: query.collect(), cursor: "before" }
    }
}

#[derive(Debug, Deserialize)]
struct Entry {
    at: DateTime<Utc>,
    actor: String,
    address: Option<String>,
    action: String,
    object_kind: String,
    object_name: String,
}

pub(super) async fn run(api: &Api, command: Audit) -> anyhow::Result<()> {
    match command {
        Audit::List { narrow, span } => {
            let header = ["at", "actor", "address", "action", "object"];
            list(api, &narrow.entries(), &span, &header, |e: Entry| {
                let object = format!("{} {}", e.object_kind, e.object_name);
                vec![time(e.at), e.actor, maybe(e.address), e.action, object]
            })
            .await
        }
        Audit::Export { narrow, format } => export(api, &narrow.entries(), format).await,
    }
}

/// The server writes it; here it is only seen to that nothing in it steers a terminal.
pub(super) async fn export(api: &Api, entries: &List<'_>, format: Format) -> anyhow::Result<()> {
    let word = match format {
        Format::Ndjson => "ndjson",
        Format::Csv => "csv",
    };
    let mut query: Vec<(&str, &str)> = entries.query.clone();
    query.push(("format", word));
    let mut response = api.send(api.request(Method::GET, &entries.path, &query)).await?;
    let terminal = io::stdout().is_terminal();
    let mut whole = Lines::default();
    while let Some(bytes) = response.chunk().await.context("the export broke off")? {
        if let Some(lines) = whole.push(&bytes) {
            print(&match format {
                Format::Ndjson => safe_json(&lines),
                Format::Csv if terminal => clean_lines(&lines),
                Format::Csv => lines,
            })?;
        }
    }
    ensure!(whole.0.is_empty(), "the export broke off within a line");
    Ok(())
}

/// Bytes that are no whole line yet.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are whole with these bytes, without the end of the last one.
    fn push(&mut self, bytes: &[u8]) -> Option<String> {
        self.0.extend_from_slice(bytes);
        let end = self.0.iter().rposition(|byte| *byte == b'\n')?;
        let rest = self.0.split_off(end + 1);
        let mut whole = std::mem::replace(&mut self.0, rest);
        whole.truncate(end);
        Some(String::from_utf8_lossy(&whole).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_not_torn_where_the_answer_comes_in_pieces() {
        let mut lines = Lines::default();
        let text = "a,Rīga\r\nb\nrest".as_bytes();
        assert_eq!(lines.push(&text[..4]), None);
        assert_eq!(lines.push(&text[4..]).as_deref(), Some("a,Rīga\r\nb"));
        assert_eq!(lines.push(b"\n").as_deref(), Some("rest"));
        assert_eq!(lines.push(b"\n").as_deref(), Some(""));
        assert!(lines.0.is_empty());
    }

    #[test]
    fn only_what_is_asked_for_narrows() {
        let narrow = Narrow { actor: None, action: Some("site.".to_owned()) };
        assert_eq!(narrow.entries().query, [("action", "site.")]);
    }
}
