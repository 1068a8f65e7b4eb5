//! Changes of what is wanted, on their way through the fleet.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Which; UUIDv7.
    pub sweep_id: Uuid,
    /// Why, in words.
    pub reason: String,
    /// Which devices; `None` = all.
    pub selector: Option<String>,
    /// Devices a second.
    pub per_second: i32,
    /// running, paused, done, cancelled.
    pub state: String,
    /// The device that it came to last.
    pub cursor: Option<Uuid>,
    /// Devices that it came to.
    pub seen: i64,
    /// Those of them of which something differed.
    pub differing: i64,
    /// Who began it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Stores a new one.
pub async fn insert(conn: &mut PgConnection, sweep: &Sweep) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sweeps (sweep_id, reason, selector, per_second, state, cursor, seen, differing,
                             created_by, created_at, finished_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        sweep.sweep_id,
        sweep.reason,
        sweep.selector,
        sweep.per_second,
        sweep.state,
        sweep.cursor,
        sweep.seen,
        sweep.differing,
        sweep.created_by,
        sweep.created_at,
        sweep.finished_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Newest first, before one.
pub async fn list(
    pool: &PgPool,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Sweep>, sqlx::Error> {
    sqlx::query_as!(
        Sweep,
        "select sweep_id, reason, selector, per_second, state, cursor, seen, differing, created_by,
                created_at, finished_at
         from sweeps where ($1::uuid is null or sweep_id < $1) order by sweep_id desc limit $2",
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// One.
pub async fn get(db: impl PgExecutor<'_>, sweep_id: Uuid) -> Result<Option<Sweep>, sqlx::Error> {
    sqlx::query_as!(
        Sweep,
        "select sweep_id, reason, selector, per_second, state, cursor, seen, differing, created_by,
                created_at, finished_at
         from sweeps where sweep_id = $1",
        sweep_id
    )
    .fetch_optional(db)
    .await
}

/// One that is under way or paused gets this state and pace; false = it has ended.
pub async fn change(
    conn: &mut PgConnection,
    sweep_id: Uuid,
    state: &str,
    per_second: i32,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update sweeps set state = $2, per_second = $3,
                finished_at = case when $2 in ('done', 'cancelled') then $4::timestamptz end
         where sweep_id = $1 and state in ('running', 'paused')",
        sweep_id,
        state,
        per_second,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes those that are under way and that no other node has in hand, until a time.
pub async fn take(
    pool: &PgPool,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Sweep>, sqlx::Error> {
    sqlx::query_as!(
        Sweep,
        "update sweeps set leased_until = $1
         where state = 'running' and (leased_until is null or leased_until <= $2)
         returning sweep_id, reason, selector, per_second, state, cursor, seen, differing,
                   created_by, created_at, finished_at",
        until,
        now
    )
    .fetch_all(pool)
    .await
}

/// Notes how far one came, and gives it back until a time; `done` = there are no more devices.
pub async fn advance(
    pool: &PgPool,
    sweep: &Sweep,
    done: bool,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sweeps set cursor = $2, seen = $3, differing = $4, leased_until = $6,
                state = case when $5 and state = 'running' then 'done' else state end,
                finished_at = case when $5 and state = 'running' then $7 else finished_at end
         where sweep_id = $1",
        sweep.sweep_id,
        sweep.cursor,
        sweep.seen,
        sweep.differing,
        done,
        until,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets those that ended before a time.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sweeps where finished_at < $1", before).execute(pool).await?;
    Ok(())
}

/// What tells whether anything that is wanted has changed: compared, never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(String);

/// The stamp of profiles, bindings, sites, groups, templates and releases as they are now.
/// Sums, because a change may be committed after one that is younger.
pub async fn stamp(pool: &PgPool) -> Result<Stamp, sqlx::Error> {
    let text = sqlx::query_scalar!(
        r#"select concat_ws(' ',
               (select concat(count(*), '@', sum(extract(epoch from updated_at))) from profiles),
               (select concat(count(*), '@', sum(hashtext(concat_ws(' ', profile_id, site_id,
                                                                     group_id, rank))))
                from profile_bindings),
               (select concat(count(*), '@', sum(extract(epoch from updated_at))) from sites),
               (select concat(count(*), '@', sum(extract(epoch from updated_at))) from groups),
               (select concat(count(*), '@', sum(extract(epoch from updated_at))) from templates),
               (select concat(count(*), '@', sum(extract(epoch from updated_at))) from releases),
               (select concat(count(*), '@', sum(extract(epoch from created_at))) from packages))
               as "stamp!""#
    )
    .fetch_one(pool)
    .await?;
    Ok(Stamp(text))
}
