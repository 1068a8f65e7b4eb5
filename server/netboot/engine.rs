//! Everything that happens at one bench, as one machine: what comes in over its sockets, what was
//! decided, what was written, and time; what is to be sent, asked and written comes out.
//!
//! Owns that nothing is sent unless the bench is armed, but for what began then and is not over; that
//! nobody off its network is heard; that a board is asked about only while the bench is armed, and when
//! all that was said of it before is written; and that a board which had its delivery gets no other. It
//! decides nothing else, and touches no socket and no database: `responder` does, around it.
//!
//! - here: what comes in, by port, and time. - `boots`: requests of boards, and their answers. -
//!   `rivals`: other servers on the segment. - `transfer`: what they read. - `install`: what is done to
//!   those that are installed. - `known`: what is kept of each. - `parts`: what goes in and comes out.

mod boots;
mod install;
mod known;
mod parts;
mod rivals;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use muster_netboot::bootp::Request;
use muster_netboot::mac::Mac;
use muster_netboot::pool::Pool;

use super::bench::{Other, Others};
use super::decide::{Asks, Decision};
use install::Running;
use known::Known;
use transfer::Transfer;

pub use parts::{Datagram, Now, Orders, Out, Port, Setup};

const MINUTE: Duration = Duration::from_secs(60);
/// A board that does nothing is forgotten after this. Whatever is stored of it stays.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
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
    /// When others are asked for next; `None` = the bench is not armed.
    asks_others_at: Option<Duration>,
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
            asks_others_at: None,
            newcomers: (Duration::ZERO, 0),
            setup,
        }
    }

    /// What people said is this from now on.
    pub fn ordered(&mut self, mut orders: Orders) {
        // Of two profiles that are for the same boards the one that is armed counts.
        let named = |name: &String| orders.profiles.iter().position(|p| p.name == *name);
        if let Some(at) = orders.profile.as_ref().and_then(named).filter(|at| *at > 0) {
            Arc::make_mut(&mut orders.profiles)[..=at].rotate_right(1);
        }
        let anew = orders.armed_at != self.orders.armed_at;
        self.orders = orders;
        if self.orders.until.is_some() && (anew || self.asks_others_at.is_none()) {
            self.asks_others_at = Some(Duration::ZERO);
        }
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
        let is_near = self.setup.network.contains(from.ip());
        // Boards that have no address yet.
        let may_boot = is_near || from.ip().is_unspecified();
        match port {
            Port::Bootp => match Request::read(bytes) {
                Ok(request) if rivals::is_bench(&request) => {
                    self.another_bench(from, &request, now);
                }
                Ok(request) if may_boot => self.request(request, now, &mut out),
                Ok(_) => dropped("stranger"),
                Err(_) => self.reply_of_another(from, bytes, now),
            },
            // Servers of other networks are noticed, too.
            Port::Replies => self.reply_of_another(from, bytes, now),
            Port::Tftp if is_near => self.tftp(from, bytes, now, &mut out),
            Port::Transfer if is_near => self.transfer(from, bytes, now, &mut out),
            Port::Netinstall if may_boot => self.netinstall(bytes, now, &mut out),
            Port::Tftp | Port::Transfer | Port::Netinstall => {}
        }
        out
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
        self.ask_others(now, &mut out);
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
        transfers.chain(installs).chain(boards).chain(self.asks_others_at).min()
    }
}

/// A request is left alone.
fn dropped(why: &'static str) {
    metrics::counter!("muster_bench_requests_dropped_total", "reason" => why).increment(1);
}
