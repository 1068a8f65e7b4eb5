//! The audit log: appended to, read, never changed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// How far the id of what is made may lie from its time: the time is when the request began, the id
/// is made when the row is written, and a clock may be set in between.
const DRIFT: TimeDelta = TimeDelta::days(1);

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
    // A text is looked for in each entry.
    let _turn = if filter.text.is_some() { Some(super::selector::turn().await?) } else { None };
    // Never null: the index then ends the scan, in whatever plan.
    let (first, end) = ids_between(filter.since, filter.until);
    let end = before.map_or(end, |before| before.min(end));
    sqlx::query_as!(
        Entry,
        r#"
        select audit_id, at, actor_kind, actor_id, actor, address as "address: ipnet::IpNet",
               action, object_kind, object_id, object_name, before, after
        from audit_log
        where audit_id < $1
          and audit_id >= $10
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
        end,
        filter.actor,
        filter.action,
        filter.object_kind,
        filter.object_id,
        filter.text,
        filter.since,
        filter.until,
        limit,
        first
    )
    .fetch_all(pool)
    .await
}

/// The UUIDv7 that rows of a time can have: from the first, before the second.
pub(super) fn ids_between(
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> (Uuid, Uuid) {
    let drift = DRIFT.num_milliseconds();
    let millis = |at: DateTime<Utc>| at.timestamp_millis();
    let first = since.map_or(Uuid::nil(), |at| smallest(millis(at).saturating_sub(drift)));
    let end = until.map_or(Uuid::max(), |at| smallest(millis(at).saturating_add(drift)));
    (first, end)
}

/// Not larger than any UUIDv7 of this millisecond, and larger than those of all before it: its first
/// 48 bits are the time.
fn smallest(millis: i64) -> Uuid {
    let millis = u128::try_from(millis).unwrap_or(0).min((1 << 48) - 1);
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use uuid::{NoContext, Timestamp};

    use super::*;

    #[test]
    fn the_ids_of_a_time_lie_within_its_bounds_and_others_do_not() {
        let id = |at: DateTime<Utc>| {
            let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
            Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
        };
        let since = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_800_000_000_123);
        let until = since + TimeDelta::hours(1);
        let (first, end) = ids_between(Some(since), Some(until));
        for at in [since, until, since - DRIFT, until + DRIFT - TimeDelta::milliseconds(1)] {
            assert!(first <= id(at) && id(at) < end, "{at}");
        }
        assert!(id(since - DRIFT - TimeDelta::milliseconds(1)) < first);
        assert!(id(until + DRIFT) >= end);
        assert_eq!(ids_between(None, None), (Uuid::nil(), Uuid::max()));
    }

    #[test]
    fn no_time_is_too_far_away() {
        let (first, end) =
            ids_between(Some(DateTime::<Utc>::MIN_UTC), Some(DateTime::<Utc>::MAX_UTC));
        assert!(first == Uuid::nil() && end > Uuid::now_v7());
    }
}
