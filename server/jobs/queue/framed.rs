//! Scripts that people order by hand, framed as those of templates are: what became of one is asked of
//! the device's log, and kept with its job.
//!
//! Owns which of them are framed, and that the log of such a device is asked for. The frame itself is put
//! around a script as the device fetches it, in `files`.

use chrono::{DateTime, Utc};
use muster_routeros::apply::{Report, UNREAD};
use muster_routeros::lint::MAX_SCRIPT;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{DEFAULT_EXPIRY, next_id};
use crate::error::Error;
use crate::jobs::retry;
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec, UploadFile};
use crate::store::jobs::{Job, NewJob};
use crate::store::{events, jobs as store};

/// How the key of a job begins that fetches what a device said of such a script; the id of the job that
/// brought the script follows.
pub const ALTER_LOG: &str = "muster:alter-log:";

/// Whether the script that a job brings is framed: one that somebody ordered by hand, of a size that may
/// be framed, for a device whose log says what became of it.
///
/// # Errors
/// [`Error::Database`].
pub async fn is_framed(conn: &mut PgConnection, job: &Job) -> Result<bool, Error> {
    let Some(artifact_id) = by_hand(job) else { return Ok(false) };
    let most = i64::try_from(MAX_SCRIPT).unwrap_or(i64::MAX);
    Ok(store::can_be_framed(conn, job.device_id, artifact_id, most).await?)
}

/// The script that a job brings, where somebody ordered it by hand.
fn by_hand(job: &Job) -> Option<Uuid> {
    let is_own = job.idempotency_key.as_deref().is_some_and(|key| key.starts_with("muster:"));
    if job.rollout_id.is_some() || is_own {
        return None;
    }
    match serde_json::from_value(job.args.clone()) {
        Ok(JobSpec::Download(DownloadSpec { artifact_id, file: DownloadFile::Alter, .. })) => {
            Some(artifact_id)
        }
        Ok(_) | Err(_) => None,
    }
}

/// Whether a device may have run the script of this job, which has ended: it was sent, and the device did
/// not say that it could not fetch it. A report that never came says nothing.
pub fn may_have_run(job: &Job) -> bool {
    job.state == "done" || (job.attempts > 0 && job.fault.is_none())
}

/// Has the log sent of a device that may have run such a script. Its row is locked.
pub(super) async fn ask(
    conn: &mut PgConnection,
    script: &Job,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let spec = JobSpec::Upload { file: UploadFile::Log };
    let newest = store::newest_open(conn, script.device_id).await?;
    let new = NewJob {
        device_id: script.device_id,
        job_id: next_id(newest),
        kind: spec.kind(),
        // There is no secret in it.
        args: serde_json::to_value(&spec).map_err(|e| Error::Internal(e.to_string()))?,
        not_before: now,
        expires_at: now + DEFAULT_EXPIRY,
        max_attempts: retry::max_attempts(&spec),
        idempotency_key: Some(format!("{ALTER_LOG}{}", script.job_id.simple())),
        created_by: "muster".to_owned(),
        rollout_id: None,
        unkept: false,
    };
    let (job, _) = store::insert(conn, &new, now).await?;
    let detail = json!({ "kind": job.kind, "by": job.created_by });
    events::append(conn, job.device_id, "job.created", Some(job.job_id), &detail, now).await?;
    Ok(())
}

/// Says of a script that nobody knows what became of it, where this was the job that would have told.
pub(super) async fn unread(
    conn: &mut PgConnection,
    log: &Job,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let key = log.idempotency_key.as_deref().and_then(|key| key.strip_prefix(ALTER_LOG));
    let Some(script) = key.and_then(|id| Uuid::try_parse(id).ok()) else { return Ok(()) };
    tell(conn, log.device_id, script, &Report::silent(UNREAD), now).await
}

/// Keeps what is known of such a script with the job that brought it. What tells nothing takes back
/// nothing that is known: a log may have come, and the report of its transfer not. The device's row is
/// locked.
///
/// # Errors
/// [`Error::Database`].
pub async fn tell(
    conn: &mut PgConnection,
    device_id: Uuid,
    script: Uuid,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let told = json!(report);
    if store::add_report(conn, device_id, script, &told, report.silent).await? {
        events::append(conn, device_id, "script.reported", Some(script), &told, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn job(args: Value, key: Option<&str>, rollout_id: Option<Uuid>) -> Job {
        let now = DateTime::UNIX_EPOCH;
        Job {
            device_id: Uuid::nil(),
            job_id: Uuid::nil(),
            kind: "download".to_owned(),
            args,
            state: "queued".to_owned(),
            not_before: now,
            expires_at: now,
            confirm_by: None,
            attempts: 0,
            max_attempts: 1,
            lease: None,
            leased_until: None,
            idempotency_key: key.map(str::to_owned),
            created_by: "ann".to_owned(),
            created_at: now,
            finished_at: None,
            result: None,
            fault: None,
            note: None,
            rollout_id,
            unkept: false,
        }
    }

    #[test]
    fn a_script_may_have_run_unless_it_was_not_sent_or_not_fetched() {
        let sent = Job { attempts: 1, ..job(json!({}), None, None) };
        let is = |state: &str, sent: &Job| {
            may_have_run(&Job { state: state.to_owned(), ..sent.clone() })
        };
        for state in ["done", "failed", "cancelled"] {
            assert!(is(state, &sent), "{state}");
        }
        let refused = Job { fault: Some(json!({ "code": 9010 })), ..sent.clone() };
        assert!(is("done", &refused), "it was, later");
        assert!(!is("failed", &refused));
        assert!(!is("expired", &Job { attempts: 0, ..sent }));
    }

    #[test]
    fn scripts_that_people_order_by_hand_are_framed_and_nothing_else() {
        let file = Uuid::from_u128(7);
        let of = |kind: &str| json!({ "kind": "download", "artifact_id": file, "file": { "type": kind } });
        for key in [None, Some("mine")] {
            assert_eq!(by_hand(&job(of("alter"), key, None)), Some(file));
        }
        assert_eq!(by_hand(&job(of("alter"), Some("muster:inspect"), None)), None);
        assert_eq!(by_hand(&job(of("alter"), None, Some(Uuid::nil()))), None);
        assert_eq!(by_hand(&job(of("firmware"), None, None)), None);
        assert_eq!(by_hand(&job(json!({ "kind": "reboot" }), None, None)), None);
    }
}
