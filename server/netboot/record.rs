//! What is kept of a board: its row, and an entry of its log for each stage that it comes to.
//!
//! Owns that the entries are written in the order of what happened, that nothing is lost while the
//! database is away, and that whoever waits for a write is told of its commit. It never decides
//! anything.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv4Net};
use muster_netboot::board::{Board, Stage};
use muster_netboot::bootp::{MAX_UNKNOWN, Request};
use muster_netboot::mac::Mac;
use muster_netboot::profile::{self, Profile};
use muster_netboot::vendor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ctx::Shared;
use crate::store::bench::{self, BoardRow, LogRow};

/// Between two attempts while the database is away.
const AGAIN: Duration = Duration::from_secs(1);
/// Writes of one transaction.
const BATCH: usize = 64;

/// What a board says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// What it calls itself: `952-hb`.
    pub board_id: Option<String>,
    /// Option 60.
    pub vendor_class: Option<String>,
    /// The architecture that this names.
    pub arch: Option<&'static str>,
    /// Bytes that it has room for.
    pub free: Option<u32>,
    /// Options that nobody knows, hexadecimal by number.
    pub options: BTreeMap<u8, String>,
}

impl Said {
    /// What a request says, as the profile reads it that is for boards like it.
    pub fn of(request: &Request, profiles: &[Profile]) -> Self {
        let profile = profile::matching(profiles, request);
        let vendor_class = request.vendor_class();
        Self {
            board_id: profile.and_then(|profile| profile.board_id(request)),
            arch: vendor_class.as_deref().and_then(vendor::arch_of),
            vendor_class,
            free: profile.and_then(|profile| profile.free(request)),
            options: request.unknown(),
        }
    }
}

/// More of an entry in the log of a board; no secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = BoardLogDetail)]
pub struct Detail {
    /// Why it was refused or failed, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By what it is served: `claim`, `allowed`, `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How sure the profile is by which it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_status: Option<String>,
    /// The template that it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Which version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version: Option<i32>,
    /// The template of its mode script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_template: Option<String>,
    /// Which version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_version: Option<i32>,
    /// Bytes of its script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i32>,
    /// The name of the file that it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes that it has.
    #[serde(skip_serializing_if = "is_zero")]
    pub sent_bytes: i64,
    /// Its requests.
    #[serde(skip_serializing_if = "is_zero_i32")]
    pub requests: i32,
    /// What had to be said again.
    #[serde(skip_serializing_if = "is_zero_i32")]
    pub retries: i32,
    /// From its first request to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i32>,
    /// What is to be said beside: of the files of an installation, of an answer that came late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The device that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Uuid>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_zero_i32(number: &i32) -> bool {
    *number == 0
}

/// A board of which nothing is stored.
pub fn fresh(mac: Mac, bench_id: Uuid, now: DateTime<Utc>) -> BoardRow {
    BoardRow {
        mac: mac.to_string(),
        bench_id,
        kind: "other".to_owned(),
        state: Stage::Seen.word().to_owned(),
        options: json!({}),
        first_seen_at: now,
        seen_at: now,
        updated_at: now,
        ..BoardRow::default()
    }
}

/// Writes into the row what the board says of itself. What it says only in another mode is kept.
pub fn note_said(row: &mut BoardRow, said: &Said) {
    row.vendor_class.clone_from(&said.vendor_class);
    if said.board_id.is_some() {
        row.board_id.clone_from(&said.board_id);
    }
    if let Some(free) = said.free {
        row.free_bytes = Some(i32::try_from(free).unwrap_or(i32::MAX));
    }
    if let Some(arch) = said.arch {
        row.arch = Some(arch.to_owned());
    }
    row.options = options(&row.options, &said.options);
}

/// The options that it says now, and as many of those before as there is room for.
fn options(before: &Value, said: &BTreeMap<u8, String>) -> Value {
    let mut all: BTreeMap<String, &str> =
        said.iter().map(|(code, digits)| (code.to_string(), digits.as_str())).collect();
    // Two digits a byte.
    let mut room = (2 * MAX_UNKNOWN).saturating_sub(all.values().map(|digits| digits.len()).sum());
    for (code, digits) in before.as_object().into_iter().flatten() {
        let digits = digits.as_str().unwrap_or_default();
        if !all.contains_key(code) && digits.len() <= room {
            room -= digits.len();
            all.insert(code.clone(), digits);
        }
    }
    json!(all)
}

/// Writes into the row how far the board has come; `anew` = it has come to this stage just now. A board
/// that has come to the end of its delivery has had it, and stays what it came to when it is refused
/// another: that it asked once more, and why it got nothing, is in its log alone.
pub fn note_stage(
    row: &mut BoardRow,
    board: &Board,
    network: Ipv4Net,
    anew: bool,
    now: DateTime<Utc>,
) {
    let stage = board.stage();
    row.updated_at = now;
    if stage == Stage::Refused && row.done {
        return;
    }
    if anew {
        match stage {
            Stage::Offered => row.offered_at = Some(now),
            Stage::Delivered | Stage::Installed => {
                row.delivered_at = Some(now);
                row.done = true;
            }
            Stage::Seen
            | Stage::Refused
            | Stage::Transferring
            | Stage::Redirected
            | Stage::Installing
            | Stage::TimedOut
            | Stage::Failed => {}
        }
    }
    stage.word().clone_into(&mut row.state);
    row.reason = board.reason().map(str::to_owned);
    row.words = board.words().map(str::to_owned);
    row.step = board.step().map(str::to_owned);
    if let Some(offer) = board.offer() {
        row.address = Ipv4Net::new(offer.address, network.prefix_len()).ok().map(IpNet::V4);
    }
    row.requests = i32::try_from(board.requests()).unwrap_or(i32::MAX);
    row.retries = i32::try_from(board.retries()).unwrap_or(i32::MAX);
    row.duration_ms = milliseconds(board);
}

/// From its first request to its end.
fn milliseconds(board: &Board) -> Option<i32> {
    let ran = board.duration()?;
    Some(i32::try_from(ran.as_millis()).unwrap_or(i32::MAX))
}

/// The entry of the log for the stage that the board has come to.
pub fn entry(row: &BoardRow, board: &Board, more: Detail, now: DateTime<Utc>) -> LogRow {
    // Of one that is refused nothing was sent, whatever it had before.
    let is_refused = board.stage() == Stage::Refused;
    let detail = Detail {
        reason: board.reason().map(str::to_owned),
        sent_bytes: if is_refused { 0 } else { row.sent_bytes },
        requests: i32::try_from(board.requests()).unwrap_or(i32::MAX),
        retries: i32::try_from(board.retries()).unwrap_or(i32::MAX),
        duration_ms: milliseconds(board),
        ..more
    };
    LogRow {
        log_id: Uuid::now_v7(),
        mac: row.mac.clone(),
        bench_id: row.bench_id,
        at: now,
        state: board.stage().word().to_owned(),
        words: board.words().map(str::to_owned),
        detail: json!(detail),
    }
}

/// One thing to be written.
#[derive(Debug, Clone)]
pub struct Write {
    /// Of which board.
    pub mac: Mac,
    /// As it is now.
    pub row: BoardRow,
    /// What has happened; `None` = it has only come further in the same stage.
    pub log: Option<LogRow>,
    /// The arming by its name that is over, as it was stored.
    pub install_over: Option<(Value, DateTime<Utc>)>,
    /// It gets nothing although its turn was taken: another bench may serve it.
    pub turn_over: bool,
}

/// What the writer is told.
enum Order {
    Write(Box<Write>),
    /// To say when all before it is written.
    Flush(oneshot::Sender<()>),
}

/// The way to the task that writes.
#[derive(Debug, Clone)]
pub struct Writer(mpsc::UnboundedSender<Order>);

impl Writer {
    /// Starts the task. `saved` is told of each write after its commit. It ends when nobody can tell it
    /// anything any more.
    pub fn start(app: Shared, saved: impl Fn(Mac) + Send + 'static) -> Self {
        let (orders, waiting) = mpsc::unbounded_channel();
        tokio::spawn(run(app, waiting, saved));
        Self(orders)
    }

    /// Has something written. There are never more of these than boards that are answered.
    pub fn write(&self, write: Write) {
        // The task lives as long as this.
        let _ = self.0.send(Order::Write(Box::new(write)));
    }

    /// Waits until all before is written.
    pub async fn flush(&self) {
        let (told, done) = oneshot::channel();
        if self.0.send(Order::Flush(told)).is_ok() {
            let _ = done.await;
        }
    }
}

async fn run(app: Shared, mut waiting: mpsc::UnboundedReceiver<Order>, saved: impl Fn(Mac)) {
    let mut orders = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut orders, BATCH).await > 0 {
        let (mut writes, mut flushes) = (Vec::with_capacity(orders.len()), Vec::new());
        for order in orders.drain(..) {
            match order {
                Order::Write(write) => writes.push(*write),
                Order::Flush(told) => flushes.push(told),
            }
        }
        while let Err(e) = store(&app, &writes).await {
            tracing::error!("what happened at the bench was not written, and is tried again: {e}");
            tokio::time::sleep(AGAIN).await;
        }
        for write in &writes {
            saved(write.mac);
        }
        for told in flushes {
            // Whoever waits no longer need not be told.
            let _ = told.send(());
        }
    }
}

async fn store(app: &Shared, writes: &[Write]) -> Result<(), sqlx::Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let macs: Vec<String> = writes.iter().map(|write| write.row.mac.clone()).collect();
    let mut tx = app.pool.begin().await?;
    bench::lock_boards(&mut tx, &macs).await?;
    for write in writes {
        bench::put_board(&mut tx, &write.row).await?;
        if let Some(log) = &write.log {
            bench::append_log(&mut tx, log).await?;
        }
        if let Some((install, until)) = &write.install_over {
            bench::install_over(&mut tx, &write.row.mac, install, *until).await?;
        }
        if write.turn_over {
            bench::end_turn(&mut *tx, &write.row.mac, write.row.bench_id).await?;
        }
    }
    tx.commit().await
}

#[cfg(test)]
mod tests;
