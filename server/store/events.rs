//! What happened to devices: append-only, by month. What others are told of has its deliveries in the
//! same transaction.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::deliveries;
use crate::notify;

/// How long events are kept, in days; they go by whole months.
const KEEP_DAYS: i64 = 400;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub event_id: Uuid,
    /// `boot`, `job.done` ...
    pub kind: String,
    /// The job it belongs to.
    pub job_id: Option<Uuid>,
    /// Words and numbers.
    pub detail: Value,
}

/// Appends an event.
pub async fn append(
    conn: &mut PgConnection,
    device_id: Uuid,
    kind: &str,
    job_id: Option<Uuid>,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into events (device_id, at, event_id, kind, job_id, detail) values ($1, $2, $3, $4, $5, $6)",
        device_id,
        now,
        Uuid::now_v7(),
        kind,
        job_id,
        detail
    )
    .execute(&mut *conn)
    .await?;
    if let Some(told) = notify::of_event(kind) {
        deliveries::tell(conn, told.word(), &[(device_id, detail.clone())], now).await?;
    }
    Ok(())
}

/// Appends an event of each of these devices.
pub async fn append_many(
    conn: &mut PgConnection,
    kind: &str,
    devices: &[(Uuid, Value)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if devices.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = devices.iter().map(|(device_id, _)| *device_id).collect();
    let event_ids: Vec<Uuid> = devices.iter().map(|_| Uuid::now_v7()).collect();
    let details: Vec<Value> = devices.iter().map(|(_, detail)| detail.clone()).collect();
    sqlx::query!(
        "insert into events (device_id, at, event_id, kind, detail)
         select n.device_id, $1, n.event_id, $2, n.detail
         from unnest($3::uuid[], $4::uuid[], $5::jsonb[]) as n (device_id, event_id, detail)",
        now,
        kind,
        &ids,
        &event_ids,
        &details
    )
    .execute(&mut *conn)
    .await?;
    if let Some(told) = notify::of_event(kind) {
        deliveries::tell(conn, told.word(), devices, now).await?;
    }
    Ok(())
}

/// Newest first, before a time and id.
pub async fn list(
    pool: &PgPool,
    device_id: Uuid,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    let (at, id) = before.unzip();
    sqlx::query_as!(
        Event,
        r#"
        select at, event_id, kind, job_id, detail from events
        where device_id = $1 and ($2::timestamptz is null or (at, event_id) < ($2, $3::uuid))
        order by at desc, event_id desc
        limit $4
        "#,
        device_id,
        at,
        id,
        limit
    )
    .fetch_all(pool)
    .await
}

/// What happened to a job of a device since a time, oldest first.
pub async fn of_job(
    pool: &PgPool,
    device_id: Uuid,
    job_id: Uuid,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as!(
        Event,
        "select at, event_id, kind, job_id, detail from events
         where device_id = $1 and job_id = $2 and at >= $3
         order by at, event_id
         limit $4",
        device_id,
        job_id,
        since,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Makes the partitions of this month and the next two, and drops those that are too old.
pub async fn make_partitions(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    // Two nodes that make the same partition at once: the second would fail on the catalogue.
    let mut tx = pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.event_partitions'))")
        .execute(&mut *tx)
        .await?;
    sqlx::query!("select muster_event_partitions($1, 2)", now.date_naive())
        .execute(&mut *tx)
        .await?;
    let oldest = now - chrono::TimeDelta::days(KEEP_DAYS);
    sqlx::query!("select muster_drop_event_partitions($1)", oldest.date_naive())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}
