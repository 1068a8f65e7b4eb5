//! How boards of a kind are served: `muster_netboot::profile`, as TOML.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

/// Who made those that come with Muster.
const BY: &str = "muster";

/// A profile of the boot protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Which.
    pub name: String,
    /// The profile itself, as TOML.
    pub body: String,
    /// How sure it is: `unverified`, `captured` or `hardware-verified`.
    pub status: String,
    /// It comes with Muster.
    pub builtin: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Has changes of them, and armings with them, come one after the other until the transaction ends.
pub async fn lock_profiles(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.netboot_profiles'))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Names and texts of all of them, by name.
pub async fn profiles(pool: &PgPool) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!("select name, body from netboot_profiles order by name")
        .fetch_all(pool)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.body)).collect())
}

/// All of them, by name.
pub async fn list_profiles(pool: &PgPool) -> Result<Vec<Profile>, sqlx::Error> {
    sqlx::query_as!(
        Profile,
        "select name, body, status, builtin, created_by, created_at, updated_at
         from netboot_profiles order by name"
    )
    .fetch_all(pool)
    .await
}

/// One of them.
pub async fn get_profile(
    db: impl PgExecutor<'_>,
    name: &str,
) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(
        Profile,
        "select name, body, status, builtin, created_by, created_at, updated_at
         from netboot_profiles where name = $1",
        name
    )
    .fetch_optional(db)
    .await
}

/// Stores one of an operator, in place of another one of its name; false = that comes with Muster.
pub async fn put_profile(
    conn: &mut PgConnection,
    name: &str,
    body: &str,
    status: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into netboot_profiles as p
             (name, body, status, builtin, created_by, created_at, updated_at)
         values ($1, $2, $3, false, $4, $5, $5)
         on conflict (name) do update set body = excluded.body, status = excluded.status,
             updated_at = excluded.updated_at
         where not p.builtin",
        name,
        body,
        status,
        by,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes one of an operator.
pub async fn delete_profile(conn: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from netboot_profiles where name = $1 and not builtin", name)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a bench is armed with a profile at this time.
pub async fn profile_in_use(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from benches where armed_until > $2 and arming ->> 'profile' = $1
           ) as "used!""#,
        name,
        now
    )
    .fetch_one(conn)
    .await
}

/// Stores those that come with Muster, each by name, text and status. Where an operator has one of
/// such a name, that stays; and so does one that a bench is armed with, until that is over.
pub async fn ensure_builtin_profiles(
    pool: &PgPool,
    builtin: &[(String, String, String)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    lock_profiles(&mut tx).await?;
    for (name, body, status) in builtin {
        sqlx::query!(
            "insert into netboot_profiles as p
                 (name, body, status, builtin, created_by, created_at, updated_at)
             values ($1, $2, $3, true, $4, $5, $5)
             on conflict (name) do update set body = excluded.body, status = excluded.status,
                 updated_at = excluded.updated_at
             where p.builtin and p.body <> excluded.body and not exists (
                 select from benches
                 where armed_until > $5 and arming ->> 'profile' = p.name)",
            name,
            body,
            status,
            BY,
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await
}
