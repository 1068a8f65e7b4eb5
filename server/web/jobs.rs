//! Jobs: the list, and what can be done about one. `job` is the page of one of them, `words` tells
//! what they are, `advice` what to do.
//!
//! Never shows a secret: arguments and results are masked before they come near a template.

pub(super) mod job;
pub(super) mod words;

pub(super) mod advice;

use std::collections::HashMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::Form;
use super::format::When;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::queue::masked_args;
use crate::service::{devices, jobs as service};
use crate::store::devices::DeviceName;
use crate::store::jobs::Job;

/// Jobs on a page.
const PAGE: usize = 50;

/// The query string; empty fields narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct JobsQuery {
    state: String,
    kind: String,
    /// A serial number, or the id of a device.
    device: String,
    before: String,
}

impl JobsQuery {
    fn filter(&self) -> Result<service::JobFilter, Error> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let before = match self.before.as_str() {
            "" => None,
            id => Some(Uuid::try_parse(id).map_err(|_| {
                Error::invalid("", "This page does not exist: start from the first one.")
            })?),
        };
        Ok(service::JobFilter {
            device: given(&self.device).map(|name| match Uuid::try_parse(&name) {
                Ok(id) => id.to_string(),
                Err(_) => format!("serial:{name}"),
            }),
            state: given(&self.state),
            kind: given(&self.kind),
            before,
            limit: i64::try_from(PAGE).expect("a small number") + 1,
        })
    }

    fn filtered(&self) -> bool {
        [&self.state, &self.kind, &self.device].iter().any(|field| !field.trim().is_empty())
    }

    /// The same jobs, continued before one; only what is set.
    fn text(&self, before: &str) -> String {
        let fields = [
            ("state", self.state.trim()),
            ("kind", self.kind.trim()),
            ("device", self.device.trim()),
            ("before", before),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[derive(Serialize)]
struct JobsPage<'a> {
    shell: Shell,
    wanted: Wanted<'a>,
    list: List,
}

#[derive(Serialize)]
struct ListFragment {
    list: List,
}

#[derive(Serialize)]
struct Wanted<'a> {
    state: &'a str,
    kind: &'a str,
    device: &'a str,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct List {
    rows: Vec<Row>,
    /// What makes it again.
    query: String,
    first: String,
    next: String,
    filtered: bool,
    /// Why there is nothing, where that is the filter's fault.
    complaint: String,
}

#[derive(Serialize)]
struct Row {
    id: Uuid,
    state: String,
    title: String,
    summary: String,
    device: Uuid,
    serial: String,
    created: When,
    by: String,
    note: String,
    /// When it is tried next.
    next: Option<When>,
    can_cancel: bool,
}

type Asked = Result<Query<JobsQuery>, QueryRejection>;

fn asked(query: Asked) -> Result<JobsQuery, Error> {
    query.map(|Query(query)| query).map_err(|e| Error::invalid("", e.body_text()))
}

/// `GET /jobs`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Asked,
) -> Result<Html<String>, Failure> {
    let query = asked(query)?;
    let page = JobsPage {
        shell: Shell::new(&viewer, &app.config, "Jobs", Section::Jobs),
        wanted: wanted(&query),
        list: list(&app, viewer.ctx(), &query).await?,
    };
    Ok(views::render(View::Jobs, &page)?)
}

/// `GET /jobs/list`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Asked,
) -> Result<Html<String>, Failure> {
    let list = list(&app, viewer.ctx(), &asked(query)?).await?;
    Ok(views::render(View::JobsList, &ListFragment { list })?)
}

fn wanted(query: &JobsQuery) -> Wanted<'_> {
    let choice = |&(value, label): &(&'static str, &'static str)| Choice { value, label };
    Wanted {
        state: query.state.trim(),
        kind: query.kind.trim(),
        device: query.device.trim(),
        states: service::STATES.iter().map(|state| choice(&(*state, *state))).collect(),
        kinds: words::KINDS.iter().map(choice).collect(),
    }
}

async fn list(app: &App, ctx: &Ctx, query: &JobsQuery) -> Result<List, Error> {
    let filter = query.filter()?;
    let (mut jobs, complaint) = match service::list(app, ctx, &filter).await {
        Ok(jobs) => (jobs, String::new()),
        // The filter names no device, or several: the form says so, and can be mended there.
        Err(Error::NotFound(_)) => (Vec::new(), "There is no such device.".to_owned()),
        Err(Error::Conflict(why)) => (Vec::new(), why),
        Err(other) => return Err(other),
    };
    // One more than shown tells whether there is a next page.
    let more = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    let last = jobs.last().filter(|_| more).map(|job| job.job_id.to_string());
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.device_id).collect();
    let names = devices::names(app, ctx, &ids).await?;
    let reach = ctx.reach(Right::Operate);
    Ok(List {
        rows: jobs.iter().map(|job| row(job, &names, &reach, ctx.now)).collect(),
        query: query.text(&query.before),
        first: if query.before.is_empty() { String::new() } else { address(&query.text("")) },
        next: last.map(|id| address(&query.text(&id))).unwrap_or_default(),
        filtered: query.filtered() || !query.before.is_empty(),
        complaint,
    })
}

fn address(query: &str) -> String {
    if query.is_empty() { "/jobs".to_owned() } else { format!("/jobs?{query}") }
}

fn row(job: &Job, names: &HashMap<Uuid, DeviceName>, operable: &Reach, now: DateTime<Utc>) -> Row {
    let device = names.get(&job.device_id);
    let site = device.and_then(|device| device.site.as_deref());
    Row {
        id: job.job_id,
        state: job.state.clone(),
        title: words::title(&job.kind).to_owned(),
        summary: words::summary(&masked_args(&job.args)),
        device: job.device_id,
        // Gone meanwhile: then its jobs go with it.
        serial: device.map(|device| device.serial.clone()).unwrap_or_default(),
        created: When::new(job.created_at, now),
        by: job.created_by.clone(),
        note: words::why(job.note.as_deref(), job.fault.as_ref()),
        next: next_try(job).map(|at| When::new(at.max(now), now)),
        can_cancel: can_cancel(job) && device.is_some() && operable.covers(site),
    }
}

/// When a job that waits in the queue is to run.
fn next_try(job: &Job) -> Option<DateTime<Utc>> {
    (job.state == "queued").then_some(job.not_before)
}

/// Whether a job can be cancelled; one that is with its device at this moment cannot.
fn can_cancel(job: &Job) -> bool {
    matches!(job.state.as_str(), "queued" | "waiting")
}

/// What somebody typed before something that cannot be taken back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confirmation {
    confirm: String,
}

/// `POST /jobs/{id}/cancel`
pub(super) async fn cancel(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(job_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let here = format!("/jobs/{job_id}");
    match service::cancel(&app, viewer.ctx(), job_id).await {
        Ok(_) => Ok(flash::to(&here, Flash::done("The job is cancelled."))),
        Err(Error::Conflict(why)) => {
            Ok(flash::to(&here, Flash::failed(format!("It is not cancelled: {why}."))))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /jobs/{id}/again`
pub(super) async fn again(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(job_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let here = format!("/jobs/{job_id}");
    let ctx = viewer.ctx();
    let job = service::get(&app, ctx, job_id).await?;
    let device = devices::find(&app, ctx, &job.device_id.to_string(), Right::Operate).await?;
    if job::is_drastic(&job) && sent.confirm.trim() != device.serial {
        let why = "Nothing was ordered: type the device's serial number to confirm.";
        return Ok(flash::to(&here, Flash::failed(why)));
    }
    match service::again(&app, ctx, job_id).await {
        Ok(new) => {
            let there = format!("/jobs/{}", new.job_id);
            Ok(flash::to(&there, Flash::done("It is ordered again: this is the new job.")))
        }
        Err(Error::Conflict(why) | Error::Invalid { message: why, .. }) => {
            Ok(flash::to(&here, Flash::failed(format!("Nothing was ordered: {why}."))))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
