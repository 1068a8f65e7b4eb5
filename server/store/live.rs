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

/// Which events; by default all.
#[derive(Debug, Clone, Default)]
pub struct Of {
    /// Of one device.
    pub device_id: Option<Uuid>,
    /// Of kinds that begin so.
    pub kind: Option<String>,
    /// Of devices at these sites and below.
    pub under: Option<Vec<String>>,
}

/// Events after a time and id in their order, the first `limit`. Of devices that are still there.
pub async fn since(
    pool: &PgPool,
    (at, id): (DateTime<Utc>, Uuid),
    of: &Of,
    limit: i64,
) -> Result<Vec<Happened>, sqlx::Error> {
    sqlx::query_as!(
        Happened,
        // The first condition says no more than the second, but it is what the index on the time
        // and the choice of partitions understand.
        r#"select e.device_id, f.serial, f.site::text as site, e.at, e.event_id, e.kind, e.job_id,
                  e.detail
           from events e join device_facts f using (device_id)
           where e.at >= $1 and (e.at, e.event_id) > ($1, $2::uuid)
             and ($3::uuid is null or e.device_id = $3)
             and ($4::text is null or starts_with(e.kind, $4))
             and ($5::text[] is null or f.site <@ any($5::text[]::ltree[]))
           order by e.at, e.event_id
           limit $6"#,
        at,
        id,
        of.device_id,
        of.kind.as_deref(),
        of.under.as_deref(),
        limit
    )
    .fetch_all(pool)
    .await
}
