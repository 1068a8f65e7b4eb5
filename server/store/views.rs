//! Saved views: selectors that people keep, of the device list.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// UUIDv7: the order in which views were made.
    pub view_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Their login.
    pub owner: String,
    /// For people.
    pub name: String,
    /// Which devices; empty = all.
    pub selector: String,
    /// What is shown of each, in this order.
    pub columns: Vec<String>,
    /// Everybody sees it.
    pub shared: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Keeps every other change of a user's views out until the transaction ends.
pub async fn lock(conn: &mut PgConnection, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("select 1 as one from users where user_id = $1 for no key update", user_id)
        .fetch_optional(conn)
        .await?;
    Ok(())
}

/// Stores a new view; false = its owner has one of this name.
pub async fn insert(conn: &mut PgConnection, view: &SavedView) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into saved_views (view_id, user_id, name, selector, columns, shared, created_at,
                                  updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (user_id, name) do nothing",
        view.view_id,
        view.user_id,
        view.name,
        view.selector,
        &view.columns,
        view.shared,
        view.created_at,
        view.updated_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many views somebody has.
pub async fn count(conn: &mut PgConnection, user_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from saved_views where user_id = $1"#,
        user_id
    )
    .fetch_one(conn)
    .await
}

/// One view.
pub async fn get(db: impl PgExecutor<'_>, view_id: Uuid) -> Result<Option<SavedView>, sqlx::Error> {
    sqlx::query_as!(
        SavedView,
        "select view_id, user_id, u.login as owner, name, selector, columns, shared, v.created_at,
                v.updated_at
         from saved_views v join users u using (user_id)
         where view_id = $1",
        view_id
    )
    .fetch_optional(db)
    .await
}

/// Somebody's own views and those that are shared, in the order in which they were made, after one;
/// of nobody only the shared ones.
pub async fn list(
    pool: &PgPool,
    user_id: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SavedView>, sqlx::Error> {
    sqlx::query_as!(
        SavedView,
        "select view_id, user_id, u.login as owner, name, selector, columns, shared, v.created_at,
                v.updated_at
         from saved_views v join users u using (user_id)
         where (shared or user_id = $1) and ($2::uuid is null or view_id > $2)
         order by view_id limit $3",
        user_id,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Writes what may change of a view, under [`lock`]; false = its owner has another one of this name.
pub async fn update(conn: &mut PgConnection, view: &SavedView) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update saved_views set name = $2, selector = $3, columns = $4, shared = $5, updated_at = $6
         where view_id = $1 and not exists (
             select from saved_views other
             where other.user_id = $7 and other.name = $2 and other.view_id <> $1)",
        view.view_id,
        view.name,
        view.selector,
        &view.columns,
        view.shared,
        view.updated_at,
        view.user_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes a view.
pub async fn delete(conn: &mut PgConnection, view_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from saved_views where view_id = $1", view_id).execute(conn).await?;
    Ok(())
}
