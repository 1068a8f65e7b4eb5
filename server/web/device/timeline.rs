//! What happened to a device, newest first: its events, with those of one job as one entry.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::progress::{sentence, title};
use super::{Head, Tab, address, look, place_of, place_text, pretty, shell, with_query};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::jobs::JobFilter;
use crate::service::{devices, jobs};
use crate::store::events::Event;
use crate::store::jobs::Job;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::jobs::words;
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Events on a page.
const PAGE: usize = 100;
/// Jobs among which those of a page are looked for.
const JOBS: i64 = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TimelineQuery {
    before: String,
}

#[derive(Serialize)]
struct TimelinePage {
    shell: Shell,
    head: Head,
    entries: Vec<Entry>,
    first: String,
    next: String,
}

/// Something that happened, or a job with all that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    at: When,
    /// The word of its shape.
    state: String,
    title: String,
    /// The page of the job; empty = it is none.
    href: String,
    /// What there is to say of it in one line; may be empty.
    line: String,
    /// What happened to a job, newest first, if that is more than one thing.
    steps: Vec<Step>,
    /// The rest, as JSON; may be empty.
    detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Step {
    at: When,
    words: String,
}

/// `GET /devices/{id}/timeline`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<TimelineQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Timeline).await?;
    let before = place_of(&query.before)?;
    let mut events = devices::events(&app, viewer.ctx(), &id, before, PAGE as i64 + 1).await?;
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let last = events.last().filter(|_| more).map(|event| place_text(event.at, event.event_id));
    let jobs = jobs_of(&app, &viewer, device.device_id, &events).await?;
    let here = address(device.device_id, "/timeline");
    let page = TimelinePage {
        shell: shell(&app, &viewer, &head, "timeline"),
        entries: merged(&events, &jobs, viewer.ctx().now),
        first: before.map(|_| here.clone()).unwrap_or_default(),
        next: last.map(|at| with_query(&here, &[("before", at.as_str())])).unwrap_or_default(),
        head,
    };
    Ok(render(View::DeviceTimeline, &page)?.into_response())
}

/// The newest entries, for the overview.
pub(super) async fn latest(
    app: &App,
    viewer: &Viewer,
    device_id: Uuid,
    most: usize,
) -> Result<Vec<Entry>, Error> {
    // A job alone has some events.
    let limit = 4 * most as i64;
    let id = device_id.to_string();
    let events = devices::events(app, viewer.ctx(), &id, None, limit).await?;
    let jobs = jobs_of(app, viewer, device_id, &events).await?;
    let mut entries = merged(&events, &jobs, viewer.ctx().now);
    entries.truncate(most);
    Ok(entries)
}

/// The jobs that these events are of, as far as they still are known.
async fn jobs_of(
    app: &App,
    viewer: &Viewer,
    device_id: Uuid,
    events: &[Event],
) -> Result<HashMap<Uuid, Job>, Error> {
    let Some(newest) = events.iter().filter_map(|event| event.job_id).max() else {
        return Ok(HashMap::new());
    };
    let filter = JobFilter {
        device: Some(device_id.to_string()),
        // Those made before one are listed: the newest itself is to be among them.
        before: Some(Uuid::from_u128(newest.as_u128().saturating_add(1))),
        limit: JOBS,
        ..JobFilter::default()
    };
    let found = jobs::list(app, viewer.ctx(), &filter).await?;
    Ok(found.into_iter().map(|job| (job.job_id, job)).collect())
}

/// Events, newest first, as entries: those of a job in one, where its newest is. Pure.
fn merged(events: &[Event], jobs: &HashMap<Uuid, Job>, now: DateTime<Utc>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut of_job: HashMap<Uuid, usize> = HashMap::new();
    for event in events {
        let at = When::new(event.at, now);
        let Some(job_id) = event.job_id else {
            entries.push(Entry {
                at,
                state: shape(&event.kind).to_owned(),
                title: called(&event.kind),
                href: String::new(),
                line: line(event),
                steps: Vec::new(),
                detail: pretty(&event.detail),
            });
            continue;
        };
        let place = *of_job.entry(job_id).or_insert_with(|| {
            entries.push(of_a_job(job_id, event, jobs.get(&job_id), now));
            entries.len() - 1
        });
        entries[place].steps.push(Step { at, words: step(event) });
    }
    for entry in &mut entries {
        // One alone is what the entry says itself.
        if entry.steps.len() < 2 {
            entry.steps.clear();
        }
    }
    entries
}

/// The entry of a job whose newest event this is.
fn of_a_job(job_id: Uuid, event: &Event, job: Option<&Job>, now: DateTime<Utc>) -> Entry {
    let kind = event.detail["kind"].as_str().unwrap_or("job");
    let state = match event.kind.strip_prefix("job.") {
        Some("created") => "queued",
        Some(state) => state,
        None => job.map_or("idle", |job| job.state.as_str()),
    };
    Entry {
        at: When::new(event.at, now),
        state: state.to_owned(),
        title: job.map_or_else(|| words::title(kind).to_owned(), title),
        // Of one that is forgotten there is no page.
        href: job.map(|_| format!("/jobs/{job_id}")).unwrap_or_default(),
        line: step(event),
        steps: Vec::new(),
        detail: String::new(),
    }
}

/// What happened to a job.
fn step(event: &Event) -> String {
    let note = event.detail["note"].as_str().map(sentence);
    let text = |field: &str| event.detail[field].as_str();
    match event.kind.as_str() {
        "job.created" => match text("by") {
            Some(by) => format!("Ordered by {by}."),
            None => "Ordered.".to_owned(),
        },
        "job.done" => note.unwrap_or_else(|| "Done.".to_owned()),
        "file.received" => match text("name") {
            Some(name) => format!("The file {name} came."),
            None => "A file came.".to_owned(),
        },
        "transfer_complete" => match event.detail["fault"].is_null() {
            true => "The device reports the transfer as complete.".to_owned(),
            false => "The device reports a transfer that failed.".to_owned(),
        },
        kind => {
            note.unwrap_or_else(|| sentence(kind.strip_prefix("job.").unwrap_or(&called(kind))))
        }
    }
}

/// What an event is called.
fn called(kind: &str) -> String {
    let words = match kind {
        "first_contact" => "First contact",
        "offline" => "Not heard of any more",
        "online" => "Heard of again",
        "crashed" => "Wrote a crash file",
        "drifted" => "Differs from what is wanted",
        "desired.changed" => "Other things are wanted of it",
        "bootstrap" => "Bootstrap: it knows this server for the first time, or was reset",
        "boot" => "Started",
        "value_change" => "Reports that a value changed",
        "diagnostics_complete" => "Reports that a test is over",
        "transfer_complete" => "Reports a transfer",
        "autonomous_transfer" => "Reports a transfer of its own",
        "request_download" => "Asks for a file",
        "kicked" => "Somebody asked for it on the device",
        "du_state_change" | "autonomous_du_state_change" => "Reports changed software modules",
        "file.received" => "Sent a file",
        "inspected" => "Told what is installed on it",
        "backup.kept" => "Its configuration was kept",
        "backup.skipped" => "Sent a configuration that has no history",
        "backup.accepted" => "Its configuration was accepted",
        "script.reported" => "Told what became of its script",
        "device.changed" => "Place or tags changed",
        "enrolment.allowed" => "May enrol again",
        "credentials.confirmed" => "Uses a credential of its own",
        "quarantined" => "In quarantine",
        "claim.taken" => "Took its claim",
        "admitted" => "Let in",
        other => return sentence(&other.replace(['_', '.'], " ")).trim_end_matches('.').to_owned(),
    };
    words.to_owned()
}

fn shape(kind: &str) -> &'static str {
    match kind {
        "first_contact" => "new",
        "bootstrap" | "quarantined" | "offline" | "drifted" => "warn",
        "online" => "online",
        "crashed" => "bad",
        "boot" => "online",
        "credentials.confirmed" | "file.received" | "inspected" | "claim.taken" | "admitted" => {
            "done"
        }
        _ => "idle",
    }
}

/// What there is to say of an event that is of no job.
fn line(event: &Event) -> String {
    let detail = &event.detail;
    let text = |field: &str| detail[field].as_str();
    match event.kind.as_str() {
        "boot" | "bootstrap" => {
            text("version").map(|version| format!("Version {version}.")).unwrap_or_default()
        }
        "first_contact" => {
            text("address").map(|address| format!("From {address}.")).unwrap_or_default()
        }
        "enrolment.allowed" => text("by").map(|by| format!("Allowed by {by}.")).unwrap_or_default(),
        "quarantined" => text("reason").map(sentence).unwrap_or_default(),
        "claim.taken" => text("warning").map(sentence).unwrap_or_default(),
        "admitted" => text("rule").map(|rule| format!("By the rule {rule}.")).unwrap_or_default(),
        "device.changed" => {
            let told = [moved(detail), tagged(detail), tied(detail)];
            let told = told.into_iter().flatten().collect::<Vec<_>>();
            let by = text("by").map(|by| format!(" By {by}.")).unwrap_or_default();
            format!("{}{by}", told.join(" "))
        }
        _ => String::new(),
    }
}

fn moved(detail: &Value) -> Option<String> {
    let at = |when: &str| detail[when]["site"].as_str();
    match (at("before"), at("after")) {
        (before, after) if before == after => None,
        (Some(before), Some(after)) => Some(format!("Moved from {before} to {after}.")),
        (None, Some(after)) => Some(format!("Put into {after}.")),
        (before, None) => before.map(|before| format!("Taken out of {before}.")),
    }
}

fn tagged(detail: &Value) -> Option<String> {
    let tags = |when: &str| detail[when]["tags"].as_array().cloned().unwrap_or_default();
    let (before, after) = (tags("before"), tags("after"));
    let names = |of: &[Value], but: &[Value]| {
        let new = of.iter().filter(|tag| !but.contains(tag));
        new.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let (added, gone) = (names(&after, &before), names(&before, &after));
    match (added.as_str(), gone.as_str()) {
        ("", "") => None,
        (added, "") => Some(format!("Tagged {added}.")),
        ("", gone) => Some(format!("No more tagged {gone}.")),
        (added, gone) => Some(format!("Tagged {added}, no more {gone}.")),
    }
}

fn tied(detail: &Value) -> Option<String> {
    let new = |field: &str| detail["before"].get(field) != detail["after"].get(field);
    let words = match (new("uplink"), new("redundancy")) {
        (false, false) => return None,
        (true, false) => "Another uplink.",
        (false, true) => "Another set of redundancy.",
        (true, true) => "Another uplink and set of redundancy.",
    };
    Some(words.to_owned())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{entries, samples};
