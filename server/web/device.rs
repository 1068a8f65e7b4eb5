//! One device: facts, parameters, jobs, events and files.
//!
//! Never shows a secret: values of secret parameters are masked here too, although none should be
//! stored, and jobs show masked arguments only.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::devices::model;
use super::failure::Failure;
use super::format::{When, relative, shortened, size};
use super::views::{Shell, View, render};
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::online;
use crate::fleet::secret::{MASK, is_secret};
use crate::jobs::queue::masked_args;
use crate::store::artifacts::{self, DeviceArtifact};
use crate::store::connection_requests::{self, Request};
use crate::store::devices::{self, Device};
use crate::store::events::{self, Event};
use crate::store::jobs::{self, Job};
use crate::store::parameters::{self, Counters, Document};

/// Events, jobs and files shown; the API has the rest.
const NEWEST: i64 = 50;
/// Parameters shown at once; the filter finds the others.
const PARAMETERS: usize = 1_000;
/// Characters of arguments and details that are shown.
const DETAIL: usize = 600;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeviceQuery {
    /// Part of a parameter's name or value.
    q: String,
}

#[derive(Serialize)]
struct DevicePage<'a> {
    shell: Shell,
    id: Uuid,
    serial: &'a str,
    model: String,
    online: bool,
    last_inform: When,
    unauthenticated: bool,
    facts: Vec<Fact>,
    parameters: Parameters<'a>,
    jobs: Vec<JobRow<'a>>,
    events: Vec<EventRow<'a>>,
    files: Vec<FileRow<'a>>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Parameters<'a> {
    filter: &'a str,
    rows: Vec<ParameterRow<'a>>,
    /// That match the filter.
    found: usize,
    /// That are known.
    all: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ParameterRow<'a> {
    name: &'a str,
    value: &'a str,
    kind: &'static str,
    writable: &'static str,
}

#[derive(Serialize)]
struct JobRow<'a> {
    id: Uuid,
    kind: &'a str,
    state: &'a str,
    created: When,
    by: &'a str,
    attempts: String,
    note: &'a str,
    args: String,
}

#[derive(Serialize)]
struct EventRow<'a> {
    at: When,
    kind: &'a str,
    detail: String,
}

#[derive(Serialize)]
struct FileRow<'a> {
    name: &'a str,
    file_type: &'a str,
    size: String,
    sha256: String,
    at: When,
}

/// `GET /devices/{id}`
pub(super) async fn page(
    State(app): State<Shared>,
    Path(id): Path<String>,
    query: Result<Query<DeviceQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let unknown = || Error::NotFound("There is no such device.".to_owned());
    let Query(query) = query.map_err(|e| Error::invalid("", e.body_text()))?;
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let device = devices::get(&app.pool, id).await?.ok_or_else(unknown)?;
    let doc = parameters::get(&app.pool, id).await?.unwrap_or_default();
    let counters = parameters::counters(&app.pool, id).await?;
    let counters = counters.map(|(counters, _)| counters).unwrap_or_default();
    let jobs = jobs::list(&app.pool, Some(id), None, None, None, NEWEST).await?;
    let events = events::list(&app.pool, id, None, NEWEST).await?;
    let files = artifacts::list_of_device(&app.pool, id, None, NEWEST).await?;
    let wake = connection_requests::get(&app.pool, id).await?;
    let now = clock::now();
    let page = DevicePage {
        shell: Shell::new(device.serial.as_str(), &app.config),
        id,
        serial: &device.serial,
        model: model(&device),
        online: device.last_inform >= online::since(&app.config, now),
        last_inform: When::new(device.last_inform, now),
        unauthenticated: device.auth == "none",
        facts: facts(&device, wake.as_ref(), now),
        parameters: parameters_of(&doc, &counters, query.q.trim()),
        jobs: jobs.iter().map(|job| job_row(job, now)).collect(),
        events: events.iter().map(|event| event_row(event, now)).collect(),
        files: files.iter().map(|file| file_row(file, now)).collect(),
    };
    Ok(render(View::Device, &page)?.into_response())
}

fn facts(device: &Device, wake: Option<&Request>, now: DateTime<Utc>) -> Vec<Fact> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| at.map(|at| When::new(at, now).both());
    let methods = device.methods.as_ref().map(|methods| methods.join(", "));
    let facts = [
        ("Manufacturer", device.manufacturer.clone()),
        ("OUI", device.oui.clone()),
        ("Product class", device.product_class.clone()),
        ("Model", text(&device.model)),
        ("Architecture", text(&device.arch)),
        ("Identity", text(&device.identity)),
        ("Hardware version", text(&device.hardware_version)),
        ("Software version", text(&device.software_version)),
        ("Provisioning code", text(&device.provisioning_code)),
        ("Parameter key", text(&device.parameter_key)),
        ("Data model", text(&device.root)),
        ("CWMP namespace", device.namespace.clone()),
        ("Authenticated by", device.auth.clone()),
        ("Enrolment asked again", time(device.reenrol_asked_at).unwrap_or_default()),
        ("Address", device.remote_addr.addr().to_string()),
        ("Connection request URL", text(&device.connection_request_url)),
        ("Connection request", wake.map(|wake| waking(wake, now)).unwrap_or_default()),
        ("First inform", When::new(device.first_inform, now).both()),
        ("Last boot", time(device.last_boot).unwrap_or_default()),
        ("Last bootstrap", time(device.last_bootstrap).unwrap_or_default()),
        ("Last events", device.events.clone()),
        ("Data model read", time(device.refreshed_at).unwrap_or_else(|| "never".to_owned())),
        ("Next work", time(device.next_due).unwrap_or_else(|| "none".to_owned())),
        ("Methods", methods.unwrap_or_default()),
    ];
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(label, value)| Fact { label, value }).collect()
}

/// How far waking the device has come, and why it is stuck.
fn waking(wake: &Request, now: DateTime<Utc>) -> String {
    let asked = relative(wake.asked_at, now);
    let mut text = format!("asked {asked}, tried {} times", wake.attempts);
    if let Some(error) = &wake.last_error {
        text.push_str(&format!("; last failure: {error}"));
    }
    if wake.not_before > now {
        text.push_str(&format!("; next attempt {}", relative(wake.not_before, now)));
    }
    text
}

/// The document and the counters as one list by name, narrowed by the filter.
fn parameters_of<'a>(doc: &'a Document, counters: &'a Counters, filter: &'a str) -> Parameters<'a> {
    let mut all: BTreeMap<&str, ParameterRow<'_>> = BTreeMap::new();
    for (name, entry) in doc {
        let writable = match entry.writable {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let row = ParameterRow { name, value: &entry.value, kind: entry.kind.xsd(), writable };
        all.insert(name, row);
    }
    for (name, value) in counters {
        let counter = ParameterRow { name, value, kind: "", writable: "" };
        all.entry(name).or_insert(counter).value = value;
    }
    let needle = filter.to_lowercase();
    let matches = |text: &str| text.to_lowercase().contains(&needle);
    let count = all.len();
    let mut rows: Vec<ParameterRow<'_>> = all
        .into_values()
        .map(|row| if is_secret(row.name) { ParameterRow { value: MASK, ..row } } else { row })
        .filter(|row| matches(row.name) || matches(row.value))
        .collect();
    let found = rows.len();
    rows.truncate(PARAMETERS);
    Parameters { filter, rows, found, all: count }
}

fn job_row(job: &Job, now: DateTime<Utc>) -> JobRow<'_> {
    let mut args = masked_args(&job.args);
    if let Value::Object(fields) = &mut args {
        // Said in a column of its own.
        fields.remove("kind");
    }
    JobRow {
        id: job.job_id,
        kind: &job.kind,
        state: &job.state,
        created: When::new(job.created_at, now),
        by: &job.created_by,
        attempts: format!("{} of {}", job.attempts, job.max_attempts),
        note: job.note.as_deref().unwrap_or_default(),
        args: told(&args),
    }
}

fn event_row(event: &Event, now: DateTime<Utc>) -> EventRow<'_> {
    EventRow { at: When::new(event.at, now), kind: &event.kind, detail: told(&event.detail) }
}

fn file_row(file: &DeviceArtifact, now: DateTime<Utc>) -> FileRow<'_> {
    FileRow {
        name: &file.name,
        file_type: &file.file_type,
        size: size(file.size),
        sha256: file.sha256.iter().take(6).map(|b| format!("{b:02x}")).collect(),
        at: When::new(file.created_at, now),
    }
}

/// JSON in one line; nothing for what holds nothing.
fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        value => shortened(&value.to_string(), DETAIL),
    }
}

#[cfg(test)]
mod tests;
