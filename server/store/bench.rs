//! The bench: interfaces of nodes on which factory-fresh boards are served, for what they are armed,
//! and whatever each board got.
//!
//! - here: benches, and their arming. - `boards`: boards, and what people say of them. - `put`: what
//!   the bench writes of one. - `log`: what happened to each. - `confirm`: which of them came. -
//!   `batch`: what became of the boards of claims. - `allowed`: boards that are served without a
//!   claim. - `images`: boot images. - `profiles`: how boards are served. - `turns`: which bench serves
//!   a board that several hear.

mod allowed;
mod batch;
mod boards;
mod confirm;
mod images;
mod log;
mod profiles;
mod put;
mod turns;

pub use allowed::{
    Allowed, allowed, allowed_count, allowed_for, delete_allowed, get_allowed, insert_allowed,
};
pub use batch::{BatchFilter, BatchRow, Tally, batch, tallies};
pub use boards::{
    BoardFilter, BoardRow, boards, cancel_install, claim_for, counts, delete_board, install_over,
    load_board, move_sites, put_install, rearm, rearmed_at, serial_only_claims,
};
pub use confirm::{Confirmable, confirm, confirmable};
pub use images::{Image, delete_image, image, images, lock_images, put_image};
pub use log::{LogRow, append_log, log};
pub use profiles::{
    Profile, delete_profile, ensure_builtin_profiles, get_profile, list_profiles, lock_profiles,
    profile_in_use, profiles, put_profile,
};
pub use put::{interrupted, lock_boards, put_board};
pub use turns::{TURN, end_turn, is_served, take_turn};

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// What is wrong with a bench that is armed and is not what was armed.
const CHANGED: &str = "the interface changed since it was armed: arm it again";
/// What happened is kept for so long.
const LOG_FOR: TimeDelta = TimeDelta::days(90);
/// A board that was nobody's is kept for so long after it was seen last.
const STRANGERS_FOR: TimeDelta = TimeDelta::days(7);
/// So much of either is forgotten at a time.
const FORGOTTEN: i64 = 10_000;

/// What a node says of a bench of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchRow {
    /// UUIDv5 of host and interface.
    pub bench_id: Uuid,
    /// The node's host.
    pub host: String,
    /// As the system calls it: `eth1`.
    pub interface: String,
    /// Its hardware address, as far as that is known.
    pub mac: Option<String>,
    /// Its own address with the length of its network; `None` = it has none.
    pub address: Option<IpNet>,
    /// Why nothing can be served there, in words.
    pub problem: Option<String>,
    /// When this was so.
    pub heard_at: DateTime<Utc>,
    /// Other BOOTP or DHCP servers that were heard there: an array.
    pub others: Value,
}

/// A bench, and for what it is armed.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// Which.
    pub bench_id: Uuid,
    /// The node's host.
    pub host: String,
    /// As the system calls it.
    pub interface: String,
    /// Its own address with the length of its network.
    pub address: Option<IpNet>,
    /// Why nothing can be served there, in words.
    pub problem: Option<String>,
    /// When its node said so last.
    pub heard_at: DateTime<Utc>,
    /// Other BOOTP or DHCP servers that were heard there: an array.
    pub others: Value,
    /// Armed until then; in the past = it was.
    pub armed_until: Option<DateTime<Utc>>,
    /// Since when.
    pub armed_at: Option<DateTime<Utc>>,
    /// By whom.
    pub armed_by: Option<String>,
    /// For what: `netboot::arming::Arming`; values of secrets sealed.
    pub arming: Option<Value>,
    /// When any of this last changed, `heard_at` apart.
    pub updated_at: DateTime<Utc>,
}

/// For what a bench of this host is armed, or was last.
#[derive(Debug, Clone, PartialEq)]
pub struct Armed {
    /// Which.
    pub bench_id: Uuid,
    /// As the system calls it.
    pub interface: String,
    /// Armed until then.
    pub armed_until: Option<DateTime<Utc>>,
    /// Since when.
    pub armed_at: Option<DateTime<Utc>>,
    /// For what.
    pub arming: Option<Value>,
    /// By whom.
    pub armed_by: Option<String>,
    /// The hardware address that the interface had then; `None` = nobody knew it.
    pub armed_mac: Option<String>,
    /// Its hardware address, as its node said last.
    pub mac: Option<String>,
}

impl Armed {
    /// Whether an interface with this hardware address is the one that was armed.
    pub fn is_for(&self, mac: Option<&str>) -> bool {
        self.armed_mac.is_none() || self.armed_mac.as_deref() == mac
    }
}

/// Changes whenever anything of the benches or their boards does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When a bench last changed.
    pub benches: Option<DateTime<Utc>>,
    /// When a board last did.
    pub boards: Option<DateTime<Utc>>,
}

/// Stores what a node says of a bench of its own; its arming stays.
pub async fn heartbeat(pool: &PgPool, bench: &BenchRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into benches as b (bench_id, host, interface, address, problem, heard_at, others,
                                   mac, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $6)
         on conflict (bench_id) do update set
             address = excluded.address,
             -- That of an interface that is gone is still what was armed.
             mac = coalesce(excluded.mac, b.mac),
             problem = excluded.problem,
             heard_at = excluded.heard_at,
             others = excluded.others,
             -- Who follows the benches is told of what is new, and not of each heartbeat.
             updated_at = case
                 when b.address is distinct from excluded.address
                   or b.mac is distinct from coalesce(excluded.mac, b.mac)
                   or b.problem is distinct from excluded.problem
                   or b.others is distinct from excluded.others then excluded.updated_at
                 else b.updated_at end",
        bench.bench_id,
        bench.host,
        bench.interface,
        bench.address as Option<IpNet>,
        bench.problem,
        bench.heard_at,
        bench.others,
        bench.mac
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What the benches of a host are armed for.
pub async fn armings(pool: &PgPool, host: &str) -> Result<Vec<Armed>, sqlx::Error> {
    sqlx::query_as!(
        Armed,
        "select bench_id, interface, armed_until, armed_at, arming, armed_by, armed_mac, mac
         from benches where host = $1 order by interface",
        host
    )
    .fetch_all(pool)
    .await
}

/// All benches, by host and interface. That one is armed and is not what was armed is its problem, too.
pub async fn benches(db: impl PgExecutor<'_>) -> Result<Vec<Bench>, sqlx::Error> {
    sqlx::query_as!(
        Bench,
        r#"select bench_id, host, interface, address as "address: IpNet",
                  coalesce(problem, case when armed_until > heard_at and armed_mac <> mac
                                    then $1::text end) as "problem?",
                  heard_at, others, armed_until, armed_at, armed_by, arming, updated_at
           from benches order by host, interface"#,
        CHANGED
    )
    .fetch_all(db)
    .await
}

/// One bench, locked until the transaction ends.
pub async fn lock_bench(
    conn: &mut PgConnection,
    bench_id: Uuid,
) -> Result<Option<Bench>, sqlx::Error> {
    sqlx::query_as!(
        Bench,
        // Two people who arm it at once do so one after the other, and the log shows who was last.
        r#"select bench_id, host, interface, address as "address: IpNet", problem, heard_at, others,
                  armed_until, armed_at, armed_by, arming, updated_at
           from benches where bench_id = $1 for update"#,
        bench_id
    )
    .fetch_optional(conn)
    .await
}

/// Arms a bench until a time, in place of what it was armed for; the interface as it is now.
pub async fn arm(
    conn: &mut PgConnection,
    bench_id: Uuid,
    until: DateTime<Utc>,
    by: &str,
    arming: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update benches set armed_until = $2, armed_at = $5, armed_by = $3, arming = $4,
                armed_mac = mac, updated_at = $5
         where bench_id = $1",
        bench_id,
        until,
        by,
        arming,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what a bench is armed for; what that was can still be seen.
pub async fn disarm(
    conn: &mut PgConnection,
    bench_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update benches set armed_until = $2, updated_at = $2 where bench_id = $1",
        bench_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What tells whether anything has changed.
pub async fn stamp(pool: &PgPool) -> Result<Stamp, sqlx::Error> {
    sqlx::query_as!(
        Stamp,
        r#"select (select max(updated_at) from benches) as "benches?",
                  (select max(updated_at) from bench_boards) as "boards?""#
    )
    .fetch_one(pool)
    .await
}

/// Forgets turns that are over, what happened long ago, and boards that were nobody's and did not come again; a bounded
/// number of each.
pub async fn purge(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    turns::purge(pool, now).await?;
    log::purge(pool, now - LOG_FOR, FORGOTTEN).await?;
    boards::purge(pool, now - STRANGERS_FOR, FORGOTTEN).await
}
