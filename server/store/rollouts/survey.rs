//! What of devices decides what a rollout does to them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// A device, for planning.
#[derive(Debug, Clone)]
pub struct PlanRow {
    /// Whose.
    pub device_id: Uuid,
    /// As it says it.
    pub arch: Option<String>,
    /// The board.
    pub model: Option<String>,
    /// The marketing name.
    pub product_class: String,
    /// What it runs.
    pub version: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// When it informed last.
    pub last_inform: DateTime<Utc>,
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// What backs it up.
    pub redundancy: Option<String>,
    /// Its log says what became of a script.
    pub tells: bool,
    /// What is installed, as far as it said so.
    pub packages: Option<Value>,
    /// device-mode.
    pub device_mode: Option<String>,
    /// What device-mode lets be installed.
    pub allowed_versions: Option<String>,
    /// The RouterBOOT that it runs, and the one that its RouterOS brings.
    pub booter_current: Option<String>,
    /// See [`Self::booter_current`].
    pub booter_upgrade: Option<String>,
    /// It waits to be let in.
    pub quarantined: bool,
    /// Another rollout that it is in and has not come to the end of.
    pub taken_by: Option<String>,
}

/// These devices.
pub async fn of(
    pool: &PgPool,
    rollout_id: Uuid,
    devices: &[Uuid],
) -> Result<Vec<PlanRow>, sqlx::Error> {
    sqlx::query_as!(
        PlanRow,
        r#"select f.device_id as "device_id!", f.arch, f.model,
                  f.product_class as "product_class!", f.software_version as version,
                  f.site::text as site, f.uplink, f.redundancy,
                  d.last_inform as "last_inform!",
                  coalesce(is_routeros(f.manufacturer), false) as "tells!",
                  i.packages as "packages?", i.device_mode as "device_mode?",
                  i.allowed_versions as "allowed_versions?",
                  i.booter_current as "booter_current?", i.booter_upgrade as "booter_upgrade?",
                  f.quarantined_at is not null as "quarantined!",
                  (select o.name from rollout_devices x join rollouts o using (rollout_id)
                   where x.device_id = f.device_id and x.rollout_id <> $1
                     and x.state in ('waiting', 'due', 'offered', 'downloading', 'rebooting',
                                     'verifying')
                     and o.state in ('running', 'soaking', 'paused', 'rolling_back', 'aborted')
                   limit 1) as taken_by
           from device_facts f join devices d using (device_id)
                left join device_packages i using (device_id)
           where f.device_id = any($2)"#,
        rollout_id,
        devices
    )
    .fetch_all(pool)
    .await
}

/// A device that a rollout has changed, or may have.
#[derive(Debug, Clone)]
pub struct ChangedRow {
    /// Whose.
    pub device_id: Uuid,
    /// What it ran before.
    pub from_version: Option<String>,
    /// What to write to take it back, sealed.
    pub before: Option<Value>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
}

/// The devices that a rollout has begun, a page of them in order of their ids.
pub async fn changed(
    pool: &PgPool,
    rollout_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ChangedRow>, sqlx::Error> {
    sqlx::query_as!(
        ChangedRow,
        "select r.device_id, r.from_version, r.before, r.started_at
         from rollout_devices r join device_facts f using (device_id)
         -- One that is left out may have been changed before. One that timed out did not take its last
         -- order, but may have taken one before that.
         where r.rollout_id = $1 and r.started_at is not null
           and (r.state in ('waiting', 'healthy', 'failed', 'skipped')
                or (r.state = 'timed_out' and case
                    -- Then it runs a version of its way: any other one is somebody else's doing.
                    -- Devices write `7.16.1 (stable)`.
                    when r.to_version is not null then exists (
                        select from jsonb_array_elements(r.steps) as s (step)
                        where s.step->>'version' = split_part(f.software_version, ' ', 1))
                    -- Of all else only its orders tell. To read it, and to keep what it has, is no change.
                    else exists (
                        select from jobs j
                        where j.device_id = r.device_id and j.rollout_id = r.rollout_id
                          and j.kind not in ('refresh', 'upload') and j.attempts > 0)
                    end))
           and ($2::uuid is null or r.device_id > $2)
         order by r.device_id limit $3",
        rollout_id,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Which of these devices the rollout has already.
pub async fn known(
    pool: &PgPool,
    rollout_id: Uuid,
    devices: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select device_id from rollout_devices where rollout_id = $1 and device_id = any($2)",
        rollout_id,
        devices
    )
    .fetch_all(pool)
    .await
}
