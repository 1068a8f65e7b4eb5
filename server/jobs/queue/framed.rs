//! Scripts of people, ordered by hand or by a rollout, framed as those of templates are: what became of one
//! is asked of the device's log. A rollout asks by itself; by hand, it is kept with the script's job.
//!
//! Owns which of them are framed, what their lines in the log are called, and that the log is asked for.
//! The frame itself is put around a script as the device fetches it, in `files`.

use chrono::{DateTime, Utc};
use muster_routeros::apply::{Report, UNREAD, can_rescue};
use muster_routeros::lint::MAX_SCRIPT;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{DEFAULT_EXPIRY, next_id};
use crate::error::Error;
use crate::fleet::backup;
use crate::jobs::retry;
use crate::jobs::spec::{DownloadFile, JobSpec, UploadFile};
use crate::store::jobs::{Job, NewJob};
use crate::store::rollouts::devices;
use crate::store::{backups, desired, events, jobs as store};

/// Bytes of the longest script that is framed.
#[expect(clippy::cast_possible_wrap, reason = "64 KiB")]
pub const MOST: i64 = MAX_SCRIPT as i64;

/// How the key of a job begins that fetches what a device said of such a script; the id of the job that
/// brought the script follows.
pub const ALTER_LOG: &str = "muster:alter-log:";

/// Of the backup that comes after a change.
pub const AFTER: &str = "muster:after:backup:change";

/// What is put around a file of somebody's as its device fetches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// A script: the frame by which the device's log says what became of it.
    Frame,
    /// A configuration in place of all that is there: what leads the device back here.
    WayHere,
}

/// What is put around the file that a job brings: one of somebody's, of a size for that, for a RouterOS
/// device; `None` = nothing.
///
/// # Errors
/// [`Error::Database`].
pub async fn around(conn: &mut PgConnection, job: &Job) -> Result<Option<Around>, Error> {
    let Some((artifact_id, around)) = of_people(job) else { return Ok(None) };
    // Nobody would ask for the log of a rollout that was planned without.
    if around == Around::Frame
        && let Some(rollout_id) = job.rollout_id
        && !devices::tells(&mut *conn, rollout_id, job.device_id).await?
    {
        return Ok(None);
    }
    let most = match around {
        Around::Frame => MOST,
        Around::WayHere => i64::try_from(backup::MOST).unwrap_or(i64::MAX),
    };
    let can = store::can_be_framed(conn, job.device_id, artifact_id, most).await?;
    Ok(can.then_some(around))
}

/// Whether the script that a job brings is framed, so that the device's log says what became of it.
///
/// # Errors
/// [`Error::Database`].
pub async fn is_framed(conn: &mut PgConnection, job: &Job) -> Result<bool, Error> {
    Ok(around(conn, job).await? == Some(Around::Frame))
}

/// What the lines of a script in the log of its device are called: 32 hex digits, of its rollout alone, or
/// of its job.
pub fn tag(rollout_id: Option<Uuid>, device_id: Uuid, job_id: Uuid) -> String {
    let tag = rollout_id.map_or(job_id, |rollout| Uuid::new_v5(&rollout, device_id.as_bytes()));
    tag.simple().to_string()
}

/// The file that a job brings, where it is not one of Muster's own orders, and what may be put around it.
fn of_people(job: &Job) -> Option<(Uuid, Around)> {
    if job.idempotency_key.as_deref().is_some_and(|key| key.starts_with("muster:")) {
        return None;
    }
    let spec = serde_json::from_value(job.args.clone()).ok()?;
    let (JobSpec::Download(download) | JobSpec::ScheduleDownload { download, .. }) = spec else {
        return None;
    };
    let around = match download.file {
        DownloadFile::Alter if job.kind == "download" => Around::Frame,
        DownloadFile::Overwrite { as_it_is: false, .. } => Around::WayHere,
        _ => return None,
    };
    Some((download.artifact_id, around))
}

/// Whether a device undoes a script by itself that cuts it off, by its device-mode and its version.
///
/// # Errors
/// Why not, in words.
pub fn way_back(
    is_framed: bool,
    device_mode: Option<&str>,
    version: Option<&str>,
) -> Result<(), &'static str> {
    if !is_framed {
        return Err("it gets the script as it is: whether it ran whole is not seen");
    }
    let version = version.and_then(|version| version.parse().ok());
    can_rescue(device_mode, version.as_ref())
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
    let key = format!("{ALTER_LOG}{}", script.job_id.simple());
    have_sent(conn, script.device_id, UploadFile::Log, key, now).await
}

/// Lets what a device has after such a script stand for what is wanted of it, and has it sent at once where
/// it is compared with anything: a board that undoes the script some minutes later differs from that then.
/// Its row is locked.
///
/// # Errors
/// [`Error::Database`].
pub async fn accept_anew(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let stood = backups::accept_anew(conn, device_id, None).await?;
    let is_compared = async |conn: &mut PgConnection| -> Result<bool, Error> {
        let row = desired::get(conn, device_id).await?;
        Ok(row.is_some_and(|row| row.state != "unmanaged"))
    };
    if stood && is_compared(conn).await? {
        have_sent(conn, device_id, UploadFile::Configuration, AFTER.to_owned(), now).await?;
    }
    Ok(())
}

/// Orders a file of a device for Muster itself; asking again while it is open is one job.
async fn have_sent(
    conn: &mut PgConnection,
    device_id: Uuid,
    file: UploadFile,
    key: String,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let spec = JobSpec::Upload { file };
    let newest = store::newest_open(conn, device_id).await?;
    let new = NewJob {
        device_id,
        job_id: next_id(newest),
        kind: spec.kind(),
        // There is no secret in it.
        args: serde_json::to_value(&spec).map_err(|e| Error::Internal(e.to_string()))?,
        not_before: now,
        expires_at: now + DEFAULT_EXPIRY,
        max_attempts: retry::max_attempts(&spec),
        idempotency_key: Some(key),
        created_by: "muster".to_owned(),
        rollout_id: None,
        unkept: false,
    };
    let (job, is_new) = store::insert(conn, &new, now).await?;
    if is_new {
        let detail = json!({ "kind": job.kind, "by": job.created_by });
        events::append(conn, job.device_id, "job.created", Some(job.job_id), &detail, now).await?;
    }
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
    fn scripts_of_people_are_framed_and_nothing_else() {
        let file = Uuid::from_u128(7);
        let of = |kind: &str| json!({ "kind": "download", "artifact_id": file, "file": { "type": kind } });
        for (key, rollout) in
            [(None, None), (Some("mine"), None), (Some("rollout:1"), Some(Uuid::nil()))]
        {
            let script = of_people(&job(of("alter"), key, rollout));
            assert_eq!(script, Some((file, Around::Frame)));
        }
        let overwrite = |as_it_is: bool| {
            let words = "overwrite the whole configuration";
            let what = json!({ "type": "overwrite", "confirm": words, "as_it_is": as_it_is });
            json!({ "kind": "download", "artifact_id": file, "file": what })
        };
        let whole = of_people(&job(overwrite(false), None, None));
        assert_eq!(whole, Some((file, Around::WayHere)));
        assert_eq!(of_people(&job(overwrite(true), None, None)), None);
        assert_eq!(of_people(&job(overwrite(false), Some("muster:restore"), None)), None);
        assert_eq!(of_people(&job(of("alter"), Some("muster:inspect"), None)), None);
        assert_eq!(of_people(&job(of("firmware"), None, None)), None);
        assert_eq!(of_people(&job(json!({ "kind": "reboot" }), None, None)), None);
    }

    #[test]
    fn each_device_of_each_rollout_has_a_tag_of_its_own_and_so_has_each_job() {
        let [a, b] = [1, 2].map(Uuid::from_u128);
        let of = |rollout: Uuid, device| tag(Some(rollout), device, b);
        assert_eq!(of(a, b), tag(Some(a), b, a), "whatever the attempt");
        assert!(of(a, b) != of(b, a) && of(a, b) != of(a, a));
        assert!(of(a, b).len() == 32 && Uuid::try_parse(&of(a, b)).is_ok());
        assert_eq!(tag(None, a, b), b.simple().to_string());
    }
}
