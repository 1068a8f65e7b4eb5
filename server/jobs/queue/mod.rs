//! The queue: making jobs, giving them to sessions, and closing them.
//!
//! Owns the life of a job. A device's jobs run strictly in the order they were made: the oldest open
//! one blocks the rest, also while its proof is waited for or its retry is due later, because who
//! asked for the second assumed the first. What is idempotent is run again when a session is lost;
//! what is not is waited for or reported, never sent twice.

//!
//! - here: making and cancelling.
//! - `line`: whose turn it is, leases, lost sessions.
//! - `settle`: how an attempt or a report ends a job.
//! - `report`: reports that only say that there is something to read.
//! - `upgraded`: reports on an upgrade, which ends with the version on which its device comes back.
//! - `framed`: scripts of people, and what became of them.
//! - `args`: arguments with their secrets sealed.

mod args;
mod framed;
mod line;
mod report;
mod settle;
mod upgraded;

pub use args::{masked_args, opened};
pub use framed::{
    AFTER, ALTER_LOG, Around, MOST as MOST_FRAMED, accept_anew, around, is_framed, may_have_run,
    tag as script_tag, tell as tell_script, way_back,
};
pub use line::{advance, advance_and_wake, expire_behind_head, lease_next, release};
pub use report::{awaits_end_of_test, is_reported, reported};
pub use settle::{NOT_KEPT, NOT_WHOLE, proven, settle};
pub use upgraded::heard;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::spec::JobSpec;
use super::{release, retry};
use crate::error::Error;
use crate::fleet::admission::WAITS;
use crate::fleet::secret::Keys;
use crate::store::jobs::{Change, Job, NewJob};
use crate::store::{artifacts, claims, connection_requests, events, jobs as store, packages};

/// How long a job waits for its device unless the caller says otherwise.
pub const DEFAULT_EXPIRY: TimeDelta = TimeDelta::days(7);
/// Open jobs a device may have: more are a runaway script's.
pub const MAX_OPEN: i64 = 1_000;

/// The keys of jobs that bring a device to what is wanted of it begin like this.
pub const DESIRED: &str = "muster:desired:";

/// How the key of a job begins that fetches what a device said of a script; the script's tag follows.
pub const APPLY_LOG: &str = "muster:apply-log:";

/// What stands before the script's tag in the key of such a job of a rollout.
pub const SCRIPT_LOG: &str = ":script:";

/// Whether the end of a job with this key has its device compared with what is wanted of it.
pub fn has_compared(key: &str) -> bool {
    key.starts_with(DESIRED) || key.starts_with(APPLY_LOG) || key == "muster:refresh"
}

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
    /// Muster itself wants it; see [`Order::own`].
    pub own: bool,
    /// The rollout that it is part of, which is told when it is accepted and when it ends.
    pub rollout: Option<Uuid>,
    /// It is done also where the device's configuration could not be kept first, and what it leaves is
    /// what is wanted all the same.
    pub unkept: bool,
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
            own: true,
            rollout: None,
            unkept: false,
        }
    }
}

/// UUIDv7 by this node's clock, but after the newest open job of the device: the line's order is the
/// order of the ids, and another node's clock may be ahead.
fn next_id(newest: Option<Uuid>) -> Uuid {
    let fresh = Uuid::now_v7();
    match newest {
        Some(newest) if newest >= fresh => Uuid::from_u128(newest.as_u128() + 1),
        Some(_) | None => fresh,
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
    if !order.own && claims::waits(conn, order.device_id).await? {
        return Err(Error::Conflict(WAITS.to_owned()));
    }
    // Muster's own few are bounded by their keys, and an Inform must not fail for others' many.
    if !order.own && store::count_open(conn, order.device_id).await? >= MAX_OPEN {
        return Err(Error::Conflict(format!("the device has {MAX_OPEN} open jobs")));
    }
    let job_id = next_id(store::newest_open(conn, order.device_id).await?);
    let new = NewJob {
        device_id: order.device_id,
        job_id,
        kind: order.spec.kind(),
        args: args::sealed(keys, &order.spec)?,
        not_before,
        expires_at,
        max_attempts: retry::max_attempts(&order.spec),
        idempotency_key: order.idempotency_key,
        created_by: order.created_by,
        rollout_id: order.rollout,
        unkept: order.unkept,
    };
    let (job, made) = store::insert(conn, &new, now).await?;
    if made {
        let detail = json!({ "kind": job.kind, "by": job.created_by });
        events::append(conn, job.device_id, "job.created", Some(job.job_id), &detail, now).await?;
    }
    if order.wake {
        let at = not_before;
        connection_requests::ask(conn, order.device_id, at, now).await?;
    }
    Ok((job, made))
}

/// Cancels a job that no session runs. If it blocked the line, the device is called for the next.
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
    let head = store::head(conn, device_id, now).await?;
    settle::close(conn, &job, change, now).await?;
    if head.is_some_and(|head| head.job_id == job_id) {
        advance_and_wake(conn, device_id, now).await?;
    }
    store::of_device(conn, device_id, job_id).await?.ok_or_else(unknown)
}

/// Refuses a job whose file does not exist, and an upgrade whose packages do not make one. The file stays
/// until the transaction ends, from when on the job is there that needs it.
pub async fn check_artifact(conn: &mut PgConnection, spec: &JobSpec) -> Result<(), Error> {
    if let JobSpec::Upgrade { version, packages: ids, .. } = spec {
        let stored = packages::by_ids(&mut *conn, ids).await?;
        return match release::obstacle(version, ids, &stored, None) {
            Some(why) => Err(Error::invalid("/packages", why)),
            None => Ok(()),
        };
    }
    let (JobSpec::Download(d) | JobSpec::ScheduleDownload { download: d, .. }) = spec else {
        return Ok(());
    };
    match artifacts::keep(conn, &[d.artifact_id]).await?.is_empty() {
        false => Ok(()),
        true => Err(Error::invalid("/artifact_id", format!("no artifact {}", d.artifact_id))),
    }
}
