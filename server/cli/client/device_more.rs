//! What `muster devices` shows of one device beside its parameters: sessions, secrets, files, packages.

use std::path::PathBuf;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::devices::named;
use super::files;
use super::http::{Api, List, Span};
use super::jobs::{self, Waiting};
use super::many::Many;
use super::output::{clean, compact, fields, list, maybe, maybe_time, show, table, time, yes};

/// `muster devices files NAME`
#[derive(Debug, Subcommand)]
pub enum DeviceFile {
    /// Fetch a file that the device sent.
    Get {
        /// Id of the file.
        file: Uuid,
        /// Where to; standard output when absent.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// `muster devices inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// Serial number or id.
    #[arg(required_unless_present = "query", conflicts_with = "query")]
    name: Option<String>,
    /// All devices that this selector finds.
    #[arg(
        short,
        long = "query",
        visible_alias = "where",
        value_name = "SELECTOR",
        conflicts_with = "wait"
    )]
    query: Option<String>,
    /// How many devices you saw match; where they are not as many, nothing is done. Without it they
    /// are counted, and you are asked.
    #[arg(long, value_name = "N", requires = "query")]
    expected: Option<u64>,
    /// Do not ask: go on with as many as are counted.
    #[arg(long, requires = "query")]
    yes: bool,
    /// Ask the device itself, over REST, in place of two jobs. Its variables `rest_user`,
    /// `rest_password` and `rest_fingerprint` say how.
    #[arg(long, conflicts_with_all = ["query", "wait"])]
    direct: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Deserialize)]
struct Session {
    session_id: Uuid,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    node: String,
    remote_addr: String,
    outcome: String,
    messages: i32,
}

#[derive(Debug, Deserialize)]
struct Transcript {
    #[serde(flatten)]
    session: Session,
    entries: Vec<Entry>,
    omitted: u32,
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    at: DateTime<Utc>,
    from: String,
    kind: String,
    summary: Value,
}

#[derive(Debug, Deserialize)]
struct Revealed {
    value: String,
}

#[derive(Debug, Deserialize)]
struct Allowed {
    until: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct SentFile {
    artifact_id: Uuid,
    name: String,
    file_type: String,
    size: i64,
    job_id: Uuid,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Packages {
    packages: Vec<Package>,
    assumed: bool,
    unknown: Option<String>,
    source: Option<String>,
    learned_at: Option<DateTime<Utc>>,
    booter_current: Option<String>,
    booter_upgrade: Option<String>,
    device_mode: Option<String>,
    allowed_versions: Option<String>,
    rescue: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    enabled: bool,
}

#[derive(Debug, Deserialize)]
struct Inspection {
    log: Ordered,
}

#[derive(Debug, Deserialize)]
struct Answered {
    packages: Packages,
}

#[derive(Debug, Deserialize)]
struct Inspections {
    created: u64,
    skipped: u64,
}

#[derive(Debug, Deserialize)]
struct Ordered {
    job_id: Uuid,
}

/// The sessions of a device, or what was said in one.
pub(super) async fn sessions(
    api: &Api,
    name: &str,
    session: Option<Uuid>,
    span: &Span,
) -> anyhow::Result<()> {
    let name = named(name);
    if let Some(session) = session {
        let path = ["devices", name.as_str(), "sessions", &session.to_string()];
        return show(api, &api.get(&path, &[]).await?, transcript);
    }
    let path = vec!["devices", name.as_str(), "sessions"];
    let sessions = List { path, query: Vec::new(), cursor: "before" };
    let header = ["session_id", "started_at", "outcome", "messages", "remote_addr", "node"];
    list(api, &sessions, span, &header, |s: Session| {
        let (id, messages) = (s.session_id.to_string(), s.messages.to_string());
        vec![id, time(s.started_at), s.outcome, messages, s.remote_addr, s.node]
    })
    .await
}

fn transcript(t: Transcript) -> String {
    let about = fields(&[
        ("session_id", t.session.session_id.to_string()),
        ("started_at", time(t.session.started_at)),
        ("ended_at", time(t.session.ended_at)),
        ("outcome", t.session.outcome),
        ("why", maybe(t.why)),
        ("messages", t.session.messages.to_string()),
        ("omitted", t.omitted.to_string()),
        ("remote_addr", t.session.remote_addr),
        ("node", t.session.node),
    ]);
    let row = |e: Entry| vec![time(e.at), e.from, e.kind, compact(&e.summary)];
    let rows: Vec<Vec<String>> = t.entries.into_iter().map(row).collect();
    format!("{about}\n\n{}", table(&["at", "from", "kind", "summary"], &rows))
}

/// Shows a secret in clear.
pub(super) async fn reveal(api: &Api, name: &str, parameter: &str) -> anyhow::Result<()> {
    let path = ["devices", &named(name), "reveal"];
    let answer = api.call(Method::POST, &path, Some(&json!({ "name": parameter }))).await?;
    show(api, &answer, |secret: Revealed| clean(&secret.value))
}

/// Lets a device enrol again.
pub(super) async fn allow_enrolment(api: &Api, name: &str, hours: u32) -> anyhow::Result<()> {
    let path = ["devices", &named(name), "allow-enrolment"];
    let answer = api.call(Method::POST, &path, Some(&json!({ "hours": hours }))).await?;
    show(api, &answer, |allowed: Allowed| format!("it may enrol until {}", time(allowed.until)))
}

/// Lists the files that a device sent, or fetches one.
pub(super) async fn device_files(
    api: &Api,
    name: &str,
    wanted: Option<DeviceFile>,
    span: &Span,
) -> anyhow::Result<()> {
    let name = named(name);
    if let Some(DeviceFile::Get { file, output }) = wanted {
        let path = ["devices", name.as_str(), "artifacts", &file.to_string(), "content"];
        return files::fetch(api, &path, output.as_deref()).await;
    }
    let path = vec!["devices", name.as_str(), "artifacts"];
    let sent = List { path, query: Vec::new(), cursor: "before" };
    let header = ["artifact_id", "name", "file_type", "size", "job_id", "created_at"];
    list(api, &sent, span, &header, |f: SentFile| {
        let (id, job, size) = (f.artifact_id.to_string(), f.job_id.to_string(), f.size.to_string());
        vec![id, f.name, f.file_type, size, job, time(f.created_at)]
    })
    .await
}

/// Shows what is installed on a device.
pub(super) async fn packages(api: &Api, name: &str) -> anyhow::Result<()> {
    let path = ["devices", &named(name), "packages"];
    show(api, &api.get(&path, &[]).await?, installed)
}

fn installed(known: Packages) -> String {
    let about = fields(&[
        ("assumed", yes(known.assumed)),
        ("unknown", maybe(known.unknown)),
        ("source", maybe(known.source)),
        ("learned_at", maybe_time(known.learned_at)),
        ("booter_current", maybe(known.booter_current)),
        ("booter_upgrade", maybe(known.booter_upgrade)),
        ("device_mode", maybe(known.device_mode)),
        ("allowed_versions", maybe(known.allowed_versions)),
        ("rescue", maybe(known.rescue)),
    ]);
    let row = |p: Package| vec![p.name, p.version, yes(p.enabled)];
    let rows: Vec<Vec<String>> = known.packages.into_iter().map(row).collect();
    format!("{about}\n\n{}", table(&["name", "version", "enabled"], &rows))
}

/// Has a device tell what is installed on it, and shows the job that brings it, or what it told at
/// once; or many.
pub(super) async fn inspect(api: &Api, asked: Inspect) -> anyhow::Result<()> {
    let Inspect { name, query, expected, yes, direct, waiting } = asked;
    match (name, query) {
        (Some(name), None) if direct => {
            let path = ["devices", &named(&name), "inspect"];
            let answer = api.call(Method::POST, &path, Some(&json!({ "via": "direct" }))).await?;
            show(api, &answer, |answered: Answered| installed(answered.packages))
        }
        (Some(name), None) => {
            let path = ["devices", &named(&name), "inspect"];
            let ordered: Inspection = api.call(Method::POST, &path, None).await?.read()?;
            let job = ordered.log.job_id.to_string();
            jobs::follow(api, api.get(&["jobs", &job], &[]).await?, &waiting).await
        }
        (None, Some(query)) => {
            let body = Many { query, expected, yes }.agreed(api, "inspect").await?;
            let answer = api.call(Method::POST, &["inspections"], Some(&body)).await?;
            show(api, &answer, |made: Inspections| {
                format!("on {} devices, {} skipped", made.created, made.skipped)
            })
        }
        // clap wants one of them.
        (Some(_), Some(_)) | (None, None) => bail!("say which devices"),
    }
}
