//! Values of secret parameters, sealed: what devices told or took. The key is not in the database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A secret whose value is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The parameter.
    pub name: String,
    /// Since when it has this value, as far as Muster knows.
    pub learned_at: DateTime<Utc>,
}

/// Writes values, in place of any before.
pub async fn put_many(
    conn: &mut PgConnection,
    device_id: Uuid,
    sealed: Vec<(String, Vec<u8>)>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (names, values): (Vec<String>, Vec<Vec<u8>>) = sealed.into_iter().unzip();
    sqlx::query!(
        "insert into device_secrets (device_id, name, sealed, learned_at)
         select $1, s.name, s.sealed, $4
         from unnest($2::text[], $3::bytea[]) as s (name, sealed)
         on conflict (device_id, name) do update set
             sealed = excluded.sealed,
             learned_at = excluded.learned_at",
        device_id,
        &names,
        &values,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets some.
pub async fn remove(
    conn: &mut PgConnection,
    device_id: Uuid,
    names: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from device_secrets where device_id = $1 and name = any($2)",
        device_id,
        names
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All of a device, sealed, by name.
pub async fn all(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<BTreeMap<String, Vec<u8>>, sqlx::Error> {
    let rows =
        sqlx::query!("select name, sealed from device_secrets where device_id = $1", device_id)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|r| (r.name, r.sealed)).collect())
}

/// One, sealed.
pub async fn get(
    conn: &mut PgConnection,
    device_id: Uuid,
    name: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select sealed from device_secrets where device_id = $1 and name = $2",
        device_id,
        name
    )
    .fetch_optional(conn)
    .await
}

/// Which ones are known of a device, in order of their names.
pub async fn names(pool: &PgPool, device_id: Uuid) -> Result<Vec<Named>, sqlx::Error> {
    sqlx::query_as!(
        Named,
        "select name, learned_at from device_secrets where device_id = $1 order by name",
        device_id
    )
    .fetch_all(pool)
    .await
}
