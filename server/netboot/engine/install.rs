//! What is done to boards that are installed. It formats them: nothing begins that was not decided for
//! that board, and what has begun is ended whatever else is said meanwhile.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_netboot::board::Stage;
use muster_netboot::mac::Mac;
use muster_netboot::netinstall::{Announcement, Frame, Installer, Outcome, Progress};
use serde_json::Value;

use super::boots::UNDECIDED;
use super::known::Known;
use super::{Datagram, Engine, Now, Out, PROGRESS, Port};
use crate::netboot::decide::{Asks, Decision, Gift, Question, Stored};
use crate::netboot::socket;

/// A board that announces itself again and again is asked about once in this time.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A board that was heard so lately is being installed, whatever somebody asks in its name.
const HEARD: Duration = Duration::from_secs(5);
/// Boards that are asked about at the same time.
const MAX_ANNOUNCED: usize = 256;

/// An installation that is under way.
pub(super) struct Running {
    pub installer: Installer,
    /// The arming by its name, as it was stored.
    install: Value,
    until: DateTime<Utc>,
    /// When its board was last heard.
    heard: Duration,
    /// When it was last written how far it has come, and how far that was.
    told: (Duration, u64),
}

impl Running {
    /// Whether its board was heard just now.
    pub(super) fn is_heard(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) < HEARD
    }
}

impl Engine {
    /// A board that runs its boot image says something.
    pub(super) fn netinstall(&mut self, bytes: &[u8], now: Now, out: &mut Out) {
        let Ok(frame) = Frame::read(bytes) else { return };
        let mac = frame.from;
        if mac == self.setup.mac {
            return;
        }
        if let Some(running) = self.installs.get_mut(&mac) {
            running.heard = now.since;
            send(running.installer.packet(bytes, now.since), out);
            if let Some(known) = self.boards.get_mut(&mac) {
                known.row.seen_at = now.at;
            }
            self.progressed(mac, now, out);
            return;
        }
        if let Ok(announcement) = Announcement::read(&frame.payload) {
            self.asks_for_install(mac, announcement, now, out);
        }
    }

    fn asks_for_install(&mut self, mac: Mac, said: Announcement, now: Now, out: &mut Out) {
        let asked = self.announced.get(&mac);
        let lately = asked.is_some_and(|at| now.since.saturating_sub(*at) < ASK_AGAIN);
        let full = asked.is_none() && self.announced.len() >= MAX_ANNOUNCED;
        let unsaved = self.boards.get(&mac).is_some_and(|known| known.unsaved > 0);
        if lately || full || unsaved || !self.is_armed(now) || self.problem.is_some() {
            return;
        }
        self.announced.insert(mac, now.since);
        out.questions.push(Question { mac, asks: Asks::Install(Box::new(said)) });
    }

    /// It was decided about a board that announces itself.
    pub(super) fn install_decided(&mut self, decision: Decision, now: Now, out: &mut Out) {
        let mac = decision.question.mac;
        let waits = self.boards.get(&mac).is_some_and(|k| k.board.stage() == Stage::Installing);
        let unsaved = self.boards.get(&mac).is_some_and(|known| known.unsaved > 0);
        if self.installs.contains_key(&mac) {
            return;
        }
        // It could not be decided, or it is about what the board was: its next announcement is asked
        // about.
        let undecided = matches!(&decision.outcome, Err(refusal) if refusal.code == UNDECIDED);
        if unsaved || undecided || matches!(decision.row, Stored::Unknown) {
            self.announced.remove(&mac);
            return;
        }
        let given = match &decision.outcome {
            Ok(given) => Ok(given.clone()),
            Err(refusal) => Err(refusal.words.clone()),
        };
        // Of a board that was sent its boot image it is said why it gets no more. One that nobody has
        // named is none of the bench's.
        if given.is_err() && !waits {
            return;
        }
        let bench_id = self.setup.bench_id;
        let known = self.boards.entry(mac).or_insert_with(|| Known::new(mac, bench_id, now));
        known.learn(&decision, given.is_err(), bench_id, now);
        match given {
            Err(words) => known.board.install_failed(&words, now.since),
            Ok(given) => {
                let Asks::Install(announcement) = &decision.question.asks else { return };
                let Gift::Files { files, install, until, .. } = &given.gift else { return };
                let armed = self.orders.until.is_some_and(|until| until > now.at);
                if !armed || self.problem.is_some() {
                    return;
                }
                let (install, until) = (install.clone(), *until);
                let (installer, packets) =
                    Installer::begin(self.setup.mac, announcement, mac, files.clone(), now.since);
                known.row.arch = Some(announcement.arch.clone());
                known.give(given);
                known.board.install_began(now.since);
                known.board.install_step(&installer.progress().step, now.since);
                send(packets, out);
                let (heard, told) = (now.since, (now.since, 0));
                let running = Running { installer, install, until, heard, told };
                self.installs.insert(mac, running);
            }
        }
        self.write(mac, now, out);
    }

    pub(super) fn tick_installs(&mut self, now: Now, out: &mut Out) {
        let is_due = |r: &Running| r.installer.deadline().is_some_and(|due| due <= now.since);
        let due = self.installs.iter().filter(|(_, running)| is_due(running));
        for mac in due.map(|(mac, _)| *mac).collect::<Vec<_>>() {
            if let Some(running) = self.installs.get_mut(&mac) {
                send(running.installer.tick(now.since), out);
            }
            self.progressed(mac, now, out);
        }
    }

    /// Looks how far an installation has come, and ends it.
    fn progressed(&mut self, mac: Mac, now: Now, out: &mut Out) {
        let (Some(running), Some(known)) = (self.installs.get_mut(&mac), self.boards.get_mut(&mac))
        else {
            return;
        };
        let Progress { step, sent, total } = running.installer.progress();
        known.row.sent_bytes = i64::try_from(sent).unwrap_or(i64::MAX);
        known.row.total_bytes = i64::try_from(total).unwrap_or(i64::MAX);
        known.board.install_step(&step, now.since);
        let Some(outcome) = running.installer.outcome() else {
            let (at, before) = running.told;
            let news = sent > before || known.row.step.as_deref() != Some(step.as_str());
            if news && known.unsaved == 0 && now.since.saturating_sub(at) >= PROGRESS {
                running.told = (now.since, sent);
                self.write(mac, now, out);
            }
            return;
        };
        let Some(running) = self.installs.remove(&mac) else { return };
        match &outcome {
            Outcome::Done => known.board.installed(now.since),
            Outcome::Failed(words) => known.board.install_failed(words, now.since),
        }
        let mut write = known.written(self.setup.network, now);
        // It is over with the very write that says so, whatever it has asked since: this arming formats
        // it once.
        if outcome == Outcome::Done {
            write.install_over = Some((running.install, running.until));
        }
        out.writes.push(write);
    }
}

/// To all: a board that is installed has no address.
fn send(packets: Vec<Vec<u8>>, out: &mut Out) {
    let (from, to) = (Port::Netinstall, SocketAddrV4::new(Ipv4Addr::BROADCAST, socket::NETINSTALL));
    out.sends.extend(packets.into_iter().map(|bytes| Datagram { from, to, bytes }));
}
