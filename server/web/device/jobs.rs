//! What was ordered of a device, the newest first.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::progress::{is_open, sentence, title};
use super::{Head, May, Tab, address, look, shell, with_query};
use crate::ctx::Shared;
use crate::service::jobs::{self, JobFilter, STATES};
use crate::store::jobs::Job;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::jobs::job::is_drastic;
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Jobs on a page.
const PAGE: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    /// Empty = all.
    state: String,
    before: Option<Uuid>,
}

#[derive(Serialize)]
struct JobsPage {
    shell: Shell,
    head: Head,
    states: Vec<StateLink>,
    state: String,
    rows: Vec<Row>,
    first: String,
    next: String,
}

#[derive(Debug, Clone, Serialize)]
struct StateLink {
    label: &'static str,
    href: String,
    current: bool,
}

/// A job in a list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    id: Uuid,
    title: String,
    state: String,
    created: When,
    by: String,
    note: String,
    cancel: bool,
    /// It may be ordered again by one click.
    again: bool,
}

/// A job in a list.
pub(super) fn row(job: &Job, may: May, now: DateTime<Utc>) -> Row {
    // Credentials are written by Muster alone; what cannot be undone is to be meant each time.
    let harmless = job.kind != "credentials" && !is_drastic(job);
    Row {
        id: job.job_id,
        title: title(job),
        state: job.state.clone(),
        created: When::new(job.created_at, now),
        by: job.created_by.clone(),
        note: job.note.as_deref().map(sentence).unwrap_or_default(),
        cancel: may.operate && is_cancellable(job),
        again: may.operate && !is_open(job) && harmless,
    }
}

/// One that is with the device at this moment cannot be taken back.
pub(super) fn is_cancellable(job: &Job) -> bool {
    matches!(job.state.as_str(), "queued" | "waiting")
}

/// `GET /devices/{id}/jobs`
pub(super) async fn list(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Jobs).await?;
    let filter = JobFilter {
        device: Some(device.device_id.to_string()),
        state: Some(query.state.clone()).filter(|state| !state.is_empty()),
        before: query.before,
        limit: PAGE as i64 + 1,
        ..JobFilter::default()
    };
    let mut found = jobs::list(&app, viewer.ctx(), &filter).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|job| job.job_id.to_string());
    let here = address(device.device_id, "/jobs");
    let at =
        |before: &str| with_query(&here, &[("state", query.state.as_str()), ("before", before)]);
    let page = JobsPage {
        shell: shell(&app, &viewer, &head, "jobs"),
        states: states(&here, &query.state),
        rows: found.iter().map(|job| row(job, head.may, viewer.ctx().now)).collect(),
        first: query.before.map(|_| at("")).unwrap_or_default(),
        next: last.map(|id| at(&id)).unwrap_or_default(),
        state: query.state.clone(),
        head,
    };
    Ok(render(View::DeviceJobs, &page)?.into_response())
}

fn states(here: &str, current: &str) -> Vec<StateLink> {
    let all = [("all", "")].into_iter().chain(STATES.map(|state| (state, state)));
    let link = |(label, state): (&'static str, &'static str)| StateLink {
        label,
        href: with_query(here, &[("state", state)]),
        current: state == current,
    };
    all.map(link).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::samples::{failed, job};
    use crate::web::views::sample;
    use serde_json::json;

    let now = DateTime::UNIX_EPOCH;
    let queued = job("queued", json!({ "kind": "get", "names": ["<x-evil>"] }));
    let may = May { operate: true, secrets: true, admin: true };
    let list = |state: &str, rows: Vec<Row>| JobsPage {
        shell: Shell::sample(),
        head: Head::sample(),
        states: states("/devices/1/jobs", state),
        state: state.to_owned(),
        first: if rows.is_empty() { String::new() } else { "/devices/1/jobs".to_owned() },
        next: if rows.is_empty() { String::new() } else { "/devices/1/jobs?before=2".to_owned() },
        rows,
    };
    let rows = vec![row(&queued, may, now), row(&failed(), may, now)];
    vec![
        sample(View::DeviceJobs, &list("", rows)),
        sample(View::DeviceJobs, &list("failed", Vec::new())),
        sample(View::DeviceJobs, &list("", Vec::new())),
        super::card::sample_fragment(queued),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::device::samples::job;

    #[test]
    fn only_what_is_harmless_is_ordered_again_by_one_click() {
        let may = May { operate: true, secrets: false, admin: false };
        let again = |may: May, state: &str, kind: &str| {
            row(&job(state, json!({ "kind": kind })), may, DateTime::UNIX_EPOCH).again
        };
        assert!(again(may, "done", "reboot") && again(may, "failed", "methods"));
        assert!(!again(may, "queued", "reboot"));
        assert!(!again(may, "done", "factory_reset") && !again(may, "failed", "credentials"));
        assert!(!again(May { operate: false, ..may }, "done", "reboot"));
    }

    #[test]
    fn the_states_are_links_of_which_one_is_the_present() {
        let links = states("/devices/1/jobs", "failed");
        let current: Vec<&str> = links.iter().filter(|l| l.current).map(|l| l.label).collect();
        assert_eq!((links.len(), current), (STATES.len() + 1, vec!["failed"]));
        assert_eq!(links[0].href, "/devices/1/jobs");
    }
}
