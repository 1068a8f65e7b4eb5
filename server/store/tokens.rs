//! Tokens of the REST API; only a hash of each is kept.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// A token without its secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// The part of the token that names it.
    pub token_id: Uuid,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Revoked at.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Stores a new token.
pub async fn insert(pool: &PgPool, t: &Token, secret_hash: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into api_tokens (token_id, name, secret_hash, scopes, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        t.token_id,
        t.name,
        secret_hash,
        &t.scopes,
        t.created_at,
        t.expires_at
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A token and the hash of its secret.
pub async fn get(pool: &PgPool, token_id: Uuid) -> Result<Option<(Token, Vec<u8>)>, sqlx::Error> {
    let row = sqlx::query!(
        "select token_id, name, secret_hash, scopes, created_at, expires_at, last_used_at,
                revoked_at
         from api_tokens where token_id = $1",
        token_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|r| {
        let token = Token {
            token_id: r.token_id,
            name: r.name,
            scopes: r.scopes,
            created_at: r.created_at,
            expires_at: r.expires_at,
            last_used_at: r.last_used_at,
            revoked_at: r.revoked_at,
        };
        (token, r.secret_hash)
    }))
}

/// Notes a use, at most once a minute.
pub async fn used(pool: &PgPool, token_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update api_tokens set last_used_at = $2
         where token_id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')",
        token_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// All tokens, newest first.
pub async fn list(pool: &PgPool) -> Result<Vec<Token>, sqlx::Error> {
    sqlx::query_as!(
        Token,
        "select token_id, name, scopes, created_at, expires_at, last_used_at, revoked_at
         from api_tokens order by created_at desc"
    )
    .fetch_all(pool)
    .await
}

/// Revokes a token.
pub async fn revoke(
    pool: &PgPool,
    token_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update api_tokens set revoked_at = $2 where token_id = $1 and revoked_at is null",
        token_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}
