//! Groups: named sets of devices, by list or by selector.
//!
//! Whatever makes, changes or removes a group holds [`lock`], so that no selector comes to name a
//! group that is not there, or itself.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub group_id: Uuid,
    /// What selectors call it.
    pub name: String,
    /// For people.
    pub description: String,
    /// Which devices; `None` = those that were put into it.
    pub selector: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed, its members apart.
    pub updated_at: DateTime<Utc>,
}

/// Keeps every other change of groups out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.groups'))").execute(conn).await?;
    Ok(())
}

/// Stores a new group.
pub async fn insert(conn: &mut PgConnection, group: &Group) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into groups (group_id, name, description, selector, created_by, created_at,
                             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        group.group_id,
        group.name,
        group.description,
        group.selector,
        group.created_by,
        group.created_at,
        group.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One group.
pub async fn get(db: impl PgExecutor<'_>, group_id: Uuid) -> Result<Option<Group>, sqlx::Error> {
    sqlx::query_as!(Group, "select * from groups where group_id = $1", group_id)
        .fetch_optional(db)
        .await
}

/// The groups of these names.
pub async fn named(pool: &PgPool, names: &[String]) -> Result<Vec<Group>, sqlx::Error> {
    sqlx::query_as!(Group, "select * from groups where name = any($1)", names).fetch_all(pool).await
}

/// In order of their names, after a name.
pub async fn list(
    pool: &PgPool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Group>, sqlx::Error> {
    sqlx::query_as!(
        Group,
        "select * from groups where $1::text is null or name > $1 order by name limit $2",
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Names that begin with this text, in either case, in order.
pub async fn beginning(pool: &PgPool, text: &str, limit: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from groups where starts_with(lower(name), lower($1::text))
         order by name limit $2",
        text,
        limit
    )
    .fetch_all(pool)
    .await
}

/// All of them.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Group>, sqlx::Error> {
    sqlx::query_as!(Group, "select * from groups").fetch_all(conn).await
}

/// Writes what may change of a group.
pub async fn update(conn: &mut PgConnection, group: &Group) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update groups set name = $2, description = $3, selector = $4, updated_at = $5
         where group_id = $1",
        group.group_id,
        group.name,
        group.description,
        group.selector,
        group.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Who may do something with a group's devices because they are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// Logins of users.
    pub users: Vec<String>,
    /// Names of tokens that are not revoked.
    pub tokens: Vec<String>,
}

/// Who was granted something for a group.
pub async fn holders(conn: &mut PgConnection, group_id: Uuid) -> Result<Holders, sqlx::Error> {
    let users = sqlx::query_scalar!(
        r#"select distinct u.login as "login!" from user_grants g join users u using (user_id)
           where g.group_id = $1 order by 1"#,
        group_id
    )
    .fetch_all(&mut *conn)
    .await?;
    let tokens = sqlx::query_scalar!(
        "select name from api_tokens where group_id = $1 and revoked_at is null order by name",
        group_id
    )
    .fetch_all(conn)
    .await?;
    Ok(Holders { users, tokens })
}

/// The groups into which a device was put. With its row locked they stay the same.
pub async fn of_device(db: impl PgExecutor<'_>, device_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select group_id from group_members where device_id = $1", device_id)
        .fetch_all(db)
        .await
}

/// Which of these devices were put into one of these groups.
pub async fn members_among(
    db: impl PgExecutor<'_>,
    groups: &[Uuid],
    devices: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select distinct device_id from group_members
         where device_id = any($1) and group_id = any($2)",
        devices,
        groups
    )
    .fetch_all(db)
    .await
}

/// Removes a group and the list of its members. Revoked tokens are good nowhere: they stop naming it.
pub async fn delete(conn: &mut PgConnection, group_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update api_tokens set group_id = null where group_id = $1 and revoked_at is not null",
        group_id
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from group_members where group_id = $1", group_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from groups where group_id = $1", group_id).execute(conn).await?;
    Ok(())
}

/// Puts a device into a group; false = it was in it.
pub async fn add_member(
    conn: &mut PgConnection,
    group_id: Uuid,
    device_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into group_members (device_id, group_id) values ($1, $2) on conflict do nothing",
        device_id,
        group_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes a device out of a group; false = it was not in it.
pub async fn remove_member(
    conn: &mut PgConnection,
    group_id: Uuid,
    device_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from group_members where device_id = $1 and group_id = $2",
        device_id,
        group_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
