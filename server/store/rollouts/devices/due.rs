//! Devices of a rollout that are to be looked at, with what is stored of them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// A device that is to be looked at, with what is stored of it.
#[derive(Debug, Clone)]
pub struct DueRow {
    /// Whose.
    pub device_id: Uuid,
    /// In which wave.
    pub wave: Option<i32>,
    /// `rollout::state::DeviceState`, as its word.
    pub state: String,
    /// `rollout::device::Step`s.
    pub steps: Value,
    /// Which of these it is at.
    pub step: i32,
    /// How often this one was begun.
    pub attempts: i32,
    /// The job of this step.
    pub job_id: Option<Uuid>,
    /// What to write to take it back, sealed.
    pub before: Option<Value>,
    /// What it ran when it was taken in.
    pub from_version: Option<String>,
    /// How well it was before.
    pub baseline: Option<Value>,
    /// When it is to be looked at.
    pub due_at: Option<DateTime<Utc>>,
    /// Until when it may be in this state.
    pub deadline_at: Option<DateTime<Utc>>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// For people.
    pub serial: String,
    /// Where it stands now.
    pub site: Option<String>,
    /// What it runs now.
    pub version: Option<String>,
    /// When it booted last.
    pub last_boot: Option<DateTime<Utc>>,
    /// When it informed last.
    pub last_inform: DateTime<Utc>,
    /// The parameters; only where `documents` was asked for or its state needs them.
    pub document: Option<Value>,
    /// How often it informs, in seconds, as far as it is known.
    pub interval: Option<String>,
    /// When all of them were last read.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Its counters.
    pub counters: Option<Value>,
    /// Its RouterBOOT.
    pub booter_current: Option<String>,
    /// The one that its RouterOS brings.
    pub booter_upgrade: Option<String>,
    /// When it said so.
    pub inspected_at: Option<DateTime<Utc>>,
    /// When its job was made.
    pub job_created_at: Option<DateTime<Utc>>,
    /// State of its job.
    pub job_state: Option<String>,
    /// Kind of its job.
    pub job_kind: Option<String>,
    /// How often its job was begun.
    pub job_attempts: Option<i32>,
    /// Fault of its job.
    pub job_fault: Option<Value>,
    /// Note of its job.
    pub job_note: Option<String>,
    /// When its job ended.
    pub job_ended_at: Option<DateTime<Utc>>,
    /// Result of its job.
    pub job_result: Option<Value>,
}

macro_rules! looked_at {
    ($which:tt, $($arg:expr),+) => {
        sqlx::query_as!(
            DueRow,
            r#"select r.device_id, r.wave, r.state, r.steps, r.step, r.attempts, r.job_id, r.before, r.from_version,
                      r.baseline, r.due_at, r.deadline_at, r.started_at, r.changed_at,
                      f.serial, f.site::text as site, f.software_version as version, f.last_boot, d.last_inform,
                      case when r.state in ('waiting', 'due', 'verifying', 'healthy')
                           then p.doc end as document,
                      coalesce(
                          p.doc #>> '{Device.ManagementServer.PeriodicInformInterval,v}',
                          p.doc #>> '{InternetGatewayDevice.ManagementServer.PeriodicInformInterval,v}'
                      ) as interval,
                      p.refreshed_at as "refreshed_at?", c.doc as "counters?",
                      i.booter_current as "booter_current?", i.booter_upgrade as "booter_upgrade?",
                      i.learned_at as "inspected_at?",
                      j.created_at as "job_created_at?",
                      j.state as "job_state?", j.kind as "job_kind?", j.attempts as "job_attempts?",
                      j.fault as "job_fault?",
                      j.note as "job_note?", j.finished_at as "job_ended_at?", j.result as "job_result?"
               from rollout_devices r
               join device_facts f using (device_id)
               join devices d using (device_id)
               left join device_parameters p using (device_id)
               left join device_counters c using (device_id)
               left join device_packages i using (device_id)
               left join jobs j on j.device_id = r.device_id and j.job_id = r.job_id
               where "# + $which,
            $($arg),+
        )
    };
}

/// The devices that are due, those first that have been so for longest.
pub async fn due(
    db: impl PgExecutor<'_>,
    rollout_id: Uuid,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DueRow>, sqlx::Error> {
    looked_at!(
        r#"r.rollout_id = $1 and r.due_at <= $2
               and r.state in ('due', 'offered', 'downloading', 'rebooting', 'verifying', 'healthy')
           order by r.due_at limit $3"#,
        rollout_id,
        now,
        limit
    )
    .fetch_all(db)
    .await
}

/// The sites of those of the devices that are due that may not have been changed yet.
pub async fn sites(
    db: impl PgExecutor<'_>,
    rollout_id: Uuid,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct f.site::text as "site!"
           from (select device_id from rollout_devices
                 where rollout_id = $1 and due_at <= $2
                   and state in ('due', 'offered', 'downloading') and changed_at is null
                 order by due_at limit $3) as due
           join device_facts f using (device_id)
           where f.site is not null"#,
        rollout_id,
        now,
        limit
    )
    .fetch_all(db)
    .await
}

/// These devices, in the order of their ids.
pub async fn some(
    db: impl PgExecutor<'_>,
    rollout_id: Uuid,
    devices: &[Uuid],
) -> Result<Vec<DueRow>, sqlx::Error> {
    looked_at!(
        "r.rollout_id = $1 and r.device_id = any($2) order by r.device_id",
        rollout_id,
        devices
    )
    .fetch_all(db)
    .await
}
