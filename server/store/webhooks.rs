//! Webhooks: who is told what happens.
//!
//! Whatever makes, changes or removes one holds [`lock`], so that no two come to have one name.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Which.
    pub webhook_id: Uuid,
    /// As people call it.
    pub name: String,
    /// `http` or `email`.
    pub transport: String,
    /// A URL or a mail address.
    pub target: String,
    /// What signs what is sent, sealed; `None` = it is mail.
    pub secret_sealed: Option<Vec<u8>>,
    /// Words of kinds of events.
    pub kinds: Vec<String>,
    /// Only of devices at this site and below; `None` = of everything.
    pub site: Option<String>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Keeps every other change of webhooks out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.webhooks'))").execute(conn).await?;
    Ok(())
}

/// Stores a new one.
pub async fn insert(conn: &mut PgConnection, w: &Webhook) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into webhooks (webhook_id, name, transport, target, secret_sealed, kinds, site,
                               enabled, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7::text::ltree, $8, $9, $10, $11)",
        w.webhook_id,
        w.name,
        w.transport,
        w.target,
        w.secret_sealed,
        &w.kinds,
        w.site,
        w.enabled,
        w.created_by,
        w.created_at,
        w.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One of them.
pub async fn get(
    db: impl PgExecutor<'_>,
    webhook_id: Uuid,
) -> Result<Option<Webhook>, sqlx::Error> {
    sqlx::query_as!(
        Webhook,
        r#"select webhook_id, name, transport, target, secret_sealed, kinds,
                  site::text as "site?", enabled, created_by, created_at, updated_at
           from webhooks where webhook_id = $1"#,
        webhook_id
    )
    .fetch_optional(db)
    .await
}

/// In order of their names, after a name.
pub async fn list(
    pool: &PgPool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Webhook>, sqlx::Error> {
    sqlx::query_as!(
        Webhook,
        r#"select webhook_id, name, transport, target, secret_sealed, kinds,
                  site::text as "site?", enabled, created_by, created_at, updated_at
           from webhooks where $1::text is null or name > $1
           order by name limit $2"#,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// How many there are.
pub async fn count(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from webhooks"#).fetch_one(conn).await
}

/// Whether another one than this has the name.
pub async fn is_taken(
    conn: &mut PgConnection,
    name: &str,
    webhook_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from webhooks where name = $1 and webhook_id <> $2
           ) as "taken!""#,
        name,
        webhook_id
    )
    .fetch_one(conn)
    .await
}

/// Writes what may change of one.
pub async fn update(conn: &mut PgConnection, w: &Webhook) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhooks set name = $2, target = $3, kinds = $4, site = $5::text::ltree,
             enabled = $6, updated_at = $7
         where webhook_id = $1",
        w.webhook_id,
        w.name,
        w.target,
        &w.kinds,
        w.site,
        w.enabled,
        w.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes one, with all that it was to be told.
pub async fn delete(conn: &mut PgConnection, webhook_id: Uuid) -> Result<(), sqlx::Error> {
    // First and by themselves: there may be many, and who tells of something waits while the row of
    // the webhook is locked.
    sqlx::query!("delete from deliveries where webhook_id = $1", webhook_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from webhooks where webhook_id = $1", webhook_id).execute(conn).await?;
    Ok(())
}

/// Renames `from` to `to` in the sites of those that are at and below it.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhooks
         set site = moved(site, $1::text::ltree, $2::text::ltree), updated_at = $3
         where site <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether one is told of the devices at this very site.
pub async fn names_site(conn: &mut PgConnection, path: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from webhooks where site = $1::text::ltree) as "named!""#,
        path
    )
    .fetch_one(conn)
    .await
}
