//! Everything that happens at one bench, as one machine: what comes in over its sockets, what was
//! decided, what was written, and time; what is to be sent, asked and written comes out.
//!
//! Owns that nothing is sent unless the bench is armed, but for what began then and is not over; that a
//! board is asked about only when all that was said of it before is written; and that a board which had
//! its delivery gets no other. It decides nothing, and touches no socket and no database: `responder`
//! does, around it.
//!
//! - here: boards and their requests. - `transfer`: what they read. - `install`: what is done to those
//!   that are installed. - `known`: what is kept of each. - `parts`: what goes in and comes out.

mod install;
mod known;
mod parts;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use muster_netboot::board::{self, Board, Kind, Offer, Stage, Step, Verdict};
use muster_netboot::bootp::{self, Reply, Request};
use muster_netboot::mac::Mac;
use muster_netboot::pool::Pool;

use super::bench::{Other, Others};
use super::decide::{Asks, Decision, Gift, Question};
use super::policy::Refusal;
use super::record::Said;
use super::socket;
use install::Running;
use known::Known;
use transfer::Transfer;

pub use parts::{Datagram, Now, Orders, Out, Port, Setup};

/// Boards that are kept in mind.
const MAX_BOARDS: usize = 4_096;
/// Boards a minute that were not there before: whoever makes addresses up fills no table.
const MAX_NEWCOMERS: u32 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);
/// A board that does nothing is forgotten after this. Whatever is stored of it stays.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// A board that had its delivery, and asks again after this, begins anew.
const BEGINS_ANEW: Duration = Duration::from_secs(5);
/// How often it is written how far something has come.
const PROGRESS: Duration = Duration::from_millis(500);

/// The machine.
pub struct Engine {
    setup: Setup,
    orders: Orders,
    /// Why it cannot serve although it is armed.
    problem: Option<String>,
    boards: HashMap<Mac, Known>,
    pool: Pool,
    /// Who has which address.
    lent: HashMap<Ipv4Addr, Mac>,
    /// What is read, by who reads it.
    transfers: HashMap<SocketAddrV4, Transfer>,
    installs: HashMap<Mac, Running>,
    /// When it was last asked about the installation of a board.
    announced: HashMap<Mac, Duration>,
    others: Others,
    /// Since when newcomers are counted, and how many came.
    newcomers: (Duration, u32),
}

impl Engine {
    /// A bench at which nobody has been seen, and that nobody has armed.
    pub fn new(setup: Setup) -> Self {
        Self {
            orders: Orders::default(),
            problem: Some("its ports are not open".to_owned()),
            boards: HashMap::new(),
            pool: Pool::new(setup.network.addr(), setup.network.prefix_len(), setup.range),
            lent: HashMap::new(),
            transfers: HashMap::new(),
            installs: HashMap::new(),
            announced: HashMap::new(),
            others: Others::default(),
            newcomers: (Duration::ZERO, 0),
            setup,
        }
    }

    /// What people said is this from now on.
    pub fn ordered(&mut self, orders: Orders) {
        let anew = orders.armed_at != self.orders.armed_at;
        self.orders = orders;
        if anew {
            // What was offered or refused before is asked about again. What began goes on.
            self.boards.retain(|mac, known| known.is_busy() || self.installs.contains_key(mac));
            self.announced.clear();
        }
    }

    /// Whether it can serve, or why not, in words.
    pub fn ready(&mut self, ready: Result<(), String>) {
        self.problem = ready.err();
    }

    /// Whether anything may be sent: the bench is armed, or something that began then is not over.
    pub fn serves(&self, now: Now) -> bool {
        self.is_armed(now)
            || !self.installs.is_empty()
            || self.transfers.values().any(Transfer::is_open)
    }

    /// Other servers that were heard within an hour.
    pub fn others(&self, now: Now) -> Vec<Other> {
        self.others.heard(now.at)
    }

    fn is_armed(&self, now: Now) -> bool {
        self.orders.until.is_some_and(|until| until > now.at)
    }

    /// Something came in.
    pub fn packet(&mut self, port: Port, from: SocketAddrV4, bytes: &[u8], now: Now) -> Out {
        let mut out = Out::default();
        // What goes to all comes back to the bench, too.
        if *from.ip() == self.setup.network.addr() {
            return out;
        }
        match port {
            Port::Bootp => match Request::read(bytes) {
                Ok(request) => self.request(request, now, &mut out),
                Err(_) => self.reply_of_another(from, bytes, now),
            },
            Port::Replies => self.reply_of_another(from, bytes, now),
            Port::Tftp => self.tftp(from, bytes, now, &mut out),
            Port::Transfer => self.transfer(from, bytes, now, &mut out),
            Port::Netinstall => self.netinstall(bytes, now, &mut out),
        }
        out
    }

    fn reply_of_another(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now) {
        if let Ok(reply) = Reply::read(bytes) {
            let dhcp = reply.message_type().is_some();
            let server = reply.option(bootp::SERVER).and_then(|b| <[u8; 4]>::try_from(b).ok());
            let address = server.map_or(*from.ip(), Ipv4Addr::from);
            if address != self.setup.network.addr() {
                self.others.note(address, dhcp, now.at);
            }
        }
    }

    fn request(&mut self, request: Request, now: Now, out: &mut Out) {
        let kind = board::kind(&request, &self.orders.profiles);
        let said = Said::of(&request, &self.orders.profiles);
        if kind == Kind::Dhcp && !self.concerns(&request, &said, now) {
            return;
        }
        let mac = request.mac;
        if !self.boards.contains_key(&mac) && !self.has_room(now) {
            metrics::counter!("muster_bench_requests_dropped_total").increment(1);
            return;
        }
        metrics::counter!("muster_bench_requests_total", "kind" => kind.word()).increment(1);
        let bench_id = self.setup.bench_id;
        let known = self.boards.entry(mac).or_insert_with(|| Known::new(mac, bench_id, now));
        if known.had_its_delivery_before(now.since.saturating_sub(BEGINS_ANEW)) {
            known.board = Board::new(mac, now.since);
        }
        known.row.seen_at = now.at;
        known.said = said;
        match known.board.request(request, kind, now.since) {
            Step::Nothing => {}
            Step::Ask => self.ask(mac, out),
            Step::Answer => self.answer(mac, now, out),
        }
    }

    /// Whether a message of DHCP is the bench's matter: any client may speak it on the segment.
    fn concerns(&mut self, request: &Request, said: &Said, now: Now) -> bool {
        let own = self.setup.network.addr();
        if let Some(other) = request.for_server().filter(|server| *server != own) {
            self.others.note(other, true, now.at);
            return false;
        }
        let asks = matches!(request.message_type(), Some(bootp::DISCOVER | bootp::REQUEST));
        // While nobody is served only boards are of interest.
        asks && (self.is_armed(now) || said.arch.is_some())
    }

    /// Whether one more board can be kept in mind.
    fn has_room(&mut self, now: Now) -> bool {
        let (since, count) = self.newcomers;
        let (since, count) =
            if now.since.saturating_sub(since) >= MINUTE { (now.since, 0) } else { (since, count) };
        if count >= MAX_NEWCOMERS {
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

    /// Asks about a board, which begins anew by that. Not before all is written that was said of it:
    /// what is decided rests on what is stored.
    fn ask(&mut self, mac: Mac, out: &mut Out) {
        self.installs.remove(&mac);
        let Some(known) = self.boards.get_mut(&mac) else { return };
        if let Some(peer) = known.peer.take() {
            self.transfers.remove(&peer);
        }
        if known.unsaved > 0 {
            known.held = true;
            return;
        }
        known.held = false;
        if let Some(request) = known.board.pending() {
            let (request, kind) = (Box::new(request.clone()), known.board.kind());
            let asks = Asks::Boot { request, kind, said: known.said.clone() };
            out.questions.push(Question { mac, asks });
        }
    }

    /// Something that was to be written of a board is stored.
    pub fn saved(&mut self, mac: Mac) -> Out {
        let mut out = Out::default();
        if let Some(known) = self.boards.get_mut(&mac) {
            known.unsaved = known.unsaved.saturating_sub(1);
            if known.held && known.unsaved == 0 {
                self.ask(mac, &mut out);
            }
        }
        out
    }

    /// It was decided about a board.
    pub fn decided(&mut self, decision: Decision, now: Now) -> Out {
        let mut out = Out::default();
        match decision.question.asks {
            Asks::Boot { .. } => self.boot_decided(decision, now, &mut out),
            Asks::Install(_) => self.install_decided(decision, now, &mut out),
        }
        out
    }

    fn boot_decided(&mut self, decision: Decision, now: Now, out: &mut Out) {
        let mac = decision.question.mac;
        let verdict = match &decision.outcome {
            Ok(given) => self.offer(mac, &given.gift, now),
            Err(refusal) => Err(refusal.clone()),
        };
        // Forgotten meanwhile, or the bench was armed anew: it asks again.
        let Some(known) = self.boards.get_mut(&mac) else { return };
        // Something has happened to it since it was asked about, so that this is about what it was.
        if known.unsaved > 0 {
            return;
        }
        known.learn(&decision, self.setup.bench_id, now);
        let verdict = match verdict {
            Ok(offer) => Verdict::Offer(offer),
            Err(Refusal { code, words }) => Verdict::Refuse { code, words },
        };
        match known.board.verdict(verdict, now.since) {
            Step::Ask => self.ask(mac, out),
            Step::Nothing => {
                if known.board.stage() == Stage::Refused {
                    self.write(mac, now, out);
                }
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
            return Err(Refusal::new("undecided", "it asked for something else meanwhile"));
        };
        if !self.is_armed(now) {
            let words = "the bench is not armed any more: nothing is sent on it";
            return Err(Refusal::new("disarmed", words));
        }
        if let Some(problem) = &self.problem {
            return Err(Refusal::new("cannot_serve", format!("nothing can be sent: {problem}")));
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
        let bytes = self.reply(request, offer, &known.reading.options).write();
        self.pool.take(mac, now.since);
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, socket::REPLIES);
        out.sends.push(Datagram { from: Port::Bootp, to, bytes });
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

    /// Writes what a board has come to.
    fn write(&mut self, mac: Mac, now: Now, out: &mut Out) {
        if let Some(known) = self.boards.get_mut(&mac) {
            out.writes.push(known.written(self.setup.network, now));
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Now) -> Out {
        let mut out = Out::default();
        self.tick_transfers(now, &mut out);
        self.tick_installs(now, &mut out);
        let due = self.boards.iter().filter(|(_, known)| known.is_due(now.since));
        for mac in due.map(|(mac, _)| *mac).collect::<Vec<_>>() {
            if self.boards.get_mut(&mac).is_some_and(|known| known.board.tick(now.since)) {
                self.write(mac, now, &mut out);
            }
        }
        let long_ago = now.since.saturating_sub(FORGOTTEN_AFTER);
        self.boards.retain(|mac, known| {
            known.is_busy() || known.board.touched() >= long_ago || self.installs.contains_key(mac)
        });
        let boards = &self.boards;
        self.lent.retain(|_, mac| boards.contains_key(&*mac));
        self.announced.retain(|_, at| *at >= now.since.saturating_sub(MINUTE));
        out
    }

    /// When [`Engine::tick`] has something to do, if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        let transfers = self.transfers.values().filter_map(Transfer::deadline);
        let installs = self.installs.values().filter_map(|running| running.installer.deadline());
        let boards = self.boards.values().filter_map(|known| known.board.deadline());
        transfers.chain(installs).chain(boards).min()
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
