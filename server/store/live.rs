//! The newest events of all devices, for who follows them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::within::Within;

/// An event with the device to which it happened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Which device.
    pub device_id: Uuid,
    /// Its serial.
    pub serial: String,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// The groups into which it was put.
    pub groups: Vec<Uuid>,
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
    /// Of devices within; `None` = of all.
    pub within: Option<Within>,
}

/// Events after a time and id in their order, the first `limit`. Of devices that are still there.
pub async fn since(
    pool: &PgPool,
    (at, id): (DateTime<Utc>, Uuid),
    of: &Of,
    limit: i64,
) -> Result<Vec<Happened>, sqlx::Error> {
    let (sites, groups) = Within::binds(of.within.as_ref());
    sqlx::query_as!(
        Happened,
        // The first condition says no more than the second, but it is what the index on the time
        // and the choice of partitions understand.
        r#"select e.device_id, f.serial, f.site::text as site,
                  array(select m.group_id from group_members m
                        where m.device_id = e.device_id) as "groups!",
                  e.at, e.event_id, e.kind, e.job_id, e.detail
           from events e join device_facts f using (device_id)
           where e.at >= $1 and (e.at, e.event_id) > ($1, $2::uuid)
             and ($3::uuid is null or e.device_id = $3)
             and ($4::text is null or starts_with(e.kind, $4))
             and ($5::text[] is null or f.site <@ any($5::text[]::ltree[])
                  or ($6::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($6::uuid[]))))
           order by e.at, e.event_id
           limit $7"#,
        at,
        id,
        of.device_id,
        of.kind.as_deref(),
        sites,
        groups,
        limit
    )
    .fetch_all(pool)
    .await
}
