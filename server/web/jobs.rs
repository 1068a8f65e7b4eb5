//! Jobs: the list, and what can be done about one. `job` is the page of one of them, `words` tells
//! what they are, `advice` what to do.
//!
//! Never shows a secret: arguments and results are masked before they come near a template.

pub(super) mod job;
pub(super) mod words;

pub(super) mod advice;

use std::collections::{HashMap, HashSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use super::days;
use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::Form;
use super::format::When;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::queue::masked_args;
use crate::service::{devices, jobs as service};
use crate::store::devices::DeviceName;
use crate::store::jobs::Job;

/// Jobs on a page.
const PAGE: usize = 50;
/// In a query: when a job ended is meant.
const FINISHED: &str = "finished";
/// What did not end well, as one choice.
const PROBLEMS: (&str, &str) = ("failed,expired", "failed or expired");
/// What is said where the filter names none.
const NO_DEVICE: &str = "There is no such device. A serial number is typed as it stands on the \
                         device, to the letter.";
/// Which time is meant.
const TIMES: [(&str, &str); 2] = [("created", "Ordered"), (FINISHED, "Ended")];

/// The query string; empty fields narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct JobsQuery {
    /// A state, or several with commas between.
    state: String,
    kind: String,
    /// A serial number, or the id of a device.
    device: String,
    /// `finished` where the next two mean when a job ended, not when it was ordered.
    time: String,
    /// Days, or exact times.
    since: String,
    until: String,
    /// `yes`: of each device only the newest.
    newest: String,
    before: String,
}

impl JobsQuery {
    fn trimmed(mut self) -> Self {
        for field in [
            &mut self.state,
            &mut self.kind,
            &mut self.device,
            &mut self.time,
            &mut self.since,
            &mut self.until,
        ] {
            *field = field.trim().to_owned();
        }
        self
    }

    /// Days are those of the zone.
    fn filter(&self, zone: Tz) -> Result<service::JobFilter, Error> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
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
            time: match self.time.as_str() {
                FINISHED => service::JobTime::Finished,
                _ => service::JobTime::Created,
            },
            since: days::since(&self.since, zone)?,
            until: days::until(&self.until, zone)?,
            newest: !self.newest.is_empty(),
            before,
            limit: i64::try_from(PAGE).expect("a small number") + 1,
        })
    }

    fn filtered(&self) -> bool {
        let narrow =
            [&self.state, &self.kind, &self.device, &self.since, &self.until, &self.newest];
        narrow.iter().any(|field| !field.is_empty())
    }

    /// The same jobs, continued before one; only what is set.
    fn text(&self, before: &str) -> String {
        let fields = [
            ("state", self.state.as_str()),
            ("kind", self.kind.as_str()),
            ("device", self.device.as_str()),
            ("time", self.time.as_str()),
            ("since", self.since.as_str()),
            ("until", self.until.as_str()),
            ("newest", self.newest.as_str()),
            ("before", before),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

/// The list of the jobs in these states, with commas between, that ended at or after a time;
/// `newest` = of each device only the newest of them.
pub(super) fn ended_since(states: &str, since: DateTime<Utc>, newest: bool) -> String {
    let query = JobsQuery {
        state: states.to_owned(),
        time: FINISHED.to_owned(),
        since: since.to_rfc3339_opts(SecondsFormat::Micros, true),
        newest: if newest { "yes".to_owned() } else { String::new() },
        ..JobsQuery::default()
    };
    address(&query.text(""))
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
    time: &'a str,
    since: Moment<'a>,
    until: Moment<'a>,
    newest: bool,
    /// Whose days the fields mean.
    zone: &'static str,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    times: Vec<Choice>,
}

/// A time in a field.
#[derive(Serialize)]
struct Moment<'a> {
    text: &'a str,
    /// It is more exact than a day, which alone a field for days could show.
    exact: bool,
}

impl<'a> Moment<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, exact: !text.is_empty() && !days::is_day(text) }
    }
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
    query.map(|Query(query)| query.trimmed()).map_err(|e| Error::invalid("", e.body_text()))
}

/// `GET /jobs`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Asked,
) -> Result<Html<String>, Failure> {
    let query = asked(query)?;
    let zone = days::zone(&viewer);
    let page = JobsPage {
        shell: Shell::new(&viewer, &app.config, "Jobs", Section::Jobs),
        wanted: wanted(&query, zone),
        list: list(&app, viewer.ctx(), &query, zone).await?,
    };
    Ok(views::render(View::Jobs, &page)?)
}

/// `GET /jobs/list`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Asked,
) -> Result<Html<String>, Failure> {
    let list = list(&app, viewer.ctx(), &asked(query)?, days::zone(&viewer)).await?;
    Ok(views::render(View::JobsList, &ListFragment { list })?)
}

fn wanted(query: &JobsQuery, zone: Tz) -> Wanted<'_> {
    let choice = |&(value, label): &(&'static str, &'static str)| Choice { value, label };
    let states = service::STATES.iter().map(|state| choice(&(*state, *state)));
    Wanted {
        state: &query.state,
        kind: &query.kind,
        device: &query.device,
        time: &query.time,
        since: Moment::of(&query.since),
        until: Moment::of(&query.until),
        newest: !query.newest.is_empty(),
        zone: zone.name(),
        states: states.chain([choice(&PROBLEMS)]).collect(),
        kinds: words::KINDS.iter().map(choice).collect(),
        times: TIMES.iter().map(choice).collect(),
    }
}

async fn list(app: &App, ctx: &Ctx, query: &JobsQuery, zone: Tz) -> Result<List, Error> {
    let (mut jobs, complaint) = match found(app, ctx, query, zone).await {
        Ok(jobs) => (jobs, String::new()),
        // The form says what is wrong with it, and can be mended there.
        Err(Error::NotFound(_)) => (Vec::new(), NO_DEVICE.to_owned()),
        Err(Error::Conflict(why)) => (Vec::new(), why),
        Err(Error::Invalid { pointer, message }) if !pointer.is_empty() => (Vec::new(), message),
        Err(other) => return Err(other),
    };
    // One more than shown tells whether there is a next page.
    let more = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    let last = jobs.last().filter(|_| more).map(|job| job.job_id.to_string());
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.device_id).collect();
    let names = devices::names(app, ctx, &ids).await?;
    let operable = devices::among(app, ctx, Right::Operate, &ids).await?;
    Ok(List {
        rows: jobs.iter().map(|job| row(job, &names, &operable, ctx.now)).collect(),
        query: query.text(&query.before),
        first: if query.before.is_empty() { String::new() } else { address(&query.text("")) },
        next: last.map(|id| address(&query.text(&id))).unwrap_or_default(),
        filtered: query.filtered() || !query.before.is_empty(),
        complaint,
    })
}

async fn found(app: &App, ctx: &Ctx, query: &JobsQuery, zone: Tz) -> Result<Vec<Job>, Error> {
    service::list(app, ctx, &query.filter(zone)?).await
}

fn address(query: &str) -> String {
    if query.is_empty() { "/jobs".to_owned() } else { format!("/jobs?{query}") }
}

fn row(
    job: &Job,
    names: &HashMap<Uuid, DeviceName>,
    operable: &HashSet<Uuid>,
    now: DateTime<Utc>,
) -> Row {
    let device = names.get(&job.device_id);
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
        can_cancel: can_cancel(job) && device.is_some() && operable.contains(&job.device_id),
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
