//! Devices that are not heard of: a row from when that was noticed until they are heard of again.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A device that is not heard of, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Which.
    pub device_id: Uuid,
    /// Its last inform before.
    pub last_inform: DateTime<Utc>,
    /// When it was noticed.
    pub noticed_at: DateTime<Utc>,
}

/// How long a device may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Its interval where it told none, in seconds.
    pub interval: i32,
    /// So many of its intervals.
    pub intervals: f64,
    /// And so many seconds.
    pub seconds: f64,
    /// Since when it could have been heard.
    pub listening: DateTime<Utc>,
}

/// Takes the turn to look at who is silent; false = somebody did so within `every`. One node of all
/// has it.
pub async fn turn(
    pool: &PgPool,
    every: TimeDelta,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into settings as s (name, value) values ('presence', to_jsonb($1::bigint))
         on conflict (name) do update set value = excluded.value
         where s.value::bigint <= $2",
        now.timestamp_millis(),
        (now - every).timestamp_millis()
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes those that have been silent for too long, and were not noted yet: at most `limit`, in order
/// of their ids, after one.
pub async fn note(
    conn: &mut PgConnection,
    patience: &Patience,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Absence>, sqlx::Error> {
    sqlx::query_as!(
        Absence,
        r#"insert into device_absences (device_id, last_inform, noticed_at)
           select d.device_id, d.last_inform, $1::timestamptz
           from devices d join device_facts f on f.device_id = d.device_id
           where ($6::uuid is null or d.device_id > $6)
             and not exists (select from device_absences a where a.device_id = d.device_id)
             and greatest(d.last_inform, $2) < $1::timestamptz - make_interval(
                 secs => coalesce(f.inform_interval, $3::integer)::float8 * $4::float8 + $5::float8)
           order by d.device_id
           limit $7
           on conflict (device_id) do nothing
           returning device_id, last_inform, noticed_at"#,
        now,
        patience.listening,
        patience.interval,
        patience.intervals,
        patience.seconds,
        after,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Forgets those that were heard of since, at most `limit`; gives what was noted of them.
pub async fn end(conn: &mut PgConnection, limit: i64) -> Result<Vec<Absence>, sqlx::Error> {
    sqlx::query_as!(
        Absence,
        "delete from device_absences where device_id in (
             select a.device_id from device_absences a
             join devices d on d.device_id = a.device_id
             where d.last_inform > a.last_inform
             limit $1)
         returning device_id, last_inform, noticed_at",
        limit
    )
    .fetch_all(conn)
    .await
}
