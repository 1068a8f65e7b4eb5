//! Roles: sets of rights with a name. Changed only under [`super::users::lock`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A role.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Which.
    pub role_id: Uuid,
    /// Unique.
    pub name: String,
    /// For people.
    pub description: String,
    /// Words of rights.
    pub rights: Vec<String>,
    /// The policy of the support view; `None` = as shipped.
    pub support: Option<Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A role that a user has somewhere, with what it allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Words of rights.
    pub rights: Vec<String>,
    /// The policy of the support view.
    pub support: Option<Value>,
    /// Path of the site, where it is for one.
    pub site: Option<String>,
    /// The group, where it is for one.
    pub group_id: Option<Uuid>,
    /// Its name.
    pub group: Option<String>,
}

/// All of them, in order of names.
pub async fn list(pool: &PgPool) -> Result<Vec<Role>, sqlx::Error> {
    sqlx::query_as!(Role, "select * from roles order by name").fetch_all(pool).await
}

/// One role.
pub async fn get(db: impl PgExecutor<'_>, role_id: Uuid) -> Result<Option<Role>, sqlx::Error> {
    sqlx::query_as!(Role, "select * from roles where role_id = $1", role_id)
        .fetch_optional(db)
        .await
}

/// The roles of these names.
pub async fn named(db: impl PgExecutor<'_>, names: &[String]) -> Result<Vec<Role>, sqlx::Error> {
    sqlx::query_as!(Role, "select * from roles where name = any ($1) order by name", names)
        .fetch_all(db)
        .await
}

/// What a user has, and where.
pub async fn held(db: impl PgExecutor<'_>, user_id: Uuid) -> Result<Vec<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"select r.rights as "rights!", r.support as "support?", s.path::text as "site?",
                  g.group_id as "group_id?", m.name as "group?"
           from user_grants g
           join roles r on r.role_id = g.role_id
           left join sites s on s.site_id = g.site_id
           left join groups m on m.group_id = g.group_id
           where g.user_id = $1"#,
        user_id
    )
    .fetch_all(db)
    .await
}

/// Stores a new role.
pub async fn insert(conn: &mut PgConnection, role: &Role) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into roles (role_id, name, description, rights, support, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        role.role_id,
        role.name,
        role.description,
        &role.rights,
        role.support,
        role.created_at,
        role.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what may change of a role.
pub async fn update(conn: &mut PgConnection, role: &Role) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update roles set name = $2, description = $3, rights = $4, support = $5, updated_at = $6
         where role_id = $1",
        role.role_id,
        role.name,
        role.description,
        &role.rights,
        role.support,
        role.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Users who have it.
pub async fn holders(conn: &mut PgConnection, role_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(distinct user_id) as "count!" from user_grants where role_id = $1"#,
        role_id
    )
    .fetch_one(conn)
    .await
}

/// Users who have each role; a role that nobody has is not among them.
pub async fn all_holders(pool: &PgPool) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select role_id, count(distinct user_id) as "users!" from user_grants group by role_id"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.role_id, row.users)).collect())
}

/// Removes a role that nobody has.
pub async fn delete(conn: &mut PgConnection, role_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from roles where role_id = $1", role_id).execute(conn).await?;
    Ok(())
}
