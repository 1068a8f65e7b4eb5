//! Which boards came: their device has informed since they had their delivery.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// For so long a board is waited for.
const WAITS_FOR: TimeDelta = TimeDelta::hours(24);
/// Devices whose addresses are looked through at once: those that began anew last.
const MAX_NEWCOMERS: i64 = 500;

/// A board whose device is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmable {
    /// Which.
    pub mac: String,
    /// Where it was served.
    pub bench_id: Uuid,
    /// What it became.
    pub device_id: Uuid,
    /// When that informed last.
    pub informed_at: DateTime<Utc>,
}

/// Boards that wait for the first inform of their device, and whose device has informed and is in: the
/// one that took their claim since, or began anew since; and with `by_address`, which takes longer, one
/// that began anew and has their address. Since = since they were offered what they got, whether they have
/// said that they have it or not. Of those that were served last, so many at most are looked at.
pub async fn confirmable(
    pool: &PgPool,
    by_address: bool,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Confirmable>, sqlx::Error> {
    sqlx::query_as!(
        Confirmable,
        r#"with waiting as materialized (
             select w.mac, w.bench_id, w.since
             -- While it was offered something it ran its boot loader. It may have started again before its
             -- delivery was seen to have ended.
             from (select mac, bench_id, coalesce(offered_at, delivered_at) as since from bench_boards
                   where state in ('delivered', 'installed') and delivered_at > $2
                   union all
                   select mac, bench_id, offered_at from bench_boards
                   -- Written at its end, so after its offer: there is an index.
                   where state = 'failed' and reason in ('unacknowledged', 'interrupted')
                     and updated_at > $2
                     and offered_at > $2) as w
             order by w.since desc limit $1
         ), newcomers as materialized (
             select device_id, last_bootstrap from device_facts
             where $3::boolean and exists (select from waiting)
               and last_bootstrap > (select min(since) from waiting)
               and quarantined_at is null
             order by last_bootstrap desc limit $4
         ), come as materialized (
             -- What was read of devices is opened only for those.
             select d.device_id, d.last_inform, n.last_bootstrap,
                    replace(upper(e.entry ->> 'v'), '-', ':') as mac
             from newcomers n
             join devices d using (device_id)
             join device_parameters p using (device_id)
             cross join lateral jsonb_each(p.doc) as e (name, entry)
             where e.name ~ '(\.Ethernet\.Interface|\.LANEthernetInterfaceConfig)\.[0-9]+\.MACAddress$'
         ), found as (
             select w.mac, w.bench_id, d.device_id, d.last_inform, 0 as rank
             from waiting w
             join claims c on c.mac = w.mac
             join devices d on d.device_id = c.device_id
             join device_facts f on f.device_id = c.device_id
             where d.last_inform > w.since and f.quarantined_at is null
               and (c.taken_at > w.since or f.last_bootstrap > w.since)
             union all
             select w.mac, w.bench_id, n.device_id, n.last_inform, 1
             from waiting w join come n on n.mac = w.mac
             where n.last_bootstrap > w.since
         )
         select distinct on (mac) mac as "mac!", bench_id as "bench_id!", device_id as "device_id!",
                last_inform as "informed_at!"
         from found order by mac, rank, last_inform desc"#,
        limit,
        now - WAITS_FOR,
        by_address,
        MAX_NEWCOMERS
    )
    .fetch_all(pool)
    .await
}

/// Notes that a board's device is here; false = the board has gone on meanwhile. One that had not said
/// that it has all of it had its delivery all the same.
pub async fn confirm(
    conn: &mut PgConnection,
    mac: &str,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards b set state = 'confirmed', device_id = $2, confirmed_at = $3,
             updated_at = $3, reason = null, words = null,
             delivered_at = case when b.state = 'failed' then b.offered_at else b.delivered_at end,
             deliveries = b.deliveries + case when b.state = 'failed' then 1 else 0 end,
             -- Unless somebody has said since that it is served once more.
             done = b.done or (b.state = 'failed' and coalesce(b.rearmed_at < b.offered_at, true)),
             -- It belongs to whoever sees its device.
             site = coalesce((select f.site from device_facts f where f.device_id = $2), b.site)
         where b.mac = $1
           and (b.state in ('delivered', 'installed')
                or (b.state = 'failed' and b.reason in ('unacknowledged', 'interrupted')))",
        mac,
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
