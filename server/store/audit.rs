//! The audit log: appended to, read, never changed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who changed what.
#[derive(Debug, Clone)]
pub struct Entry {
    /// UUIDv7: the order of entries.
    pub audit_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `user`, `token`, `console`, `muster`, `nobody`.
    pub actor_kind: String,
    /// Id of the user or the token.
    pub actor_id: Option<Uuid>,
    /// Their name at that time.
    pub actor: String,
    /// From where.
    pub address: Option<ipnet::IpNet>,
    /// Such as `site.create`.
    pub action: String,
    /// Such as `site`.
    pub object_kind: String,
    /// Its id.
    pub object_id: String,
    /// Its name at that time.
    pub object_name: String,
    /// State before, secrets masked.
    pub before: Option<Value>,
    /// State after, secrets masked.
    pub after: Option<Value>,
}

/// What narrows a list; empty fields do not.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Name of who.
    pub actor: Option<String>,
    /// The action, or its beginning: `site.` is all of sites.
    pub action: Option<String>,
    /// The kind of object.
    pub object_kind: Option<String>,
    /// Its id.
    pub object_id: Option<String>,
    /// Text in the object's name, before or after.
    pub text: Option<String>,
    /// At or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
}

/// Appends one.
pub async fn insert(conn: &mut PgConnection, e: &Entry) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_log (audit_id, at, actor_kind, actor_id, actor, address, action,
                                object_kind, object_id, object_name, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        e.audit_id,
        e.at,
        e.actor_kind,
        e.actor_id,
        e.actor,
        e.address as Option<ipnet::IpNet>,
        e.action,
        e.object_kind,
        e.object_id,
        e.object_name,
        e.before,
        e.after
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keyset page, newest first, before `before`.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
        r#"
        select audit_id, at, actor_kind, actor_id, actor, address as "address: ipnet::IpNet",
               action, object_kind, object_id, object_name, before, after
        from audit_log
        where ($1::uuid is null or audit_id < $1)
          and ($2::text is null or actor = $2)
          and ($3::text is null or starts_with(action, $3))
          and ($4::text is null or object_kind = $4)
          and ($5::text is null or object_id = $5)
          and ($6::text is null
               or position(lower($6) in lower(concat_ws(' ', object_name, before, after))) > 0)
          and ($7::timestamptz is null or at >= $7)
          and ($8::timestamptz is null or at < $8)
        order by audit_id desc
        limit $9
        "#,
        before,
        filter.actor,
        filter.action,
        filter.object_kind,
        filter.object_id,
        filter.text,
        filter.since,
        filter.until,
        limit
    )
    .fetch_all(pool)
    .await
}
