//! What helps whoever types: values that devices have, for a selector, and sites and groups by a part
//! of their names. Values are those of some of the devices, so that they cost the same whatever the
//! fleet's size.
//!
//! As in `store::selector`, the condition is pushed by `fleet::selector`, and the statement is
//! planned for the values at hand.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::selector;
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
    let _turn = selector::turn().await?;
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
    let mut tx = selector::bounded(pool).await?;
    let found = q.build_query_scalar().persistent(false).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// A site or a group, by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// Of a site: where in the tree it is.
    pub path: Option<String>,
}

/// Sites with this text in path or name, in either case, in order of their paths; of those at and
/// below the sites `within`, if named.
pub async fn sites(
    pool: &PgPool,
    text: &str,
    within: Option<&[String]>,
    limit: i64,
) -> Result<Vec<Named>, sqlx::Error> {
    sqlx::query_as!(
        Named,
        r#"select site_id as id, name, path::text as "path?" from sites
           where (strpos(lower(path::text), lower($1::text)) > 0
                  or strpos(lower(name), lower($1::text)) > 0)
             and ($2::text[] is null or path <@ any($2::text[]::ltree[]))
           order by path limit $3"#,
        text,
        within,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Groups with this text in their name, in either case, in order of their names.
pub async fn groups(pool: &PgPool, text: &str, limit: i64) -> Result<Vec<Named>, sqlx::Error> {
    sqlx::query_as!(
        Named,
        r#"select group_id as id, name, null::text as "path?" from groups
           where strpos(lower(name), lower($1::text)) > 0
           order by name limit $2"#,
        text,
        limit
    )
    .fetch_all(pool)
    .await
}
