//! What devices log in with, and what they are woken with.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A device's credentials. Passwords are sealed; HA1 is kept where a login is verified.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who.
    pub device_id: Uuid,
    /// `OUI-Serial`.
    pub username: String,
    /// HA1 by MD5.
    pub ha1_md5: String,
    /// HA1 by SHA-256.
    pub ha1_sha256: String,
    /// Password, sealed.
    pub sealed: Vec<u8>,
    /// The device has logged in with it.
    pub confirmed: bool,
    /// For connection requests.
    pub wake_username: String,
    /// Sealed.
    pub wake_sealed: Vec<u8>,
    /// Until when it may enrol again.
    pub enrol_until: Option<DateTime<Utc>>,
    /// HA1 by MD5 of the credential before, while the device has not used the new one.
    pub previous_md5: Option<String>,
    /// The same by SHA-256.
    pub previous_sha256: Option<String>,
}

/// Those of many devices in one statement.
pub async fn of_devices(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Credentials>, sqlx::Error> {
    sqlx::query_as!(
        Credentials,
        "select device_id, username, ha1_md5, ha1_sha256, sealed, confirmed, wake_username,
                wake_sealed, enrol_until, previous_md5, previous_sha256
         from device_credentials where device_id = any($1)",
        ids
    )
    .fetch_all(pool)
    .await
}

/// Those of one device, within a transaction.
pub async fn get(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as!(
        Credentials,
        "select device_id, username, ha1_md5, ha1_sha256, sealed, confirmed, wake_username,
                wake_sealed, enrol_until, previous_md5, previous_sha256
         from device_credentials where device_id = $1",
        device_id
    )
    .fetch_optional(conn)
    .await
}

/// Stores new ones, in place of any before.
pub async fn put(
    conn: &mut PgConnection,
    c: &Credentials,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into device_credentials (device_id, username, ha1_md5, ha1_sha256, sealed,
            confirmed, wake_username, wake_sealed, enrol_until, updated_at, previous_md5,
            previous_sha256)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (device_id) do update set
            username = excluded.username,
            ha1_md5 = excluded.ha1_md5,
            ha1_sha256 = excluded.ha1_sha256,
            sealed = excluded.sealed,
            confirmed = excluded.confirmed,
            wake_username = excluded.wake_username,
            wake_sealed = excluded.wake_sealed,
            enrol_until = excluded.enrol_until,
            reenrol_asked_at = null,
            updated_at = excluded.updated_at,
            previous_md5 = excluded.previous_md5,
            previous_sha256 = excluded.previous_sha256
        "#,
        c.device_id,
        c.username,
        c.ha1_md5,
        c.ha1_sha256,
        c.sealed,
        c.confirmed,
        c.wake_username,
        c.wake_sealed,
        c.enrol_until,
        now,
        c.previous_md5,
        c.previous_sha256
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The device has logged in with this credential of its own: enrolment is closed to it from now on,
/// but for a window that somebody opened. False = it has another by now, or this was known.
pub async fn confirm(
    conn: &mut PgConnection,
    device_id: Uuid,
    ha1_sha256: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update device_credentials
         set confirmed = true, previous_md5 = null, previous_sha256 = null, updated_at = $3
         where device_id = $1 and ha1_sha256 = $2 and not confirmed",
        device_id,
        ha1_sha256,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Opens enrolment to a device until a time.
pub async fn allow_enrolment(
    conn: &mut PgConnection,
    device_id: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update device_credentials set enrol_until = $2, reenrol_asked_at = null, updated_at = $3
         where device_id = $1",
        device_id,
        until,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that the device knocked with the enrolment credential and was refused. True = the first
/// time since somebody looked.
pub async fn note_knock(
    pool: &PgPool,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update device_credentials set reenrol_asked_at = $2
         where device_id = $1 and reenrol_asked_at is null",
        device_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}
