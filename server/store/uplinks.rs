//! Which device reaches the network through which, and which back each other up: what paces rollouts.
//! Written with the rest of what operators say of a device, by `store::sites::place`.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// With which others a device goes together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    /// The device through which it reaches the network.
    pub uplink: Option<Uuid>,
    /// Devices with the same label back each other up.
    pub redundancy: Option<String>,
}

/// The ties of a device; none where there is no device.
pub async fn ties(db: impl PgExecutor<'_>, device_id: Uuid) -> Result<Ties, sqlx::Error> {
    let row = sqlx::query_as!(
        Ties,
        "select uplink, redundancy from device_facts where device_id = $1",
        device_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.unwrap_or_default())
}

/// The devices with this id or this serial number, a few, with the sites where they stand. They are
/// not locked: two devices that are made each other's uplink would wait for each other.
pub async fn named(
    conn: &mut PgConnection,
    device_id: Option<Uuid>,
    serial: Option<&str>,
) -> Result<Vec<(Uuid, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select device_id, site::text as "site?" from device_facts
           where device_id = $1 or serial = $2 order by device_id limit 10"#,
        device_id,
        serial
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.site)).collect())
}

/// Whether a device reaches the network through another one, over as many as it takes.
pub async fn hangs_on(
    conn: &mut PgConnection,
    device_id: Uuid,
    on: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        // `union` drops what it has seen: also a ring comes to its end.
        r#"with recursive above (device_id) as (
               select $1::uuid
               union
               select f.uplink from above a join device_facts f using (device_id)
               where f.uplink is not null
           )
           select exists (select from above where device_id = $2) as "hangs!""#,
        device_id,
        on
    )
    .fetch_one(conn)
    .await
}
