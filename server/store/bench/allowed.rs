//! Boards that are served without a claim.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Boards that are served without a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Which.
    pub allowed_id: Uuid,
    /// `mac`, `oui` or `board`.
    pub kind: String,
    /// A MAC address, its first three bytes, or the identifier that boards announce.
    pub value: String,
    /// For people.
    pub note: String,
    /// Who said so.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// All of them, by kind and value.
pub async fn allowed(pool: &PgPool) -> Result<Vec<Allowed>, sqlx::Error> {
    sqlx::query_as!(
        Allowed,
        "select allowed_id, kind, value, note, created_by, created_at from bench_allowed
         order by kind, value"
    )
    .fetch_all(pool)
    .await
}

/// One of them.
pub async fn get_allowed(
    db: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<Option<Allowed>, sqlx::Error> {
    sqlx::query_as!(
        Allowed,
        "select allowed_id, kind, value, note, created_by, created_at from bench_allowed
         where allowed_id = $1",
        id
    )
    .fetch_optional(db)
    .await
}

/// What lets a board be served that nobody claimed: what names it most exactly.
pub async fn allowed_for(
    pool: &PgPool,
    mac: &str,
    board_id: Option<&str>,
) -> Result<Option<Allowed>, sqlx::Error> {
    sqlx::query_as!(
        Allowed,
        "select allowed_id, kind, value, note, created_by, created_at from bench_allowed
         where (kind = 'mac' and value = $1) or (kind = 'oui' and value = left($1, 8))
            or (kind = 'board' and value = $2)
         order by case kind when 'mac' then 0 when 'board' then 1 else 2 end limit 1",
        mac,
        board_id
    )
    .fetch_optional(pool)
    .await
}

/// How many there are.
pub async fn allowed_count(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "n!" from bench_allowed"#).fetch_one(conn).await
}

/// Stores one; false = it is there already.
pub async fn insert_allowed(conn: &mut PgConnection, entry: &Allowed) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into bench_allowed (allowed_id, kind, value, note, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (kind, value) do nothing",
        entry.allowed_id,
        entry.kind,
        entry.value,
        entry.note,
        entry.created_by,
        entry.created_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes one.
pub async fn delete_allowed(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from bench_allowed where allowed_id = $1", id).execute(conn).await?;
    Ok(())
}
