//! Jobs of many devices: lists and numbers. They read only, and lock nothing.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Job;

/// So many devices are asked one by one: the newest jobs of the whole fleet may all be of others.
const FEW: i64 = 200;

/// Newest first, before an id; of one device, in one state, of one kind, of devices at and below
/// these sites, if named.
pub async fn list(
    pool: &PgPool,
    device_id: Option<Uuid>,
    state: Option<&str>,
    kind: Option<&str>,
    paths: Option<&[String]>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Job>, sqlx::Error> {
    if let (None, Some(paths)) = (device_id, paths) {
        let devices = some_within(pool, paths, FEW + 1).await?;
        if devices.len() as i64 <= FEW {
            return list_of(pool, &devices, state, kind, before, limit).await;
        }
    }
    sqlx::query_as!(
        Job,
        "select * from jobs
         where ($1::uuid is null or device_id = $1)
           and ($2::text is null or state = $2)
           and ($3::text is null or kind = $3)
           and ($4::uuid is null or job_id < $4)
           -- Without paths it is planned away, and the facts are not touched.
           and ($5::text[] is null or exists (
               select from device_facts f
               where f.device_id = jobs.device_id and f.site <@ any($5::text[]::ltree[])))
         order by job_id desc limit $6",
        device_id,
        state,
        kind,
        before,
        paths,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Devices at and below these sites, at most so many.
async fn some_within(
    pool: &PgPool,
    paths: &[String],
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select device_id from device_facts where site <@ any($1::text[]::ltree[]) limit $2",
        paths,
        limit
    )
    .fetch_all(pool)
    .await
}

/// The same as [`list`], of a few devices.
async fn list_of(
    pool: &PgPool,
    devices: &[Uuid],
    state: Option<&str>,
    kind: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs
         where (device_id, job_id) in (
             select d.device_id, newest.job_id
             from unnest($1::uuid[]) as d (device_id)
             cross join lateral (
                 select j.job_id from jobs j
                 where j.device_id = d.device_id
                   and ($2::text is null or j.state = $2)
                   and ($3::text is null or j.kind = $3)
                   and ($4::uuid is null or j.job_id < $4)
                 order by j.job_id desc limit $5) as newest)
         order by job_id desc limit $5",
        devices,
        state,
        kind,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Jobs by state, of those that are open or ended since a time; of devices at and below these sites,
/// if named.
pub async fn counts(
    pool: &PgPool,
    since: DateTime<Utc>,
    paths: Option<&[String]>,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "n!" from (
               select device_id, state from jobs where state in ('queued', 'running', 'waiting')
               union all
               select device_id, state from jobs where finished_at >= $1
           ) as recent
           where $2::text[] is null or exists (
               select from device_facts f
               where f.device_id = recent.device_id and f.site <@ any($2::text[]::ltree[]))
           group by state"#,
        since,
        paths
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|r| (r.state, r.n)).collect())
}
