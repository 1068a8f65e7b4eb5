//! Which boards came: their device has informed since they had their delivery.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A device's addresses are read within minutes of its bootstrap. Whose bootstrap is longer ago is not
/// looked through again each time.
const READ_WITHIN: TimeDelta = TimeDelta::hours(1);

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

/// Boards that wait for the first inform of their device, and whose device has informed: the one that
/// took their claim, or one that came anew and has their address. Of those that were served last, so
/// many at most are looked at.
pub async fn confirmable(
    pool: &PgPool,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Confirmable>, sqlx::Error> {
    sqlx::query_as!(
        Confirmable,
        r#"with waiting as materialized (
             select mac, bench_id, claim_id, delivered_at from bench_boards
             where state in ('delivered', 'installed') and delivered_at is not null
             order by delivered_at desc limit $1
         ), come as materialized (
             -- What was read of devices is opened only for those that began anew just now.
             select d.device_id, d.last_inform, f.last_bootstrap,
                    replace(upper(e.entry ->> 'v'), '-', ':') as mac
             from device_facts f
             join devices d using (device_id)
             join device_parameters p using (device_id)
             cross join lateral jsonb_each(p.doc) as e (name, entry)
             where f.last_bootstrap >= $2
               and f.last_bootstrap > (select min(delivered_at) from waiting)
               and e.name ~ '(\.Ethernet\.Interface|\.LANEthernetInterfaceConfig)\.[0-9]+\.MACAddress$'
         ), found as (
             select w.mac, w.bench_id, d.device_id, d.last_inform, 0 as rank
             from waiting w
             join claims c on c.claim_id = w.claim_id or c.mac = w.mac
             join devices d on d.device_id = c.device_id
             where d.last_inform > w.delivered_at
             union all
             select w.mac, w.bench_id, n.device_id, n.last_inform, 1
             from waiting w join come n on n.mac = w.mac
             where n.last_bootstrap > w.delivered_at
         )
         select distinct on (mac) mac as "mac!", bench_id as "bench_id!", device_id as "device_id!",
                last_inform as "informed_at!"
         from found order by mac, rank, last_inform desc"#,
        limit,
        now - READ_WITHIN
    )
    .fetch_all(pool)
    .await
}

/// Notes that a board's device is here; false = the board has gone on meanwhile.
pub async fn confirm(
    conn: &mut PgConnection,
    mac: &str,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards b set state = 'confirmed', device_id = $2, confirmed_at = $3,
             updated_at = $3, reason = null, words = null,
             -- It belongs to whoever sees its device.
             site = coalesce((select f.site from device_facts f where f.device_id = $2), b.site)
         where b.mac = $1 and b.state in ('delivered', 'installed')",
        mac,
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
