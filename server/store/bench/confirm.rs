//! Which boards came: their device has informed since they had their delivery.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who came so long ago or later is looked at: whoever was not told of in that time never is.
const CAME_WITHIN: TimeDelta = TimeDelta::hours(24);
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

/// Boards that wait for the first inform of their device, however long ago they were served, and whose
/// device has come of late and is in: one that took their claim since, or has it and began anew since; and
/// with `by_address`, which takes longer, one that began anew and has their address. Since = since they
/// were offered what they got, whether they have said that they have it or not. So many at most.
pub async fn confirmable(
    pool: &PgPool,
    by_address: bool,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Confirmable>, sqlx::Error> {
    sqlx::query_as!(
        Confirmable,
        // Who came is where it begins: of boards that were delivered and are not yet where they belong
        // there may be any number.
        r#"with waiting as not materialized (
             -- While it was offered something it ran its boot loader. It may have started again before its
             -- delivery was seen to have ended.
             select mac, bench_id, coalesce(offered_at, delivered_at) as since from bench_boards
             where state in ('delivered', 'installed')
                or (state = 'failed' and reason in ('unacknowledged', 'interrupted'))
         ), newcomers as materialized (
             select device_id, last_bootstrap from device_facts
             where $3::boolean and exists (select from waiting)
               and last_bootstrap > $2 and quarantined_at is null
         ), come as materialized (
             -- What was read of devices is opened only for those.
             select n.device_id, n.last_bootstrap, replace(upper(e.entry ->> 'v'), '-', ':') as mac
             from (select * from newcomers order by last_bootstrap desc limit $4) n
             join device_parameters p using (device_id)
             cross join lateral jsonb_each(p.doc) as e (name, entry)
             where e.name ~ '(\.Ethernet\.Interface|\.LANEthernetInterfaceConfig)\.[0-9]+\.MACAddress$'
         ), found as (
             select w.mac, w.bench_id, c.device_id, w.since, 0 as rank
             from claims c
             join waiting w on w.mac = c.mac
             join device_facts f on f.device_id = c.device_id
             where c.taken_at > $2 and c.taken_at > w.since and f.quarantined_at is null
             union all
             select w.mac, w.bench_id, n.device_id, w.since, 0
             from newcomers n
             join claims c on c.device_id = n.device_id
             join waiting w on w.mac = c.mac
             where n.last_bootstrap > w.since
             union all
             select w.mac, w.bench_id, n.device_id, w.since, 1
             from come n join waiting w on w.mac = n.mac
             where n.last_bootstrap > w.since
         )
         select distinct on (n.mac) n.mac as "mac!", n.bench_id as "bench_id!",
                n.device_id as "device_id!", d.last_inform as "informed_at!"
         from found n join devices d on d.device_id = n.device_id
         where d.last_inform > n.since
         order by n.mac, n.rank, d.last_inform desc limit $1"#,
        limit,
        now - CAME_WITHIN,
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
