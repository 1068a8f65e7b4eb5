//! Figures of the fleet as a whole, or of the devices `within` (`None` = of all devices, also where
//! they have no site).

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::within::Within;

/// How many devices there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Devices {
    /// In the inventory.
    pub all: i64,
    /// That informed lately.
    pub online: i64,
    /// That came lately for the first time.
    pub fresh: i64,
}

/// How many devices share something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// What they share; `None` = it is not known of them.
    pub value: Option<String>,
    /// How many.
    pub devices: i64,
    /// How many there are in all.
    pub all: i64,
}

/// A job that did not end well.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which.
    pub job_id: Uuid,
    /// Whose.
    pub device_id: Uuid,
    /// The device's serial number.
    pub serial: String,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// Word of the job's kind.
    pub kind: String,
    /// failed, expired.
    pub state: String,
    /// Why, in words.
    pub note: Option<String>,
    /// The fault, as the device sent it.
    pub fault: Option<Value>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Devices in all, informed since the one time, seen first since the other.
pub async fn devices(
    pool: &PgPool,
    online_since: DateTime<Utc>,
    fresh_since: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<Devices, sqlx::Error> {
    // Two statements, so that neither has to look at rows that only the other needs.
    let (Some(sites), groups) = Within::binds(within) else {
        return sqlx::query_as!(
            Devices,
            r#"select count(*) as "all!",
                      count(*) filter (where last_inform >= $1) as "online!",
                      count(*) filter (where first_inform >= $2) as "fresh!"
               from devices"#,
            online_since,
            fresh_since
        )
        .fetch_one(pool)
        .await;
    };
    sqlx::query_as!(
        Devices,
        r#"select count(*) as "all!",
                  count(*) filter (where d.last_inform >= $1) as "online!",
                  count(*) filter (where d.first_inform >= $2) as "fresh!"
           from device_facts f join devices d using (device_id)
           where f.site <@ any($3::text[]::ltree[])
              or ($4::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($4::uuid[])))"#,
        online_since,
        fresh_since,
        sites,
        groups
    )
    .fetch_one(pool)
    .await
}

/// Devices with a job that failed or expired since a time.
pub async fn faulted(
    pool: &PgPool,
    since: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<i64, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_scalar!(
        r#"select count(distinct device_id) as "n!" from jobs
           where state in ('failed', 'expired') and finished_at >= $1
             and ($2::text[] is null or exists (
                 select from device_facts f
                 where f.device_id = jobs.device_id
                   and (f.site <@ any($2::text[]::ltree[])
                        or ($3::uuid[] is not null and f.device_id in (
                            select m.device_id from group_members m
                            where m.group_id = any($3::uuid[]))))))"#,
        since,
        sites,
        groups
    )
    .fetch_one(pool)
    .await
}

/// What devices are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// ProductClass.
    Model,
    /// Software version.
    Version,
}

/// The models or versions that most devices have, the greatest first.
pub async fn shares(
    pool: &PgPool,
    by: By,
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<Share>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Share,
        r#"select value as "value?", count(*) as "devices!",
                  (sum(count(*)) over ())::bigint as "all!"
           from device_facts f
           cross join lateral (
               select case when $1::bool then f.product_class else f.software_version end
           ) as had (value)
           where $2::text[] is null or f.site <@ any($2::text[]::ltree[])
              or ($3::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($3::uuid[])))
           group by value
           order by count(*) desc, value
           limit $4"#,
        by == By::Model,
        sites,
        groups,
        limit
    )
    .fetch_all(pool)
    .await
}

/// The jobs that failed or expired last, the newest first.
pub async fn problems(
    pool: &PgPool,
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<Problem>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Problem,
        r#"select j.job_id, j.device_id, f.serial, f.site::text as site, j.kind, j.state, j.note,
                  j.fault, j.finished_at as "finished_at!"
           from jobs j join device_facts f using (device_id)
           where j.state in ('failed', 'expired') and j.finished_at is not null
             and ($1::text[] is null or f.site <@ any($1::text[]::ltree[])
                  or ($2::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($2::uuid[]))))
           order by j.finished_at desc
           limit $3"#,
        sites,
        groups,
        limit
    )
    .fetch_all(pool)
    .await
}
