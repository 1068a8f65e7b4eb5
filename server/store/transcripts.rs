//! What was said in CWMP sessions: written once when a session has ended, never changed, soon
//! thrown away.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::types::Json;
use std::net::IpAddr;
use uuid::Uuid;

/// Sessions that are kept of one device.
pub const KEEP: i64 = 50;
/// How long they are kept.
const KEEP_FOR: TimeDelta = TimeDelta::days(30);
/// Rows deleted in one pass of [`purge`].
const PURGE: i64 = 5_000;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The device.
    Cpe,
    /// Muster.
    Acs,
}

/// One message of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: DateTime<Utc>,
    /// Of whom.
    pub from: Speaker,
    /// `Inform`, `GetParameterValuesResponse`, `Fault`, `Empty` ...
    pub kind: String,
    /// What it said, secrets masked.
    pub summary: Value,
}

/// All that is kept of what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// In order.
    pub entries: Vec<Line>,
    /// Messages that were said and are not among them.
    pub omitted: u32,
    /// Why the session did not end as it should.
    pub why: Option<String>,
}

/// A session that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Whose.
    pub device_id: Uuid,
    /// Which.
    pub session_id: Uuid,
    /// When its Inform came.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: DateTime<Utc>,
    /// Where it came from.
    pub remote_addr: IpAddr,
    /// `done`, `lost`, `timed_out`, `superseded`, `refused`.
    pub outcome: &'static str,
    /// Messages that were said.
    pub messages: u32,
    /// A [`Body`] as JSON.
    pub body: String,
}

/// A session in a list.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Which.
    pub session_id: Uuid,
    /// When its Inform came.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: DateTime<Utc>,
    /// With which node.
    pub node: String,
    /// Where it came from.
    pub remote_addr: ipnet::IpNet,
    /// `done`, `lost`, `timed_out`, `superseded`, `refused`.
    pub outcome: String,
    /// Messages that were said.
    pub messages: i32,
}

/// Writes many in one statement, then forgets what is more than [`KEEP`] of each of their devices.
pub async fn put_many(pool: &PgPool, node: &str, rows: &[Finished]) -> Result<(), sqlx::Error> {
    let devices: Vec<Uuid> = rows.iter().map(|r| r.device_id).collect();
    let sessions: Vec<Uuid> = rows.iter().map(|r| r.session_id).collect();
    let starts: Vec<DateTime<Utc>> = rows.iter().map(|r| r.started_at).collect();
    let ends: Vec<DateTime<Utc>> = rows.iter().map(|r| r.ended_at).collect();
    let addresses: Vec<ipnet::IpNet> = rows.iter().map(|r| r.remote_addr.into()).collect();
    let outcomes: Vec<String> = rows.iter().map(|r| r.outcome.to_owned()).collect();
    let messages: Vec<i32> =
        rows.iter().map(|r| i32::try_from(r.messages).unwrap_or(i32::MAX)).collect();
    let bodies: Vec<String> = rows.iter().map(|r| r.body.clone()).collect();
    sqlx::query!(
        "insert into cwmp_transcripts (device_id, session_id, started_at, ended_at, node,
                                       remote_addr, outcome, messages, body)
         select t.device_id, t.session_id, t.started_at, t.ended_at, $9, t.remote_addr, t.outcome,
                t.messages, t.body::jsonb
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::inet[],
                     $6::text[], $7::int[], $8::text[])
              as t (device_id, session_id, started_at, ended_at, remote_addr, outcome, messages,
                    body)
         on conflict do nothing",
        &devices,
        &sessions,
        &starts,
        &ends,
        &addresses as &[ipnet::IpNet],
        &outcomes,
        &messages,
        &bodies,
        node
    )
    .execute(pool)
    .await?;
    trim(pool, &devices).await
}

async fn trim(pool: &PgPool, devices: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from cwmp_transcripts t
         using (select device_id, session_id,
                       row_number() over (partition by device_id
                                          order by started_at desc, session_id desc) as place
                from cwmp_transcripts where device_id = any($1)) o
         where t.device_id = o.device_id and t.session_id = o.session_id and o.place > $2",
        devices,
        KEEP
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A device's, newest first, before a start and id.
pub async fn list(
    pool: &PgPool,
    device_id: Uuid,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Conversation>, sqlx::Error> {
    let (at, id) = before.unzip();
    sqlx::query_as!(
        Conversation,
        r#"
        select session_id, started_at, ended_at, node, remote_addr as "remote_addr: ipnet::IpNet",
               outcome, messages
        from cwmp_transcripts
        where device_id = $1
          and ($2::timestamptz is null or (started_at, session_id) < ($2, $3::uuid))
        order by started_at desc, session_id desc
        limit $4
        "#,
        device_id,
        at,
        id,
        limit
    )
    .fetch_all(pool)
    .await
}

/// One of a device's, with what was said.
pub async fn get(
    pool: &PgPool,
    device_id: Uuid,
    session_id: Uuid,
) -> Result<Option<(Conversation, Body)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select session_id, started_at, ended_at, node, remote_addr as "remote_addr: ipnet::IpNet",
               outcome, messages, body as "body: Json<Body>"
        from cwmp_transcripts where device_id = $1 and session_id = $2
        "#,
        device_id,
        session_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|r| {
        let head = Conversation {
            session_id: r.session_id,
            started_at: r.started_at,
            ended_at: r.ended_at,
            node: r.node,
            remote_addr: r.remote_addr,
            outcome: r.outcome,
            messages: r.messages,
        };
        (head, r.body.0)
    }))
}

/// Deletes those that are too old, a bounded number; gives how many.
pub async fn purge(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from cwmp_transcripts where (device_id, session_id) in (
             select device_id, session_id from cwmp_transcripts where started_at < $1
             order by started_at limit $2)",
        now - KEEP_FOR,
        PURGE
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
