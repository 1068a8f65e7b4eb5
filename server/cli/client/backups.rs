//! `muster backups`. A backup is named by its id; the newest one where none is named.

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::devices::named;
use super::http::{Api, List, Page, Span};
use super::jobs::{self, Waiting};
use super::output::{
    clean, clean_lines, compact, fields, hint, joined, list, maybe, show, table, time, yes,
};

/// `muster backups`. NAME is a serial number, or a device's id.
#[derive(Debug, Subcommand)]
pub enum Backups {
    /// List the backups of a device, newest first.
    List {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        span: Span,
    },
    /// Show a configuration; secrets are not in it.
    Show {
        /// Serial number or id.
        name: String,
        /// Id of a backup; the newest when absent.
        backup: Option<Uuid>,
    },
    /// Show what differs between a backup and another one.
    Diff {
        /// Serial number or id.
        name: String,
        /// Id of a backup; the newest when absent.
        backup: Option<Uuid>,
        /// before, accepted, or the id of a backup.
        #[arg(long, value_name = "WHICH", default_value = "before")]
        with: String,
    },
    /// List the configurations that changed, newest first.
    Changed {
        /// Since this time, such as 2026-11-22T00:00:00Z; within 24 hours when absent.
        #[arg(long, value_name = "TIME")]
        since: Option<DateTime<Utc>>,
        #[command(flatten)]
        span: Span,
    },
    /// Have a device send its configuration now.
    Take {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Say that a configuration is right: what differs from it is drift.
    Accept {
        /// Serial number or id.
        name: String,
        /// Id of a backup; the newest when absent.
        backup: Option<Uuid>,
    },
    /// Give a variable the value that was set on the device by hand, for this device alone.
    Adopt {
        /// Serial number or id.
        name: String,
        /// Name of the variable; `backups diff --with accepted` shows which there are.
        variable: String,
        /// Id of a backup; the newest when absent.
        #[arg(long, value_name = "ID")]
        backup: Option<Uuid>,
    },
    /// Replace the whole configuration of a device by that of a backup.
    Restore {
        /// Serial number or id.
        name: String,
        /// Id of the backup.
        backup: Uuid,
        /// The words 'overwrite the whole configuration', to the letter.
        #[arg(long, value_name = "WORDS")]
        confirm: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Deserialize)]
struct Backup {
    backup_id: Uuid,
    at: DateTime<Utc>,
    cause: String,
    changed: bool,
    added: i64,
    removed: i64,
    incomplete: Vec<String>,
    accepted: bool,
}

#[derive(Debug, Deserialize)]
struct Text {
    text: String,
}

#[derive(Debug, Deserialize)]
struct Diff {
    from: Backup,
    to: Backup,
    added: u64,
    removed: u64,
    cut: bool,
    lines: Vec<Line>,
    adoptions: Vec<Adoption>,
}

#[derive(Debug, Deserialize)]
struct Line {
    kind: String,
    menu: String,
    before: Option<Vec<Piece>>,
    after: Option<Vec<Piece>>,
}

#[derive(Debug, Deserialize)]
struct Piece {
    text: String,
    changed: bool,
}

#[derive(Debug, Deserialize)]
struct Adoption {
    variable: String,
    menu: String,
    property: String,
    from: String,
    to: Value,
}

#[derive(Debug, Deserialize)]
struct Changed {
    serial: String,
    identity: Option<String>,
    site: Option<String>,
    backup_id: Uuid,
    at: DateTime<Utc>,
    added: i64,
    removed: i64,
    same_as: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Restoring {
    job: Ordered,
    lacks: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Ordered {
    job_id: Uuid,
}

pub(super) async fn run(api: &Api, command: Backups) -> anyhow::Result<()> {
    match command {
        Backups::List { name, span } => list_backups(api, &name, &span).await,
        Backups::Show { name, backup } => {
            let id = id_of(api, &name, backup).await?;
            let answer = api.get(&["devices", &named(&name), "backups", &id], &[]).await?;
            show(api, &answer, |backup: Text| clean_lines(&backup.text))
        }
        Backups::Diff { name, backup, with } => {
            let id = id_of(api, &name, backup).await?;
            let path = ["devices", &named(&name), "backups", &id, "diff"];
            show(api, &api.get(&path, &[("with", &with)]).await?, view)
        }
        Backups::Changed { since, span } => changed(api, since, &span).await,
        Backups::Take { name, waiting } => {
            let path = ["devices", &named(&name), "backups"];
            jobs::follow(api, api.call(Method::POST, &path, None).await?, &waiting).await
        }
        Backups::Accept { name, backup } => {
            let id = id_of(api, &name, backup).await?;
            let path = ["devices", &named(&name), "backups", &id, "accept"];
            let answer = api.call(Method::POST, &path, None).await?;
            show(api, &answer, |b: Backup| {
                fields(&[
                    ("backup_id", b.backup_id.to_string()),
                    ("at", time(b.at)),
                    ("accepted", yes(b.accepted)),
                ])
            })
        }
        Backups::Adopt { name, variable, backup } => {
            let id = id_of(api, &name, backup).await?;
            let path = ["devices", &named(&name), "backups", &id, "adopt"];
            let body = json!({ "variable": variable });
            let answer = api.call(Method::POST, &path, Some(&body)).await?;
            show(api, &answer, |one: Adoption| {
                let (variable, to) = (clean(&one.variable), clean(&compact(&one.to)));
                format!("{variable} is {to} for this device now")
            })
        }
        Backups::Restore { name, backup, confirm, waiting } => {
            let path = ["devices", &named(&name), "backups", &backup.to_string(), "restore"];
            let body = json!({ "confirm": confirm });
            let ordered: Restoring = api.call(Method::POST, &path, Some(&body)).await?.read()?;
            hint(&format!("it will lack: {}", ordered.lacks.join("; ")));
            let job = ordered.job.job_id.to_string();
            jobs::follow(api, api.get(&["jobs", &job], &[]).await?, &waiting).await
        }
    }
}

async fn list_backups(api: &Api, name: &str, span: &Span) -> anyhow::Result<()> {
    let name = named(name);
    let path = vec!["devices", name.as_str(), "backups"];
    let backups = List { path, query: Vec::new(), cursor: "before" };
    let header = ["backup_id", "at", "cause", "changed", "accepted", "incomplete"];
    list(api, &backups, span, &header, |b: Backup| {
        let (id, accepted, incomplete) =
            (b.backup_id.to_string(), yes(b.accepted), joined(&b.incomplete));
        vec![id, time(b.at), b.cause, lines(b.changed, b.added, b.removed), accepted, incomplete]
    })
    .await
}

async fn changed(api: &Api, since: Option<DateTime<Utc>>, span: &Span) -> anyhow::Result<()> {
    let since = since.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let query = since.iter().map(|since| ("since", since.as_str())).collect();
    let changes = List { path: vec!["backups", "changed"], query, cursor: "before" };
    let header = ["serial", "identity", "site", "at", "lines", "same_as", "backup_id"];
    list(api, &changes, span, &header, |c: Changed| {
        let same_as = maybe(c.same_as.map(|known| known.chars().take(8).collect()));
        vec![
            c.serial,
            maybe(c.identity),
            maybe(c.site),
            time(c.at),
            lines(true, c.added, c.removed),
            same_as,
            c.backup_id.to_string(),
        ]
    })
    .await
}

/// How many lines changed.
fn lines(changed: bool, added: i64, removed: i64) -> String {
    if changed { format!("+{added} -{removed}") } else { maybe(None) }
}

/// The id of the backup that is named, or of the newest one.
async fn id_of(api: &Api, name: &str, backup: Option<Uuid>) -> anyhow::Result<String> {
    if let Some(backup) = backup {
        return Ok(backup.to_string());
    }
    let path = ["devices", &named(name), "backups"];
    let page: Page<Backup> = api.get(&path, &[("limit", "1")]).await?.read()?;
    let newest = page.items.into_iter().next();
    let newest = newest.with_context(|| format!("{} has no backup yet", clean(name)))?;
    Ok(newest.backup_id.to_string())
}

/// Two backups as people read them, words that changed between brackets.
fn view(diff: Diff) -> String {
    let mut text = vec![
        format!("--- {} {}", diff.from.backup_id, time(diff.from.at)),
        format!("+++ {} {}", diff.to.backup_id, time(diff.to.at)),
        format!("{} lines added, {} removed", diff.added, diff.removed),
    ];
    let mut menu = String::new();
    for line in &diff.lines {
        if line.kind == "gap" {
            text.push("...".to_owned());
            continue;
        }
        if line.menu != menu {
            menu.clone_from(&line.menu);
            text.push(clean(&menu));
        }
        if line.kind == "same" {
            text.push(format!("  {}", words(line.after.as_deref(), ("", ""))));
            continue;
        }
        if line.before.is_some() {
            text.push(format!("- {}", words(line.before.as_deref(), ("[-", "-]"))));
        }
        if line.after.is_some() {
            text.push(format!("+ {}", words(line.after.as_deref(), ("{+", "+}"))));
        }
    }
    if diff.cut {
        text.push("so much differs that not all of it was compared".to_owned());
    }
    if !diff.adoptions.is_empty() {
        let row = |one: Adoption| {
            let place = format!("{} {}", one.menu, one.property);
            vec![one.variable, one.from, compact(&one.to), place]
        };
        let rows: Vec<Vec<String>> = diff.adoptions.into_iter().map(row).collect();
        let table = table(&["variable", "from", "to", "place"], &rows);
        text.push(format!("\ncould be adopted\n{table}"));
    }
    text.join("\n")
}

fn words(pieces: Option<&[Piece]>, (open, close): (&str, &str)) -> String {
    let pieces = pieces.unwrap_or_default();
    // A line that is new as a whole needs no brackets.
    let is_whole = pieces.iter().all(|piece| piece.changed);
    let word = |piece: &Piece| match piece.changed && !is_whole {
        true => format!("{open}{}{close}", clean(&piece.text)),
        false => clean(&piece.text),
    };
    pieces.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_differs_is_read_line_by_line_and_steers_no_terminal() {
        let backup = |id: u128| {
            json!({ "backup_id": Uuid::from_u128(id), "at": "2026-11-22T02:00:00Z",
                    "cause": "schedule", "changed": true, "added": 1, "removed": 1,
                    "incomplete": [], "accepted": false })
        };
        let piece = |text: &str, changed: bool| json!({ "text": text, "changed": changed });
        let line = |kind: &str, before: Value, after: Value| {
            json!({ "kind": kind, "menu": "/ip/dns", "before": before, "after": after,
                    "written": null })
        };
        let same = json!([piece("set cache-size=2048KiB", false)]);
        let diff: Diff = serde_json::from_value(json!({
            "from": backup(1), "to": backup(2), "added": 2, "removed": 1, "cut": true,
            "lines": [
                line("gap", Value::Null, Value::Null),
                line("same", same.clone(), same),
                line("changed", json!([piece("set servers=", false), piece("9.9.9.9", true)]),
                     json!([piece("set servers=", false), piece("1.1.1.1", true)])),
                line("added", Value::Null, json!([piece("add name=\u{1b}[2J", true)])),
            ],
            "adoptions": [{ "variable": "dns", "menu": "/ip/dns", "property": "servers",
                            "from": "9.9.9.9", "to": "1.1.1.1" }],
        }))
        .unwrap();
        let text = view(diff);
        let shown: Vec<&str> = text.lines().skip(3).take(6).collect();
        assert_eq!(
            shown,
            [
                "...",
                "/ip/dns",
                "  set cache-size=2048KiB",
                "- set servers=[-9.9.9.9-]",
                "+ set servers={+1.1.1.1+}",
                "+ add name=\u{fffd}[2J",
            ]
        );
        assert!(text.contains("2 lines added, 1 removed") && text.contains("could be adopted"));
        assert!(text.contains("not all of it was compared"));
    }

    #[test]
    fn what_did_not_change_has_no_lines() {
        assert_eq!(lines(true, 2, 0), "+2 -0");
        assert_eq!(lines(false, 0, 0), "-");
    }
}
