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
    /// Whose it is; `None` = a program's.
    pub user_id: Option<Uuid>,
    /// What it may do, of what its user may where it has one: words of rights.
    pub scopes: Vec<String>,
    /// At which site and below.
    pub site_id: Option<Uuid>,
    /// Path of that site.
    pub site: Option<String>,
    /// For the devices of which group.
    pub group_id: Option<Uuid>,
    /// Name of that group.
    pub group: Option<String>,
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
    /// Whose it is; `None` = a program's.
    pub user_id: Option<Uuid>,
    /// Their login.
    pub login: Option<String>,
    /// Words of rights.
    pub scopes: Vec<String>,
    /// Path of the site, where it is for one.
    pub site: Option<String>,
    /// The group, where it is for one.
    pub group_id: Option<Uuid>,
    /// Its name.
    pub group: Option<String>,
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
                                 created_at, expires_at, user_id, group_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        t.token_id,
        t.name,
        secret_hash,
        &t.scopes,
        t.site_id,
        t.created_by,
        t.created_at,
        t.expires_at,
        t.user_id,
        t.group_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A token.
pub async fn get(db: impl PgExecutor<'_>, token_id: Uuid) -> Result<Option<Token>, sqlx::Error> {
    sqlx::query_as!(
        Token,
        r#"select t.token_id as "token_id!", t.name as "name!", t.user_id as "user_id?",
                  t.scopes as "scopes!", t.site_id as "site_id?", s.path::text as "site?",
                  t.group_id as "group_id?", m.name as "group?", t.created_by as "created_by!",
                  t.created_at as "created_at!", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t
           left join sites s on s.site_id = t.site_id
           left join groups m on m.group_id = t.group_id
           where t.token_id = $1"#,
        token_id
    )
    .fetch_optional(db)
    .await
}

/// What a request with a token is checked against; read with each one. Of somebody who may not log
/// in, or must change their password first, there is none.
pub async fn credential(pool: &PgPool, token_id: Uuid) -> Result<Option<Credential>, sqlx::Error> {
    sqlx::query_as!(
        Credential,
        r#"select t.secret_hash as "secret_hash!", t.name as "name!", t.user_id as "user_id?",
                  u.login as "login?", t.scopes as "scopes!", s.path::text as "site?",
                  t.group_id as "group_id?", m.name as "group?", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t
           left join sites s on s.site_id = t.site_id
           left join groups m on m.group_id = t.group_id
           left join users u on u.user_id = t.user_id
           where t.token_id = $1
             and (t.user_id is null or (u.disabled_at is null and not u.must_change))"#,
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

/// All tokens, or those of a user, newest first.
pub async fn list(pool: &PgPool, user_id: Option<Uuid>) -> Result<Vec<Token>, sqlx::Error> {
    sqlx::query_as!(
        Token,
        r#"select t.token_id as "token_id!", t.name as "name!", t.user_id as "user_id?",
                  t.scopes as "scopes!", t.site_id as "site_id?", s.path::text as "site?",
                  t.group_id as "group_id?", m.name as "group?", t.created_by as "created_by!",
                  t.created_at as "created_at!", t.expires_at as "expires_at?",
                  t.last_used_at as "last_used_at?", t.revoked_at as "revoked_at?"
           from api_tokens t
           left join sites s on s.site_id = t.site_id
           left join groups m on m.group_id = t.group_id
           where $1::uuid is null or t.user_id = $1
           order by t.created_at desc, t.token_id"#,
        user_id
    )
    .fetch_all(pool)
    .await
}

/// How many tokens a user has that are not revoked.
pub async fn count_of(conn: &mut PgConnection, user_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from api_tokens
           where user_id = $1 and revoked_at is null"#,
        user_id
    )
    .fetch_one(conn)
    .await
}

/// Revokes all tokens of a user; how many that were.
pub async fn revoke_all_of(
    conn: &mut PgConnection,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update api_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null",
        user_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
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
