//! Jobs of many devices: lists and numbers. They read only, and lock nothing.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Job;
use crate::store::audit::ids_between;
use crate::store::within::Within;

/// So many devices are asked one by one: the newest jobs of the whole fleet may all be of others.
const FEW: i64 = 200;

/// From a time on, and before another one; `None` = without that end.
pub type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// What narrows a list; empty fields do not.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Whose.
    pub device_id: Option<Uuid>,
    /// In any of these; of none: in whatever state.
    pub states: Vec<String>,
    /// Word of a kind.
    pub kind: Option<String>,
    /// When they were made.
    pub created: Span,
    /// When they ended.
    pub finished: Span,
    /// Of these devices.
    pub within: Option<Within>,
    /// Of each device only the newest of those.
    pub newest: bool,
    /// Only those made before this one.
    pub before: Option<Uuid>,
}

impl Filter {
    /// The one state; `None` = none, or several.
    fn state(&self) -> Option<&str> {
        match self.states.as_slice() {
            [state] => Some(state),
            _ => None,
        }
    }

    /// Several states. One is asked for by itself: only then the index of states gives them in order.
    fn states(&self) -> Option<&[String]> {
        (self.states.len() > 1).then_some(self.states.as_slice())
    }
}

/// Newest first.
pub async fn list(pool: &PgPool, filter: &Filter, limit: i64) -> Result<Vec<Job>, sqlx::Error> {
    if let (None, Some(within)) = (filter.device_id, &filter.within) {
        let devices = some_within(pool, within, FEW + 1).await?;
        if devices.len() as i64 <= FEW {
            return list_of(pool, &devices, filter, limit).await;
        }
    }
    // Never null: the index then ends the scan, however few jobs of that time there are.
    let (first, end) = ids_between(filter.created.0, filter.created.1);
    let (sites, groups) = Within::binds(filter.within.as_ref());
    sqlx::query_as!(
        Job,
        "select * from jobs
         where ($1::uuid is null or device_id = $1)
           and ($2::text is null or state = $2)
           and ($3::text[] is null or state = any($3))
           and ($4::text is null or kind = $4)
           and job_id >= $5 and job_id < $6
           and ($7::uuid is null or job_id < $7)
           and ($8::timestamptz is null or created_at >= $8)
           and ($9::timestamptz is null or created_at < $9)
           and ($10::timestamptz is null or finished_at >= $10)
           and ($11::timestamptz is null or finished_at < $11)
           -- Without sites it is planned away, and the facts are not touched.
           and ($12::text[] is null or exists (
               select from device_facts f
               where f.device_id = jobs.device_id
                 and (f.site <@ any($12::text[]::ltree[])
                      or ($13::uuid[] is not null and f.device_id in (
                          select m.device_id from group_members m
                          where m.group_id = any($13::uuid[]))))))
           and (not $14::bool or not exists (
               select from jobs later
               where later.device_id = jobs.device_id and later.job_id > jobs.job_id
                 and ($2::text is null or later.state = $2)
                 and ($3::text[] is null or later.state = any($3))
                 and ($4::text is null or later.kind = $4)
                 and ($8::timestamptz is null or later.created_at >= $8)
                 and ($9::timestamptz is null or later.created_at < $9)
                 and ($10::timestamptz is null or later.finished_at >= $10)
                 and ($11::timestamptz is null or later.finished_at < $11)))
         order by job_id desc limit $15",
        filter.device_id,
        filter.state(),
        filter.states(),
        filter.kind,
        first,
        end,
        filter.before,
        filter.created.0,
        filter.created.1,
        filter.finished.0,
        filter.finished.1,
        sites,
        groups,
        filter.newest,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Devices of these: at most so many by their sites, and by their groups, and one may be there by
/// both.
async fn some_within(pool: &PgPool, within: &Within, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        // Each half by its own index: whose reach is one small group must not wait for a look at all.
        r#"(select device_id as "device_id!" from device_facts
            where site <@ any($1::text[]::ltree[]) limit $3)
           union all
           (select device_id from group_members where group_id = any($2::uuid[]) limit $3)"#,
        &within.sites,
        &within.groups,
        limit
    )
    .fetch_all(pool)
    .await
}

/// The same as [`list`], of a few devices.
async fn list_of(
    pool: &PgPool,
    devices: &[Uuid],
    filter: &Filter,
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
                   and ($3::text[] is null or j.state = any($3))
                   and ($4::text is null or j.kind = $4)
                   and ($5::timestamptz is null or j.created_at >= $5)
                   and ($6::timestamptz is null or j.created_at < $6)
                   and ($7::timestamptz is null or j.finished_at >= $7)
                   and ($8::timestamptz is null or j.finished_at < $8)
                   -- A device's newest one is that on whatever page one is.
                   and ($9::bool or $10::uuid is null or j.job_id < $10)
                 order by j.job_id desc limit case when $9 then 1 else $11::bigint end) as newest)
           and ($10::uuid is null or job_id < $10)
         order by job_id desc limit $11",
        devices,
        filter.state(),
        filter.states(),
        filter.kind,
        filter.created.0,
        filter.created.1,
        filter.finished.0,
        filter.finished.1,
        filter.newest,
        filter.before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Jobs by state, of those that are open or ended since a time; of devices within, if named.
pub async fn counts(
    pool: &PgPool,
    since: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "n!" from (
               select device_id, state from jobs where state in ('queued', 'running', 'waiting')
               union all
               select device_id, state from jobs where finished_at >= $1
           ) as recent
           where $2::text[] is null or exists (
               select from device_facts f
               where f.device_id = recent.device_id
                 and (f.site <@ any($2::text[]::ltree[])
                      or ($3::uuid[] is not null and f.device_id in (
                          select m.device_id from group_members m
                          where m.group_id = any($3::uuid[])))))
           group by state"#,
        since,
        sites,
        groups
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|r| (r.state, r.n)).collect())
}
