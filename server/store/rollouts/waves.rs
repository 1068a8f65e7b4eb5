//! Waves, and how many of their devices are where. The counts are changed by
//! [`super::devices`], in the statement that changes the devices.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A wave of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveRow {
    /// Whose.
    pub rollout_id: Uuid,
    /// From 0.
    pub wave: i32,
    /// For people.
    pub name: String,
    /// All its devices.
    pub total: i64,
    /// Not begun.
    pub waiting: i64,
    /// Due, offered, downloading or rebooting.
    pub active: i64,
    /// Run what they should; looked at.
    pub verifying: i64,
    /// Well.
    pub healthy: i64,
    /// Not well.
    pub failed: i64,
    /// Did not come in time.
    pub timed_out: i64,
    /// Left out.
    pub skipped: i64,
    /// Failures up to which somebody resumed it.
    pub forgiven: i64,
    /// When the first of its devices could begin: there was room, and the wave before it was good.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was good.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who let it begin, where that is asked for.
    pub approved_by: Option<String>,
    /// `rollout::gate::GateVerdict` of the last look.
    pub verdict: Option<Value>,
}

/// All waves of a rollout, in order.
pub async fn list(db: impl PgExecutor<'_>, id: Uuid) -> Result<Vec<WaveRow>, sqlx::Error> {
    sqlx::query_as!(WaveRow, "select * from rollout_waves where rollout_id = $1 order by wave", id)
        .fetch_all(db)
        .await
}

/// One wave.
pub async fn get(
    db: impl PgExecutor<'_>,
    id: Uuid,
    wave: i32,
) -> Result<Option<WaveRow>, sqlx::Error> {
    sqlx::query_as!(
        WaveRow,
        "select * from rollout_waves where rollout_id = $1 and wave = $2",
        id,
        wave
    )
    .fetch_optional(db)
    .await
}

/// Counts the devices anew into these waves, whose names are given in order.
pub async fn count_anew(
    conn: &mut PgConnection,
    id: Uuid,
    names: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from rollout_waves where rollout_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into rollout_waves (rollout_id, wave, name, total, waiting)
         select $1, n.wave::integer - 1, n.name, coalesce(c.total, 0), coalesce(c.total, 0)
         from unnest($2::text[]) with ordinality as n (name, wave)
         left join (select wave, count(*) as total from rollout_devices
                    where rollout_id = $1 and state = 'waiting' group by wave) c
              on c.wave = n.wave - 1",
        id,
        names
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What changes of a wave beside its counts.
#[derive(Debug, Clone, Default)]
pub struct WaveChange {
    /// It has begun.
    pub started_at: Option<DateTime<Utc>>,
    /// It is over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Somebody let it begin.
    pub approved_by: Option<String>,
    /// What its gate saw.
    pub verdict: Option<Value>,
}

/// Changes what is given; the rest stays.
pub async fn change(
    conn: &mut PgConnection,
    id: Uuid,
    wave: i32,
    c: &WaveChange,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_waves
         set started_at = coalesce(started_at, $3), ended_at = coalesce($4, ended_at),
             approved_by = coalesce($5, approved_by), verdict = coalesce($6, verdict)
         where rollout_id = $1 and wave = $2",
        id,
        wave,
        c.started_at,
        c.ended_at,
        c.approved_by,
        c.verdict
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts devices that joined a wave, waiting.
pub async fn add(
    conn: &mut PgConnection,
    id: Uuid,
    wave: i32,
    devices: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_waves set total = total + $3, waiting = waiting + $3
         where rollout_id = $1 and wave = $2",
        id,
        wave,
        devices
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts what failed in a wave so far as seen and taken: its gate looks at what comes after.
pub async fn forgive(conn: &mut PgConnection, id: Uuid, wave: i32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set fault_class = 'seen'
         where rollout_id = $1 and wave = $2 and state = 'failed' and fault_class = 'hold'",
        id,
        wave
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update rollout_waves set forgiven = failed + timed_out
         where rollout_id = $1 and wave = $2",
        id,
        wave
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Failures that are there no more are not forgiven any more.
pub async fn recount_forgiven(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_waves set forgiven = least(forgiven, failed + timed_out)
         where rollout_id = $1",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts one wave anew, where its counts say that devices wait and none is found.
pub async fn recount(conn: &mut PgConnection, id: Uuid, wave: i32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_waves v
         set waiting = c.waiting, active = c.active, verifying = c.verifying, healthy = c.healthy,
             failed = c.failed, timed_out = c.timed_out, skipped = c.skipped, total = c.total
         from (select count(*) as total,
                   count(*) filter (where state = 'waiting') as waiting,
                   count(*) filter (where state in ('due', 'offered', 'downloading', 'rebooting'))
                       as active,
                   count(*) filter (where state = 'verifying') as verifying,
                   count(*) filter (where state = 'healthy') as healthy,
                   count(*) filter (where state = 'failed') as failed,
                   count(*) filter (where state = 'timed_out') as timed_out,
                   count(*) filter (where state = 'skipped') as skipped
               from rollout_devices where rollout_id = $1 and wave = $2) c
         where v.rollout_id = $1 and v.wave = $2",
        id,
        wave
    )
    .execute(conn)
    .await?;
    Ok(())
}
