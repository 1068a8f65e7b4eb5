//! A device's parameters: one document per device, written only when it changes, and its counters
//! beside it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use muster_cwmp::value::ValueType;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// One parameter as the document keeps it. Values of secret parameters are never in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Value; empty for secrets.
    #[serde(rename = "v")]
    pub value: String,
    /// XSD type as the device gave it.
    #[serde(rename = "t")]
    pub kind: ValueType,
    /// Writable; `None` = not told yet.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
    /// When this value was learned, Unix seconds.
    #[serde(rename = "at")]
    pub at: i64,
}

/// A device's document, by name.
pub type Document = BTreeMap<String, Entry>;
/// A device's counters, by name.
pub type Counters = BTreeMap<String, String>;

/// The document for a read; `None` = never read.
pub async fn get(pool: &PgPool, device_id: Uuid) -> Result<Option<Document>, sqlx::Error> {
    let doc = sqlx::query_scalar!(
        r#"select doc as "doc: Json<Document>" from device_parameters where device_id = $1"#,
        device_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(doc.map(|Json(doc)| doc))
}

/// The counters, and when they were read.
pub async fn counters(
    pool: &PgPool,
    device_id: Uuid,
) -> Result<Option<(Counters, DateTime<Utc>)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select doc as "doc: Json<Counters>", at from device_counters where device_id = $1"#,
        device_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|r| (r.doc.0, r.at)))
}

/// The document, locked until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Document>, sqlx::Error> {
    let doc = sqlx::query_scalar!(
        r#"select doc as "doc: Json<Document>" from device_parameters where device_id = $1 for update"#,
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(doc.map(|Json(doc)| doc))
}

/// Writes the document. `refreshed` = the whole model was read just now.
pub async fn put(
    conn: &mut PgConnection,
    device_id: Uuid,
    doc: &Document,
    refreshed: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into device_parameters as p (device_id, doc, refreshed_at, changed_at)
        values ($1, $2, case when $3 then $4::timestamptz end, $4)
        on conflict (device_id) do update set
            doc = excluded.doc,
            refreshed_at = coalesce(excluded.refreshed_at, p.refreshed_at),
            changed_at = excluded.changed_at
        "#,
        device_id,
        Json(doc) as _,
        refreshed,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was known, and when it was read: an empty document is no reading of the device.
pub async fn forget(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into device_parameters (device_id, doc, refreshed_at, changed_at)
        values ($1, '{}', null, $2)
        on conflict (device_id) do update set
            doc = excluded.doc,
            refreshed_at = null,
            changed_at = excluded.changed_at
        "#,
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the whole model was read and nothing had changed.
pub async fn touch(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_parameters set refreshed_at = $2 where device_id = $1",
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Merges counters.
pub async fn merge_counters(
    conn: &mut PgConnection,
    device_id: Uuid,
    counters: &Counters,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into device_counters as c (device_id, doc, at) values ($1, $2, $3)
        on conflict (device_id) do update set doc = c.doc || excluded.doc, at = excluded.at
        "#,
        device_id,
        Json(counters) as _,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The types that the device gave these parameters.
pub async fn types(
    conn: &mut PgConnection,
    device_id: Uuid,
    names: &[String],
) -> Result<HashMap<String, ValueType>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select n.name as "name!", p.doc -> n.name ->> 't' as kind
        from device_parameters p, unnest($2::text[]) as n (name)
        where p.device_id = $1 and p.doc ? n.name
        "#,
        device_id,
        names
    )
    .fetch_all(conn)
    .await?;
    let typed = |r: Option<String>| ValueType::from_xsi(&r.unwrap_or_default());
    Ok(rows.into_iter().map(|r| (r.name, typed(r.kind))).collect())
}

/// The types of parameters of a table's instances, by the name within the instance: what a new
/// instance will have.
pub async fn sibling_types(
    conn: &mut PgConnection,
    device_id: Uuid,
    object: &str,
    names: &[String],
) -> Result<HashMap<String, ValueType>, sqlx::Error> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select distinct on (n.name) n.name as "name!", e.value ->> 't' as kind
        from device_parameters p, jsonb_each(p.doc) as e, unnest($3::text[]) as n (name)
        where p.device_id = $1 and starts_with(e.key, $2)
          -- OBJECT.{i}.NAME: what stands between is the instance's number.
          and regexp_replace(substr(e.key, length($2) + 1), '^[0-9]+[.]', '') = n.name
        "#,
        device_id,
        object,
        names
    )
    .fetch_all(conn)
    .await?;
    let typed = |r: Option<String>| ValueType::from_xsi(&r.unwrap_or_default());
    Ok(rows.into_iter().map(|r| (r.name, typed(r.kind))).collect())
}
