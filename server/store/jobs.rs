//! Jobs: rows and their states. Every change of an open job is made with the device's row locked
//! ([`lock_device`]), so that creating, leasing, settling and sweeping never race.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

mod files;
mod list;
mod rollouts;

pub use files::{
    add_report, can_be_framed, configures, fetches, file_arrived, note_report, reports_scripts,
};
pub use list::{Filter, Span, counts, list};
pub use rollouts::{tell_rollout, tell_rollouts};

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Whose.
    pub device_id: Uuid,
    /// UUIDv7: the order.
    pub job_id: Uuid,
    /// Word of its kind.
    pub kind: String,
    /// What to do; values of secret parameters are sealed.
    pub args: Value,
    /// queued, running, waiting, done, failed, cancelled, expired.
    pub state: String,
    /// Not before this time.
    pub not_before: DateTime<Utc>,
    /// Given up at this time if it never ran.
    pub expires_at: DateTime<Utc>,
    /// Accepted by the device: until when the proof is waited for.
    pub confirm_by: Option<DateTime<Utc>>,
    /// Attempts so far.
    pub attempts: i32,
    /// Attempts in all.
    pub max_attempts: i32,
    /// Session that runs it.
    pub lease: Option<Uuid>,
    /// Until when.
    pub leased_until: Option<DateTime<Utc>>,
    /// Asking twice with the same key is one job.
    pub idempotency_key: Option<String>,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What the device answered.
    pub result: Option<Value>,
    /// The last fault.
    pub fault: Option<Value>,
    /// Why it is in this state, in words.
    pub note: Option<String>,
    /// The rollout that it is part of.
    pub rollout_id: Option<Uuid>,
    /// A change that goes on without a backup.
    pub unkept: bool,
}

/// A job to be made.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Whose.
    pub device_id: Uuid,
    /// UUIDv7.
    pub job_id: Uuid,
    /// Word of its kind.
    pub kind: &'static str,
    /// Sealed arguments.
    pub args: Value,
    /// Not before this time.
    pub not_before: DateTime<Utc>,
    /// Given up at this time.
    pub expires_at: DateTime<Utc>,
    /// Attempts in all.
    pub max_attempts: i32,
    /// See [`Job::idempotency_key`].
    pub idempotency_key: Option<String>,
    /// Who asked.
    pub created_by: String,
    /// See [`Job::rollout_id`].
    pub rollout_id: Option<Uuid>,
    /// See [`Job::unkept`].
    pub unkept: bool,
}

/// Locks the device's row; false = no such device.
pub async fn lock_device(conn: &mut PgConnection, device_id: Uuid) -> Result<bool, sqlx::Error> {
    let row = sqlx::query_scalar!(
        "select device_id from devices where device_id = $1 for update",
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Makes a job; with an idempotency key that an open job of the device has, gives that one.
pub async fn insert(
    conn: &mut PgConnection,
    new: &NewJob,
    now: DateTime<Utc>,
) -> Result<(Job, bool), sqlx::Error> {
    if let Some(key) = &new.idempotency_key
        && let Some(job) = open_by_key(conn, new.device_id, key).await?
    {
        return Ok((job, false));
    }
    let job = sqlx::query_as!(
        Job,
        r#"
        insert into jobs (device_id, job_id, kind, args, state, not_before, expires_at,
                          max_attempts, idempotency_key, created_by, created_at, rollout_id,
                          unkept)
        values ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, $9, $10, $11, $12)
        returning *
        "#,
        new.device_id,
        new.job_id,
        new.kind,
        new.args,
        new.not_before,
        new.expires_at,
        new.max_attempts,
        new.idempotency_key,
        new.created_by,
        now,
        new.rollout_id,
        new.unkept
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!(
        "update devices set next_due = least(coalesce(next_due, $2), $2) where device_id = $1",
        new.device_id,
        new.not_before
    )
    .execute(conn)
    .await?;
    Ok((job, true))
}

async fn open_by_key(
    conn: &mut PgConnection,
    device_id: Uuid,
    key: &str,
) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs
         where device_id = $1 and idempotency_key = $2 and state in ('queued', 'running', 'waiting')",
        device_id,
        key
    )
    .fetch_optional(conn)
    .await
}

/// The one open job of the device that may run: what was begun and has not ended, then the oldest.
/// What is put off from the start stands aside until its time has come.
pub async fn head(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs
         where device_id = $1 and state in ('queued', 'running', 'waiting')
         order by case when state <> 'queued' or attempts > 0 then 0
                       when not_before <= $2 then 1
                       else 2 end,
                  case when state = 'queued' and attempts = 0 and not_before > $2
                       then not_before end,
                  job_id
         limit 1",
        device_id,
        now
    )
    .fetch_optional(conn)
    .await
}

/// The device's open jobs, oldest first.
pub async fn open(conn: &mut PgConnection, device_id: Uuid) -> Result<Vec<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs
         where device_id = $1 and state in ('queued', 'running', 'waiting')
         order by job_id",
        device_id
    )
    .fetch_all(conn)
    .await
}

/// How many open jobs the device has.
pub async fn count_open(conn: &mut PgConnection, device_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!" from jobs
           where device_id = $1 and state in ('queued', 'running', 'waiting')"#,
        device_id
    )
    .fetch_one(conn)
    .await
}

/// The newest open job's id: the next one must be greater, whatever this node's clock says.
pub async fn newest_open(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select job_id from jobs
         where device_id = $1 and state in ('queued', 'running', 'waiting')
         order by job_id desc limit 1",
        device_id
    )
    .fetch_optional(conn)
    .await
}

/// Whether a job with this key failed since a time.
pub async fn failed_since(
    conn: &mut PgConnection,
    device_id: Uuid,
    key: &str,
    since: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select 1 from jobs where device_id = $1 and idempotency_key = $2
                 and state = 'failed' and finished_at >= $3) as "failed!""#,
        device_id,
        key,
        since
    )
    .fetch_one(conn)
    .await
}

/// One job of a device, within a transaction.
pub async fn of_device(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs where device_id = $1 and job_id = $2",
        device_id,
        job_id
    )
    .fetch_optional(conn)
    .await
}

/// One job by its id alone.
pub async fn get(pool: &PgPool, job_id: Uuid) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as!(Job, "select * from jobs where job_id = $1", job_id).fetch_optional(pool).await
}

/// Gives the job to a session.
pub async fn lease(
    conn: &mut PgConnection,
    job: &Job,
    session_id: Uuid,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update jobs set state = 'running', lease = $3, leased_until = $4, attempts = attempts + 1,
                note = null
         where device_id = $1 and job_id = $2",
        job.device_id,
        job.job_id,
        session_id,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a job changes.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New state.
    pub state: &'static str,
    /// For `queued`: not before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// For `waiting`: until when.
    pub confirm_by: Option<DateTime<Utc>>,
    /// What the device answered; `None` keeps what is there.
    pub result: Option<Value>,
    /// The fault; `None` keeps what is there.
    pub fault: Option<Value>,
    /// Why.
    pub note: Option<String>,
    /// The attempt that ends thus counts for none.
    pub uncounted: bool,
}

/// Changes an open job; an ended one stays as it is (false).
pub async fn change(
    conn: &mut PgConnection,
    job: &Job,
    c: &Change,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let ended = matches!(c.state, "done" | "failed" | "cancelled" | "expired");
    let done = sqlx::query!(
        r#"
        update jobs set
            state = $3,
            not_before = coalesce($4, not_before),
            confirm_by = $5,
            result = coalesce($6, result),
            -- Accepted: what an earlier attempt was refused for is past.
            fault = case when $3 = 'waiting' then $7 else coalesce($7, fault) end,
            note = $8,
            attempts = attempts - case when $11 then 1 else 0 end,
            lease = null,
            leased_until = null,
            finished_at = case when $9 then $10::timestamptz end
        where device_id = $1 and job_id = $2 and state in ('queued', 'running', 'waiting')
        "#,
        job.device_id,
        job.job_id,
        c.state,
        c.not_before,
        c.confirm_by,
        c.result,
        c.fault,
        c.note,
        ended,
        now,
        c.uncounted
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has an open job wait until a later time than it was to.
pub async fn prolong(
    conn: &mut PgConnection,
    job: &Job,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update jobs set expires_at = greatest(expires_at, $3)
         where device_id = $1 and job_id = $2 and state in ('queued', 'running', 'waiting')",
        job.device_id,
        job.job_id,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets when the device's next job is due; `None` = it has none.
pub async fn set_next_due(
    conn: &mut PgConnection,
    device_id: Uuid,
    at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update devices set next_due = $2 where device_id = $1 and next_due is distinct from $2",
        device_id,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Devices with a job whose deadline or lease has passed.
pub async fn overdue(
    pool: &PgPool,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        select device_id as "device_id!" from (
            (select device_id from jobs where state = 'running' and leased_until <= $1 limit $2)
            union
            (select device_id from jobs where state in ('queued', 'waiting')
               and case when state = 'waiting' then coalesce(confirm_by, expires_at)
                        else expires_at end <= $1 limit $2)
        ) as overdue
        "#,
        now,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Deletes ended jobs older than a time, a bounded number.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from jobs where (device_id, job_id) in (
             select device_id, job_id from jobs where finished_at < $1 limit $2)",
        before,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
