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
}

/// Stores a new view; false = its owner has one of this name.
pub async fn insert(conn: &mut PgConnection, view: &SavedView) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into saved_views (view_id, user_id, name, selector, columns, shared, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (user_id, name) do nothing",
        view.view_id,
        view.user_id,
        view.name,
        view.selector,
        &view.columns,
        view.shared,
        view.created_at
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
        "select view_id, user_id, u.login as owner, name, selector, columns, shared, v.created_at
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
        "select view_id, user_id, u.login as owner, name, selector, columns, shared, v.created_at
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

/// Removes a view.
pub async fn delete(conn: &mut PgConnection, view_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from saved_views where view_id = $1", view_id).execute(conn).await?;
    Ok(())
}
