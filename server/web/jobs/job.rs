//! One job: what was asked, how far it is, what came of it and why, and what can be done now.

use axum::extract::{Path, State};
use axum::response::Html;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::advice::{Case, advice};
use super::words::{self, Told};
use super::{can_cancel, next_try};
use crate::access::audit::masked;
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::queue::masked_args;
use crate::service::{devices, jobs as service};
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::jobs::Job;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{self, View};

#[derive(Serialize)]
struct JobPage {
    shell: Shell,
    job: JobPart,
}

#[derive(Serialize)]
struct JobFragment {
    job: JobPart,
}

#[derive(Serialize)]
struct JobPart {
    id: Uuid,
    title: String,
    state: String,
    device: Uuid,
    serial: String,
    site: String,
    note: String,
    advice: &'static str,
    /// How loudly the two are said.
    mark: &'static str,
    asked: Told,
    answered: Told,
    faults: Vec<FaultRow>,
    created: When,
    by: String,
    attempts: String,
    /// When it is tried next.
    next: Option<When>,
    /// When it is given up if it has not run.
    expires: Option<When>,
    /// Until when its report is waited for.
    confirm_by: Option<When>,
    finished: Option<When>,
    key: String,
    history: Vec<HistoryItem>,
    operable: bool,
    can_cancel: bool,
    can_order: bool,
    /// It cannot be taken back: it is confirmed by the serial number.
    drastic: bool,
}

/// What the device said of one parameter.
#[derive(Serialize)]
struct FaultRow {
    name: String,
    code: String,
    text: String,
}

#[derive(Serialize)]
struct HistoryItem {
    at: When,
    title: String,
    state: &'static str,
    detail: String,
}

/// `GET /jobs/{id}`
pub(in crate::web) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(job_id): Path<String>,
) -> Result<Html<String>, Failure> {
    let job = part(&app, viewer.ctx(), &job_id).await?;
    let title = format!("{} on {}", job.title, job.serial);
    let shell = Shell::new(&viewer, &app.config, title, Section::Jobs);
    Ok(views::render(View::Job, &JobPage { shell, job })?)
}

/// `GET /jobs/{id}/state`
pub(in crate::web) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(job_id): Path<String>,
) -> Result<Html<String>, Failure> {
    let job = part(&app, viewer.ctx(), &job_id).await?;
    Ok(views::render(View::JobState, &JobFragment { job })?)
}

async fn part(app: &App, ctx: &Ctx, job_id: &str) -> Result<JobPart, Error> {
    let unknown = |_| Error::NotFound("There is no such job.".to_owned());
    let job_id = Uuid::try_parse(job_id).map_err(unknown)?;
    let job = service::get(app, ctx, job_id).await?;
    let device = devices::find(app, ctx, &job.device_id.to_string(), Right::Read).await?;
    let events = service::history(app, ctx, job_id).await?;
    let operable = devices::rights(app, ctx, &device).await?.contains(&Right::Operate);
    Ok(told(&job, &device, &events, operable, ctx.now))
}

fn told(
    job: &Job,
    device: &Device,
    events: &[Event],
    operable: bool,
    now: DateTime<Utc>,
) -> JobPart {
    let when = |at: DateTime<Utc>| When::new(at, now);
    let note = job.note.as_deref().unwrap_or_default();
    let code = job.fault.as_ref().and_then(|fault| fault.get("code")).and_then(Value::as_u64);
    let case = Case { state: &job.state, note, fault: code, attempts: job.attempts };
    let result = job.result.clone().map(masked).unwrap_or_default();
    let open = job.finished_at.is_none();
    JobPart {
        id: job.job_id,
        title: words::title(&job.kind).to_owned(),
        state: job.state.clone(),
        device: job.device_id,
        serial: device.serial.clone(),
        site: device.site.clone().unwrap_or_default(),
        note: words::why(job.note.as_deref(), job.fault.as_ref()),
        advice: advice(case),
        mark: match job.state.as_str() {
            "failed" => "failed",
            "expired" => "warn",
            _ => "idle",
        },
        asked: words::told(&masked_args(&job.args), true),
        answered: words::told(&result, false),
        faults: faults(job.fault.as_ref()),
        created: when(job.created_at),
        by: job.created_by.clone(),
        attempts: format!("{} of {}", job.attempts, job.max_attempts),
        next: next_try(job).map(|at| when(at.max(now))),
        expires: (open && job.attempts == 0).then(|| when(job.expires_at)),
        confirm_by: job.confirm_by.filter(|_| open).map(when),
        finished: job.finished_at.map(when),
        key: job.idempotency_key.clone().unwrap_or_default(),
        history: events.iter().rev().map(|event| history(event, now)).collect(),
        operable,
        can_cancel: operable && can_cancel(job),
        // Credentials are written by Muster alone.
        can_order: operable && !open && job.kind != "credentials",
        drastic: is_drastic(job),
    }
}

/// What the device said of single parameters.
fn faults(fault: Option<&Value>) -> Vec<FaultRow> {
    let list = fault.and_then(|fault| fault.get("parameters")).and_then(Value::as_array);
    let text = |item: &Value, name: &str| match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let row = |item: &Value| FaultRow {
        name: text(item, "name"),
        code: text(item, "code"),
        text: text(item, "text"),
    };
    list.map(|list| list.iter().map(row).collect()).unwrap_or_default()
}

/// An event of the job, with the state that its mark shows.
fn history(event: &Event, now: DateTime<Utc>) -> HistoryItem {
    let (title, state) = match event.kind.as_str() {
        "job.created" => ("Ordered", "queued"),
        "job.queued" => ("To be tried again", "queued"),
        "job.running" => ("With the device", "running"),
        "job.waiting" => ("Accepted, report due", "waiting"),
        "job.done" => ("Done", "done"),
        "job.failed" => ("Failed", "failed"),
        "job.cancelled" => ("Cancelled", "cancelled"),
        "job.expired" => ("Expired", "expired"),
        "transfer_complete" => ("The device reported the transfer", "idle"),
        other => (other, "idle"),
    };
    let note = event.detail.get("note").and_then(Value::as_str);
    let by = event.detail.get("by").and_then(Value::as_str);
    let fault = event.detail.get("fault").filter(|fault| !fault.is_null());
    let detail = match by {
        Some(by) if note.is_none() => format!("by {by}"),
        _ => words::why(note, fault),
    };
    HistoryItem { at: When::new(event.at, now), title: title.to_owned(), state, detail }
}

/// Whether a job, ordered once more, could leave the device without what it needs.
pub(in crate::web) fn is_drastic(job: &Job) -> bool {
    let args = &job.args;
    let file = |args: &Value| {
        matches!(args["file"]["type"].as_str(), Some("overwrite" | "factory_configuration"))
    };
    match job.kind.as_str() {
        "factory_reset" => true,
        "download" => file(args),
        "schedule_download" => file(&args["download"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
