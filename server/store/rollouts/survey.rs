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
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// What backs it up.
    pub redundancy: Option<String>,
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
           from device_facts f left join device_packages i using (device_id)
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
        "select device_id, from_version, before, started_at from rollout_devices
         -- One that timed out never took its order; one that is left out may have been changed before.
         where rollout_id = $1 and started_at is not null
           and state in ('waiting', 'healthy', 'failed', 'skipped')
           and ($2::uuid is null or device_id > $2)
         order by device_id limit $3",
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
