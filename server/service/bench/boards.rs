//! The boards: list, look at, serve again, forget.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim;
use crate::store::bench::{self as store, BoardFilter, BoardRow, LogRow};
use crate::store::claims;

/// States by which a list is narrowed.
pub const STATES: [&str; 11] = [
    "seen",
    "refused",
    "offered",
    "transferring",
    "delivered",
    "redirected",
    "installing",
    "installed",
    "timed_out",
    "failed",
    "confirmed",
];
/// Bytes of a text that is looked for.
const MAX_TEXT: usize = 100;

/// Where in the list somebody was: when a board was seen last, and its MAC address.
pub type Place = (DateTime<Utc>, String);

/// A board, and whom it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// The board itself.
    pub row: BoardRow,
    /// Serial number that its claim names.
    pub serial: Option<String>,
    /// The customer's number that its claim names.
    pub customer: Option<String>,
}

/// A page of boards, those that were seen last first, after one.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a filter that cannot be.
pub async fn boards(
    app: &App,
    ctx: &Ctx,
    filter: BoardFilter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Board>, Error> {
    let within = ctx.require(Right::Read)?.paths();
    let filter = checked(filter)?;
    let after = after.as_ref().map(|(seen_at, mac)| (*seen_at, mac.as_str()));
    let rows = store::boards(&app.pool, &filter, within.as_deref(), after, limit).await?;
    with_claims(app, ctx, rows).await
}

fn checked(filter: BoardFilter) -> Result<BoardFilter, Error> {
    let BoardFilter { state, bench_id, text } = filter;
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Error::invalid("", format!("state is one of {}", STATES.join(", "))));
    }
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
        return Err(Error::invalid("", format!("q: at most {MAX_TEXT} bytes")));
    }
    // A whole address however it is written; the beginning of one as it is stored.
    let text = text.map(|text| claim::mac(&text).unwrap_or(text));
    Ok(BoardFilter { state, bench_id, text })
}

/// The boards with what their claims say, where the caller sees those.
async fn with_claims(app: &App, ctx: &Ctx, rows: Vec<BoardRow>) -> Result<Vec<Board>, Error> {
    let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.claim_id).collect();
    let found = match ids.is_empty() {
        true => Vec::new(),
        false => claims::find(&app.pool, &ids, &[], &[]).await?,
    };
    let reach = ctx.reach(Right::Read);
    let seen = found.into_iter().filter(|claim| reach.covers(claim.site.as_deref()));
    let named: HashMap<Uuid, (Option<String>, Option<String>)> =
        seen.map(|claim| (claim.claim_id, (claim.serial, claim.customer))).collect();
    let board = |row: BoardRow| {
        let claim = row.claim_id.and_then(|claim_id| named.get(&claim_id)).cloned();
        let (serial, customer) = claim.unwrap_or_default();
        Board { row, serial, customer }
    };
    Ok(rows.into_iter().map(board).collect())
}

/// One board.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for one that is not there or not seen.
pub async fn board(app: &App, ctx: &Ctx, mac: &str) -> Result<Board, Error> {
    ctx.require(Right::Read)?;
    let mut conn = app.pool.acquire().await?;
    let row = load(&mut conn, ctx, mac).await?;
    drop(conn);
    let none = || Error::Internal("a board was lost among its claims".to_owned());
    with_claims(app, ctx, vec![row]).await?.pop().ok_or_else(none)
}

/// A board by its address, however that is written, if it is there and the caller sees it.
pub(super) async fn load(conn: &mut PgConnection, ctx: &Ctx, mac: &str) -> Result<BoardRow, Error> {
    let none = || {
        let shown: String = mac.chars().take(MAX_TEXT).collect();
        Error::NotFound(format!("no board {shown} was seen"))
    };
    let stored = claim::mac(mac).ok_or_else(none)?;
    let row = store::load_board(conn, &stored).await?;
    let reach = ctx.reach(Right::Read);
    row.filter(|row| is_seen(row, &reach)).ok_or_else(none)
}

/// Whether who may read there sees a board. One without a site is for all who see any only as long as
/// it is nobody's; the statements of the store say the same.
fn is_seen(row: &BoardRow, reach: &Reach) -> bool {
    let is_nobodys = row.site.is_none() && row.claim_id.is_none() && row.device_id.is_none();
    is_nobodys || reach.covers(row.site.as_deref())
}

/// What happened to a board, the newest first, before an entry; but for what happened while it belonged
/// to a site where the caller sees nothing.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn log(
    app: &App,
    ctx: &Ctx,
    mac: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LogRow>, Error> {
    let board = board(app, ctx, mac).await?;
    let within = ctx.reach(Right::Read).paths();
    Ok(store::log(&app.pool, &board.row.mac, within.as_deref(), before, limit).await?)
}

/// Lets a board have its delivery once more, also where a device has taken its claim.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn rearm(app: &App, ctx: &Ctx, mac: &str) -> Result<Board, Error> {
    ctx.require(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let row = load(&mut tx, ctx, mac).await?;
    ctx.require_at(Right::Bench, row.site.as_deref())?;
    store::rearm(&mut tx, &row.mac, ctx.now).await?;
    let words = format!("{} lets it have its delivery once more", ctx.actor.name);
    store::append_log(&mut tx, &entry(ctx, &row, "rearmed", words)).await?;
    let (was, is) = (json!({ "done": row.done }), json!({ "done": false }));
    audit::record(&mut tx, ctx, "board.rearm", object(&row), was, is).await?;
    tx.commit().await?;
    tracing::info!(board.mac = row.mac, by = ctx.actor.name, "a board is to be served again");
    board(app, ctx, mac).await
}

/// Forgets a board: should it come again, it is a new one, and may be served. What happened to it
/// stays in its log.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn forget(app: &App, ctx: &Ctx, mac: &str) -> Result<(), Error> {
    ctx.require(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let row = load(&mut tx, ctx, mac).await?;
    ctx.require_at(Right::Bench, row.site.as_deref())?;
    let words = format!("{} had it forgotten", ctx.actor.name);
    // First: where it belongs goes with it into its log.
    store::append_log(&mut tx, &entry(ctx, &row, "forgotten", words)).await?;
    store::delete_board(&mut tx, &row.mac, ctx.now).await?;
    audit::record(&mut tx, ctx, "board.forget", object(&row), said(&row), ()).await?;
    tx.commit().await?;
    tracing::info!(board.mac = row.mac, by = ctx.actor.name, "a board was forgotten");
    Ok(())
}

pub(super) fn object(row: &BoardRow) -> Object<'_> {
    Object::new("board", &row.mac, row.board_id.as_deref().unwrap_or(&row.mac))
}

/// What the audit log keeps of it.
fn said(row: &BoardRow) -> Value {
    json!({
        "state": row.state,
        "claim_id": row.claim_id,
        "device_id": row.device_id,
        "site": row.site,
        "done": row.done,
        "deliveries": row.deliveries,
    })
}

/// What somebody said of a board, for its log.
pub(super) fn entry(ctx: &Ctx, row: &BoardRow, state: &str, words: String) -> LogRow {
    LogRow {
        log_id: Uuid::now_v7(),
        mac: row.mac.clone(),
        bench_id: row.bench_id,
        at: ctx.now,
        state: state.to_owned(),
        words: Some(words),
        detail: json!({ "by": ctx.actor.name }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_filter_is_put_in_order() {
        let text = |text: &str| BoardFilter { text: Some(text.to_owned()), ..Default::default() };
        assert_eq!(checked(text("e48d.8c00.0001")).unwrap(), text("E4:8D:8C:00:00:01"));
        assert_eq!(checked(text(" 952-hb ")).unwrap(), text("952-hb"));
        assert_eq!(checked(text(" ")).unwrap(), BoardFilter::default());
        assert!(checked(text(&"x".repeat(101))).is_err());
        let state =
            |state: &str| BoardFilter { state: Some(state.to_owned()), ..Default::default() };
        assert!(checked(state("timed_out")).is_ok() && checked(state("open")).is_err());
    }
}
