//! What boards read: their script, the word that sends them on, or their boot image.
//!
//! A read belongs to the board that was lent the address. Who was lent none gets an error, and nothing
//! is ever written for anybody.

use std::net::SocketAddrV4;
use std::time::Duration;

use muster_netboot::board::{Gives, Stage};
use muster_netboot::bootp;
use muster_netboot::mac::Mac;
use muster_netboot::tftp::{Limits, Outcome, Packet, Sender, code, is_octet, refuse};

use super::known::Known;
use super::{Datagram, Engine, Now, Out, PROGRESS, Port};

/// A transfer that has ended is kept for so long: a late copy of its request begins no other.
const LINGERS: Duration = Duration::from_secs(1);
/// What boards ask for where the reply names no file.
const UNNAMED: &str = "vmlinux";
/// Characters of a file's name that are kept.
const MAX_NAME: usize = 64;
/// Of less it is not written how far it has come.
const LARGE: usize = 256 << 10;

/// A file on its way to a board.
pub(super) struct Transfer {
    mac: Mac,
    sender: Sender,
    large: bool,
    /// Since when its first answer is waited for; `None` = that is on its way.
    unanswered: Option<Duration>,
    /// What was sent again, as far as the board's count has it.
    resent: u32,
    ended: Option<Duration>,
    told: Duration,
}

impl Transfer {
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.ended {
            Some(ended) => Some(ended + LINGERS),
            None => self.sender.deadline(),
        }
    }
}

impl Engine {
    /// Somebody asks for a file.
    pub(super) fn tftp(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now, out: &mut Out) {
        let (file, mode, options) = match Packet::read(bytes) {
            Ok(Packet::Read { file, mode, options }) => (file, mode, options),
            Ok(Packet::Write { .. }) => {
                return self.refuse(from, code::DENIED, "nothing is written here", now, out);
            }
            // An answer to an error would be answered by another.
            Ok(Packet::Error { .. }) | Err(_) => return,
            Ok(Packet::Data { .. } | Packet::Ack { .. } | Packet::Options(_)) => {
                return self.refuse(from, code::ILLEGAL, "ask for a file first", now, out);
            }
        };
        if self.transfers.get(&from).is_some_and(|open| open.sender.under_way(now.since)) {
            return;
        }
        let mac = self.lent.get(from.ip()).copied();
        let Some((mac, known)) = mac.and_then(|mac| Some((mac, self.boards.get(&mac)?))) else {
            return self.refuse(from, code::DENIED, "this address was lent to nobody", now, out);
        };
        let stage = known.board.stage();
        let offer = known.board.offer().filter(|o| o.address == *from.ip() && may_read(stage));
        let Some(offer) = offer.cloned() else {
            return self.refuse(from, code::DENIED, "nothing is offered to this board", now, out);
        };
        let named = if offer.file.is_empty() { UNNAMED } else { offer.file.as_str() };
        let wanted = known.reading.any_name || file == named.as_bytes();
        let asked = bootp::text(file, MAX_NAME);
        if !wanted {
            return self.refuse(from, code::NOT_FOUND, "there is no such file", now, out);
        }
        if !is_octet(mode) {
            return self.refuse(from, code::ILLEGAL, "only octet is served", now, out);
        }
        // What began while the bench was armed may begin again; nothing else does.
        if !self.is_armed(now) && stage != Stage::Transferring {
            return;
        }
        let Some(known) = self.boards.get_mut(&mac) else { return };
        if let Some(before) = known.peer.replace(from) {
            self.transfers.remove(&before);
            known.board.read_repeated();
        }
        let limits = Limits { max_blksize: known.reading.max_blksize, ..Limits::default() };
        let large = offer.content.len() >= LARGE;
        let (sender, packets) = Sender::begin(offer.content, &options, &limits, now.since);
        let (unanswered, resent, ended, told) = (Some(now.since), 0, None, now.since);
        let transfer = Transfer { mac, sender, large, unanswered, resent, ended, told };
        self.transfers.insert(from, transfer);
        send(from, packets, out);
        known.row.seen_at = now.at;
        known.row.sent_bytes = 0;
        known.detail.file = Some(asked);
        known.board.read_began(now.since);
        self.pool.take(mac, now.since);
        if stage != Stage::Transferring {
            self.write(mac, now, out);
        }
    }

    /// What a read was answered with is on its way. That it took longer than boards of its profile wait is
    /// noted: it may have fallen back.
    pub fn answered(&mut self, peer: SocketAddrV4, now: Now) {
        let Some(transfer) = self.transfers.get_mut(&peer) else { return };
        let Some(asked) = transfer.unanswered.take() else { return };
        let Some(known) = self.boards.get_mut(&transfer.mac) else { return };
        let named = known.row.profile.as_ref();
        let profile = self.orders.profiles.iter().find(|profile| Some(&profile.name) == named);
        let Some(due) = profile.map(|profile| profile.tftp.answer_deadline_ms) else { return };
        if let Some(words) = late(now.since.saturating_sub(asked), due) {
            metrics::counter!("muster_bench_late_answers_total").increment(1);
            known.detail.warnings = vec![words];
        }
    }

    /// An error, unless the bench is not armed: then a stranger is told nothing.
    fn refuse(&self, to: SocketAddrV4, code: u16, words: &str, now: Now, out: &mut Out) {
        if self.is_armed(now) {
            out.sends.push(Datagram { from: Port::Transfer, to, bytes: refuse(code, words) });
        }
    }

    /// Something of a transfer that is under way.
    pub(super) fn transfer(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now, out: &mut Out) {
        let Some(transfer) = self.transfers.get_mut(&from) else {
            if !matches!(Packet::read(bytes), Ok(Packet::Error { .. }) | Err(_)) {
                self.refuse(from, code::UNKNOWN_PORT, "no transfer with this port", now, out);
            }
            return;
        };
        send(from, transfer.sender.packet(bytes, now.since), out);
        let mac = transfer.mac;
        if let Some(known) = self.boards.get_mut(&mac) {
            known.row.seen_at = now.at;
        }
        self.pool.take(mac, now.since);
        self.moved(from, now, out);
    }

    pub(super) fn tick_transfers(&mut self, now: Now, out: &mut Out) {
        let is_due = |transfer: &Transfer| transfer.deadline().is_some_and(|due| due <= now.since);
        let due = self.transfers.iter().filter(|(_, transfer)| is_due(transfer));
        for peer in due.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            let Some(transfer) = self.transfers.get_mut(&peer) else { continue };
            if transfer.ended.is_some() {
                self.transfers.remove(&peer);
            } else {
                send(peer, transfer.sender.tick(now.since), out);
                self.moved(peer, now, out);
            }
        }
    }

    /// Looks how far a transfer has come, and ends it.
    fn moved(&mut self, peer: SocketAddrV4, now: Now, out: &mut Out) {
        let Some(transfer) = self.transfers.get_mut(&peer).filter(|t| t.is_open()) else { return };
        let mac = transfer.mac;
        let Some(known) = self.boards.get_mut(&mac) else {
            self.transfers.remove(&peer);
            return;
        };
        let sent = transfer.sender.sent_bytes();
        known.row.sent_bytes = i64::try_from(sent).unwrap_or(i64::MAX);
        for _ in transfer.resent..transfer.sender.resent() {
            known.board.read_repeated();
        }
        transfer.resent = transfer.sender.resent();
        let Some(outcome) = transfer.sender.outcome() else {
            let may_tell = transfer.large && known.unsaved == 0;
            if may_tell && now.since.saturating_sub(transfer.told) >= PROGRESS {
                transfer.told = now.since;
                self.write(mac, now, out);
            }
            return;
        };
        transfer.ended = Some(now.since);
        end(known, &outcome, &transfer.sender, now);
        self.write(mac, now, out);
    }
}

/// Whether a board at this stage may read what it was offered.
fn may_read(stage: Stage) -> bool {
    match stage {
        Stage::Offered | Stage::Transferring | Stage::TimedOut | Stage::Failed => true,
        Stage::Seen
        | Stage::Refused
        | Stage::Delivered
        | Stage::Redirected
        | Stage::Installing
        | Stage::Installed => false,
    }
}

fn end(known: &mut Known, outcome: &Outcome, sender: &Sender, now: Now) {
    known.peer = None;
    match outcome {
        Outcome::Done => known.board.delivered(sender.sent_bytes(), now.since),
        Outcome::Unacknowledged => known.board.unacknowledged(now.since),
        Outcome::Failed(words) => {
            let words = with_leak(words, known, sender.out_bytes());
            known.board.read_failed(&words, now.since);
        }
    }
}

/// What is said of an answer that took so long, where boards wait for so many milliseconds.
fn late(took: Duration, due: u16) -> Option<String> {
    let is_late = took > Duration::from_millis(due.into());
    is_late.then(|| {
        format!("answered after {} ms; boards of this profile wait {due} ms", took.as_millis())
    })
}

/// Why a transfer failed, and how much of a script went out: there may be secrets in it.
fn with_leak(words: &str, known: &Known, went_out: u64) -> String {
    match known.board.offer() {
        Some(offer) if offer.gives == Gives::Script && went_out > 0 => {
            let total = offer.content.len();
            format!("{words}; {went_out} of {total} bytes of its script went out")
        }
        Some(_) | None => words.to_owned(),
    }
}

fn send(to: SocketAddrV4, packets: Vec<Vec<u8>>, out: &mut Out) {
    let from = Port::Transfer;
    out.sends.extend(packets.into_iter().map(|bytes| Datagram { from, to, bytes }));
}
