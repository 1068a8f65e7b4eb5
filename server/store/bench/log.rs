//! What happened to each board.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::store::audit;

/// What happened to a board.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// UUIDv7: the order.
    pub log_id: Uuid,
    /// To which.
    pub mac: String,
    /// Where.
    pub bench_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Its state from then on, or what somebody said of it: `rearmed`, `install_armed`,
    /// `install_cancelled`.
    pub state: String,
    /// In words.
    pub words: Option<String>,
    /// More of it; no secrets.
    pub detail: Value,
}

/// Notes what happened to a board, once: an entry may come again where it is not known whether it was
/// stored. With it goes where the board belongs as it is stored, so that is written first.
pub async fn append_log(conn: &mut PgConnection, row: &LogRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bench_log (log_id, mac, bench_id, at, state, words, detail, site)
         values ($1, $2, $3, $4, $5, $6, $7,
             (select coalesce(f.site, b.site)
              from bench_boards b left join device_facts f on f.device_id = b.device_id
              where b.mac = $2))
         on conflict (log_id) do nothing",
        row.log_id,
        row.mac,
        row.bench_id,
        row.at,
        row.state,
        row.words,
        row.detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What happened to a board, the newest first, before an entry; while it belonged to no site, or at and
/// below `within`, if that is said.
pub async fn log(
    pool: &PgPool,
    mac: &str,
    within: Option<&[String]>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LogRow>, sqlx::Error> {
    sqlx::query_as!(
        LogRow,
        "select log_id, mac, bench_id, at, state, words, detail from bench_log
         where mac = $1 and ($2::uuid is null or log_id < $2)
           and ($3::text[] is null or site is null or site <@ any($3::text[]::ltree[]))
         order by log_id desc limit $4",
        mac,
        before,
        within,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Forgets what happened before a time, the oldest first; so many at most.
pub(super) async fn purge(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<(), sqlx::Error> {
    let (first, _) = audit::ids_between(Some(before), None);
    sqlx::query!(
        "delete from bench_log where log_id in (
             select log_id from bench_log where log_id < $1 order by log_id limit $2)",
        first,
        limit
    )
    .execute(pool)
    .await?;
    Ok(())
}
