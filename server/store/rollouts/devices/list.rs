//! The devices of a rollout as people see them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::store::rollouts::places;
use crate::store::within::Within;

/// A device of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRow {
    /// Whose.
    pub device_id: Uuid,
    /// For people.
    pub serial: String,
    /// What it calls itself.
    pub identity: Option<String>,
    /// Its model.
    pub product_class: String,
    /// Its architecture.
    pub arch: Option<String>,
    /// What it runs now.
    pub version: Option<String>,
    /// Where it stood when it was taken in.
    pub site: Option<String>,
    /// From 0; `None` = left out.
    pub wave: Option<i32>,
    /// Order within the rollout.
    pub position: i64,
    /// `rollout::state::DeviceState`, as its word.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// Of which kind a failure is.
    pub fault_class: Option<String>,
    /// What is done to it.
    pub steps: Value,
    /// Which of these it is at.
    pub step: i32,
    /// How often this one was begun.
    pub attempts: i32,
    /// The job of this step.
    pub job_id: Option<Uuid>,
    /// What it ran.
    pub from_version: Option<String>,
    /// What it is to run.
    pub to_version: Option<String>,
    /// What it downloads.
    pub bytes: i64,
    /// `fleet::health::Sample` from before.
    pub baseline: Option<Value>,
    /// `fleet::health::Verdict` of the last look.
    pub verdict: Option<Value>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which devices.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these states; all where it is empty.
    pub states: Vec<String>,
    /// Only this wave.
    pub wave: Option<i32>,
    /// Only those within; `None` = all.
    pub within: Option<Within>,
    /// After this one, in order of position and id.
    pub after: Option<(i64, Uuid)>,
    /// At most.
    pub limit: i64,
}

/// Devices in their order.
pub async fn list(
    pool: &PgPool,
    rollout_id: Uuid,
    filter: &Filter,
) -> Result<Vec<ListRow>, sqlx::Error> {
    let (after, after_id) = filter.after.unzip();
    let (sites, groups) = Within::binds(filter.within.as_ref());
    sqlx::query_as!(
        ListRow,
        r#"select r.device_id, f.serial, f.identity, f.product_class, f.arch,
                  f.software_version as version, r.site::text as site, r.wave, r.position, r.state,
                  r.reason, r.fault_class, r.steps, r.step, r.attempts, r.job_id, r.from_version,
                  r.to_version, r.bytes, r.baseline, r.verdict, r.started_at, r.changed_at,
                  r.finished_at
           from rollout_devices r join device_facts f using (device_id)
           where r.rollout_id = $1
             and (cardinality($2::text[]) = 0 or r.state = any($2))
             and ($3::integer is null or r.wave = $3)
             and ($4::bigint is null or (r.position, r.device_id) > ($4, $5))
             and ($7::text[] is null or f.site <@ any($7::text[]::ltree[])
                  or ($8::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($8::uuid[]))))
           order by r.position, r.device_id limit $6"#,
        rollout_id,
        &filter.states,
        filter.wave,
        after,
        after_id,
        filter.limit,
        sites,
        groups
    )
    .fetch_all(pool)
    .await
}

/// How many devices are where, counted anew; for those that no wave counts, and for tests.
pub async fn counts(
    pool: &PgPool,
    rollout_id: Uuid,
) -> Result<Vec<(Option<i32>, String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select wave, state, count(*) as "devices!" from rollout_devices
           where rollout_id = $1 group by wave, state order by wave, state"#,
        rollout_id
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|r| (r.wave, r.state, r.devices)).collect())
}

/// Why devices were left out, or failed, and how many for each reason.
pub async fn reasons(
    db: impl PgExecutor<'_>,
    rollout_id: Uuid,
    states: &[String],
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let rows = sqlx::query!(
        r#"select r.state, coalesce(r.reason, '') as "reason!", count(*) as "devices!"
           from rollout_devices r join device_facts f using (device_id)
           where r.rollout_id = $1 and r.state = any($2)
             and ($4::text[] is null or f.site <@ any($4::text[]::ltree[])
                  or ($5::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($5::uuid[]))))
           group by r.state, r.reason order by count(*) desc limit $3"#,
        rollout_id,
        states,
        limit,
        sites,
        groups
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|r| (r.state, r.reason, r.devices)).collect())
}

/// The device's place in each rollout that it is or was in, newest first; only those whose scope lies
/// within.
pub async fn of_device(
    pool: &PgPool,
    device_id: Uuid,
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<(Uuid, String, String, Option<String>)>, sqlx::Error> {
    let (sites, _) = Within::binds(within);
    let words = within.map(places).unwrap_or_default();
    let rows = sqlx::query!(
        "select r.rollout_id, o.name, r.state, r.reason
         from rollout_devices r join rollouts o using (rollout_id)
         where r.device_id = $1
           and ($2::text[] is null
                or (o.scope is not null and not exists (
                        select 1 from unnest(o.scope) as s (place)
                        -- As in the list of rollouts.
                        where not case when starts_with(s.place, 'group:') then s.place = any($4)
                                  else s.place::ltree <@ any($2::text[]::ltree[]) end)))
         order by r.rollout_id desc limit $3",
        device_id,
        sites,
        limit,
        &words
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|r| (r.rollout_id, r.name, r.state, r.reason)).collect())
}

/// Ids of devices in these states, a bounded number, in the order of the rollout. Nobody else changes what
/// stands of them here until the transaction ends: before them no wave may be locked.
pub async fn ids(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    states: &[String],
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select device_id from rollout_devices
         where rollout_id = $1 and state = any($2) order by state, position limit $3
         for update",
        rollout_id,
        states,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Puts devices that ended in an earlier wave into this one; the counts of both go with them. They are
/// those that [`ids`] has locked.
pub async fn into_wave(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    devices: &[Uuid],
    wave: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with before as (
             select device_id, wave, state from rollout_devices
             where rollout_id = $1 and device_id = any($2) and wave <> $3
         ), moved as (
             update rollout_devices r set wave = $3 from before b
             where r.rollout_id = $1 and r.device_id = b.device_id
         ), delta as (
             select wave, -count(*) as total, -count(*) filter (where state = 'failed') as failed,
                    -count(*) filter (where state = 'timed_out') as timed_out
             from before group by wave
             union all
             select $3, count(*), count(*) filter (where state = 'failed'),
                    count(*) filter (where state = 'timed_out')
             from before
         )
         update rollout_waves v
         set total = v.total + d.total, failed = v.failed + d.failed,
             timed_out = v.timed_out + d.timed_out
         from delta d where v.rollout_id = $1 and v.wave = d.wave",
        rollout_id,
        devices,
        wave
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What of a waiting device stays when it is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingRow {
    /// Whose.
    pub device_id: Uuid,
    /// Its step: it may be tried again.
    pub step: i32,
    /// The job of that.
    pub job_id: Option<Uuid>,
    /// Until when it is put off.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was begun, if it is tried again.
    pub started_at: Option<DateTime<Utc>>,
}

/// Waiting devices, a bounded number, in the order of the rollout.
pub async fn waiting(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    limit: i64,
) -> Result<Vec<WaitingRow>, sqlx::Error> {
    sqlx::query_as!(
        WaitingRow,
        "select device_id, step, job_id, due_at, started_at from rollout_devices
         where rollout_id = $1 and state = 'waiting' order by position limit $2",
        rollout_id,
        limit
    )
    .fetch_all(conn)
    .await
}
