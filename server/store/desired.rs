//! What is wanted of single devices, and how far they are from it.
//!
//! A device that nobody wants anything of has no row. Whoever changes what is compared says so by
//! [`touch`], in the same transaction: the time of the next comparison is written anew also where it
//! has come already, so that whoever compares at this moment sees by it that there is more.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::desired::differ::{Difference, Memory};
use crate::store::parameters::Document;

/// A device's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whose.
    pub device_id: Uuid,
    /// The profile that is bound to the device itself.
    pub profile_id: Option<Uuid>,
    /// Values for templates; those of secrets sealed (`fleet::variables`, context `device ID`).
    pub variables: Value,
    /// `fleet::profile::Wanted` by name of parameter: what was adopted from the device.
    pub overrides: Value,
    /// Differences that nobody wants to hear of.
    pub ignored: Vec<String>,
    /// When it is compared next.
    pub due_at: Option<DateTime<Utc>>,
    /// unmanaged, in_sync, pending, drifted, blocked.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// What differed.
    pub differences: Json<Vec<Difference>>,
    /// Since when something does.
    pub drifted_at: Option<DateTime<Utc>>,
    /// When it was compared last.
    pub compared_at: Option<DateTime<Utc>>,
    /// Of the script that it took last, or is to take.
    pub script_sha256: Option<Vec<u8>>,
    /// The template of that.
    pub script_template: Option<Uuid>,
    /// The template's version.
    pub script_version: Option<i32>,
    /// The job that brings or brought it.
    pub script_job: Option<Uuid>,
    /// When it was ordered.
    pub script_at: Option<DateTime<Utc>>,
    /// What the device said of it.
    pub script_report: Option<Value>,
    /// How often values were put back.
    pub undone: Json<Memory>,
    /// Failed attempts in a row.
    pub attempts: i32,
    /// When its configuration is kept next.
    pub backup_due_at: Option<DateTime<Utc>>,
    /// When what is wanted is read next.
    pub check_due_at: Option<DateTime<Utc>>,
    /// Of what was wanted when it was compared last.
    pub effective_hash: Option<Vec<u8>>,
    /// When it first was as it should be, or only told to differ, since it was let in, was reset, or got
    /// its script anew: from then on what comes up is drift.
    pub settled_at: Option<DateTime<Utc>>,
    /// When it first was all that is wanted of it since it was let in: until then it is new.
    pub first_settled_at: Option<DateTime<Utc>>,
    /// When it last came back without a configuration; written by its inform alone.
    pub reset_at: Option<DateTime<Utc>>,
    /// After failures nothing is tried before this time.
    pub blocked_until: Option<DateTime<Utc>>,
    /// By key, the jobs whose end was reckoned with.
    pub heard: Json<BTreeMap<String, Uuid>>,
}

impl Row {
    /// Of a device of which nothing is known yet.
    pub fn new(device_id: Uuid) -> Self {
        Self {
            device_id,
            profile_id: None,
            variables: Value::Object(serde_json::Map::new()),
            overrides: Value::Object(serde_json::Map::new()),
            ignored: Vec::new(),
            due_at: None,
            state: "unmanaged".to_owned(),
            reason: None,
            differences: Json(Vec::new()),
            drifted_at: None,
            compared_at: None,
            script_sha256: None,
            script_template: None,
            script_version: None,
            script_job: None,
            script_at: None,
            script_report: None,
            undone: Json(Memory::new()),
            attempts: 0,
            backup_due_at: None,
            check_due_at: None,
            effective_hash: None,
            settled_at: None,
            first_settled_at: None,
            reset_at: None,
            blocked_until: None,
            heard: Json(BTreeMap::new()),
        }
    }
}

/// What a device is compared by, beside its row.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whose.
    pub device_id: Uuid,
    /// As it says them.
    pub manufacturer: String,
    /// Six hex digits.
    pub oui: String,
    /// Serial number.
    pub serial: String,
    /// The marketing name.
    pub product_class: String,
    /// The board.
    pub model: Option<String>,
    /// System identity.
    pub identity: Option<String>,
    /// What it runs.
    pub version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Root of its data model.
    pub root: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// Waits for somebody to let it in.
    pub quarantined: bool,
    /// When it was let in by a claim, a rule or a person.
    pub admitted_at: Option<DateTime<Utc>>,
    /// A rollout is under way on it.
    pub in_rollout: bool,
    /// Its data model.
    pub document: Option<Json<Document>>,
    /// When that was read whole.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// When it changed.
    pub changed_at: Option<DateTime<Utc>>,
    /// What is installed.
    pub packages: Option<Value>,
    /// device-mode.
    pub device_mode: Option<String>,
    /// What device-mode lets be installed.
    pub allowed_versions: Option<String>,
    /// When it was given its credentials, or used them first.
    pub credentials_at: Option<DateTime<Utc>>,
    /// It was given others that it has not used yet.
    pub rotating: Option<bool>,
}

/// A job of Muster's own that closes, or closed, a difference: the newest of its key.
#[derive(Debug, Clone)]
pub struct OwnJob {
    /// Whose.
    pub device_id: Uuid,
    /// Which.
    pub job_id: Uuid,
    /// Its key.
    pub key: String,
    /// Its state.
    pub state: String,
    /// Attempts so far.
    pub attempts: i32,
    /// Why it is in that state.
    pub note: Option<String>,
    /// What the device said.
    pub fault: Option<Value>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The rows of these devices, as far as they have any.
pub async fn rows(db: impl PgExecutor<'_>, devices: &[Uuid]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select device_id, profile_id, variables, overrides, ignored, due_at, state, reason,
                  differences as "differences: Json<Vec<Difference>>", drifted_at, compared_at,
                  script_sha256, script_template, script_version, script_job, script_at,
                  script_report, undone as "undone: Json<Memory>", attempts, backup_due_at,
                  check_due_at, effective_hash, settled_at, first_settled_at, reset_at, blocked_until,
                  heard as "heard: Json<BTreeMap<String, Uuid>>"
           from device_desired where device_id = any($1)"#,
        devices
    )
    .fetch_all(db)
    .await
}

/// The row of a device; `None` = nobody wants anything of it alone, and it was never compared.
pub async fn get(db: impl PgExecutor<'_>, device_id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    Ok(rows(db, &[device_id]).await?.pop())
}

/// What these devices are compared by.
pub async fn facts(pool: &PgPool, devices: &[Uuid]) -> Result<Vec<Facts>, sqlx::Error> {
    sqlx::query_as!(
        Facts,
        r#"select f.device_id, f.manufacturer, f.oui, f.serial, f.product_class, f.model,
                  f.identity, f.software_version as version, f.arch, f.root, f.site::text as site,
                  f.customer, f.quarantined_at is not null as "quarantined!",
                  f.admitted_at,
                  exists (select from rollout_devices r
                          where r.device_id = f.device_id
                            and r.state in ('due', 'offered', 'downloading', 'rebooting',
                                            'verifying')) as "in_rollout!",
                  p.doc as "document?: Json<Document>", p.refreshed_at as "refreshed_at?",
                  p.changed_at as "changed_at?", i.packages as "packages?",
                  i.device_mode as "device_mode?", i.allowed_versions as "allowed_versions?",
                  c.updated_at as "credentials_at?",
                  (c.previous_sha256 is not null) as "rotating?"
           from device_facts f
           join devices d on d.device_id = f.device_id
           left join device_parameters p on p.device_id = f.device_id
           left join device_packages i on i.device_id = f.device_id
           left join device_credentials c on c.device_id = f.device_id
           where f.device_id = any($1)
           order by f.device_id"#,
        devices
    )
    .fetch_all(pool)
    .await
}

/// The newest job of each of Muster's own keys that count here, of these devices.
pub async fn own_jobs(
    db: impl PgExecutor<'_>,
    devices: &[Uuid],
) -> Result<Vec<OwnJob>, sqlx::Error> {
    sqlx::query_as!(
        OwnJob,
        r#"select distinct on (device_id, idempotency_key)
                  device_id, job_id, idempotency_key as "key!", state, attempts, note, fault,
                  finished_at
           from jobs
           where device_id = any($1)
             and (idempotency_key like 'muster:desired:%' or idempotency_key = 'muster:refresh'
                  or idempotency_key like 'muster:apply-log:%')
           order by device_id, idempotency_key, job_id desc"#,
        devices
    )
    .fetch_all(db)
    .await
}

/// Which of these devices were put into which of these groups.
pub async fn memberships(
    pool: &PgPool,
    devices: &[Uuid],
    groups: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select device_id, group_id from group_members
         where device_id = any($1) and group_id = any($2)",
        devices,
        groups
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.group_id)).collect())
}

/// Has a device compared now.
pub async fn touch(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_desired (device_id, due_at) values ($1, $2)
         on conflict (device_id) do update set due_at = excluded.due_at, leased_until = null",
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes devices that are to be compared, for a while: other nodes leave them alone.
pub async fn take_due(
    pool: &PgPool,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "update device_desired set leased_until = $1
         where device_id in (select device_id from device_desired
                             where due_at <= $2 and (leased_until is null or leased_until <= $2)
                             order by due_at limit $3)
           -- Looked at once more where another node had the row.
           and due_at <= $2 and (leased_until is null or leased_until <= $2)
         returning device_id",
        until,
        now,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Whether a device is to be compared.
pub async fn is_due(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from device_desired where device_id = $1 and due_at <= $2) as "due!""#,
        device_id,
        now
    )
    .fetch_one(db)
    .await
}

/// Writes what came of comparing a device, unless somebody wants it compared anew since `was_due`:
/// then it stays due. `anyhow` = whatever its time is by now; the device's row is locked.
pub async fn put(
    conn: &mut PgConnection,
    row: &Row,
    was_due: Option<DateTime<Utc>>,
    anyhow: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_desired as x (device_id, due_at, state, reason, differences, drifted_at,
                 compared_at, script_sha256, script_template, script_version, script_job, script_at,
                 script_report, undone, attempts, backup_due_at, check_due_at, effective_hash,
                 settled_at, blocked_until, heard, first_settled_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $20, $21, $22, $24)
         on conflict (device_id) do update set
             due_at = case when $23 or x.due_at is not distinct from $19 then excluded.due_at
                           else least(x.due_at, excluded.due_at) end,
             leased_until = null, state = excluded.state, reason = excluded.reason,
             differences = excluded.differences, drifted_at = excluded.drifted_at,
             compared_at = excluded.compared_at, script_sha256 = excluded.script_sha256,
             script_template = excluded.script_template, script_version = excluded.script_version,
             script_job = excluded.script_job, script_at = excluded.script_at,
             script_report = excluded.script_report, undone = excluded.undone,
             attempts = excluded.attempts, backup_due_at = excluded.backup_due_at,
             check_due_at = excluded.check_due_at, effective_hash = excluded.effective_hash,
             settled_at = excluded.settled_at, blocked_until = excluded.blocked_until,
             heard = excluded.heard, first_settled_at = excluded.first_settled_at",
        row.device_id,
        row.due_at,
        row.state,
        row.reason,
        &row.differences as _,
        row.drifted_at,
        row.compared_at,
        row.script_sha256.as_deref(),
        row.script_template,
        row.script_version,
        row.script_job,
        row.script_at,
        row.script_report,
        &row.undone as _,
        row.attempts,
        row.backup_due_at,
        row.check_due_at,
        row.effective_hash.as_deref(),
        was_due,
        row.settled_at,
        row.blocked_until,
        &row.heard as _,
        anyhow,
        row.first_settled_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes only when devices are compared next that were found as they were: each by when it was due.
pub async fn put_off(
    pool: &PgPool,
    devices: &[Uuid],
    was_due: &[Option<DateTime<Utc>>],
    due_at: &[Option<DateTime<Utc>>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_desired x
         set due_at = case when x.due_at is not distinct from n.was then n.due
                           else least(x.due_at, n.due) end,
             leased_until = null, compared_at = $4
         from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as n (device_id, was, due)
         where x.device_id = n.device_id",
        devices,
        was_due as &[Option<DateTime<Utc>>],
        due_at as &[Option<DateTime<Utc>>],
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Writes what differs of a device, with its state where that is nothing but whether something does, and
/// has it compared now. Its row is locked.
pub async fn set_differences(
    conn: &mut PgConnection,
    device_id: Uuid,
    differences: &Json<Vec<Difference>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_desired
         set differences = $2, due_at = $3, leased_until = null,
             drifted_at = case when $2::jsonb = '[]' then null else coalesce(drifted_at, $3) end,
             state = case when state not in ('in_sync', 'drifted') then state
                          when $2::jsonb = '[]' then 'in_sync' else 'drifted' end
         where device_id = $1",
        device_id,
        differences as _,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what a device said of the script that it took last, and has it compared now. Its row is
/// locked.
pub async fn set_report(
    conn: &mut PgConnection,
    device_id: Uuid,
    report: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_desired set script_report = $2, due_at = $3, leased_until = null
         where device_id = $1",
        device_id,
        report,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A device that was reset has taken no script.
pub async fn forget_script(conn: &mut PgConnection, device_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_desired
         set script_sha256 = null, script_report = null, attempts = 0, undone = '{}', settled_at = null,
             blocked_until = null
         where device_id = $1",
        device_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A device came back without its configuration at this time: it has taken no script.
pub async fn was_reset(
    conn: &mut PgConnection,
    device_id: Uuid,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    forget_script(conn, device_id).await?;
    sqlx::query!(
        "insert into device_desired (device_id, reset_at) values ($1, $2)
         on conflict (device_id) do update set reset_at = excluded.reset_at",
        device_id,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
