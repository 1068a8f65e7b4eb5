//! The story of a rollout: append-only, newest last.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::store::within::Within;

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

/// The newest first, older than `before`; of devices only those within.
pub async fn list(
    pool: &PgPool,
    rollout_id: Uuid,
    within: Option<&Within>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoryRow>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        StoryRow,
        "select event_id, at, kind, actor, device_id, detail from rollout_events e
         where rollout_id = $1 and ($2::uuid is null or event_id < $2)
           and ($4::text[] is null or device_id is null or exists (
               select 1 from device_facts f
               where f.device_id = e.device_id and (f.site <@ any($4::text[]::ltree[])
                  or ($5::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m
                      where m.group_id = any($5::uuid[]))))))
         order by event_id desc limit $3",
        rollout_id,
        before,
        limit,
        sites,
        groups
    )
    .fetch_all(pool)
    .await
}
