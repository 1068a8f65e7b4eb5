//! What a device says of an upgrade that it has accepted: kept with the job until the version on
//! which it comes back ends it. The rule is `jobs::upgrade`'s.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::settle::close;
use crate::error::Error;
use crate::jobs::spec::JobSpec;
use crate::jobs::upgrade::{self, News, Progress, Report};
use crate::store::jobs::{Change, Job};

/// How long the version is waited for where the job says nothing.
const CONFIRM: TimeDelta = TimeDelta::hours(1);

/// Takes a report of an upgrade. One that has ended stays as it is (N14).
pub async fn heard(
    conn: &mut PgConnection,
    job: &Job,
    report: Report<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(expected) = version(job) else { return Ok(()) };
    let known = Progress::of(job.result.as_ref());
    let change = match upgrade::hear(&expected, &known, report) {
        News::Nothing => return Ok(()),
        News::Further(progress) => Change {
            state: "waiting",
            confirm_by: Some(job.confirm_by.unwrap_or(now + CONFIRM)),
            result: Some(told(&progress)?),
            note: Some(on_its_way(&expected, &progress)),
            ..Change::default()
        },
        News::Done(version) => Change {
            state: "done",
            result: Some(json!({ "version": version })),
            ..Change::default()
        },
        News::CameBack(version) => Change {
            state: "failed",
            note: Some(format!("came back on {version} instead of {expected}")),
            result: Some(json!({ "version": version })),
            ..Change::default()
        },
    };
    close(conn, job, change, now).await
}

/// Why an upgrade is given up whose device did not come back in time; `None` for other jobs.
pub(super) fn overdue(job: &Job) -> Option<String> {
    let expected = version(job)?;
    Some(match Progress::of(job.result.as_ref()).transferred {
        true => format!("it has the packages, but did not come back on {expected} in time"),
        false => format!("the device accepted it, but did not come back on {expected} in time"),
    })
}

/// The version that an upgrade is to end with.
fn version(job: &Job) -> Option<String> {
    match serde_json::from_value(job.args.clone()) {
        Ok(JobSpec::Upgrade { version, .. }) => Some(version),
        Ok(_) | Err(_) => None,
    }
}

fn on_its_way(expected: &str, progress: &Progress) -> String {
    match &progress.booted_on {
        Some(version) if !progress.transferred => {
            format!("it restarted on {version}; its report is due")
        }
        _ => format!("it has the packages, and is expected back on {expected}"),
    }
}

fn told(progress: &Progress) -> Result<Value, Error> {
    serde_json::to_value(progress).map_err(|e| Error::Internal(e.to_string()))
}
