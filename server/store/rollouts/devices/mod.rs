//! The devices of a rollout.
//!
//! Owns that a device changes from the very state it was seen in, and that the counts of its wave
//! change with it, in one statement. When a device is looked at next is also changed by whoever ends
//! a job of its, or hears from it (`store::jobs::rollouts`).
//!
//! - here: taking devices in, and changing them.
//! - [`due`]: those that are to be looked at. [`pick`]: those that may be begun.
//! - [`list`]: for people.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub mod due;
pub mod list;
pub mod pick;

/// A device as it is taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDevice {
    /// Whose.
    pub device_id: Uuid,
    /// `None` = left out.
    pub wave: Option<i32>,
    /// Order within the rollout.
    pub position: i64,
    /// `waiting` or `skipped`.
    pub state: &'static str,
    /// Why it is left out.
    pub reason: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// What backs it up.
    pub redundancy: Option<String>,
    /// `rollout::device::Step`s.
    pub steps: Value,
    /// What it runs.
    pub from_version: Option<String>,
    /// What it is to run.
    pub to_version: Option<String>,
    /// What it downloads.
    pub bytes: i64,
}

/// Whether a device was planned to tell what became of its script.
pub async fn tells(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    device_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from rollout_devices
             where rollout_id = $1 and device_id = $2
               and steps @> '[{"step": "report"}]') as "tells!""#,
        rollout_id,
        device_id
    )
    .fetch_one(conn)
    .await
}

/// Takes devices in; one that is in already stays as it is. How many of them wait now.
pub async fn insert(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    devices: &[NewDevice],
) -> Result<i64, sqlx::Error> {
    let ids: Vec<Uuid> = devices.iter().map(|d| d.device_id).collect();
    let waves: Vec<Option<i32>> = devices.iter().map(|d| d.wave).collect();
    let positions: Vec<i64> = devices.iter().map(|d| d.position).collect();
    let states: Vec<String> = devices.iter().map(|d| d.state.to_owned()).collect();
    let reasons: Vec<Option<String>> = devices.iter().map(|d| d.reason.clone()).collect();
    let sites: Vec<Option<String>> = devices.iter().map(|d| d.site.clone()).collect();
    let uplinks: Vec<Option<Uuid>> = devices.iter().map(|d| d.uplink).collect();
    let sets: Vec<Option<String>> = devices.iter().map(|d| d.redundancy.clone()).collect();
    let steps: Vec<Value> = devices.iter().map(|d| d.steps.clone()).collect();
    let from: Vec<Option<String>> = devices.iter().map(|d| d.from_version.clone()).collect();
    let to: Vec<Option<String>> = devices.iter().map(|d| d.to_version.clone()).collect();
    let bytes: Vec<i64> = devices.iter().map(|d| d.bytes).collect();
    let taken = sqlx::query_scalar!(
        "insert into rollout_devices
             (rollout_id, device_id, wave, position, state, reason, site, uplink, redundancy, steps,
              from_version, to_version, bytes)
         select $1, n.device_id, n.wave, n.position, n.state, n.reason, n.site::ltree, n.uplink,
                n.redundancy, n.steps, n.from_version, n.to_version, n.bytes
         from unnest($2::uuid[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                     $8::uuid[], $9::text[], $10::jsonb[], $11::text[], $12::text[], $13::bigint[])
              as n (device_id, wave, position, state, reason, site, uplink, redundancy, steps,
                    from_version, to_version, bytes)
         on conflict do nothing
         returning state",
        rollout_id,
        &ids,
        &waves as &[Option<i32>],
        &positions,
        &states,
        &reasons as &[Option<String>],
        &sites as &[Option<String>],
        &uplinks as &[Option<Uuid>],
        &sets as &[Option<String>],
        &steps,
        &from as &[Option<String>],
        &to as &[Option<String>],
        &bytes
    )
    .fetch_all(conn)
    .await?;
    let waiting = taken.iter().filter(|state| *state == "waiting").count();
    Ok(i64::try_from(waiting).unwrap_or(i64::MAX))
}

/// Forgets a bounded number of the devices of a rollout; how many.
pub async fn forget(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from rollout_devices where (device_id, rollout_id) in (
             select device_id, rollout_id from rollout_devices where rollout_id = $1 limit $2)",
        rollout_id,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Takes a device that is removed out of all rollouts, and out of the counts of their waves.
pub async fn remove(conn: &mut PgConnection, device_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with gone as (
             delete from rollout_devices where device_id = $1 returning rollout_id, wave, state
         )
         update rollout_waves v
         set total = v.total - 1,
             waiting = v.waiting - (g.state = 'waiting')::int,
             active = v.active
                 - (g.state in ('due', 'offered', 'downloading', 'rebooting'))::int,
             verifying = v.verifying - (g.state = 'verifying')::int,
             healthy = v.healthy - (g.state = 'healthy')::int,
             failed = v.failed - (g.state = 'failed')::int,
             timed_out = v.timed_out - (g.state = 'timed_out')::int,
             skipped = v.skipped - (g.state = 'skipped')::int
         from gone g where v.rollout_id = g.rollout_id and v.wave = g.wave",
        device_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A change of one device, from the very state in which it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// Whose.
    pub device_id: Uuid,
    /// State in which it was seen.
    pub was: String,
    /// Step at which it was seen.
    pub was_step: i32,
    /// Job with which it was seen.
    pub was_job: Option<Uuid>,
    /// When it was to be looked at, as it was seen: what comes in meanwhile is not overwritten.
    pub was_due: Option<DateTime<Utc>>,
    /// What it is now.
    pub state: &'static str,
    /// Its step.
    pub step: i32,
    /// How often that was begun.
    pub attempts: i32,
    /// The job of that.
    pub job_id: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
    /// Of which kind a failure is.
    pub fault_class: Option<String>,
    /// Stays if `None`.
    pub before: Option<Value>,
    /// Stays if `None`.
    pub baseline: Option<Value>,
    /// Stays if `None`.
    pub verdict: Option<Value>,
    /// When it is looked at next.
    pub due_at: Option<DateTime<Utc>>,
    /// Until when it may be so.
    pub deadline_at: Option<DateTime<Utc>>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Changes these devices and the counts of their waves; gives those that were as they were seen.
/// The rollout's row must be locked.
pub async fn change(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    moves: &[Move],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let ids: Vec<Uuid> = moves.iter().map(|m| m.device_id).collect();
    let was: Vec<String> = moves.iter().map(|m| m.was.clone()).collect();
    let was_step: Vec<i32> = moves.iter().map(|m| m.was_step).collect();
    let was_job: Vec<Option<Uuid>> = moves.iter().map(|m| m.was_job).collect();
    let state: Vec<String> = moves.iter().map(|m| m.state.to_owned()).collect();
    let step: Vec<i32> = moves.iter().map(|m| m.step).collect();
    let attempts: Vec<i32> = moves.iter().map(|m| m.attempts).collect();
    let job: Vec<Option<Uuid>> = moves.iter().map(|m| m.job_id).collect();
    let reason: Vec<Option<String>> = moves.iter().map(|m| m.reason.clone()).collect();
    let class: Vec<Option<String>> = moves.iter().map(|m| m.fault_class.clone()).collect();
    let before: Vec<Option<Value>> = moves.iter().map(|m| m.before.clone()).collect();
    let baseline: Vec<Option<Value>> = moves.iter().map(|m| m.baseline.clone()).collect();
    let verdict: Vec<Option<Value>> = moves.iter().map(|m| m.verdict.clone()).collect();
    let was_due: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.was_due).collect();
    let due: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.due_at).collect();
    let deadline: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.deadline_at).collect();
    let started: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.started_at).collect();
    let changed: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.changed_at).collect();
    let finished: Vec<Option<DateTime<Utc>>> = moves.iter().map(|m| m.finished_at).collect();
    sqlx::query_scalar!(
        r#"with wanted as (
             select * from unnest(
                 $2::uuid[], $3::text[], $4::integer[], $5::uuid[], $6::text[], $7::integer[],
                 $8::integer[], $9::uuid[], $10::text[], $11::text[], $12::jsonb[], $13::jsonb[],
                 $14::jsonb[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[],
                 $18::timestamptz[], $19::timestamptz[], $20::timestamptz[])
                 as w (device_id, was, was_step, was_job, state, step, attempts, job_id, reason,
                       fault_class, before, baseline, verdict, due_at, deadline_at, started_at,
                       changed_at, finished_at, was_due)
         ), moved as (
             update rollout_devices r
             set state = w.state, step = w.step, attempts = w.attempts, job_id = w.job_id,
                 reason = w.reason, fault_class = w.fault_class,
                 before = coalesce(w.before, r.before),
                 baseline = coalesce(w.baseline, r.baseline),
                 verdict = coalesce(w.verdict, r.verdict),
                 -- Somebody wanted it looked at since it was seen: it is.
                 due_at = case when r.due_at is distinct from w.was_due
                               then least(r.due_at, w.due_at) else w.due_at end,
                 deadline_at = w.deadline_at, started_at = w.started_at,
                 changed_at = w.changed_at, finished_at = w.finished_at
             from wanted w
             where r.rollout_id = $1 and r.device_id = w.device_id and r.state = w.was
               and r.step = w.was_step and r.job_id is not distinct from w.was_job
             returning r.device_id, r.wave, w.was, w.state
         ), delta as (
             select wave,
                 sum((state = 'waiting')::int - (was = 'waiting')::int) as waiting,
                 sum((state in ('due', 'offered', 'downloading', 'rebooting'))::int
                     - (was in ('due', 'offered', 'downloading', 'rebooting'))::int) as active,
                 sum((state = 'verifying')::int - (was = 'verifying')::int) as verifying,
                 sum((state = 'healthy')::int - (was = 'healthy')::int) as healthy,
                 sum((state = 'failed')::int - (was = 'failed')::int) as failed,
                 sum((state = 'timed_out')::int - (was = 'timed_out')::int) as timed_out,
                 sum((state = 'skipped')::int - (was = 'skipped')::int) as skipped
             from moved where wave is not null group by wave
         ), counted as (
             update rollout_waves v
             set waiting = v.waiting + d.waiting, active = v.active + d.active,
                 verifying = v.verifying + d.verifying, healthy = v.healthy + d.healthy,
                 failed = v.failed + d.failed, timed_out = v.timed_out + d.timed_out,
                 skipped = v.skipped + d.skipped
             from delta d where v.rollout_id = $1 and v.wave = d.wave
         )
         select device_id as "device_id!" from moved"#,
        rollout_id,
        &ids,
        &was,
        &was_step,
        &was_job as &[Option<Uuid>],
        &state,
        &step,
        &attempts,
        &job as &[Option<Uuid>],
        &reason as &[Option<String>],
        &class as &[Option<String>],
        &before as &[Option<Value>],
        &baseline as &[Option<Value>],
        &verdict as &[Option<Value>],
        &due as &[Option<DateTime<Utc>>],
        &deadline as &[Option<DateTime<Utc>>],
        &started as &[Option<DateTime<Utc>>],
        &changed as &[Option<DateTime<Utc>>],
        &finished as &[Option<DateTime<Utc>>],
        &was_due as &[Option<DateTime<Utc>>]
    )
    .fetch_all(conn)
    .await
}
