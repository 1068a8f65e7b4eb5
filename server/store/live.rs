//! The newest events of all devices, for who follows them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// An event with the device to which it happened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Which device.
    pub device_id: Uuid,
    /// Its serial.
    pub serial: String,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Which event.
    pub event_id: Uuid,
    /// `boot`, `job.done` ...
    pub kind: String,
    /// The job it belongs to.
    pub job_id: Option<Uuid>,
    /// Words and numbers.
    pub detail: Value,
}

/// Events at or after a time in their order, the first `limit`. Of devices that are still there.
pub async fn since(
    pool: &PgPool,
    from: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Happened>, sqlx::Error> {
    sqlx::query_as!(
        Happened,
        r#"select e.device_id, f.serial, f.site::text as site, e.at, e.event_id, e.kind, e.job_id,
                  e.detail
           from events e join device_facts f using (device_id)
           where e.at >= $1
           order by e.at, e.event_id
           limit $2"#,
        from,
        limit
    )
    .fetch_all(pool)
    .await
}
