//! Answers to POSTs that named an `Idempotency-Key`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Hash of the request that came with it first.
    pub request_hash: Vec<u8>,
    /// Status of its answer; `None` = it has none yet.
    pub status: Option<i16>,
    /// Headers of its answer, by name.
    pub headers: Option<Value>,
    /// Body of its answer, sealed.
    pub body: Option<Vec<u8>>,
}

/// Takes a key for a request. `None` = it was free and is taken now.
pub async fn take(
    pool: &PgPool,
    actor_id: Uuid,
    key: &str,
    request_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Kept>, sqlx::Error> {
    let made = sqlx::query!(
        "insert into idempotency_keys (actor_id, key, request_hash, created_at)
         values ($1, $2, $3, $4) on conflict do nothing",
        actor_id,
        key,
        request_hash,
        now
    )
    .execute(pool)
    .await?;
    if made.rows_affected() > 0 {
        return Ok(None);
    }
    sqlx::query_as!(
        Kept,
        "select request_hash, status, headers, body from idempotency_keys
         where actor_id = $1 and key = $2",
        actor_id,
        key
    )
    .fetch_optional(pool)
    .await
}

/// Keeps the answer.
pub async fn answered(
    pool: &PgPool,
    actor_id: Uuid,
    key: &str,
    status: i16,
    headers: &Value,
    body: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update idempotency_keys set status = $3, headers = $4, body = $5
         where actor_id = $1 and key = $2",
        actor_id,
        key,
        status,
        headers,
        body
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives a key back: its request did nothing.
pub async fn free(pool: &PgPool, actor_id: Uuid, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from idempotency_keys where actor_id = $1 and key = $2", actor_id, key)
        .execute(pool)
        .await?;
    Ok(())
}

/// Forgets keys older than `before`.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("delete from idempotency_keys where created_at < $1", before)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}
