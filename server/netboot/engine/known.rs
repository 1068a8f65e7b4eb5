//! What is kept of a board at the bench: the machine of its coming, and its row.

use std::net::SocketAddrV4;
use std::time::Duration;

use ipnet::Ipv4Net;
use muster_netboot::board::{Board, Stage};
use muster_netboot::mac::Mac;
use uuid::Uuid;

use super::{MINUTE, Now};
use crate::netboot::decide::{Asks, Decision, Gift, Given, Reading, Stored};
use crate::netboot::record::{self, Detail, Said, Write};
use crate::store::bench::BoardRow;

/// A board.
pub(super) struct Known {
    /// How far it has come.
    pub board: Board,
    /// What is stored of it, or is to be.
    pub row: BoardRow,
    /// What it says of itself.
    pub said: Said,
    /// How it may read what it was offered.
    pub reading: Reading,
    /// Who reads for it.
    pub peer: Option<SocketAddrV4>,
    /// Writes that are not stored yet.
    pub unsaved: u32,
    /// A question waits for these.
    pub held: bool,
    /// More of the next entry in its log.
    pub detail: Detail,
    /// When it had its delivery.
    had_it: Option<Duration>,
    /// The stage of its last write, and why it was refused or failed then.
    told: Option<(Stage, Option<&'static str>)>,
    /// When that was.
    told_at: Duration,
    /// Refusals of the last minute that are in its log.
    refusals: Vec<(&'static str, Duration)>,
}

impl Known {
    pub(super) fn new(mac: Mac, bench_id: Uuid, now: Now) -> Self {
        Self {
            board: Board::new(mac, now.since),
            row: record::fresh(mac, bench_id, now.at),
            said: Said::default(),
            reading: Reading::default(),
            peer: None,
            unsaved: 0,
            held: false,
            detail: Detail::default(),
            had_it: None,
            told: None,
            told_at: now.since,
            refusals: Vec::new(),
        }
    }

    /// Whether it must not be forgotten.
    pub(super) fn is_busy(&self) -> bool {
        let under_way = matches!(
            self.board.stage(),
            Stage::Redirected | Stage::Installing | Stage::Transferring
        );
        under_way || self.unsaved > 0 || self.peer.is_some()
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.board.deadline().is_some_and(|due| due <= now)
    }

    /// Whether it had its delivery at that time or before, and that is stored.
    pub(super) fn had_its_delivery_before(&self, time: Duration) -> bool {
        let ended = matches!(self.board.stage(), Stage::Delivered | Stage::Installed);
        ended && self.unsaved == 0 && self.had_it.is_some_and(|at| at <= time)
    }

    /// Whether it is worth a write that it was refused: it is news, or nothing was said for a minute.
    pub(super) fn is_worth_writing(&self, now: Duration) -> bool {
        let is_news = self.told != Some((self.board.stage(), self.board.reason()));
        is_news || (self.unsaved == 0 && now.saturating_sub(self.told_at) >= MINUTE)
    }

    /// Notes what it says of itself. Of one that had its delivery and gets no more, what it was then
    /// stays.
    pub(super) fn note(&mut self, refused: bool) {
        if !(refused && self.row.done) {
            self.board.kind().word().clone_into(&mut self.row.kind);
            record::note_said(&mut self.row, &self.said);
        }
    }

    /// Takes over what was read for a decision. `refused`: it gets nothing.
    pub(super) fn learn(&mut self, decision: &Decision, refused: bool, bench_id: Uuid, now: Now) {
        let seen_at = self.row.seen_at;
        match &decision.row {
            Stored::Row(row) => self.row = (**row).clone(),
            // Never stored, or somebody has had it forgotten.
            Stored::Nothing => self.row = record::fresh(decision.question.mac, bench_id, now.at),
            // Of that nothing is decided.
            Stored::Unknown => return,
        }
        self.row.decided = true;
        self.row.bench_id = bench_id;
        self.row.seen_at = seen_at;
        if let Asks::Boot { .. } = &decision.question.asks {
            self.note(refused);
        }
        match &decision.claim {
            Some((claim_id, site)) => {
                self.row.claim_id = Some(*claim_id);
                // One whose device is here stands where that does.
                if site.is_some() || self.row.device_id.is_none() {
                    self.row.site.clone_from(site);
                }
            }
            None => self.row.claim_id = None,
        }
    }

    /// Notes what it is given.
    pub(super) fn give(&mut self, given: Given) {
        let row = &mut self.row;
        row.profile = given.profile;
        row.profile_status = given.profile_status;
        row.strategy = Some(given.strategy);
        row.step = None;
        row.sent_bytes = 0;
        let script = given.script;
        row.template = script.as_ref().map(|script| script.template.clone());
        row.template_version = script.as_ref().map(|script| script.version);
        row.size = script.as_ref().map(|s| i32::try_from(s.script.len()).unwrap_or(i32::MAX));
        row.script_sha256 = script.as_ref().map(|script| script.sha256.clone());
        let mode = script.as_ref().and_then(|script| script.mode.clone());
        row.script = script.map(|script| script.masked);
        let (total, warnings) = match given.gift {
            Gift::File { content, reading, .. } => {
                self.reading = reading;
                (content.len(), Vec::new())
            }
            Gift::Files { files, warnings, .. } => {
                (files.iter().map(|file| file.content.len()).sum(), warnings)
            }
        };
        row.total_bytes = i64::try_from(total).unwrap_or(i64::MAX);
        self.detail = Detail {
            by: Some(given.by.word().to_owned()),
            profile_status: row.profile_status.clone(),
            template: row.template.clone(),
            template_version: row.template_version,
            mode_template: mode.as_ref().map(|(template, _)| template.clone()),
            mode_version: mode.map(|(_, version)| version),
            size: row.size,
            warnings,
            ..Detail::default()
        };
        // Whatever it was given before, this is said in its log.
        self.told = None;
    }

    /// What is to be written now: with an entry of the log if the board has come to another stage. That
    /// it is refused for one reason comes into its log once a minute at most.
    pub(super) fn written(&mut self, network: Ipv4Net, now: Now) -> Write {
        let stage = self.board.stage();
        let said = Some((stage, self.board.reason()));
        let anew = self.told != said;
        record::note_stage(&mut self.row, &self.board, network, anew, now.at);
        let log = (anew && self.may_log(now.since)).then(|| {
            metrics::counter!("muster_bench_boards_total", "state" => stage.word()).increment(1);
            record::entry(&self.row, &self.board, std::mem::take(&mut self.detail), now.at)
        });
        if anew && matches!(stage, Stage::Delivered | Stage::Installed) {
            self.had_it = Some(now.since);
        }
        (self.told, self.told_at) = (said, now.since);
        self.unsaved += 1;
        let row = self.row.clone();
        // Whose it is was decided for this write; what people say of it meanwhile stays.
        self.row.decided = false;
        Write { mac: self.board.mac(), row, log, install_over: None, turn_over: false }
    }

    fn may_log(&mut self, now: Duration) -> bool {
        let (Stage::Refused, Some(code)) = (self.board.stage(), self.board.reason()) else {
            return true;
        };
        self.refusals.retain(|(_, at)| now.saturating_sub(*at) < MINUTE);
        let is_first = self.refusals.iter().all(|(other, _)| *other != code);
        if is_first {
            self.refusals.push((code, now));
        }
        is_first
    }
}
