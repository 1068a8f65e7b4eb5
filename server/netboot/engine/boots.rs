//! What boards ask to start with, and what they are answered.
//!
//! Owns who is asked about, and when: nobody while the bench is not armed, and one who is installed at
//! this moment neither. Whatever somebody makes up on the segment, this stays small.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use muster_netboot::board::{self, Board, Kind, Offer, Step, Verdict};
use muster_netboot::bootp::{self, Reply, Request};
use muster_netboot::mac::Mac;

use super::known::Known;
use super::{Datagram, Engine, MINUTE, Now, Out, Port, dropped};
use crate::netboot::decide::{Asks, Decision, Gift, Question, Stored};
use crate::netboot::policy::Refusal;
use crate::netboot::record::{Said, Write};
use crate::netboot::socket;

/// Boards that are kept in mind.
const MAX_BOARDS: usize = 4_096;
/// Boards a minute that were not there before, while the bench is armed and while it is not: whoever
/// makes addresses up fills no table.
pub(super) const MAX_NEWCOMERS: [u32; 2] = [300, 20];
/// The code of what could not be decided: it is asked again at the next request.
pub(super) const UNDECIDED: &str = "undecided";
/// A board that had its delivery, and asks again after this, begins anew.
const BEGINS_ANEW: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn request(&mut self, request: Request, now: Now, out: &mut Out) {
        if !request.giaddr.is_unspecified() {
            return dropped("relay");
        }
        let kind = board::kind(&request, &self.orders.profiles);
        let said = Said::of(&request, &self.orders.profiles);
        if kind == Kind::Dhcp && !self.concerns(&request, &said, now) {
            return;
        }
        let mac = request.mac;
        // The board that is formatted just now has other things to say: somebody plays it, or it has all
        // of it and starts already.
        if self.installs.get(&mac).is_some_and(|running| running.is_heard(now.since)) {
            return dropped("installing");
        }
        if !self.boards.contains_key(&mac) && !self.has_room(now) {
            return dropped("newcomer");
        }
        metrics::counter!("muster_bench_requests_total", "kind" => kind.word()).increment(1);
        let bench_id = self.setup.bench_id;
        let known = self.boards.entry(mac).or_insert_with(|| Known::new(mac, bench_id, now));
        if known.had_its_delivery_before(now.since.saturating_sub(BEGINS_ANEW)) {
            known.board = Board::new(mac, now.since);
        }
        known.row.seen_at = now.at;
        known.said = said;
        if known.board.came_back(kind, now.since) {
            if let Some(peer) = known.peer.take() {
                self.transfers.remove(&peer);
            }
            self.write(mac, now, out);
        }
        let Some(known) = self.boards.get_mut(&mac) else { return };
        match known.board.request(request, kind, now.since) {
            Step::Nothing => {}
            Step::Ask => self.ask_or_refuse(mac, now, out),
            Step::Answer => self.answer(mac, now, out),
        }
    }

    /// Whether a message of DHCP is the bench's matter: any client may speak it on the segment. Who does
    /// not say that it is a boot loader is of interest only where it would be served.
    fn concerns(&mut self, request: &Request, said: &Said, now: Now) -> bool {
        let own = self.setup.network.addr();
        if let Some(other) = request.for_server().filter(|server| *server != own) {
            self.others.note(other, true, now.at);
            return false;
        }
        let asks = matches!(request.message_type(), Some(bootp::DISCOVER | bootp::REQUEST));
        asks && (said.arch.is_some() || (self.orders.dhcp && self.is_armed(now)))
    }

    /// Whether one more board can be kept in mind.
    fn has_room(&mut self, now: Now) -> bool {
        let [armed, disarmed] = MAX_NEWCOMERS;
        let most = if self.is_armed(now) { armed } else { disarmed };
        let (since, count) = self.newcomers;
        let (since, count) =
            if now.since.saturating_sub(since) >= MINUTE { (now.since, 0) } else { (since, count) };
        if count >= most {
            return false;
        }
        self.newcomers = (since, count + 1);
        if self.boards.len() < MAX_BOARDS {
            return true;
        }
        let idle = self.boards.iter().filter(|(_, known)| !known.is_busy());
        let oldest = idle.min_by_key(|(_, known)| known.board.touched()).map(|(mac, _)| *mac);
        oldest.is_some_and(|mac| self.boards.remove(&mac).is_some())
    }

    /// While nobody has armed the bench nothing is asked about anybody; nor while it cannot serve: a board
    /// that is granted something has its turn here, and no other bench serves it.
    fn ask_or_refuse(&mut self, mac: Mac, now: Now, out: &mut Out) {
        let refusal = if !self.is_armed(now) {
            Refusal::new("disarmed", "the bench is not armed: nothing is sent on it")
        } else if let Some(problem) = &self.problem {
            cannot_serve(problem)
        } else {
            return self.ask(mac, out);
        };
        self.begin_anew(mac);
        let Some(known) = self.boards.get_mut(&mac) else { return };
        known.held = false;
        let Refusal { code, words } = refusal;
        known.board.verdict(Verdict::Refuse { code, words }, now.since);
        if known.is_worth_writing(now.since) {
            known.note(true);
            self.write(mac, now, out);
        }
    }

    /// Asks about a board, which begins anew by that. Not before all is written that was said of it:
    /// what is decided rests on what is stored.
    pub(super) fn ask(&mut self, mac: Mac, out: &mut Out) {
        self.begin_anew(mac);
        let Some(known) = self.boards.get_mut(&mac) else { return };
        known.held = known.unsaved > 0;
        if known.held {
            return;
        }
        if let Some(request) = known.board.pending() {
            let (request, kind) = (Box::new(request.clone()), known.board.kind());
            let asks = Asks::Boot { request, kind, said: known.said.clone() };
            out.questions.push(Question { mac, asks });
        }
    }

    /// What it read or was installed with before is over.
    fn begin_anew(&mut self, mac: Mac) {
        self.installs.remove(&mac);
        if let Some(peer) = self.boards.get_mut(&mac).and_then(|known| known.peer.take()) {
            self.transfers.remove(&peer);
        }
    }

    pub(super) fn boot_decided(&mut self, decision: Decision, now: Now, out: &mut Out) {
        let mac = decision.question.mac;
        // Forgotten meanwhile, or the bench was armed anew: it asks again.
        let Some(known) = self.boards.get_mut(&mac).filter(|known| known.board.is_asking()) else {
            return;
        };
        // Nobody knows what is stored of it, so that nothing is written over that; or it has announced
        // itself meanwhile.
        if matches!(decision.row, Stored::Unknown) || self.installs.contains_key(&mac) {
            known.board.undecided(now.since);
            return;
        }
        // Something has happened to it since it was asked about, so that this is about what it was.
        if known.unsaved > 0 {
            known.held = true;
            return;
        }
        let verdict = match &decision.outcome {
            Ok(given) => self.offer(mac, &given.gift, now),
            Err(refusal) => Err(refusal.clone()),
        };
        let bench_id = self.setup.bench_id;
        let Some(known) = self.boards.get_mut(&mac) else { return };
        known.learn(&decision, verdict.is_err(), bench_id, now);
        let turn_over = decision.outcome.is_ok() && verdict.is_err();
        let verdict = match verdict {
            Ok(offer) => Verdict::Offer(offer),
            Err(Refusal { code, words }) => Verdict::Refuse { code, words },
        };
        match known.board.verdict(verdict, now.since) {
            Step::Ask => self.ask_or_refuse(mac, now, out),
            Step::Nothing => {
                if known.board.reason() == Some(UNDECIDED) {
                    known.board.undecided(now.since);
                }
                let write = known.written(self.setup.network, now);
                out.writes.push(Write { turn_over, ..write });
            }
            Step::Answer => {
                if let Ok(given) = decision.outcome {
                    known.give(given);
                }
                if let Some(offer) = known.board.offer() {
                    self.lent.retain(|_, other| *other != mac);
                    self.lent.insert(offer.address, mac);
                }
                self.answer(mac, now, out);
                self.write(mac, now, out);
            }
        }
    }

    /// What was granted, as an offer. What has changed since it was granted counts.
    fn offer(&mut self, mac: Mac, gift: &Gift, now: Now) -> Result<Offer, Refusal> {
        let Gift::File { gives, name, content, .. } = gift else {
            return Err(Refusal::new(UNDECIDED, "it asked for something else meanwhile"));
        };
        if !self.is_armed(now) {
            let words = "the bench is not armed any more: nothing is sent on it";
            return Err(Refusal::new("disarmed", words));
        }
        if let Some(problem) = &self.problem {
            return Err(cannot_serve(problem));
        }
        let address = self.pool.take(mac, now.since).ok_or_else(|| {
            let words = "no address is left for it: more boards are served at once than there are \
                         addresses";
            Refusal::new("no_address", words)
        })?;
        Ok(Offer { address, file: name.clone(), content: Arc::clone(content), gives: *gives })
    }

    /// Answers the last request of a board with what it is offered.
    fn answer(&mut self, mac: Mac, now: Now, out: &mut Out) {
        if !self.is_armed(now) || self.problem.is_some() {
            return;
        }
        let Some(known) = self.boards.get(&mac) else { return };
        let (Some(request), Some(offer)) = (known.board.pending(), known.board.offer()) else {
            return;
        };
        let reply = self.reply(request, offer, &known.reading.options);
        self.pool.take(mac, now.since);
        // From then on the client has it for so long, whatever becomes of it here.
        if reply.message_type() == Some(bootp::Kind::Ack.code()) {
            let lease = Duration::from_secs(self.setup.lease_seconds.into());
            self.pool.lease(mac, lease, now.since);
        }
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, socket::REPLIES);
        out.sends.push(Datagram { from: Port::Bootp, to, bytes: reply.write() });
    }

    fn reply(&self, request: &Request, offer: &Offer, options: &[u8]) -> Reply {
        let (server, mask) = (self.setup.network.addr(), self.setup.network.netmask());
        let kind = match request.message_type() {
            None => {
                let (address, file) = (offer.address, &offer.file);
                let mut reply = Reply::plain(request, address, server, mask, Some(server), file);
                reply.options.retain(|(code, _)| options.contains(code));
                return reply;
            }
            Some(bootp::DISCOVER) => bootp::Kind::Offer,
            Some(_) => {
                let has = Some(request.ciaddr).filter(|address| !address.is_unspecified());
                match request.requested().or(has) {
                    Some(wanted) if wanted != offer.address => bootp::Kind::Nak,
                    Some(_) | None => bootp::Kind::Ack,
                }
            }
        };
        let lease = self.setup.lease_seconds;
        let (address, router) = (offer.address, Some(server));
        Reply::dhcp(request, kind, address, server, mask, router, &offer.file, lease)
    }
}

fn cannot_serve(problem: &str) -> Refusal {
    Refusal::new("cannot_serve", format!("nothing can be sent: {problem}"))
}
