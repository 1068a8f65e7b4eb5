//! What a selector finds: a page of devices, their ids, their number.
//!
//! The condition is pushed by `fleet::selector`, which binds all that somebody wrote. These
//! statements are as many as there are selectors: they are not kept prepared, which would push the
//! server's own out of the cache, and are planned for the values at hand.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::devices::Device;
use crate::fleet::selector::{Expr, push_where};

/// The tables by the names that conditions call them.
const FROM: &str = "
    from device_facts f
    join devices d using (device_id)
    left join device_parameters p using (device_id)";

/// As `devices::list`.
const COLUMNS: &str = "
    select f.device_id, f.manufacturer, f.oui, f.product_class, f.serial, f.root, f.namespace,
           f.model, f.arch, f.identity, f.hardware_version, f.software_version,
           f.provisioning_code, f.parameter_key, f.connection_request_url, f.methods, f.auth,
           f.site::text as site, f.tags,
           d.first_inform, d.last_inform, f.last_boot, f.last_bootstrap, d.events,
           d.remote_addr, d.retry_count, d.next_due, p.refreshed_at, c.reenrol_asked_at";

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
    let mut q = QueryBuilder::<Postgres>::new(COLUMNS);
    q.push(FROM).push(" left join device_credentials c using (device_id) where ");
    push_where(&mut q, expr, now, online_since);
    push_page(&mut q, after, limit);
    q.build_query_as().persistent(false).fetch_all(pool).await
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
    q.push(FROM).push(" where ");
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
    q.push(FROM).push(" where ");
    push_where(&mut q, expr, now, online_since);
    q.build_query_scalar().persistent(false).fetch_one(pool).await
}

fn push_page(q: &mut QueryBuilder<Postgres>, after: Option<Uuid>, limit: i64) {
    if let Some(after) = after {
        q.push(" and f.device_id > ").push_bind(after);
    }
    q.push(" order by f.device_id limit ").push_bind(limit);
}
