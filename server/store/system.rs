//! The database itself, and how much waits in it.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::within::Within;

/// The server and the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Of PostgreSQL, as it says.
    pub version: String,
    /// Its name.
    pub name: String,
    /// What it takes on the disk, in bytes.
    pub bytes: i64,
    /// Connections to it, of all nodes.
    pub connections: i64,
    /// Connections that the server takes.
    pub max_connections: i64,
}

/// A migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it is called.
    pub description: String,
    /// When it was applied.
    pub installed_on: DateTime<Utc>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many.
    pub count: i64,
    /// Since when the oldest of them is.
    pub since: Option<DateTime<Utc>>,
}

/// How large the database is, and what it runs on.
pub async fn database(pool: &PgPool) -> Result<Database, sqlx::Error> {
    sqlx::query_as!(
        Database,
        r#"select current_setting('server_version') as "version!",
                  current_database()::text as "name!",
                  pg_database_size(current_database()) as "bytes!",
                  (select count(*) from pg_stat_activity
                   where datname = current_database()) as "connections!",
                  current_setting('max_connections')::bigint as "max_connections!""#
    )
    .fetch_one(pool)
    .await
}

/// The migrations that were applied, in their order.
pub async fn migrations(pool: &PgPool) -> Result<Vec<Migration>, sqlx::Error> {
    // Not checked when it is built: the table is the migrator's own, and no migration makes it.
    sqlx::query_as(
        "select version, description, installed_on from _sqlx_migrations
         where success order by version",
    )
    .fetch_all(pool)
    .await
}

/// Open jobs by state, of devices within, if named.
pub async fn jobs_open(
    pool: &PgPool,
    within: Option<&Within>,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "n!" from jobs
           where state in ('queued', 'running', 'waiting')
             and ($1::text[] is null or exists (
                 select from device_facts f
                 where f.device_id = jobs.device_id
                   and (f.site <@ any($1::text[]::ltree[])
                        or ($2::uuid[] is not null and f.device_id in (
                            select m.device_id from group_members m
                            where m.group_id = any($2::uuid[]))))))
           group by state"#,
        sites,
        groups
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.state, row.n)).collect())
}

/// Queued jobs that may run, of devices within, if named.
pub async fn jobs_due(
    pool: &PgPool,
    now: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<Due, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Due,
        r#"select count(*) as "count!", min(not_before) as since from jobs
           where state = 'queued' and not_before <= $1
             and ($2::text[] is null or exists (
                 select from device_facts f
                 where f.device_id = jobs.device_id
                   and (f.site <@ any($2::text[]::ltree[])
                        or ($3::uuid[] is not null and f.device_id in (
                            select m.device_id from group_members m
                            where m.group_id = any($3::uuid[]))))))"#,
        now,
        sites,
        groups
    )
    .fetch_one(pool)
    .await
}

/// Devices that are to be woken now, of those within, if named.
pub async fn wakes_due(
    pool: &PgPool,
    now: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<Due, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Due,
        r#"select count(*) as "count!", min(not_before) as since from connection_requests r
           where not_before <= $1
             and ($2::text[] is null or exists (
                 select from device_facts f
                 where f.device_id = r.device_id
                   and (f.site <@ any($2::text[]::ltree[])
                        or ($3::uuid[] is not null and f.device_id in (
                            select m.device_id from group_members m
                            where m.group_id = any($3::uuid[]))))))"#,
        now,
        sites,
        groups
    )
    .fetch_one(pool)
    .await
}
