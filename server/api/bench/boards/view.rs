//! A board, and what happened to it, as the API tells them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::netboot::arming::Install;
use crate::service::bench::Board;
use crate::store::bench::LogRow;

/// A board.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::bench) struct BoardView {
    /// Its MAC address.
    #[schema(example = "E4:8D:8C:00:00:01")]
    mac: String,
    /// Where it was seen last.
    bench_id: Uuid,
    /// How it asked: `flashboot`, `etherboot`, `dhcp` or `other`.
    kind: String,
    /// `seen`, `refused`, `offered`, `transferring`, `delivered`, `redirected`, `installing`,
    /// `installed`, `timed_out`, `failed`, or `confirmed`: its device has informed since.
    state: String,
    /// Why it is refused or failed: a code.
    reason: Option<String>,
    /// The same in words.
    words: Option<String>,
    /// What it calls itself.
    #[schema(example = "952-hb")]
    board_id: Option<String>,
    /// Its option 60.
    vendor_class: Option<String>,
    /// The architecture that this names.
    arch: Option<String>,
    /// Bytes that it has free for a script, as it says.
    free_bytes: Option<i32>,
    /// The claim that it is taken for.
    claim_id: Option<Uuid>,
    /// Serial number that this names.
    serial: Option<String>,
    /// The customer's number that this names.
    customer: Option<String>,
    /// The device that it became.
    device_id: Option<Uuid>,
    /// Path of the site where it comes to stand.
    site: Option<String>,
    /// Netboot profile by which it was served.
    profile: Option<String>,
    /// How sure that was: `unverified`, `captured` or `hardware-verified`.
    profile_status: Option<String>,
    /// `flashfig-direct` or `etherboot-redirect`.
    strategy: Option<String>,
    /// Name of the template that it was given.
    template: Option<String>,
    /// Which version of that.
    template_version: Option<i32>,
    /// Bytes of the script.
    size: Option<i32>,
    /// The address that it was lent.
    address: Option<String>,
    /// Of the transfer or the installation under way, in words.
    step: Option<String>,
    /// Bytes that it has of what is under way.
    sent_bytes: i64,
    /// Bytes that it is to have.
    total_bytes: i64,
    /// Requests since it was switched on.
    requests: i32,
    /// What had to be sent again.
    retries: i32,
    /// From its first request to the last answer, in milliseconds.
    duration_ms: Option<i32>,
    /// When it was seen first.
    first_seen_at: DateTime<Utc>,
    /// When it was seen last.
    seen_at: DateTime<Utc>,
    /// When it was offered something last.
    offered_at: Option<DateTime<Utc>>,
    /// When it had all of it.
    delivered_at: Option<DateTime<Utc>>,
    /// When its device informed after that.
    confirmed_at: Option<DateTime<Utc>>,
    /// It had its delivery, and gets no other before somebody says so.
    done: bool,
    /// How many it had.
    deliveries: i32,
    /// It may be installed, which formats it; null = it may not.
    install: Option<Install>,
    /// Until then.
    install_until: Option<DateTime<Utc>>,
    /// When any of this last changed.
    updated_at: DateTime<Utc>,
}

impl BoardView {
    pub(super) fn of(board: Board) -> Self {
        let Board { row, serial, customer } = board;
        Self {
            mac: row.mac,
            bench_id: row.bench_id,
            kind: row.kind,
            state: row.state,
            reason: row.reason,
            words: row.words,
            board_id: row.board_id,
            vendor_class: row.vendor_class,
            arch: row.arch,
            free_bytes: row.free_bytes,
            claim_id: row.claim_id,
            serial,
            customer,
            device_id: row.device_id,
            site: row.site,
            profile: row.profile,
            profile_status: row.profile_status,
            strategy: row.strategy,
            template: row.template,
            template_version: row.template_version,
            size: row.size,
            address: row.address.map(|address| address.addr().to_string()),
            step: row.step,
            sent_bytes: row.sent_bytes,
            total_bytes: row.total_bytes,
            requests: row.requests,
            retries: row.retries,
            duration_ms: row.duration_ms,
            first_seen_at: row.first_seen_at,
            seen_at: row.seen_at,
            offered_at: row.offered_at,
            delivered_at: row.delivered_at,
            confirmed_at: row.confirmed_at,
            done: row.done,
            deliveries: row.deliveries,
            install: row.install.and_then(|install| serde_json::from_value(install).ok()),
            install_until: row.install_until,
            updated_at: row.updated_at,
        }
    }
}

/// A board with what it was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::bench) struct WholeBoardView {
    #[serde(flatten)]
    board: BoardView,
    /// The script, secrets masked.
    script: Option<String>,
    /// Keyed hash of the script as it was sent, in hexadecimal: of two that are the same it is.
    script_sha256: Option<String>,
    /// Options of its request that nobody knows: hexadecimal by number.
    #[schema(value_type = Object)]
    options: Value,
}

impl WholeBoardView {
    pub(super) fn of(mut board: Board) -> Self {
        let script_sha256 = board.row.script_sha256.as_deref().map(hex::encode);
        let (script, options) = (board.row.script.take(), board.row.options.take());
        Self { board: BoardView::of(board), script, script_sha256, options }
    }
}

/// What happened to a board.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::bench) struct BoardLogView {
    /// Which.
    log_id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// Where.
    bench_id: Uuid,
    /// Its state from then on, or what somebody said of it: `rearmed`, `install_armed`,
    /// `install_cancelled`, `forgotten`.
    state: String,
    /// In words.
    words: Option<String>,
    /// More of it.
    #[schema(value_type = Object)]
    detail: Value,
}

impl BoardLogView {
    pub(super) fn of(row: LogRow) -> Self {
        Self {
            log_id: row.log_id,
            at: row.at,
            bench_id: row.bench_id,
            state: row.state,
            words: row.words,
            detail: row.detail,
        }
    }
}
