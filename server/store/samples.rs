//! The fleet over time: a row a minute, of all nodes together.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// The fleet at a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The minute's beginning.
    pub at: DateTime<Utc>,
    /// Devices in the inventory.
    pub devices: i64,
    /// Those online.
    pub online: i64,
    /// Those first seen within the day before.
    pub fresh: i64,
    /// Those with a job that failed or expired within the day before.
    pub faulted: i64,
    /// Informs since the sample before, of all nodes.
    pub informs: i64,
}

/// Adds a node's informs to the sample of a minute; false = there is none yet.
pub async fn add_informs(
    pool: &PgPool,
    at: DateTime<Utc>,
    informs: i64,
) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("update fleet_samples set informs = informs + $2 where at = $1", at, informs)
            .execute(pool)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores the sample of a minute; where another node was quicker, only its informs are added.
pub async fn insert(pool: &PgPool, s: &Sample) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into fleet_samples (at, devices, online, fresh, faulted, informs)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (at) do update set informs = fleet_samples.informs + excluded.informs",
        s.at,
        s.devices,
        s.online,
        s.fresh,
        s.faulted,
        s.informs
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Samples at and after a time, oldest first.
pub async fn since(pool: &PgPool, since: DateTime<Utc>) -> Result<Vec<Sample>, sqlx::Error> {
    sqlx::query_as!(
        Sample,
        "select at, devices, online, fresh, faulted, informs from fleet_samples
         where at >= $1 order by at",
        since
    )
    .fetch_all(pool)
    .await
}

/// Deletes samples before a time.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from fleet_samples where at < $1", before).execute(pool).await?;
    Ok(())
}
