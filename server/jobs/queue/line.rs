//! Whose turn it is in a device's line, and what becomes of a job whose session is gone.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::settle::{awaited, close, retried};
use super::{args, report, upgraded};
use crate::error::Error;
use crate::fleet::secret::Keys;
use crate::jobs::retry;
use crate::jobs::spec::JobSpec;
use crate::store::jobs::{Change, Job};
use crate::store::{connection_requests, jobs as store};

/// Brings the line of a device's jobs up to date and gives the job that may run now, not yet leased.
/// The device's row must be locked.
pub async fn advance(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Job>, Error> {
    advance_for(conn, device_id, None, now).await
}

async fn advance_for(
    conn: &mut PgConnection,
    device_id: Uuid,
    session_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Job>, Error> {
    loop {
        let Some(job) = store::head(conn, device_id, now).await? else {
            store::set_next_due(conn, device_id, None).await?;
            return Ok(None);
        };
        let due = match job.state.as_str() {
            // What has run does not expire before the session that is there has read its figures.
            "queued" if job.expires_at <= now && !report::is_reported(&job) => {
                close(conn, &job, expired(), now).await?;
                continue;
            }
            "queued" if job.not_before <= now => {
                store::set_next_due(conn, device_id, Some(job.not_before)).await?;
                return Ok(Some(job));
            }
            // Put off, by whoever made it or by a retry: the device that is here now is called
            // back then.
            "queued" => {
                if session_id.is_some() {
                    connection_requests::ask(conn, device_id, job.not_before, now).await?;
                }
                job.not_before
            }
            // The session that ran it is gone: this one owns the device, or its lease has ended.
            "running" if session_id.is_some() || job.leased_until.is_none_or(|t| t <= now) => {
                lost(conn, &job, now).await?;
                continue;
            }
            "running" => job.leased_until.unwrap_or(now),
            "waiting" if session_id.is_some() && report::is_to_be_looked_at(&job, now) => {
                report::reported(conn, &job, now).await?;
                continue;
            }
            _ if job.confirm_by.is_none_or(|t| t <= now) => {
                close(conn, &job, unreported(&job), now).await?;
                continue;
            }
            _ => report::next_step_at(&job, job.confirm_by.unwrap_or(now)),
        };
        store::set_next_due(conn, device_id, Some(due)).await?;
        return Ok(None);
    }
}

fn expired() -> Change {
    let note = "the device did not come in time".to_owned();
    Change { state: "expired", note: Some(note), ..Change::default() }
}

fn unreported(job: &Job) -> Change {
    let note = upgraded::overdue(job)
        .unwrap_or_else(|| "the device accepted it, but never reported the outcome".to_owned());
    Change { state: "failed", note: Some(note), ..Change::default() }
}

/// Brings the line up to date where no session is there to go on with it: a job that may run now
/// has its device called.
pub async fn advance_and_wake(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if let Some(job) = advance(conn, device_id, now).await? {
        connection_requests::ask(conn, device_id, job.not_before, now).await?;
    }
    Ok(())
}

/// Closes jobs whose time has passed while an earlier one still blocks the line.
pub async fn expire_behind_head(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for job in store::open(conn, device_id).await? {
        let late = job.state == "waiting" && job.confirm_by.is_none_or(|t| t <= now);
        if job.state == "queued" && job.expires_at <= now {
            close(conn, &job, expired(), now).await?;
        } else if late {
            close(conn, &job, unreported(&job), now).await?;
        }
    }
    Ok(())
}

/// Gives the session the device's next job. The session must own the device, with its row locked.
pub async fn lease_next(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    session_id: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<(Job, JobSpec)>, Error> {
    while let Some(job) = advance_for(conn, device_id, Some(session_id), now).await? {
        match args::opened(keys, &job) {
            Ok(spec) => {
                store::lease(conn, &job, session_id, until).await?;
                return Ok(Some((job, spec)));
            }
            Err(e) => {
                tracing::error!(job.id = %job.job_id, "a job cannot be read: {}", e.private());
                let note = "its arguments cannot be read; the log has the cause".to_owned();
                let change = Change { state: "failed", note: Some(note), ..Change::default() };
                close(conn, &job, change, now).await?;
            }
        }
    }
    Ok(None)
}

/// A session gives back the job that it could not finish.
pub async fn release(
    conn: &mut PgConnection,
    job: &Job,
    session_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if let Some(current) = store::of_device(conn, job.device_id, job.job_id).await?
        && current.state == "running"
        && current.lease == Some(session_id)
    {
        lost(conn, &current, now).await?;
        advance_and_wake(conn, job.device_id, now).await?;
    }
    Ok(())
}

/// A session ended while it ran the job.
async fn lost(conn: &mut PgConnection, job: &Job, now: DateTime<Utc>) -> Result<(), Error> {
    let spec: Option<JobSpec> = serde_json::from_value(job.args.clone()).ok();
    let note = "the session was lost while the job ran";
    let change = match &spec {
        Some(s) if s.idempotent() => {
            let verdict = retry::after_loss(job.attempts, job.max_attempts, 0.5);
            return retried(conn, job, note, None, verdict, now).await;
        }
        // It may have been sent: its proof may still come.
        Some(s) if s.confirm_seconds().is_some() => {
            return awaited(
                conn,
                job,
                s,
                format!("{note}; not sent again, its report is awaited"),
                now,
            )
            .await;
        }
        Some(_) | None => Change {
            state: "failed",
            note: Some(format!("{note}; outcome unknown, and not safe to send again")),
            ..Change::default()
        },
    };
    close(conn, job, change, now).await
}
