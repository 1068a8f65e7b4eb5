//! Rollouts: the row of each, and who works on it.
//!
//! - here: making, reading and changing a rollout; leases.
//! - [`devices`]: its devices; their states change here with the counts of their waves.
//! - [`waves`]: its waves. [`named`]: the sites and groups that it names.
//! - [`story`]: what happened. [`survey`]: what of devices decides what is done to them.
//!
//! Whoever changes a rollout, or devices in it, has locked its row ([`lock`]): what a reconciler
//! does and what people order never cross.

pub mod devices;
pub mod named;
pub mod story;
pub mod survey;
pub mod waves;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;

/// What stands before the id of a group among the places where a rollout may go: no path of a site has a
/// colon.
pub const GROUP: &str = "group:";

/// Places as they stand in [`Rollout::scope`].
pub fn places(within: &Within) -> Vec<String> {
    let groups = within.groups.iter().map(|id| format!("{GROUP}{id}"));
    within.sites.iter().cloned().chain(groups).collect()
}

/// One rollout, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// UUIDv7.
    pub rollout_id: Uuid,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// `rollout::change::Change`, its secrets sealed.
    pub change: Value,
    /// `rollout::change::Audience`.
    pub audience: Value,
    /// `rollout::plan::Plan`.
    pub plan: Value,
    /// Sites that it may touch, with all below, and groups whose devices it may ([`GROUP`] and the id);
    /// `None` = everywhere.
    pub scope: Option<Vec<String>>,
    /// `rollout::state::State`, as its word.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub state_at: DateTime<Utc>,
    /// Who paused it: `person` or `gate`.
    pub paused_by: Option<String>,
    /// The state that it goes back to.
    pub resume_to: Option<String>,
    /// The wave under way, from 0.
    pub wave: i32,
    /// Until when the wave is watched.
    pub soak_until: Option<DateTime<Utc>>,
    /// Not before.
    pub start_at: Option<DateTime<Utc>>,
    /// When all its devices had been taken in.
    pub prepared_at: Option<DateTime<Utc>>,
    /// `rollout::pace::Bucket`.
    pub pace: Value,
    /// The rollout that it takes back.
    pub inverse_of: Option<Uuid>,
    /// The rollout that takes it back.
    pub inverse_id: Option<Uuid>,
    /// Who wrote it.
    pub created_by: String,
    /// Their id.
    pub created_by_id: Option<Uuid>,
    /// Who started it.
    pub started_by: Option<String>,
    /// Their id.
    pub started_by_id: Option<Uuid>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was last changed: its version for If-Match.
    pub updated_at: DateTime<Utc>,
    /// When its devices had been taken in, and the first of them could begin: [`Self::prepared_at`].
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is looked at next.
    pub due_at: Option<DateTime<Utc>>,
    /// Which reconciler looks at it.
    pub leased_by: Option<Uuid>,
    /// Until when the others leave it alone.
    pub leased_until: Option<DateTime<Utc>>,
}

/// Stores a new one.
pub async fn insert(conn: &mut PgConnection, r: &Rollout) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rollouts
             (rollout_id, name, description, change, audience, plan, scope, state, state_at,
              inverse_of, created_by, created_by_id, started_by, started_by_id, start_at,
              created_at, updated_at, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17)",
        r.rollout_id,
        r.name,
        r.description,
        r.change,
        r.audience,
        r.plan,
        r.scope.as_deref(),
        r.state,
        r.state_at,
        r.inverse_of,
        r.created_by,
        r.created_by_id,
        r.started_by,
        r.started_by_id,
        r.start_at,
        r.created_at,
        r.due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One rollout.
pub async fn get(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Rollout>, sqlx::Error> {
    sqlx::query_as!(Rollout, "select * from rollouts where rollout_id = $1", id)
        .fetch_optional(db)
        .await
}

/// One rollout, and nobody else changes it or its devices until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<Rollout>, sqlx::Error> {
    sqlx::query_as!(Rollout, "select * from rollouts where rollout_id = $1 for update", id)
        .fetch_optional(conn)
        .await
}

/// The newest first, older than `before`; those whose scope lies within, and of a state, if that is
/// named.
pub async fn list(
    pool: &PgPool,
    within: Option<&Within>,
    state: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Rollout>, sqlx::Error> {
    let (sites, _) = Within::binds(within);
    let words = within.map(places).unwrap_or_default();
    sqlx::query_as!(
        Rollout,
        "select * from rollouts
         where ($1::text[] is null
                or (scope is not null and not exists (
                        select 1 from unnest(scope) as s (place)
                        -- A group is no path.
                        where not case when starts_with(s.place, 'group:') then s.place = any($5)
                                  else s.place::ltree <@ any($1::text[]::ltree[]) end)))
           and ($2::text is null or state = $2)
           and ($3::uuid is null or rollout_id < $3)
         order by rollout_id desc limit $4",
        sites,
        state,
        before,
        limit,
        &words
    )
    .fetch_all(pool)
    .await
}

/// Stores what of it can change. The row must be locked.
pub async fn update(conn: &mut PgConnection, r: &Rollout) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollouts
         set name = $2, description = $3, change = $4, audience = $5, plan = $6, scope = $7,
             state = $8, reason = $9, state_at = $10, paused_by = $11, resume_to = $12, wave = $13,
             soak_until = $14, start_at = $15, prepared_at = $16, pace = $17, inverse_id = $18,
             started_by = $19, started_by_id = $20, approved_by = $21, updated_at = $22,
             started_at = $23, finished_at = $24, due_at = $25
         where rollout_id = $1",
        r.rollout_id,
        r.name,
        r.description,
        r.change,
        r.audience,
        r.plan,
        r.scope.as_deref(),
        r.state,
        r.reason,
        r.state_at,
        r.paused_by,
        r.resume_to,
        r.wave,
        r.soak_until,
        r.start_at,
        r.prepared_at,
        r.pace,
        r.inverse_id,
        r.started_by,
        r.started_by_id,
        r.approved_by,
        r.updated_at,
        r.started_at,
        r.finished_at,
        r.due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes one that never ran.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from rollout_devices where rollout_id = $1", id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from rollouts where rollout_id = $1", id).execute(conn).await?;
    Ok(())
}

/// Takes the rollouts that are to be looked at, a few, for a while: other nodes leave them alone.
/// Each with when it was to be looked at.
pub async fn take_due(
    pool: &PgPool,
    by: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Uuid, Option<DateTime<Utc>>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "update rollouts r set leased_by = $1, leased_until = $2
         from (select rollout_id from rollouts
               where (due_at <= $3
                      -- Whatever became of its time: what is under way is looked at.
                      or (due_at is null and state in ('running', 'soaking', 'rolling_back')))
                 and (leased_until is null or leased_until <= $3)
               order by due_at nulls first limit $4 for update skip locked) t
         where r.rollout_id = t.rollout_id
         returning r.rollout_id, r.due_at",
        by,
        until,
        now,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.rollout_id, row.due_at)).collect())
}

/// Keeps it for longer; false = another one has it.
pub async fn renew(
    db: impl PgExecutor<'_>,
    id: Uuid,
    by: Uuid,
    until: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update rollouts set leased_until = $3 where rollout_id = $1 and leased_by = $2",
        id,
        by,
        until
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives it back, to be looked at again at this time, or at the one that somebody set meanwhile if
/// that is earlier. `was` is when it was to be looked at when it was taken.
pub async fn give_back(
    pool: &PgPool,
    id: Uuid,
    by: Uuid,
    was: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollouts
         set leased_by = null, leased_until = null,
             due_at = case when due_at is distinct from $3 then least(due_at, $4) else $4 end
         where rollout_id = $1 and leased_by = $2",
        id,
        by,
        was,
        due_at
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a bounded number of the devices of a rollout that ended before this time, and the rollout
/// itself once it has none.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    let old = sqlx::query_scalar!(
        "select rollout_id from rollouts
         where finished_at < $1 and state in ('completed', 'aborted', 'rolled_back') limit 1
         for update skip locked",
        before
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(id) = old else { return Ok(()) };
    if devices::forget(&mut tx, id, limit).await? == 0 {
        delete(&mut tx, id).await?;
    }
    tx.commit().await
}

/// Has it looked at now.
pub async fn nudge(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollouts set due_at = least(coalesce(due_at, $2), $2) where rollout_id = $1",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
