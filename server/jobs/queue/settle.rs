//! How an attempt, or the report that came after it, ends a job.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::fault::Fault;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{APPLY_LOG, framed, has_compared, may_have_run, report, upgraded};
use crate::error::Error;
use crate::jobs::before::{self, is_risky};
use crate::jobs::machine::{self, Outcome};
use crate::jobs::retry::{self, Verdict};
use crate::jobs::spec::{DownloadFile, JobSpec};
use crate::jobs::upgrade::Report;
use crate::store::jobs::{Change, Job};
use crate::store::{backups, connection_requests, credentials, desired, events, jobs as store};

/// The kind of [`JobSpec::Upgrade`].
const UPGRADE: &str = "upgrade";
/// The kind of [`JobSpec::Configure`].
const CONFIGURE: &str = "configure";
/// Keys of jobs of Muster's own that may wait behind a backup, and that of a restore.
const AFTER_IT: [&str; 4] =
    ["muster:desired:configure", "muster:desired:set", "muster:desired:upgrade", "muster:restore"];
/// Of a backup without which a change is made, too: `desired::orders` has it.
const AHEAD: &str = "muster:ahead:backup:change";
/// Why they are called back where it could not be kept.
pub const NOT_KEPT: &str = "called back: the device's configuration could not be kept first";
/// Why it is not kept by a file that came.
pub const NOT_WHOLE: &str = "the file that came is not the device's whole configuration";
/// How long a device that was ordered to reset may take to enrol again.
const RESET_WINDOW: TimeDelta = TimeDelta::days(1);

/// Stores how an attempt ended. `job` is as it was leased (its `attempts` before this one).
pub async fn settle(
    conn: &mut PgConnection,
    job: &Job,
    spec: &JobSpec,
    outcome: Outcome,
    jitter: f64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let attempt = job.attempts + 1;
    match outcome {
        Outcome::Done(result) => {
            finish(conn, job, result, now).await?;
            expect_reset(conn, job, spec, now).await
        }
        Outcome::Accepted => {
            let note = "accepted by the device; its report is due".to_owned();
            awaited(conn, job, spec, note, now).await
        }
        Outcome::Fault(fault) => {
            let verdict = retry::after_fault(fault.code, attempt, job.max_attempts, jitter);
            faulted(conn, job, &fault, verdict, now).await
        }
        Outcome::Partial(fault) => faulted(conn, job, &fault, Verdict::GiveUp, now).await,
        Outcome::Silent => {
            let note = "the device answered with nothing";
            if !spec.idempotent() && spec.confirm_seconds().is_some() {
                // It may have been taken all the same.
                let note = format!("{note}; not sent again, its report is awaited");
                return awaited(conn, job, spec, note, now).await;
            }
            let verdict = match spec.idempotent() {
                true => retry::after_silence(attempt, job.max_attempts, jitter),
                false => Verdict::GiveUp,
            };
            retried(conn, job, note, None, verdict, now).await
        }
        Outcome::Failed(why) => {
            let change = Change { state: "failed", note: Some(why), ..Change::default() };
            close(conn, job, change, now).await
        }
        Outcome::Impossible(why) => not_sent(conn, job, why, machine::impossible(), now).await,
        Outcome::Overtaken(why) => not_sent(conn, job, why, machine::overtaken(), now).await,
    }
}

/// Nothing was sent: that was no attempt.
async fn not_sent(
    conn: &mut PgConnection,
    job: &Job,
    why: String,
    result: Value,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (note, result, uncounted) = (Some(why), Some(result), true);
    let change = Change { state: "failed", note, result, uncounted, ..Change::default() };
    close(conn, job, change, now).await
}

/// It has been sent: what proves it is waited for.
pub(super) async fn awaited(
    conn: &mut PgConnection,
    job: &Job,
    spec: &JobSpec,
    note: String,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let deadline = now + TimeDelta::seconds(spec.confirm_seconds().unwrap_or(900));
    let look_at = report::look_at(spec, now);
    if let Some(at) = look_at {
        // Not every device says when it is done: it is called, to be looked at.
        connection_requests::ask(conn, job.device_id, at, now).await?;
    }
    let change = Change {
        state: "waiting",
        not_before: look_at,
        // A look at what goes on is no attempt at it.
        uncounted: report::is_reported(job),
        // One that was looked at keeps the deadline that it has.
        confirm_by: Some(job.confirm_by.unwrap_or(deadline)),
        note: Some(note),
        ..Change::default()
    };
    close(conn, job, change, now).await?;
    expect_reset(conn, job, spec, now).await
}

/// A device that loses its settings by our order may come back with the enrolment credential: let
/// it in.
async fn expect_reset(
    conn: &mut PgConnection,
    job: &Job,
    spec: &JobSpec,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let forgets = match spec {
        JobSpec::FactoryReset => true,
        JobSpec::Download(d) | JobSpec::ScheduleDownload { download: d, .. } => {
            matches!(d.file, DownloadFile::Overwrite { .. })
        }
        _ => false,
    };
    if forgets {
        credentials::allow_enrolment(conn, job.device_id, now + RESET_WINDOW, now).await?;
    }
    Ok(())
}

/// Closes the open job whose proof has come: by TransferComplete, an event, a bootstrap. An ended
/// one stays as it is, so that a report that comes twice changes nothing (N14). The fault is told as
/// it is: whoever has it from the device takes the job's secrets out of it.
pub async fn proven(
    conn: &mut PgConnection,
    job: &Job,
    fault: Option<&Fault>,
    result: Value,
    jitter: f64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match fault {
        // That it has the files is no proof that it took them.
        None if job.kind == UPGRADE => upgraded::heard(conn, job, Report::Complete, now).await,
        None => {
            finish(conn, job, result, now).await?;
            match serde_json::from_value(job.args.clone()) {
                Ok(spec) => expect_reset(conn, job, &spec, now).await,
                Err(_) => Ok(()),
            }
        }
        Some(fault) => {
            let attempts = job.attempts.max(1);
            let verdict = match job.kind.as_str() {
                // Once a device has accepted it, whoever ordered it decides about another attempt.
                UPGRADE => Verdict::GiveUp,
                _ => retry::after_fault(fault.code, attempts, job.max_attempts, jitter),
            };
            faulted(conn, job, fault, verdict, now).await
        }
    }
}

async fn finish(
    conn: &mut PgConnection,
    job: &Job,
    mut result: Value,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut change = Change { state: "done", ..Change::default() };
    if job.kind == "upload" {
        match store::file_arrived(conn, job.device_id, job.job_id).await? {
            Some((artifact_id, size)) => {
                result["artifact_id"] = json!(artifact_id);
                if is_waited_for(job) && !is_kept(conn, job, size).await? {
                    change.state = "failed";
                    change.note = Some(NOT_WHOLE.to_owned());
                }
            }
            None => {
                change.state = "failed";
                change.note = Some("the device reports success, but no file arrived".to_owned());
            }
        }
        // What was read in the file, which came since the job was leased.
        let now_known = store::of_device(conn, job.device_id, job.job_id).await?;
        if let Some(known) = now_known.and_then(|job| job.result)
            && !known["report"].is_null()
        {
            result["report"] = known["report"].clone();
        }
    }
    change.result = Some(result);
    close(conn, job, change, now).await
}

/// Whether a change comes only after this job: what Muster or somebody changes, or a rollout.
fn is_waited_for(job: &Job) -> bool {
    is_before(job) || (job.rollout_id.is_some() && job.args["file"]["type"] == "configuration")
}

/// Whether what a device sent is its configuration, all of it. Only of RouterOS is it known what one is;
/// of any other nothing at all is none.
async fn is_kept(conn: &mut PgConnection, job: &Job, size: i64) -> Result<bool, Error> {
    Ok(match store::reports_scripts(conn, job.device_id).await? {
        true => backups::came_whole(conn, job.device_id, job.job_id).await?,
        false => size > 0,
    })
}

async fn faulted(
    conn: &mut PgConnection,
    job: &Job,
    fault: &Fault,
    verdict: Verdict,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let note = match fault.code.meaning() {
        Some(meaning) => format!("the device refused: {} ({meaning})", fault.code.0),
        None => format!("the device refused: {}", fault.code.0),
    };
    let fault = serde_json::to_value(fault).map_err(|e| Error::Internal(e.to_string()))?;
    retried(conn, job, &note, Some(fault), verdict, now).await
}

pub(super) async fn retried(
    conn: &mut PgConnection,
    job: &Job,
    note: &str,
    fault: Option<Value>,
    verdict: Verdict,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let change = match verdict {
        Verdict::Retry { after } => Change {
            state: "queued",
            not_before: Some(now + TimeDelta::seconds(i64::from(after))),
            fault,
            note: Some(format!("{note}; tried again in {after} s")),
            ..Change::default()
        },
        Verdict::GiveUp => {
            Change { state: "failed", fault, note: Some(note.to_owned()), ..Change::default() }
        }
    };
    close(conn, job, change, now).await
}

/// Changes a job that is still open, with what follows from that; an ended one stays as it is.
pub(super) async fn close(
    conn: &mut PgConnection,
    job: &Job,
    change: Change,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let state = change.state;
    match written(conn, job, change, now).await? {
        true => told(conn, job, state, now).await,
        false => Ok(()),
    }
}

/// Changes a job that is still open, counts it and writes it down; false = it has ended.
async fn written(
    conn: &mut PgConnection,
    job: &Job,
    change: Change,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    if !store::change(conn, job, &change, now).await? {
        return Ok(false);
    }
    metrics::counter!("muster_jobs_total", "kind" => job.kind.clone(), "state" => change.state)
        .increment(1);
    let detail = json!({ "kind": job.kind, "note": change.note, "fault": change.fault });
    let kind = format!("job.{}", change.state);
    events::append(conn, job.device_id, &kind, Some(job.job_id), &detail, now).await?;
    // What waits for its next attempt is no news to a rollout.
    if let Some(rollout_id) = job.rollout_id
        && change.state != "queued"
    {
        store::tell_rollout(conn, job, rollout_id, now).await?;
    }
    Ok(true)
}

/// What else follows from a job that has ended: its device is compared where the job was made for
/// that, a configuration that was changed by order is the one that is wanted, if it was kept first, and
/// no risky change is made where it could not be. Of a script the device's log says whether that is so.
async fn told(
    conn: &mut PgConnection,
    job: &Job,
    state: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let ended = matches!(state, "done" | "failed" | "expired" | "cancelled");
    if ended && job.idempotency_key.as_deref().is_some_and(has_compared) {
        desired::touch(conn, job.device_id, now).await?;
    }
    let key = job.idempotency_key.as_deref().unwrap_or_default();
    if matches!(state, "failed" | "expired") && is_before(job) {
        call_back(conn, job, now).await?;
    }
    if ended && state != "done" && key.starts_with(framed::ALTER_LOG) {
        framed::unread(conn, job, now).await?;
    }
    if ended && framed::is_framed(conn, job).await? {
        // As it is now: `job` is as it was leased.
        let is = store::of_device(conn, job.device_id, job.job_id).await?;
        if is.is_some_and(|job| job.rollout_id.is_none() && may_have_run(&job)) {
            framed::ask(conn, job, now).await?;
        }
        return Ok(());
    }
    if state != "done" || !before::changes(&job.kind) {
        return Ok(());
    }
    if job.kind == CONFIGURE && store::reports_scripts(conn, job.device_id).await? {
        return Ok(());
    }
    if !is_known_before(conn, job).await? {
        return Ok(());
    }
    let file = job.args["artifact_id"].as_str().and_then(|id| id.parse().ok());
    backups::accept_anew(conn, job.device_id, file).await?;
    Ok(())
}

/// Whether it is known what a device had before this job changed it: a backup came after the change was
/// ordered, or whoever ordered it wanted none. Where it is not, nobody can tell what of the next one is
/// this job's, and what was changed by hand before it.
async fn is_known_before(conn: &mut PgConnection, job: &Job) -> Result<bool, Error> {
    Ok(job.unkept
        || job.rollout_id.is_some()
        || backups::came_since(conn, job.device_id, job.created_at).await?)
}

/// Whether a job keeps what a device has before it is changed; also before a change that was put off:
/// `muster:{unix}:before:backup:change`.
fn is_before(job: &Job) -> bool {
    let key = job.idempotency_key.as_deref().unwrap_or_default();
    key.starts_with("muster:") && key.ends_with(":before:backup:change")
}

/// The same, and before a change that is made whatever becomes of it.
fn is_kept_before(job: &Job) -> bool {
    is_before(job) || job.idempotency_key.as_deref() == Some(AHEAD)
}

/// Cancels what nobody has taken of the changes that were to come after a configuration had been kept,
/// but for those that have a backup of their own, at their time.
async fn call_back(conn: &mut PgConnection, before: &Job, now: DateTime<Utc>) -> Result<(), Error> {
    let open = store::open(conn, before.device_id).await?;
    for job in &open {
        let is_next = job.job_id > before.job_id && job.state == "queued" && job.attempts == 0;
        let has_own = open.iter().any(|other| {
            let is_later = before.job_id < other.job_id && other.job_id < job.job_id;
            is_kept_before(other) && is_later && other.not_before == job.not_before
        });
        if is_next && !has_own && job.not_before <= now && waits_for_backup(job) {
            let note = Some(NOT_KEPT.to_owned());
            let change = Change { state: "cancelled", note, ..Change::default() };
            written(conn, job, change, now).await?;
            if job.idempotency_key.as_deref().is_some_and(has_compared) {
                desired::touch(conn, job.device_id, now).await?;
            }
        }
    }
    Ok(())
}

/// Whether this is a change of Muster's own, or one that somebody ordered by hand, that is not to be made
/// without a backup. Rollouts have backups of their own; what somebody wants done without one waits for
/// none.
fn waits_for_backup(job: &Job) -> bool {
    if job.unkept {
        return false;
    }
    let key = job.idempotency_key.as_deref().unwrap_or_default();
    if key.starts_with("muster:") {
        return AFTER_IT.contains(&key) || key.starts_with(APPLY_LOG);
    }
    let spec = serde_json::from_value::<JobSpec>(job.args.clone());
    job.rollout_id.is_none() && spec.is_ok_and(|spec| is_risky(&spec))
}
