//! What the bench writes of a board, as it sees it.
//!
//! Owns that nothing is written over which is not the bench's to say, or which another bench knows
//! better: what people say of a board, what a board had, and where it has gone.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::boards::BoardRow;
use super::log::{LogRow, append_log};
use super::turns::is_served;

/// Of a board whose bench ended while it was served.
const INTERRUPTED: &str = "Muster stopped, or the interface changed, while it was served";
/// Why a board failed that may have all of it.
const UNACKNOWLEDGED: &str = "unacknowledged";

/// What is stored of a board that is to be written.
struct Held {
    bench_id: Uuid,
    state: String,
    reason: Option<String>,
    delivered_at: Option<DateTime<Utc>>,
    done: bool,
    install_until: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// How much of it is written.
#[derive(Debug, PartialEq, Eq)]
enum Extent {
    /// All.
    Whole,
    /// Where and when it was seen, and whose it is.
    Seen,
    /// Nothing.
    Nothing,
}

/// Locks the boards with these MAC addresses until the transaction ends, also those that have no row
/// yet. Two benches that see the same ones at once write one after the other: all are locked before the
/// first is written, and in one order, whatever order they came in.
pub async fn lock_boards(conn: &mut PgConnection, macs: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtext('muster.boards'), of_mac)
         from (select distinct hashtext(mac) as of_mac from unnest($1::text[]) as mac
               order by of_mac) as boards",
        macs
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a board that is locked as the bench knows it, but for what people say of it: `install` and `install_until`
/// stay as they are in the row, `done` is only set, and only by a delivery, and `deliveries` counts
/// those by itself: each other time of `delivered_at` is one more. Who it became is found out beside
/// this. Claim and site are written where they come of a decision.
pub async fn put_board(conn: &mut PgConnection, board: &BoardRow) -> Result<(), sqlx::Error> {
    let held = sqlx::query_as!(
        Held,
        "select bench_id, state, reason, delivered_at, done, install_until, updated_at
         from bench_boards where mac = $1 for update",
        board.mac
    )
    .fetch_optional(&mut *conn)
    .await?;
    match held.map_or(Extent::Whole, |held| extent(&held, board)) {
        Extent::Whole => put_all(conn, board).await,
        Extent::Seen => put_seen(conn, board).await,
        Extent::Nothing => Ok(()),
    }
}

/// What there is to write of a board that is stored as `held`.
fn extent(held: &Held, board: &BoardRow) -> Extent {
    let (state, elsewhere) = (board.state.as_str(), held.bench_id != board.bench_id);
    // This bench only offered something, and the board is another's by now.
    if state == "timed_out" && elsewhere {
        return Extent::Nothing;
    }
    // Another bench is about to serve it: that this one does not is in its log.
    if elsewhere
        && matches!(state, "seen" | "refused")
        && is_served(&held.state, held.updated_at, board.updated_at)
    {
        return Extent::Nothing;
    }
    let is_less = match state {
        "seen" | "refused" | "timed_out" => true,
        "offered" => elsewhere,
        _ => false,
    };
    // What it had stays to be seen, unless somebody has named it since to be installed.
    let for_install = held.install_until.is_some_and(|until| until > board.updated_at);
    let had_it = held.done && is_less && !for_install;
    // It has started something else: what it may have is to be found out by its inform.
    let may_have_it = held.state == "failed"
        && held.reason.as_deref() == Some(UNACKNOWLEDGED)
        && matches!(state, "seen" | "refused")
        && matches!(board.kind.as_str(), "dhcp" | "other");
    // Its device has come since this was read.
    let has_come = held.state == "confirmed"
        && matches!(state, "delivered" | "installed")
        && held.delivered_at == board.delivered_at;
    if had_it || may_have_it || has_come { Extent::Seen } else { Extent::Whole }
}

async fn put_seen(conn: &mut PgConnection, board: &BoardRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update bench_boards set
             bench_id = $2,
             seen_at = greatest(seen_at, $3),
             claim_id = case when $4::boolean then $5 else claim_id end,
             site = case when $4::boolean then $6::text::ltree else site end,
             updated_at = $7
         where mac = $1",
        board.mac,
        board.bench_id,
        board.seen_at,
        board.decided,
        board.claim_id,
        board.site,
        board.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn put_all(conn: &mut PgConnection, board: &BoardRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bench_boards as b (mac, bench_id, kind, state, reason, words, board_id,
             vendor_class, arch, free_bytes, options, claim_id, device_id, site, profile,
             profile_status, strategy, template, template_version, script, script_sha256, size,
             address, step, sent_bytes, total_bytes, requests, retries, duration_ms, first_seen_at,
             seen_at, offered_at, delivered_at, confirmed_at, done, updated_at, deliveries)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::ltree, $15, $16,
             $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32,
             $33::timestamptz, $34, $35, $36,
             case when $33::timestamptz is null then 0 else 1 end)
         on conflict (mac) do update set
             bench_id = excluded.bench_id,
             kind = excluded.kind,
             state = excluded.state,
             reason = excluded.reason,
             words = excluded.words,
             board_id = coalesce(excluded.board_id, b.board_id),
             vendor_class = excluded.vendor_class,
             arch = coalesce(excluded.arch, b.arch),
             free_bytes = coalesce(excluded.free_bytes, b.free_bytes),
             options = b.options || excluded.options,
             -- Only a decision says for whom it is taken and what it is given: what else is written may be
             -- of a board whose row was not read.
             claim_id = case when $37::boolean then excluded.claim_id else b.claim_id end,
             site = case when $37::boolean then excluded.site else b.site end,
             profile = case when $37 then excluded.profile else b.profile end,
             profile_status = case when $37 then excluded.profile_status else b.profile_status end,
             strategy = case when $37 then excluded.strategy else b.strategy end,
             template = case when $37 then excluded.template else b.template end,
             template_version = case when $37 then excluded.template_version else b.template_version end,
             script = case when $37 then excluded.script else b.script end,
             script_sha256 = case when $37 then excluded.script_sha256 else b.script_sha256 end,
             size = case when $37 then excluded.size else b.size end,
             address = coalesce(excluded.address, b.address),
             step = excluded.step,
             sent_bytes = excluded.sent_bytes,
             total_bytes = excluded.total_bytes,
             requests = excluded.requests,
             retries = excluded.retries,
             duration_ms = excluded.duration_ms,
             seen_at = excluded.seen_at,
             -- A bench that is not armed has not read it.
             offered_at = coalesce(excluded.offered_at, b.offered_at),
             delivered_at = coalesce(excluded.delivered_at, b.delivered_at),
             -- Of a delivery before this one. What the bench has of it is as old as its reading.
             confirmed_at = case
                 when excluded.delivered_at is not null
                  and excluded.delivered_at is distinct from b.delivered_at then null
                 else b.confirmed_at end,
             -- Somebody may have armed it again since this was read.
             done = b.done or (excluded.done
                 and excluded.delivered_at is distinct from b.delivered_at),
             deliveries = b.deliveries + case
                 when excluded.delivered_at is not null
                  and excluded.delivered_at is distinct from b.delivered_at then 1 else 0 end,
             updated_at = excluded.updated_at",
        board.mac,
        board.bench_id,
        board.kind,
        board.state,
        board.reason,
        board.words,
        board.board_id,
        board.vendor_class,
        board.arch,
        board.free_bytes,
        board.options,
        board.claim_id,
        board.device_id,
        board.site,
        board.profile,
        board.profile_status,
        board.strategy,
        board.template,
        board.template_version,
        board.script,
        board.script_sha256,
        board.size,
        board.address as Option<IpNet>,
        board.step,
        board.sent_bytes,
        board.total_bytes,
        board.requests,
        board.retries,
        board.duration_ms,
        board.first_seen_at,
        board.seen_at,
        board.offered_at,
        board.delivered_at,
        board.confirmed_at,
        board.done,
        board.updated_at,
        board.decided
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what a bench had begun, and nobody goes on with; gives how many boards that were. For where
/// the bench begins anew.
pub async fn interrupted(
    pool: &PgPool,
    bench_id: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let macs = sqlx::query_scalar!(
        "update bench_boards set state = 'failed', reason = 'interrupted', words = $2, step = null,
                updated_at = $3
         where bench_id = $1 and state in ('offered', 'transferring', 'redirected', 'installing')
         returning mac",
        bench_id,
        INTERRUPTED,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    for mac in &macs {
        let entry = LogRow {
            log_id: Uuid::now_v7(),
            mac: mac.clone(),
            bench_id,
            at: now,
            state: "failed".to_owned(),
            words: Some(INTERRUPTED.to_owned()),
            detail: json!({ "reason": "interrupted" }),
        };
        append_log(&mut tx, &entry).await?;
    }
    tx.commit().await?;
    Ok(macs.len())
}

#[cfg(test)]
mod tests;
