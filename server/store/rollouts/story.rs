//! The story of a rollout: append-only, newest last.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Something that happened in a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryRow {
    /// UUIDv7: the order.
    pub event_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `state`, `wave`, `device` ...
    pub kind: String,
    /// Who.
    pub actor: String,
    /// Whose, where it is about one device.
    pub device_id: Option<Uuid>,
    /// `text` in words, and the numbers.
    pub detail: Value,
}

/// Appends to it.
pub async fn append(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    kind: &str,
    actor: &str,
    device_id: Option<Uuid>,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rollout_events (rollout_id, event_id, at, kind, actor, device_id, detail)
         values ($1, $2, $3, $4, $5, $6, $7)",
        rollout_id,
        Uuid::now_v7(),
        now,
        kind,
        actor,
        device_id,
        detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest first, older than `before`; of devices only those that stand at these sites and below,
/// if sites are named.
pub async fn list(
    pool: &PgPool,
    rollout_id: Uuid,
    within: Option<&[String]>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoryRow>, sqlx::Error> {
    sqlx::query_as!(
        StoryRow,
        "select event_id, at, kind, actor, device_id, detail from rollout_events e
         where rollout_id = $1 and ($2::uuid is null or event_id < $2)
           and ($4::text[] is null or device_id is null or exists (
               select 1 from device_facts f
               where f.device_id = e.device_id and f.site <@ any($4::text[]::ltree[])))
         order by event_id desc limit $3",
        rollout_id,
        before,
        limit,
        within
    )
    .fetch_all(pool)
    .await
}
