//! The queue: making jobs, giving them to sessions, and closing them.
//!
//! Owns the life of a job. A device's jobs run strictly in the order they were made: the oldest open
//! one blocks the rest, also while its proof is waited for or its retry is due later, because who
//! asked for the second assumed the first. What is idempotent is run again when a session is lost;
//! what is not is waited for or reported, never sent twice.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::fault::Fault;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::machine::Outcome;
use super::retry::{self, Verdict};
use super::spec::{DownloadFile, JobSpec};
use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::store::jobs::{Change, Job, NewJob};
use crate::store::{artifacts, connection_requests, credentials, events, jobs as store};

/// How long a job waits for its device unless the caller says otherwise.
pub const DEFAULT_EXPIRY: TimeDelta = TimeDelta::days(7);
/// How long a device that was ordered to reset may take to enrol again.
const RESET_WINDOW: TimeDelta = TimeDelta::days(7);
/// Open jobs a device may have: more are a runaway script's.
pub const MAX_OPEN: usize = 1_000;

/// TR-069 asks for 30 s between two connection requests to one device (K1).
const WAKE_GAP_SECONDS: f64 = 30.0;

/// What to create.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whose.
    pub device_id: Uuid,
    /// What.
    pub spec: JobSpec,
    /// Not before; now when absent.
    pub not_before: Option<DateTime<Utc>>,
    /// Given up at; [`DEFAULT_EXPIRY`] from now when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Asking twice with the same key is one job.
    pub idempotency_key: Option<String>,
    /// Who.
    pub created_by: String,
    /// Wake the device for it.
    pub wake: bool,
}

impl Order {
    /// A job that Muster itself wants; asking again while it is open is one job.
    pub fn own(device_id: Uuid, spec: JobSpec, key: &str) -> Self {
        Self {
            device_id,
            spec,
            not_before: None,
            expires_at: None,
            idempotency_key: Some(format!("muster:{key}")),
            created_by: "muster".to_owned(),
            wake: false,
        }
    }
}

/// Makes a job in the caller's transaction; gives it, and whether it is new.
pub async fn create(
    conn: &mut PgConnection,
    keys: &Keys,
    order: Order,
    now: DateTime<Utc>,
) -> Result<(Job, bool), Error> {
    order.spec.validate()?;
    if !store::lock_device(conn, order.device_id).await? {
        return Err(Error::NotFound(format!("no device {}", order.device_id)));
    }
    let not_before = order.not_before.unwrap_or(now).max(now);
    let expires_at = order.expires_at.unwrap_or(not_before + DEFAULT_EXPIRY);
    if expires_at <= not_before {
        return Err(Error::invalid("/expires_at", "must be later than not_before"));
    }
    if store::open(conn, order.device_id).await?.len() >= MAX_OPEN {
        return Err(Error::Conflict(format!("the device has {MAX_OPEN} open jobs")));
    }
    let job_id = Uuid::now_v7();
    let new = NewJob {
        device_id: order.device_id,
        job_id,
        kind: order.spec.kind(),
        args: sealed_args(keys, &order.spec)?,
        not_before,
        expires_at,
        max_attempts: retry::max_attempts(&order.spec),
        idempotency_key: order.idempotency_key,
        created_by: order.created_by,
    };
    let (job, made) = store::insert(conn, &new, now).await?;
    if made {
        let detail = json!({ "kind": job.kind, "by": job.created_by });
        events::append(conn, job.device_id, "job.created", Some(job.job_id), &detail, now).await?;
    }
    if order.wake {
        let at = not_before;
        connection_requests::ask(conn, order.device_id, at, WAKE_GAP_SECONDS, now).await?;
    }
    Ok((job, made))
}

/// Cancels a job that no session runs.
pub async fn cancel(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Job, Error> {
    let unknown = || Error::NotFound(format!("no job {job_id}"));
    store::lock_device(conn, device_id).await?;
    let job = store::of_device(conn, device_id, job_id).await?.ok_or_else(unknown)?;
    match job.state.as_str() {
        "queued" | "waiting" => {}
        "running" => {
            return Err(Error::Conflict("the job is with the device right now".to_owned()));
        }
        ended => return Err(Error::Conflict(format!("the job is already {ended}"))),
    }
    let note = match job.state.as_str() {
        "waiting" => format!("cancelled by {by}; the device had already accepted it"),
        _ => format!("cancelled by {by}"),
    };
    let change = Change { state: "cancelled", note: Some(note), ..Change::default() };
    close(conn, &job, change, now).await?;
    advance(conn, device_id, now).await?;
    store::of_device(conn, device_id, job_id).await?.ok_or_else(unknown)
}

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
        let Some(job) = store::head(conn, device_id).await? else {
            store::set_next_due(conn, device_id, None).await?;
            return Ok(None);
        };
        let due = match job.state.as_str() {
            "queued" if job.expires_at <= now => {
                let note = "the device did not come in time".to_owned();
                let change = Change { state: "expired", note: Some(note), ..Change::default() };
                close(conn, &job, change, now).await?;
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
                    let at = job.not_before;
                    connection_requests::ask(conn, device_id, at, WAKE_GAP_SECONDS, now).await?;
                }
                job.not_before
            }
            // The session that ran it is gone: this one owns the device, or its lease has ended.
            "running" if session_id.is_some() || job.leased_until.is_none_or(|t| t <= now) => {
                lost(conn, &job, now).await?;
                continue;
            }
            "running" => job.leased_until.unwrap_or(now),
            _ if job.confirm_by.is_none_or(|t| t <= now) => {
                let note = "the device accepted it, but never reported the outcome".to_owned();
                let change = Change { state: "failed", note: Some(note), ..Change::default() };
                close(conn, &job, change, now).await?;
                continue;
            }
            _ => job.confirm_by.unwrap_or(now),
        };
        store::set_next_due(conn, device_id, Some(due)).await?;
        return Ok(None);
    }
}

/// Expires queued jobs whose time has passed while an earlier one still blocks the line.
pub async fn expire_behind_head(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for job in store::open(conn, device_id).await? {
        if job.state == "queued" && job.expires_at <= now {
            let note = "the device did not come in time".to_owned();
            let change = Change { state: "expired", note: Some(note), ..Change::default() };
            close(conn, &job, change, now).await?;
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
        match opened_spec(keys, &job) {
            Ok(spec) => {
                store::lease(conn, &job, session_id, until).await?;
                return Ok(Some((job, spec)));
            }
            Err(e) => {
                let note = format!("its arguments cannot be read: {}", e.private());
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
        advance(conn, job.device_id, now).await?;
    }
    Ok(())
}

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
        Outcome::Done(result) => finish(conn, job, result, now).await,
        Outcome::Accepted(result) => {
            let seconds = spec.confirm_seconds().unwrap_or(900);
            let change = Change {
                state: "waiting",
                confirm_by: Some(now + TimeDelta::seconds(seconds)),
                result: Some(result),
                note: Some("accepted by the device; its report is due".to_owned()),
                ..Change::default()
            };
            close(conn, job, change, now).await?;
            expect_reset(conn, job, spec, now).await
        }
        Outcome::Fault(fault) => {
            let verdict = retry::after_fault(fault.code, attempt, job.max_attempts, jitter);
            faulted(conn, job, &fault, verdict, now).await
        }
        Outcome::Silent => {
            let verdict = match spec.idempotent() {
                true => retry::after_silence(attempt, job.max_attempts, jitter),
                false => Verdict::GiveUp,
            };
            let note = "the device answered with nothing";
            retried(conn, job, note, None, verdict, now).await
        }
        Outcome::Impossible(why) => {
            let change = Change { state: "failed", note: Some(why), ..Change::default() };
            close(conn, job, change, now).await
        }
    }
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
        JobSpec::Download(d) => matches!(d.file, DownloadFile::Overwrite { .. }),
        _ => false,
    };
    if forgets {
        credentials::allow_enrolment(conn, job.device_id, now + RESET_WINDOW, now).await?;
    }
    Ok(())
}

/// Closes the open job whose proof has come: by TransferComplete, an event, a bootstrap. An ended
/// one stays as it is, so that a report that comes twice changes nothing (N14).
pub async fn proven(
    conn: &mut PgConnection,
    job: &Job,
    fault: Option<&Fault>,
    result: Value,
    jitter: f64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match fault {
        None => finish(conn, job, result, now).await,
        Some(fault) => {
            let attempts = job.attempts.max(1);
            let verdict = retry::after_fault(fault.code, attempts, job.max_attempts, jitter);
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
            Some(artifact_id) => result["artifact_id"] = json!(artifact_id),
            None => {
                change.state = "failed";
                change.note = Some("the device reports success, but no file arrived".to_owned());
            }
        }
    }
    change.result = Some(result);
    close(conn, job, change, now).await
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

async fn retried(
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
        Some(s) if s.confirm_seconds().is_some() => Change {
            state: "waiting",
            confirm_by: Some(now + TimeDelta::seconds(s.confirm_seconds().unwrap_or(900))),
            note: Some(format!("{note}; not sent again, its report is awaited")),
            ..Change::default()
        },
        Some(_) | None => Change {
            state: "failed",
            note: Some(format!("{note}; outcome unknown, and not safe to send again")),
            ..Change::default()
        },
    };
    close(conn, job, change, now).await?;
    match &spec {
        Some(spec) => expect_reset(conn, job, spec, now).await,
        None => Ok(()),
    }
}

async fn close(
    conn: &mut PgConnection,
    job: &Job,
    change: Change,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !store::change(conn, job, &change, now).await? {
        return Ok(());
    }
    metrics::counter!("muster_jobs_total", "kind" => job.kind.clone(), "state" => change.state)
        .increment(1);
    let detail = json!({ "kind": job.kind, "note": change.note, "fault": change.fault });
    let kind = format!("job.{}", change.state);
    events::append(conn, job.device_id, &kind, Some(job.job_id), &detail, now).await?;
    Ok(())
}

/// Refuses a job whose file does not exist.
pub async fn check_artifact(pool: &sqlx::PgPool, spec: &JobSpec) -> Result<(), Error> {
    let (JobSpec::Download(d) | JobSpec::ScheduleDownload { download: d, .. }) = spec else {
        return Ok(());
    };
    match artifacts::get(pool, d.artifact_id).await? {
        Some(_) => Ok(()),
        None => Err(Error::invalid("/artifact_id", format!("no artifact {}", d.artifact_id))),
    }
}

/// The arguments with the values of secret parameters sealed.
fn sealed_args(keys: &Keys, spec: &JobSpec) -> Result<Value, Error> {
    let sealed = map_secrets(spec.clone(), &|name, value| Ok(keys.seal_text(value, name)))?;
    serde_json::to_value(sealed).map_err(|e| Error::Internal(e.to_string()))
}

fn opened_spec(keys: &Keys, job: &Job) -> Result<JobSpec, Error> {
    let spec = serde_json::from_value(job.args.clone())
        .map_err(|e| Error::Internal(format!("job {}: {e}", job.job_id)))?;
    map_secrets(spec, &|name, value| keys.open_text(value, name))
}

/// The arguments as people may see them.
pub fn masked_args(args: &Value) -> Value {
    let mut shown = args.clone();
    for list in ["parameters", "operations"] {
        let Some(Value::Array(entries)) = shown.get_mut(list) else { continue };
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            if entry.get("name").and_then(Value::as_str).is_some_and(is_secret) {
                entry.insert("value".to_owned(), json!(MASK));
            }
            if entry.get("password").is_some_and(Value::is_string) {
                entry.insert("password".to_owned(), json!(MASK));
            }
        }
    }
    shown
}

fn map_secrets(
    mut spec: JobSpec,
    change: &dyn Fn(&str, &str) -> Result<String, Error>,
) -> Result<JobSpec, Error> {
    if let JobSpec::Set { parameters } | JobSpec::AddObject { parameters, .. } = &mut spec {
        for p in parameters.iter_mut().filter(|p| is_secret(&p.name)) {
            p.value = change(&p.name, &p.value)?;
        }
    }
    if let JobSpec::ChangeDuState { operations } = &mut spec {
        use muster_cwmp::rpc::DuOperation;
        for operation in operations {
            if let DuOperation::Install { password: Some(p), .. }
            | DuOperation::Update { password: Some(p), .. } = operation
            {
                *p = change("password", p)?;
            }
        }
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::spec::SetParameter;

    #[test]
    fn a_secret_is_sealed_in_the_row_and_masked_for_people() {
        let keys = Keys::new([1; 32]);
        let p =
            |name: &str| SetParameter { name: name.into(), value: "hunter2".into(), kind: None };
        let spec = JobSpec::Set {
            parameters: vec![p("Device.WiFi.AccessPoint.1.Security.KeyPassphrase"), p("Device.X")],
        };
        let args = sealed_args(&keys, &spec).unwrap();
        assert_eq!(args.to_string().matches("hunter2").count(), 1, "only the plain one");
        let opened = map_secrets(serde_json::from_value(args.clone()).unwrap(), &|n, v| {
            keys.open_text(v, n)
        });
        assert_eq!(opened.unwrap(), spec);
        assert_eq!(masked_args(&args)["parameters"][0]["value"], MASK);
        assert_eq!(masked_args(&args)["parameters"][1]["value"], "hunter2");
    }
}
