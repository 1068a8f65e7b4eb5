//! The nodes that serve, by their own heartbeat.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

/// A `muster serve`.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, as rows show it.
    pub node: String,
    /// Of Muster.
    pub version: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub seen_at: DateTime<Utc>,
    /// Numbers by name.
    pub status: Value,
}

/// Stores what a node says of itself.
pub async fn put(pool: &PgPool, n: &Node) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into nodes (node, version, started_at, seen_at, status)
         values ($1, $2, $3, $4, $5)
         on conflict (node) do update set version = excluded.version,
             started_at = excluded.started_at, seen_at = excluded.seen_at, status = excluded.status",
        n.node,
        n.version,
        n.started_at,
        n.seen_at,
        n.status
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// All of them, by name.
pub async fn list(pool: &PgPool) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as!(
        Node,
        "select node, version, started_at, seen_at, status from nodes order by node"
    )
    .fetch_all(pool)
    .await
}

/// How many were heard of since a time.
pub async fn living(db: impl PgExecutor<'_>, fresh: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "nodes!" from nodes where seen_at >= $1"#, fresh)
        .fetch_one(db)
        .await
}

/// Forgets a node that stopped.
pub async fn remove(pool: &PgPool, node: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from nodes where node = $1", node).execute(pool).await?;
    Ok(())
}

/// Forgets nodes that were not heard of since a time.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from nodes where seen_at < $1", before).execute(pool).await?;
    Ok(())
}

/// Since when there has been a node that devices could reach, of those that were heard of since
/// `fresh`; `None` = there is none.
pub async fn listening_since(
    db: impl PgExecutor<'_>,
    fresh: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(started_at) from nodes where seen_at >= $1", fresh)
        .fetch_one(db)
        .await
}
