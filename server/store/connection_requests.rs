//! Devices that are to be woken: one row each.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A device that is due to be woken.
#[derive(Debug, Clone)]
pub struct Due {
    /// Who.
    pub device_id: Uuid,
    /// Attempts, this one included.
    pub attempts: i32,
    /// Names this attempt: what comes of it is stored only while it is the last.
    pub leased_until: Option<DateTime<Utc>>,
    /// Where, as the device says.
    pub url: Option<String>,
    /// As whom; `None` = it has no credentials of its own yet.
    pub username: Option<String>,
    /// Sealed.
    pub sealed: Option<Vec<u8>>,
}

/// The state of a device's connection request.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it will be tried next.
    pub not_before: DateTime<Utc>,
    /// Attempts so far.
    pub attempts: i32,
    /// When the last one was answered by the device.
    pub sent_at: Option<DateTime<Utc>>,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// Asks for a device to be woken at a time. Asking again is the same request: the earlier time
/// counts, and one that had been given up or put off is tried again.
pub async fn ask(
    conn: &mut PgConnection,
    device_id: Uuid,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into connection_requests as r (device_id, asked_at, not_before) values ($1, $2, $3)
         on conflict (device_id) do update set
             asked_at = excluded.asked_at,
             attempts = 0,
             not_before = least(r.not_before, excluded.not_before)",
        device_id,
        now,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes up to `limit` devices that are due, for `lease_seconds`. Set-based: two nodes may look at
/// the same rows, the outer condition lets only one take each.
pub async fn take_due(
    pool: &PgPool,
    limit: i64,
    lease_seconds: f64,
    gap_seconds: f64,
    now: DateTime<Utc>,
) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"
        with taken as (
            update connection_requests r
            set leased_until = $1::timestamptz + make_interval(secs => $3), attempts = r.attempts + 1
            where r.device_id in (
                select device_id from connection_requests
                where not_before <= $1 and (leased_until is null or leased_until <= $1)
                  -- K1: not again so soon after the last one that the device took.
                  and (sent_at is null or sent_at + make_interval(secs => $4) <= $1)
                order by not_before limit $2
            )
            and r.not_before <= $1 and (r.leased_until is null or r.leased_until <= $1)
            returning r.device_id, r.attempts, r.leased_until
        )
        select t.device_id, t.attempts, t.leased_until, f.connection_request_url as "url?",
               c.wake_username as "username?", c.wake_sealed as "sealed?"
        from taken t
        left join device_facts f using (device_id)
        left join device_credentials c using (device_id)
        "#,
        now,
        limit,
        lease_seconds,
        gap_seconds
    )
    .fetch_all(pool)
    .await
}

/// The device answered: wait for its session, and try again at `again` if none comes.
pub async fn sent(
    pool: &PgPool,
    due: &Due,
    again: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update connection_requests
         set sent_at = $4, last_error = null, not_before = $3, leased_until = null
         where device_id = $1 and leased_until = $2",
        due.device_id,
        due.leased_until,
        again,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// It failed: why, and when to try again.
pub async fn failed(
    pool: &PgPool,
    due: &Due,
    error: &str,
    again: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update connection_requests set last_error = $3, not_before = $4, leased_until = null
         where device_id = $1 and leased_until = $2",
        due.device_id,
        due.leased_until,
        error,
        again
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The device is in a session: it need not be woken now. A request for a later time stays.
pub async fn clear(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from connection_requests
         where device_id = $1 and (attempts > 0 or not_before <= $2)",
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The state of a device's request; `None` = none is open.
pub async fn get(pool: &PgPool, device_id: Uuid) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as!(
        Request,
        "select asked_at, not_before, attempts, sent_at, last_error
         from connection_requests where device_id = $1",
        device_id
    )
    .fetch_optional(pool)
    .await
}

/// When the next one is due.
pub async fn next_due(pool: &PgPool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select min(greatest(not_before, coalesce(leased_until, not_before))) from connection_requests"
    )
    .fetch_one(pool)
    .await
}
