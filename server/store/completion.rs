//! Values that devices have, to help whoever writes a selector: of some of the devices, so that it
//! costs the same whatever the fleet's size.
//!
//! As in `store::selector`, the condition is pushed by `fleet::selector`, and the statement is
//! planned for the values at hand.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder};

use crate::fleet::selector::{Expr, push_where};

/// Values that are looked at.
const SAMPLE: i64 = 20_000;

/// What devices have values of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Tags.
    Tags,
    /// Models.
    Models,
    /// Product classes.
    Classes,
    /// Software versions.
    Versions,
}

/// Values that begin with this text, in either case, in order; of the devices that `within` finds.
pub async fn values(
    pool: &PgPool,
    column: Column,
    text: &str,
    within: &Expr,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut q = QueryBuilder::<Postgres>::new("select distinct value from (select ");
    q.push(match column {
        Column::Tags => "unnest(f.tags)",
        Column::Models => "f.model",
        Column::Classes => "f.product_class",
        Column::Versions => "f.software_version",
    });
    q.push(" as value from device_facts f where ");
    push_where(&mut q, within, now, now);
    q.push(" limit ").push_bind(SAMPLE);
    q.push(") seen where starts_with(lower(value), lower(").push_bind(text.to_owned());
    q.push(")) order by value limit ").push_bind(limit);
    q.build_query_scalar().persistent(false).fetch_all(pool).await
}
