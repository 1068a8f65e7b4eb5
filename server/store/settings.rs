//! Small installation-wide settings.

use serde_json::Value;
use sqlx::PgPool;

/// A setting's value.
pub async fn get(pool: &PgPool, name: &str) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!("select value from settings where name = $1", name)
        .fetch_optional(pool)
        .await
}

/// Stores a setting.
pub async fn put(pool: &PgPool, name: &str, value: &Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into settings (name, value) values ($1, $2)
         on conflict (name) do update set value = excluded.value",
        name,
        value
    )
    .execute(pool)
    .await?;
    Ok(())
}
