//! What was said in a device's sessions, as a conversation. Secrets were masked before anything was
//! stored.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::progress::sentence;
use super::{Fact, Head, Tab, address, look, place_of, place_text, pretty, shell, with_query};
use crate::ctx::Shared;
use crate::service::transcripts;
use crate::store::transcripts::{Conversation, Line, Speaker};
use crate::web::failure::Failure;
use crate::web::format::{When, shortened};
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Sessions on a page.
const PAGE: usize = 25;
/// Characters of what a message says in one line.
const GIST: usize = 160;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    before: String,
}

#[derive(Serialize)]
struct SessionsPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
    first: String,
    next: String,
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    href: String,
    started: When,
    took: String,
    /// The word of its shape.
    state: &'static str,
    outcome: String,
    messages: i32,
    address: String,
}

#[derive(Serialize)]
struct SessionPage {
    shell: Shell,
    head: Head,
    started: When,
    state: &'static str,
    outcome: String,
    /// Why it did not end as it should; may be empty.
    why: String,
    facts: Vec<Fact>,
    lines: Vec<Bubble>,
    /// Messages that were not kept.
    omitted: u32,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bubble {
    /// `cpe` or `acs`.
    from: &'static str,
    who: &'static str,
    kind: String,
    gist: String,
    /// It is a fault, or a message that was not taken.
    bad: bool,
    /// All of it, as JSON; may be empty.
    body: String,
    at: When,
}

/// `GET /devices/{id}/sessions`
pub(super) async fn list(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Sessions).await?;
    let before = place_of(&query.before)?;
    let ctx = viewer.ctx();
    let mut found = transcripts::list(&app, ctx, &id, before, PAGE as i64 + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|s| place_text(s.started_at, s.session_id));
    let here = address(device.device_id, "/sessions");
    let page = SessionsPage {
        shell: shell(&app, &viewer, &head, "sessions"),
        rows: found.iter().map(|session| row(session, &here, ctx.now)).collect(),
        first: before.map(|_| here.clone()).unwrap_or_default(),
        next: last.map(|at| with_query(&here, &[("before", at.as_str())])).unwrap_or_default(),
        head,
    };
    Ok(render(View::DeviceSessions, &page)?.into_response())
}

fn row(session: &Conversation, here: &str, now: DateTime<Utc>) -> Row {
    let (state, outcome) = outcome(&session.outcome);
    Row {
        href: format!("{here}/{}", session.session_id),
        started: When::new(session.started_at, now),
        took: took(session),
        state,
        outcome,
        messages: session.messages,
        address: session.remote_addr.addr().to_string(),
    }
}

fn took(session: &Conversation) -> String {
    let millis = (session.ended_at - session.started_at).num_milliseconds().max(0);
    match millis {
        0..1_000 => format!("{millis} ms"),
        _ => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

/// How a session ended: its shape, and in words.
fn outcome(word: &str) -> (&'static str, String) {
    let (state, words) = match word {
        "done" => ("done", "ended well"),
        "lost" => ("lost", "connection lost"),
        "timed_out" => ("late", "timed out"),
        "superseded" => ("idle", "gave way to a newer one"),
        "refused" => ("refused", "refused"),
        other => ("idle", other),
    };
    (state, words.to_owned())
}

/// `GET /devices/{id}/sessions/{session_id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, session_id)): Path<(String, Uuid)>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Sessions).await?;
    let ctx = viewer.ctx();
    let (session, body) = transcripts::get(&app, ctx, &id, session_id).await?;
    let (state, outcome) = outcome(&session.outcome);
    let page = SessionPage {
        shell: shell(&app, &viewer, &head, "a session"),
        head,
        started: When::new(session.started_at, ctx.now),
        state,
        outcome,
        why: body.why.as_deref().map(sentence).unwrap_or_default(),
        facts: facts(&session),
        lines: body.entries.iter().map(|line| bubble(line, ctx.now)).collect(),
        omitted: body.omitted,
    };
    Ok(render(View::DeviceSession, &page)?.into_response())
}

fn facts(session: &Conversation) -> Vec<Fact> {
    vec![
        Fact { label: "Took", value: took(session) },
        Fact { label: "Messages", value: session.messages.to_string() },
        Fact { label: "From", value: session.remote_addr.addr().to_string() },
        Fact { label: "Node", value: session.node.clone() },
        Fact { label: "Session id", value: session.session_id.to_string() },
    ]
}

fn bubble(line: &Line, now: DateTime<Utc>) -> Bubble {
    let (from, who) = match line.from {
        Speaker::Cpe => ("cpe", "Device"),
        Speaker::Acs => ("acs", "Muster"),
    };
    Bubble {
        from,
        who,
        kind: kind(line).to_owned(),
        gist: shortened(&gist(&line.summary), GIST),
        bad: matches!(line.kind.as_str(), "Fault" | "Rejected" | "UnknownMethod"),
        body: pretty(&line.summary),
        at: When::new(line.at, now),
    }
}

/// What a message is called.
fn kind(line: &Line) -> &str {
    match (line.kind.as_str(), line.from) {
        ("Empty", Speaker::Cpe) => "Nothing more to say",
        ("Empty" | "End", Speaker::Acs) => "End of the session",
        ("Rejected", _) => "Not taken",
        (kind, _) => kind,
    }
}

/// What a message says, in one line. Pure.
fn gist(summary: &Value) -> String {
    let text = |field: &str| summary[field].as_str().filter(|text| !text.is_empty());
    if let Some(code) = summary["code"].as_u64() {
        let parts = [text("meaning"), text("text")].into_iter().flatten().collect::<Vec<_>>();
        return format!("{code} {}", parts.join(": "));
    }
    if let Some(events) = summary["events"].as_array() {
        let codes = events.iter().filter_map(|event| event["event_code"].as_str());
        return codes.collect::<Vec<_>>().join(", ");
    }
    for list in ["names", "parameters", "attributes", "methods", "transfers", "operations"] {
        if let Some(told) = listed(summary, list) {
            return told;
        }
    }
    for field in ["path", "object", "file_type", "why", "method", "status"] {
        if let Some(told) = text(field) {
            return told.to_owned();
        }
    }
    String::new()
}

/// The first of a list, and how many more there are.
fn listed(summary: &Value, list: &str) -> Option<String> {
    let entries = summary[list].as_array()?;
    let all = summary["count"].as_u64().unwrap_or(entries.len() as u64);
    let Some(first) = entries.first() else { return Some("none".to_owned()) };
    let name = first.as_str().or_else(|| first["name"].as_str());
    let Some(name) = name else { return Some(all.to_string()) };
    let told = match first["value"].as_str() {
        Some(value) => format!("{name} = {value}"),
        None => name.to_owned(),
    };
    Some(match all {
        0 | 1 => told,
        n => format!("{told} and {} more", n - 1),
    })
}

#[cfg(test)]
fn conversation(outcome: &str) -> Conversation {
    let now = DateTime::UNIX_EPOCH;
    Conversation {
        session_id: Uuid::from_u128(4),
        started_at: now,
        ended_at: now + chrono::TimeDelta::milliseconds(1_250),
        node: "<x-evil>".to_owned(),
        remote_addr: std::net::IpAddr::from([192, 0, 2, 7]).into(),
        outcome: outcome.to_owned(),
        messages: 6,
    }
}

#[cfg(test)]
fn line(from: Speaker, kind: &str, summary: Value) -> Line {
    Line { at: DateTime::UNIX_EPOCH, from, kind: kind.to_owned(), summary }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, Value)> {
    use crate::web::views::sample;
    use serde_json::json;

    let now = DateTime::UNIX_EPOCH;
    let list = |rows: Vec<Row>| SessionsPage {
        shell: Shell::sample(),
        head: Head::sample(),
        first: if rows.is_empty() { String::new() } else { "/devices/1/sessions".to_owned() },
        next: if rows.is_empty() { String::new() } else { "/devices/1?before=x".to_owned() },
        rows,
    };
    let rows = ["done", "lost", "timed_out", "superseded", "refused", "<x-evil>"];
    let rows = rows.map(|outcome| row(&conversation(outcome), "/devices/1/sessions", now));
    let lines = [
        line(Speaker::Cpe, "Inform", json!({ "events": [{ "event_code": "<x-evil>" }] })),
        line(Speaker::Acs, "InformResponse", json!({})),
        line(Speaker::Cpe, "Fault", json!({ "code": 9005, "text": "<x-evil>" })),
    ];
    let page = |why: &str, omitted: u32| SessionPage {
        shell: Shell::sample(),
        head: Head::sample(),
        started: When::new(now, now),
        state: "lost",
        outcome: "connection lost".to_owned(),
        why: why.to_owned(),
        facts: facts(&conversation("lost")),
        lines: lines.iter().map(|line| bubble(line, now)).collect(),
        omitted,
    };
    vec![
        sample(View::DeviceSessions, &list(rows.to_vec())),
        sample(View::DeviceSessions, &list(Vec::new())),
        sample(View::DeviceSession, &page("<x-evil>", 3)),
        sample(View::DeviceSession, &page("", 0)),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_told_in_one_line() {
        for (summary, told) in [
            (
                json!({ "code": 9005, "text": "x", "meaning": "invalid parameter name" }),
                "9005 invalid parameter name: x",
            ),
            (
                json!({ "events": [{ "event_code": "1 BOOT" }, { "event_code": "M Reboot" }],
                     "parameters": [] }),
                "1 BOOT, M Reboot",
            ),
            (json!({ "names": ["Device.A.", "Device.B."], "count": 2 }), "Device.A. and 1 more"),
            (
                json!({ "parameters": [{ "name": "Device.A", "value": "7" }], "count": 300 }),
                "Device.A = 7 and 299 more",
            ),
            (json!({ "parameters": [], "count": 0 }), "none"),
            (json!({ "path": "Device.", "next_level": false }), "Device."),
            (json!({ "status": "applied" }), "applied"),
            (json!({}), ""),
            (json!(null), ""),
        ] {
            assert_eq!(gist(&summary), told);
        }
    }

    #[test]
    fn a_conversation_has_two_sides() {
        let now = DateTime::UNIX_EPOCH;
        let heard = bubble(&line(Speaker::Cpe, "Empty", json!({})), now);
        assert_eq!((heard.from, heard.kind.as_str()), ("cpe", "Nothing more to say"));
        assert_eq!(heard.body, "");
        let said = bubble(&line(Speaker::Acs, "Rejected", json!({ "why": "too large" })), now);
        assert_eq!((said.from, said.gist.as_str(), said.bad), ("acs", "too large", true));
    }

    #[test]
    fn every_outcome_has_a_shape() {
        for word in ["done", "lost", "timed_out", "superseded", "refused"] {
            assert!(!outcome(word).0.is_empty() && !outcome(word).1.contains('_'), "{word}");
        }
        assert_eq!(took(&conversation("done")), "1.2 s");
    }
}
