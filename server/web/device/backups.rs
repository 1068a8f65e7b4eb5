//! The configurations that were kept of a device: the list of them, and having it send one now.
//!
//! - `one`: the text of one, saying that it is right, giving it back.
//! - `diff`: what differs between two, and what can be done about that.

mod diff;
mod one;

use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Head, Tab, address, card, look, shell, with_query};
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::service::backups as service;
use crate::store::backups::Backup;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::manage::{cut, with_one_more};
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};
use crate::web::{Access, Routes};

/// Backups on a page.
const PAGE: usize = 50;

/// The routes of backups.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, "/devices/{id}/backups", get(page))
        .on(operate, Method::POST, "/devices/{id}/backups", post(take))
        .on(read, Method::GET, "/devices/{id}/backups/{backup_id}", get(one::page))
        .on(operate, Method::POST, "/devices/{id}/backups/{backup_id}/accept", post(one::accept))
        .on(operate, Method::POST, "/devices/{id}/backups/{backup_id}/restore", post(one::restore))
        .on(read, Method::GET, "/devices/{id}/backups/{backup_id}/diff", get(diff::page))
        .on(operate, Method::POST, "/devices/{id}/backups/{backup_id}/adopt", post(diff::adopt))
}

/// Where a backup is.
fn path(device_id: Uuid, backup_id: Uuid) -> String {
    address(device_id, &format!("/backups/{backup_id}"))
}

/// A backup, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Kept {
    href: String,
    at: When,
    why: &'static str,
    /// The job that brought it; empty = it is not known any more.
    job: String,
    /// It says something else than the one before it.
    changed: bool,
    added: i32,
    removed: i32,
    /// Menus that the device could not export; empty = it is whole.
    lacks: String,
    accepted: bool,
}

impl Kept {
    fn new(backup: &Backup, now: DateTime<Utc>) -> Self {
        Self {
            href: path(backup.device_id, backup.backup_id),
            at: When::new(backup.at, now),
            why: why(&backup.cause),
            job: backup.job_id.map(|id| format!("/jobs/{id}")).unwrap_or_default(),
            changed: backup.changed,
            added: backup.added,
            removed: backup.removed,
            lacks: backup.incomplete.join(", "),
            accepted: backup.accepted,
        }
    }
}

/// Why it was made.
fn why(cause: &str) -> &'static str {
    match cause {
        "schedule" => "by the clock",
        "change" => "before or after a change",
        _ => "somebody asked for it",
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    before: Option<Uuid>,
}

#[derive(Serialize)]
struct BackupsPage {
    shell: Shell,
    head: Head,
    /// This page of the list.
    here: String,
    rows: Vec<Kept>,
    first: String,
    next: String,
}

/// `GET /devices/{id}/backups`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Backups).await?;
    let ctx = viewer.ctx();
    let found = service::list(&app, ctx, &id, query.before, with_one_more(PAGE)).await?;
    let (backups, more) = cut(found, PAGE);
    let last = backups.last().filter(|_| more).map(|backup| backup.backup_id.to_string());
    let first = address(device.device_id, "/backups");
    let at = |before: &str| with_query(&first, &[("before", before)]);
    let page = BackupsPage {
        shell: shell(&app, &viewer, &head, "backups"),
        here: at(&query.before.map(|id| id.to_string()).unwrap_or_default()),
        rows: backups.iter().map(|backup| Kept::new(backup, ctx.now)).collect(),
        next: last.map(|id| at(&id)).unwrap_or_default(),
        first: query.before.map(|_| first.clone()).unwrap_or_default(),
        head,
    };
    Ok(render(View::DeviceBackups, &page)?.into_response())
}

/// `POST /devices/{id}/backups`: the device sends its configuration now.
async fn take(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (job, _) = service::take(&app, viewer.ctx(), &id).await?;
    card::answer(&app, &viewer, &visit, job).await
}

/// One that says something else than the one before it.
#[cfg(test)]
fn sample_backup(id: u128) -> Backup {
    Backup {
        device_id: Uuid::from_u128(7),
        backup_id: Uuid::from_u128(id),
        at: DateTime::UNIX_EPOCH,
        sha256: vec![0xab; 32],
        whole: None,
        artifact_id: Some(Uuid::from_u128(5)),
        job_id: Some(Uuid::from_u128(9)),
        cause: "schedule".to_owned(),
        incomplete: Vec::new(),
        changed: true,
        added: 3,
        removed: 1,
        accepted: false,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let page = |rows: Vec<Kept>, operate: bool| {
        let mut head = Head::sample();
        head.may.operate = operate;
        let here = "/devices/7/backups".to_owned();
        let next = if rows.is_empty() { String::new() } else { format!("{here}?before=1") };
        let shell = Shell::sample();
        let page = BackupsPage { shell, head, rows, first: next.clone(), next, here };
        sample(View::DeviceBackups, &page)
    };
    let same = Backup {
        changed: false,
        accepted: true,
        job_id: None,
        cause: "demand".to_owned(),
        ..sample_backup(2)
    };
    let cut = Backup { incomplete: vec!["<x-evil>".to_owned()], ..same.clone() };
    let rows = [sample_backup(3), same, cut].map(|backup| Kept::new(&backup, now));
    let mut samples =
        vec![page(rows.into(), true), page(Vec::new(), true), page(Vec::new(), false)];
    samples.extend(one::samples());
    samples.extend(diff::samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::backup::Cause;

    #[test]
    fn it_is_said_why_a_backup_was_made() {
        let said = [Cause::Schedule, Cause::Change, Cause::Demand].map(|cause| why(cause.word()));
        assert_eq!(said, ["by the clock", "before or after a change", "somebody asked for it"]);
    }

    #[test]
    fn a_backup_in_short_leads_to_itself_and_to_its_job() {
        let backup = Backup {
            incomplete: vec!["/ip/ipsec".to_owned(), "/ppp".to_owned()],
            ..sample_backup(3)
        };
        let kept = Kept::new(&backup, DateTime::UNIX_EPOCH);
        assert!(kept.href.ends_with("/backups/00000000-0000-0000-0000-000000000003"), "{kept:?}");
        assert!(kept.job.starts_with("/jobs/"), "{kept:?}");
        assert_eq!(kept.lacks, "/ip/ipsec, /ppp");
        let gone = Backup { job_id: None, ..backup };
        assert_eq!(Kept::new(&gone, DateTime::UNIX_EPOCH).job, "");
    }
}
