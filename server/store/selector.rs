//! What a selector finds: a page of devices, their ids, their number.
//!
//! The condition is pushed by `fleet::selector`, which binds all that somebody wrote. These
//! statements are as many as there are selectors: they are not kept prepared, which would push the
//! server's own out of the cache, and are planned for the values at hand.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::devices::{Device, push_select, push_tables};
use crate::fleet::selector::{Expr, push_where};

/// Keyset page of the devices found, in order of id, after `after`. A device that informed since
/// `online_since` is online.
pub async fn list(
    pool: &PgPool,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Vec<Device>, sqlx::Error> {
    let mut q = QueryBuilder::new("");
    push_list(&mut q, expr, after, limit, now, online_since);
    q.build_query_as().persistent(false).fetch_all(pool).await
}

/// Pushes the statement of [`list`].
pub fn push_list(
    q: &mut QueryBuilder<Postgres>,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) {
    push_select(q, after);
    push_where(q, expr, now, online_since);
    push_page(q, after, limit);
}

/// Keyset page of the ids of the devices found, in their order, after `after`.
pub async fn ids(
    pool: &PgPool,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut q = QueryBuilder::<Postgres>::new("select f.device_id");
    push_tables(&mut q, after);
    q.push(" where ");
    push_where(&mut q, expr, now, online_since);
    push_page(&mut q, after, limit);
    q.build_query_scalar().persistent(false).fetch_all(pool).await
}

/// How many devices it finds.
pub async fn count(
    pool: &PgPool,
    expr: &Expr,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let mut q = QueryBuilder::<Postgres>::new("select count(*)");
    push_tables(&mut q, None);
    q.push(" where ");
    push_where(&mut q, expr, now, online_since);
    q.build_query_scalar().persistent(false).fetch_one(pool).await
}

fn push_page(q: &mut QueryBuilder<Postgres>, after: Option<Uuid>, limit: i64) {
    if let Some(after) = after {
        q.push(" and f.device_id > ").push_bind(after);
    }
    q.push(" order by f.device_id limit ").push_bind(limit);
}
