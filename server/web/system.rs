//! How Muster itself is: nodes, what waits, the database, the room on the disk, and the settings
//! that matter. Never shows a secret, and of an external database no address: it carries a password.

use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use super::format::{When, grouped, size};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::config::{AuthMode, Config, TlsMode};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::overview;
use crate::service::system::{self as service, DatabaseState, Queues, Space};
use crate::store::nodes::Node;
use crate::store::system::Due;

/// A node that was not heard of for so long is lost: it missed three beats.
const LOST: TimeDelta = TimeDelta::seconds(60);
/// Below this part of a disk, in hundredths, its room is said loudly.
const LITTLE: u64 = 10;

#[derive(Serialize)]
struct SystemPage {
    shell: Shell,
    state: StatePart,
    database: Vec<Fact>,
    disks: Vec<Disk>,
    settings: Vec<Fact>,
    /// Where Prometheus finds the figures of the node that answers.
    metrics: String,
}

#[derive(Serialize)]
struct StateFragment {
    state: StatePart,
}

#[derive(Serialize)]
struct StatePart {
    at: When,
    nodes: Vec<NodeRow>,
    /// Nodes run different versions of Muster.
    mixed: bool,
    queues: Vec<Queue>,
}

#[derive(Serialize)]
struct NodeRow {
    name: String,
    state: &'static str,
    here: bool,
    version: String,
    started: When,
    seen: When,
    sessions: String,
    connections: String,
    informs: String,
}

#[derive(Serialize)]
struct Queue {
    label: &'static str,
    value: String,
    href: String,
    state: &'static str,
    since: Option<When>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fact {
    label: &'static str,
    value: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Disk {
    directory: String,
    room: String,
    state: &'static str,
}

/// `GET /system`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let ctx = viewer.ctx();
    let state = state(&app, ctx).await?;
    let database = service::database(&app, ctx).await?;
    let space = service::space(&app, ctx).await?;
    let page = SystemPage {
        shell: Shell::new(&viewer, &app.config, "System", Section::System),
        state,
        database: database_facts(&database, app.config.database.url.is_some(), ctx.now),
        disks: space.iter().map(disk).collect(),
        settings: settings(&app.config),
        metrics: format!("http://{}/metrics", app.config.metrics.listen),
    };
    Ok(views::render(View::System, &page)?)
}

/// `GET /system/state`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let state = state(&app, viewer.ctx()).await?;
    Ok(views::render(View::SystemState, &StateFragment { state })?)
}

async fn state(app: &App, ctx: &Ctx) -> Result<StatePart, Error> {
    let (nodes, queues) = tokio::try_join!(overview::nodes(app, ctx), service::queues(app, ctx))?;
    Ok(told(&nodes, &queues, &app.node, ctx.now))
}

fn told(nodes: &[Node], queues: &Queues, here: &str, now: DateTime<Utc>) -> StatePart {
    let alive: Vec<&Node> = nodes.iter().filter(|node| now - node.seen_at <= LOST).collect();
    StatePart {
        at: When::new(now, now),
        mixed: alive.windows(2).any(|two| two[0].version != two[1].version),
        nodes: nodes.iter().map(|node| node_row(node, here, now)).collect(),
        queues: queue_rows(queues, now),
    }
}

fn node_row(node: &Node, here: &str, now: DateTime<Utc>) -> NodeRow {
    let number = |name: &str| node.status.get(name).and_then(Value::as_i64).unwrap_or_default();
    let (open, idle) = (number("pool_size"), number("pool_idle"));
    NodeRow {
        name: node.node.clone(),
        state: if now - node.seen_at > LOST { "lost" } else { "online" },
        here: node.node == here,
        version: node.version.clone(),
        started: When::new(node.started_at, now),
        seen: When::new(node.seen_at, now),
        sessions: grouped(number("sessions")),
        connections: format!("{} of {open}", open - idle),
        informs: grouped(number("informs_total")),
    }
}

fn queue_rows(queues: &Queues, now: DateTime<Utc>) -> Vec<Queue> {
    let since = |due: &Due| due.since.map(|at| When::new(at, now));
    let jobs = |label: &'static str, state: &'static str| Queue {
        label,
        value: grouped(queues.jobs.get(state).copied().unwrap_or_default()),
        href: format!("/jobs?state={state}"),
        state,
        since: None,
    };
    let due = |label: &'static str, due: &Due, href: String| Queue {
        label,
        value: grouped(due.count),
        href,
        state: if due.count > 0 { "queued" } else { "none" },
        since: since(due),
    };
    vec![
        jobs("jobs queued", "queued"),
        due("of them due", &queues.jobs_due, "/jobs?state=queued".to_owned()),
        jobs("jobs running", "running"),
        jobs("jobs awaiting a report", "waiting"),
        due("devices to be woken", &queues.wakes_due, String::new()),
    ]
}

fn database_facts(state: &DatabaseState, external: bool, now: DateTime<Utc>) -> Vec<Fact> {
    let database = &state.database;
    let applied = state.applied.len();
    let last = state.applied.last().map(|last| {
        let at = When::new(last.installed_on, now);
        format!(", the last one “{}” on {}", last.description, at.both())
    });
    let known = match state.known == applied {
        true => String::new(),
        false => format!(" (this node knows {})", state.known),
    };
    let kind = if external { "external" } else { "run by Muster" };
    vec![
        Fact { label: "PostgreSQL", value: format!("{}, {kind}", database.version) },
        Fact { label: "Database", value: database.name.clone() },
        Fact { label: "Size", value: size(database.bytes) },
        Fact {
            label: "Connections",
            value: format!("{} of {}", database.connections, database.max_connections),
        },
        Fact {
            label: "Migrations",
            value: format!("{applied} applied{known}{}", last.unwrap_or_default()),
        },
    ]
}

fn disk(space: &Space) -> Disk {
    let directory = space.directory.display().to_string();
    let (Some(free), Some(total)) = (space.free, space.total) else {
        return Disk { directory, room: "the disk does not say".to_owned(), state: "warn" };
    };
    let words = |bytes: u64| size(i64::try_from(bytes).unwrap_or(i64::MAX));
    let little = u128::from(free) * 100 < u128::from(total) * u128::from(LITTLE);
    Disk {
        directory,
        room: format!("{} free of {}", words(free), words(total)),
        state: if little { "warn" } else { "ok" },
    }
}

/// What decides how this node behaves, without anything secret.
fn settings(config: &Config) -> Vec<Fact> {
    let (acs, web) = (&config.acs, &config.web);
    let url = |url: &Option<String>| url.clone().unwrap_or_else(|| "not set".to_owned());
    let interval = match acs.inform_interval_seconds {
        Some(seconds) => format!("{seconds} s, written to devices"),
        None => "the devices' own".to_owned(),
    };
    let auth = match acs.auth {
        AuthMode::Device => "each by its own credential or certificate",
        AuthMode::None => "not authenticated: for a lab only",
    };
    let oidc = match &config.oidc.issuer {
        Some(issuer) => format!("with {issuer}"),
        None => "off".to_owned(),
    };
    let traces = match config.telemetry.otlp_endpoint {
        Some(_) => "exported",
        None => "not exported",
    };
    let facts = [
        ("Devices", auth.to_owned()),
        ("ACS listens at", acs.listen.to_string()),
        ("Devices call it", url(&acs.public_url)),
        ("TLS of the ACS", tls(acs.tls).to_owned()),
        ("Inform interval", interval),
        ("Dashboard listens at", web.listen.to_string()),
        ("Browsers call it", url(&web.public_url)),
        ("TLS of the dashboard", tls(web.tls).to_owned()),
        ("OpenID Connect", oidc),
        ("Traces", traces.to_owned()),
    ];
    facts.into_iter().map(|(label, value)| Fact { label, value }).collect()
}

fn tls(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Off => "off",
        TlsMode::Files => "with the certificate that is configured",
        TlsMode::SelfMade => "with a certificate of Muster's own",
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
