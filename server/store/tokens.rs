//! Tokens of the REST API; only a hash of each is kept.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The part of the token that names it.
    pub token_id: Uuid,
    /// For people.
    pub name: String,
    /// What it may do: words of rights.
    pub scopes: Vec<String>,
    /// At which site and below; `None` = everywhere.
    pub site_id: Option<Uuid>,
    /// Path of that site.
    pub site: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Revoked at.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What proves a token, and what it then may.
pub struct Credential {
    /// SHA-256 of the secret.
    pub secret_hash: Vec<u8>,
    /// For people.
    pub name: String,
    /// Words of rights.
    pub scopes: Vec<String>,
    /// Path of the site; `None` = everywhere.
    pub site: Option<String>,
    /// When it ends; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Revoked at.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Stores a new token.
pub async fn insert(
    conn: &mut PgConnection,
    t: &Token,
    secret_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into api_tokens (token_id, name, secret_hash, scopes, site_id, created_by,
                                 created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        t.token_id,
        t.name,
        secret_hash,
        &t.scopes,
        t.site_id,
        t.created_by,
        t.created_at,
        t.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A token.
pub async fn get(db: impl PgExecutor<'_>, token_id: Uuid) -> Result<Option<Token>, sqlx::Error> {
    sqlx::query_as!(
        Token,
        r#"select t.token_id as "token_id!", t.name as "name!", t.scopes as "scopes!",
                  t.site_id as "site_id?", s.path::text as "site?", t.created_by as "created_by!",
                  t.created_at as "created_at!", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t left join sites s on s.site_id = t.site_id
           where t.token_id = $1"#,
        token_id
    )
    .fetch_optional(db)
    .await
}

/// What a request with a token is checked against; read with each one.
pub async fn credential(pool: &PgPool, token_id: Uuid) -> Result<Option<Credential>, sqlx::Error> {
    sqlx::query_as!(
        Credential,
        r#"select t.secret_hash as "secret_hash!", t.name as "name!", t.scopes as "scopes!",
                  s.path::text as "site?", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t left join sites s on s.site_id = t.site_id
           where t.token_id = $1"#,
        token_id
    )
    .fetch_optional(pool)
    .await
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
        r#"select t.token_id as "token_id!", t.name as "name!", t.scopes as "scopes!",
                  t.site_id as "site_id?", s.path::text as "site?", t.created_by as "created_by!",
                  t.created_at as "created_at!", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t left join sites s on s.site_id = t.site_id
           order by t.created_at desc, t.token_id"#
    )
    .fetch_all(pool)
    .await
}

/// Revokes a token; false = there is none that is not revoked.
pub async fn revoke(
    conn: &mut PgConnection,
    token_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update api_tokens set revoked_at = $2 where token_id = $1 and revoked_at is null",
        token_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
