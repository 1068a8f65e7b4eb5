//! What devices said, through a script or a direct connection, that CWMP cannot tell: what is
//! installed, RouterBOOT, device-mode.

use chrono::{DateTime, Utc};
use muster_routeros::inspect::Installed;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// What one device said.
#[derive(Debug, Clone)]
pub struct DevicePackages {
    /// What is installed, also what is switched off.
    pub packages: Json<Vec<Installed>>,
    /// The RouterBOOT that runs.
    pub booter_current: Option<String>,
    /// The RouterBOOT that its RouterOS brings.
    pub booter_upgrade: Option<String>,
    /// device-mode.
    pub device_mode: Option<String>,
    /// What device-mode lets be installed.
    pub allowed_versions: Option<String>,
    /// How it was learned: `script` or `rest`.
    pub source: String,
    /// When.
    pub learned_at: DateTime<Utc>,
}

/// What this device said last.
pub async fn get(
    executor: impl PgExecutor<'_>,
    device_id: Uuid,
) -> Result<Option<DevicePackages>, sqlx::Error> {
    sqlx::query_as!(
        DevicePackages,
        r#"select packages as "packages: Json<Vec<Installed>>", booter_current, booter_upgrade,
                  device_mode, allowed_versions, source, learned_at
           from device_packages where device_id = $1"#,
        device_id
    )
    .fetch_optional(executor)
    .await
}

/// Puts what it said in place of what it said before.
pub async fn put(
    conn: &mut PgConnection,
    device_id: Uuid,
    said: &DevicePackages,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_packages
             (device_id, packages, booter_current, booter_upgrade, device_mode, allowed_versions,
              source, learned_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (device_id) do update set
             packages = excluded.packages,
             booter_current = excluded.booter_current,
             booter_upgrade = excluded.booter_upgrade,
             device_mode = excluded.device_mode,
             allowed_versions = excluded.allowed_versions,
             source = excluded.source,
             learned_at = excluded.learned_at",
        device_id,
        &said.packages as _,
        said.booter_current,
        said.booter_upgrade,
        said.device_mode,
        said.allowed_versions,
        said.source,
        said.learned_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a device is, as far as that decides what it may be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The version that it runs, as it says.
    pub version: Option<String>,
    /// Its architecture, as it says.
    pub arch: Option<String>,
}

/// Devices that are alike in what decides whether one undoes a script by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its log says what became of a script.
    pub tells: bool,
    /// device-mode.
    pub device_mode: Option<String>,
    /// The version that they run.
    pub version: Option<String>,
    /// How many.
    pub devices: i64,
}

/// Of which kinds these devices are.
pub async fn kinds(db: impl PgExecutor<'_>, devices: &[Uuid]) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        r#"select coalesce(is_routeros(f.manufacturer), false) as "tells!",
                  i.device_mode as "device_mode?", f.software_version as version,
                  count(*) as "devices!"
           from device_facts f left join device_packages i using (device_id)
           where f.device_id = any($1) group by 1, 2, 3"#,
        devices
    )
    .fetch_all(db)
    .await
}

/// What a device runs; nothing for one that is not known.
pub async fn runs(conn: &mut PgConnection, device_id: Uuid) -> Result<Runs, sqlx::Error> {
    let runs = sqlx::query_as!(
        Runs,
        "select software_version as version, arch from device_facts where device_id = $1",
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(runs.unwrap_or_default())
}

/// The architecture, where the device's data model does not tell it.
pub async fn learn_arch(
    conn: &mut PgConnection,
    device_id: Uuid,
    arch: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_facts set arch = $2, updated_at = $3 where device_id = $1 and arch is null",
        device_id,
        arch,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
