//! The fleet over time: a row a minute, of all nodes together; one of each hour also knows how many
//! devices ran which version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::types::Json;

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

/// What devices ran at a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// The minute's beginning.
    pub at: DateTime<Utc>,
    /// How many ran which version.
    pub versions: BTreeMap<String, i64>,
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

/// Whether what devices run was counted at this time or later.
pub async fn has_versions(pool: &PgPool, since: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists(
               select from fleet_samples where at >= $1 and versions is not null) as "counted!""#,
        since
    )
    .fetch_one(pool)
    .await
}

/// Adds what devices run to the sample of a minute; what another node counted stays.
pub async fn add_versions(
    pool: &PgPool,
    at: DateTime<Utc>,
    versions: &BTreeMap<String, i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update fleet_samples set versions = $2 where at = $1 and versions is null",
        at,
        Json(versions) as _
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What devices ran at and after a time, oldest first: of each so many seconds what was counted last.
pub async fn versions_since(
    pool: &PgPool,
    since: DateTime<Utc>,
    every: i64,
) -> Result<Vec<Versions>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select distinct on (floor(extract(epoch from at) / $2::bigint))
                  at, versions as "versions!: Json<BTreeMap<String, i64>>"
           from fleet_samples
           where at >= $1 and versions is not null
           order by floor(extract(epoch from at) / $2::bigint), at desc"#,
        since,
        every
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| Versions { at: row.at, versions: row.versions.0 }).collect())
}

/// Deletes samples before a time.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from fleet_samples where at < $1", before).execute(pool).await?;
    Ok(())
}
