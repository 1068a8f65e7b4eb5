//! Jobs whose report says only that there is something to read: the tests that devices run
//! themselves.
//!
//! Owns when such a job, which the device has accepted, runs once more. What it reads then is
//! `jobs::diagnose`'s.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::settle::close;
use crate::error::Error;
use crate::jobs::spec::JobSpec;
use crate::store::jobs::{Change, Job};

/// This long after the order, or after the last look, the device is called and asked how far the test
/// is: not every one tells.
const LOOK_AFTER: TimeDelta = TimeDelta::seconds(60);

/// Whether the figures of this job's test are to be read, rather than the test be ordered.
pub fn is_reported(job: &Job) -> bool {
    job.result.as_ref().is_some_and(|result| result["reported"] == true)
}

/// Whether the end of a test on the device concerns this open job. While its figures are to be read
/// it does again: the device repeats what it said in a session that was lost (N14).
pub fn awaits_end_of_test(job: &Job) -> bool {
    let again = is_reported(job) && job.attempts < job.max_attempts;
    job.kind == "diagnose" && (job.state == "waiting" || again)
}

/// Has the next session read the figures of its test. The deadline of the report stays: who looks
/// too early waits no longer for that.
pub async fn reported(conn: &mut PgConnection, job: &Job, now: DateTime<Utc>) -> Result<(), Error> {
    let change = Change {
        state: "queued",
        not_before: Some(now),
        confirm_by: job.confirm_by,
        result: Some(json!({ "reported": true })),
        note: Some("the figures of the test are to be read".to_owned()),
        ..Change::default()
    };
    close(conn, job, change, now).await
}

/// When a job that begins to wait for its report is looked at; `None` = never, its report says all.
pub(super) fn look_at(spec: &JobSpec, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    matches!(spec, JobSpec::Diagnose { .. }).then(|| now + LOOK_AFTER)
}

/// Whether a session that is there is to look at this waiting job.
pub(super) fn is_to_be_looked_at(job: &Job, now: DateTime<Utc>) -> bool {
    job.kind == "diagnose" && job.not_before <= now
}

/// When something is to be done about a waiting job.
pub(super) fn next_step_at(job: &Job, confirm_by: DateTime<Utc>) -> DateTime<Utc> {
    match job.kind.as_str() {
        "diagnose" => confirm_by.min(job.not_before),
        _ => confirm_by,
    }
}
