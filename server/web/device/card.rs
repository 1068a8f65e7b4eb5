//! How one job gets on: a card that asks for itself again until the job has ended.
//!
//! What has not changed is not sent again, so that a page that is read aloud stays silent.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::diagnose::{Figures, figures};
use super::jobs::is_cancellable;
use super::progress::{Around, Progress, is_open, progress, title};
use super::value::{Confirmation, confirmation};
use super::{May, address};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::online;
use crate::service::devices::Detail;
use crate::service::jobs::JobFilter;
use crate::service::{devices, jobs};
use crate::store::jobs::Job;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// How often a device comes by itself, in its share of the time for which it counts as online.
const INFORMS: i32 = 3;
/// Jobs before one that are looked at for what it waits for.
const BEFORE: i64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardQuery {
    /// [`Card::stamp`] of what is shown already.
    seen: String,
}

/// A job, for people.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Card {
    id: Uuid,
    pub(super) device: Uuid,
    title: String,
    pub(super) state: String,
    pub(super) progress: Progress,
    /// What the device says of a value that was set.
    pub(super) confirmation: Option<Confirmation>,
    /// Of a test.
    figures: Option<Figures>,
    /// The file that came.
    file: Option<String>,
    created: When,
    by: String,
    /// More than once.
    attempts: String,
    /// It will change.
    pub(super) open: bool,
    cancel: bool,
    stamp: String,
}

#[derive(Serialize)]
struct CardFragment {
    card: Card,
}

/// `GET /devices/{id}/jobs/{job_id}/card`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, job_id)): Path<(String, Uuid)>,
    Query(query): Query<CardQuery>,
) -> Result<Response, Failure> {
    let (detail, job) = find(&app, &viewer, &id, job_id).await?;
    let card = of(&app, &viewer, &detail, job).await?;
    if card.stamp == query.seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(render(View::DeviceCard, &CardFragment { card })?.into_response())
}

/// A job of this device, and the device.
pub(super) async fn find(
    app: &App,
    viewer: &Viewer,
    id: &str,
    job_id: Uuid,
) -> Result<(Detail, Job), Error> {
    let detail = devices::detail(app, viewer.ctx(), id).await?;
    let job = jobs::get(app, viewer.ctx(), job_id).await?;
    if job.device_id != detail.device.device_id {
        return Err(Error::NotFound(format!("no job {job_id} of that device")));
    }
    Ok((detail, job))
}

/// What a form that ordered a job is answered with: its card for htmx, else the page of the device
/// with the card on it.
pub(super) async fn answer(
    app: &App,
    viewer: &Viewer,
    visit: &Visit,
    job: Job,
) -> Result<Response, Failure> {
    let device_id = job.device_id;
    if !visit.htmx {
        return Ok(Redirect::to(&with_card(&job)).into_response());
    }
    let detail = devices::detail(app, viewer.ctx(), &device_id.to_string()).await?;
    let card = of(app, viewer, &detail, job).await?;
    Ok(render(View::DeviceCard, &CardFragment { card })?.into_response())
}

/// The page of the device, with the card of this job.
pub(super) fn with_card(job: &Job) -> String {
    address(job.device_id, &format!("?job={}", job.job_id))
}

/// The card of a job.
pub(super) async fn of(
    app: &App,
    viewer: &Viewer,
    detail: &Detail,
    job: Job,
) -> Result<Card, Error> {
    let ctx = viewer.ctx();
    let around = Around {
        request: detail.connection_request.as_ref(),
        last_inform: detail.device.last_inform,
        interval: (ctx.now - online::since(&app.config, ctx.now)) / INFORMS,
        ahead: ahead(app, viewer, &job).await?,
        now: ctx.now,
    };
    let confirmation = confirmation(app, viewer, &job).await?;
    let may = May::with(app, ctx, &detail.device).await?;
    Ok(card(job, &around, confirmation, may))
}

/// Open jobs that stand before a queued one.
async fn ahead(app: &App, viewer: &Viewer, job: &Job) -> Result<usize, Error> {
    if job.state != "queued" {
        return Ok(0);
    }
    let filter = JobFilter {
        device: Some(job.device_id.to_string()),
        before: Some(job.job_id),
        limit: BEFORE,
        ..JobFilter::default()
    };
    let (before, now) = (jobs::list(app, viewer.ctx(), &filter).await?, viewer.ctx().now);
    Ok(before.iter().filter(|job| is_open(job) && !stands_aside(job, now)).count())
}

/// Whether a job was put off from the start, and its time has not come: it holds up nobody.
fn stands_aside(job: &Job, now: DateTime<Utc>) -> bool {
    job.state == "queued" && job.attempts == 0 && job.not_before > now
}

fn card(job: Job, around: &Around<'_>, confirmation: Option<Confirmation>, may: May) -> Card {
    let result = job.result.as_ref().unwrap_or(&Value::Null);
    let file = result["artifact_id"].as_str().filter(|_| may.operate);
    let attempts = match job.attempts {
        0 | 1 => String::new(),
        n => format!("attempt {n} of {}", job.max_attempts),
    };
    let mut card = Card {
        id: job.job_id,
        device: job.device_id,
        title: title(&job),
        progress: progress(&job, around),
        open: is_open(&job) || confirmation.as_ref().is_some_and(Confirmation::is_due),
        confirmation,
        figures: figures(result),
        file: file.map(|id| address(job.device_id, &format!("/files/{id}"))),
        created: When::new(job.created_at, around.now),
        by: job.created_by.clone(),
        attempts,
        cancel: may.operate && is_cancellable(&job),
        state: job.state,
        stamp: String::new(),
    };
    card.stamp = stamp(&card);
    card
}

/// Tells whether a card says something else; the passing of time is not something else.
fn stamp(card: &Card) -> String {
    let mut hasher = DefaultHasher::new();
    (&card.state, &card.progress.line, &card.progress.advice, &card.attempts).hash(&mut hasher);
    card.confirmation.as_ref().map(Confirmation::line).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
pub(super) fn sample(job: Job) -> Card {
    use chrono::TimeDelta;

    let now = DateTime::UNIX_EPOCH;
    let around =
        Around { request: None, last_inform: now, interval: TimeDelta::minutes(5), ahead: 0, now };
    let may = May { operate: true, secrets: true, admin: true };
    card(job, &around, None, may)
}

#[cfg(test)]
pub(super) fn sample_fragment(job: Job) -> (View, Value) {
    let confirmation = Some(Confirmation::sample());
    let card = Card { confirmation, ..sample(job) };
    crate::web::views::sample(View::DeviceCard, &CardFragment { card })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::device::samples::job;

    #[test]
    fn a_card_is_the_same_until_it_says_something_else() {
        let queued = || job("queued", json!({ "kind": "reboot" }));
        let before = sample(queued());
        assert!(before.open && before.cancel);
        assert_eq!(before.stamp, sample(queued()).stamp);
        let mut later = queued();
        later.created_by = "bob".to_owned();
        assert_eq!(before.stamp, sample(later).stamp);
        let running = sample(job("running", json!({ "kind": "reboot" })));
        assert_ne!(before.stamp, running.stamp);
        assert!(running.open && !running.cancel);
        assert!(!sample(job("done", json!({ "kind": "reboot" }))).open);
    }

    #[test]
    fn what_is_put_off_from_the_start_stands_before_nobody() {
        let queued = job("queued", json!({ "kind": "reboot" }));
        let at = queued.not_before;
        let before = at - chrono::TimeDelta::seconds(1);
        assert!(stands_aside(&queued, before));
        assert!(!stands_aside(&queued, at), "its time has come");
        assert!(!stands_aside(&Job { attempts: 1, ..queued }, before), "it is tried again");
        assert!(!stands_aside(&job("running", json!({ "kind": "reboot" })), before));
    }

    #[test]
    fn a_file_that_came_is_linked() {
        let mut upload = job("done", json!({ "kind": "upload", "file": { "type": "log" } }));
        let id = Uuid::from_u128(7);
        upload.result = Some(json!({ "artifact_id": id }));
        let card = sample(upload);
        assert!(card.file.is_some_and(|href| href.ends_with(&format!("/files/{id}"))));
    }
}
