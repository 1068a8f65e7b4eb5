//! All boards on one socket: who is switched on when, which frame is whose, and what becomes of each.
//!
//! One task. It never starts a device itself: two hundred boards that start at once would have the others
//! miss their windows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_netboot::booter::{Begin, Habits, Outcome};
use muster_netboot::mac::Mac;
use muster_netboot::netinstall;
use muster_netboot::wire::{self, Datagram, Frame};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::card::Card;
use super::hardware::{hardware, mac};
use super::life::{Given, Start};
use super::socket::{MAX_FRAME, Socket};
use super::{BoardStats, Ground};
use crate::World;
use crate::doors::Door;
use crate::profile::Identity;

/// How long a board stays switched off before it is switched on again.
const OFF: Duration = Duration::from_secs(5);
/// Between two looks where nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);
/// Between two attempts on an interface that fails.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What holds for all boards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) begin: Begin,
    pub(super) lossless: bool,
}

/// One place on the bench.
struct Place {
    index: u32,
    identity: Identity,
    door: Arc<Door>,
    /// When it is switched on next.
    power: Option<Duration>,
    /// When it was switched on last, and how often.
    since: Duration,
    times: u32,
    card: Option<Card>,
    /// It is through with its boot loader.
    over: bool,
}

/// The bench, from the side of the boards.
pub(super) struct Table {
    socket: Socket,
    began: Instant,
    places: Vec<Place>,
    by_mac: HashMap<Mac, usize>,
    rules: Rules,
    world: Arc<World>,
    tasks: TaskTracker,
    tell: Arc<watch::Sender<BoardStats>>,
    shutdown: CancellationToken,
}

impl Table {
    pub(super) fn new(
        socket: Socket,
        ground: &Ground,
        rules: Rules,
        tasks: TaskTracker,
        tell: Arc<watch::Sender<BoardStats>>,
        shutdown: CancellationToken,
    ) -> Self {
        let world = Arc::clone(&ground.world);
        let place = |index: u32| {
            let (identity, door) = ground.place(index);
            let power = Some(world.first(index));
            let since = Duration::ZERO;
            Place { index, identity, door, power, since, times: 0, card: None, over: false }
        };
        let places: Vec<Place> = (0..world.options.devices).map(place).collect();
        let by_mac = (0..).zip(&places).map(|(at, place)| (mac(&place.identity), at)).collect();
        let began = Instant::now();
        Self { socket, began, places, by_mac, rules, world, tasks, tell, shutdown }
    }

    /// Plays them until `shutdown`.
    pub(super) async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        let mut buffer = vec![0; MAX_FRAME];
        loop {
            let due = self.places.iter().filter_map(Place::deadline).min();
            let next = self.began + due.unwrap_or_else(|| self.began.elapsed() + IDLE);
            let heard = tokio::select! {
                () = shutdown.cancelled() => return,
                heard = self.socket.receive(&mut buffer) => heard,
                () = sleep_until(next) => Ok(0),
            };
            match heard {
                Ok(length) => self.hear(&buffer[..length]).await,
                Err(error) => {
                    tracing::warn!(%error, "the interface of the boards fails");
                    sleep(AFTER_ERROR).await;
                }
            }
            self.tick().await;
        }
    }

    async fn hear(&mut self, bytes: &[u8]) {
        let Some(frame) = wire::read(bytes) else { return };
        let Some(at) = self.whose(bytes, &frame) else { return };
        let now = self.began.elapsed();
        if let Some(card) = &mut self.places[at].card {
            let frames = card.frame(&frame, now);
            self.send(&frames).await;
            self.look(at, now);
        }
    }

    /// Which board a frame is for. What is for all has somebody that it means; the others would read it
    /// and think nothing of it, which takes its time where there are hundreds.
    fn whose(&self, bytes: &[u8], frame: &Frame<'_>) -> Option<usize> {
        let to = Mac(*bytes.first_chunk::<6>()?);
        if to != Mac::BROADCAST {
            return self.by_mac.get(&to).copied();
        }
        match frame {
            Frame::Arp(arp) => self.places.iter().position(|place| {
                place.card.as_ref().and_then(|card| card.booter().address()) == Some(arp.target.1)
            }),
            Frame::Udp(datagram) => self.by_mac.get(&meant(datagram)?).copied(),
        }
    }

    async fn tick(&mut self) {
        for at in 0..self.places.len() {
            let now = self.began.elapsed();
            let place = &mut self.places[at];
            if place.deadline().is_none_or(|due| due > now) {
                continue;
            }
            let frames = if place.power.take().is_some() {
                place.switch_on(self.rules, now)
            } else {
                place.card.as_mut().map(|card| card.tick(now)).unwrap_or_default()
            };
            self.send(&frames).await;
            self.look(at, now);
        }
    }

    async fn send(&self, frames: &[Vec<u8>]) {
        for frame in frames {
            if let Err(error) = self.socket.send(frame).await {
                // As good as lost on the wire.
                tracing::debug!(%error, "a frame was not sent");
            }
        }
    }

    /// Whether a board has come to an end, and what follows.
    fn look(&mut self, at: usize, now: Duration) {
        let place = &mut self.places[at];
        let outcome = place.card.as_ref().and_then(|card| card.booter().outcome());
        let Some(outcome) = outcome.filter(|_| !place.over).cloned() else { return };
        let took = now.saturating_sub(place.since);
        let address = mac(&place.identity);
        let given = match &outcome {
            Outcome::Stored(script) => Some(Given::Script(String::from_utf8_lossy(script).into())),
            Outcome::Installed(files) => Some(Given::System(files.clone())),
            Outcome::Refused(_) | Outcome::Nothing(_) | Outcome::Broken(_) => None,
        };
        match &outcome {
            Outcome::Stored(script) => {
                tracing::info!(board.mac = %address, bytes = script.len(), ?took, "board has a script");
            }
            Outcome::Installed(files) => {
                tracing::info!(board.mac = %address, files = files.len(), ?took, "board is installed");
            }
            Outcome::Refused(words) | Outcome::Nothing(words) | Outcome::Broken(words) => {
                tracing::info!(board.mac = %address, ?took, "board got nothing: {words}");
            }
        }
        if given.is_none() && self.rules.lossless {
            place.card = None;
            place.power = Some(now + OFF);
            self.tell.send_modify(|stats| stats.again += 1);
            return;
        }
        place.over = true;
        if !self.rules.lossless {
            place.card = None;
        }
        self.tell.send_modify(|stats| count(stats, &outcome, took));
        if let Some(given) = given {
            let start = Start {
                world: Arc::clone(&self.world),
                index: place.index,
                identity: place.identity.clone(),
                door: Arc::clone(&place.door),
                tell: Arc::clone(&self.tell),
            };
            self.tasks.spawn(start.live(given, self.shutdown.clone()));
        }
    }
}

impl Place {
    /// When something is due.
    fn deadline(&self) -> Option<Duration> {
        self.power.or_else(|| self.card.as_ref()?.deadline())
    }

    fn switch_on(&mut self, rules: Rules, now: Duration) -> Vec<Vec<u8>> {
        self.times += 1;
        self.since = now;
        let habits = Habits { lingers: rules.lossless, ..Habits::default() };
        // Differs between boards and between times; what it is matters to nobody.
        let seed =
            (self.index + 1).wrapping_mul(0x9E37_79B9) ^ self.times.wrapping_mul(0x85EB_CA6B);
        let (card, frames) =
            Card::switch_on(hardware(&self.identity), habits, rules.begin, seed, now);
        self.card = Some(card);
        frames
    }
}

/// Whom a datagram to all means: whose address stands in it.
fn meant(datagram: &Datagram<'_>) -> Option<Mac> {
    let at = match datagram.target.port() {
        68 => 28,
        netinstall::PORT => 6,
        _ => return None,
    };
    datagram.payload.get(at..)?.first_chunk::<6>().copied().map(Mac)
}

fn count(stats: &mut BoardStats, outcome: &Outcome, took: Duration) {
    stats.busy -= 1;
    match outcome {
        Outcome::Stored(_) => stats.stored += 1,
        Outcome::Installed(_) => stats.installed += 1,
        Outcome::Refused(_) => stats.refused += 1,
        Outcome::Nothing(_) => stats.missed += 1,
        Outcome::Broken(_) => stats.broken += 1,
    }
    if matches!(outcome, Outcome::Stored(_) | Outcome::Installed(_)) {
        stats.slowest = stats.slowest.max(took);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use muster_netboot::netinstall::Frame as InstallFrame;

    use super::*;

    #[test]
    fn what_is_for_all_means_whose_address_is_in_it() {
        let board = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
        let said = |port: u16, payload: &[u8]| {
            let macs = (Mac::ZERO, Mac::BROADCAST);
            let source = "10.5.0.1:67".parse().unwrap();
            let target = format!("255.255.255.255:{port}").parse().unwrap();
            meant(&Datagram { macs, source, target, payload })
        };
        let mut reply = vec![0; 300];
        reply[28..34].copy_from_slice(&board.0);
        assert_eq!(said(68, &reply), Some(board));
        let from = Mac([2, 0, 0, 0, 0, 9]);
        let order =
            InstallFrame { from, to: board, counter: 1, peer: 0, payload: b"OFFR\n".to_vec() };
        assert_eq!(said(5000, &order.write()), Some(board));
        assert_eq!(said(5001, &reply), None);
        assert_eq!(said(68, &reply[..30]), None);
    }

    #[test]
    fn each_outcome_counts_once() {
        let mut stats = BoardStats { boards: 5, busy: 5, ..BoardStats::default() };
        let words = || "x".to_owned();
        for (seconds, outcome) in (1..).zip([
            Outcome::Stored(Vec::new()),
            Outcome::Installed(Vec::new()),
            Outcome::Refused(words()),
            Outcome::Nothing(words()),
            Outcome::Broken(words()),
        ]) {
            count(&mut stats, &outcome, Duration::from_secs(seconds));
        }
        let one_each = BoardStats {
            boards: 5,
            stored: 1,
            installed: 1,
            refused: 1,
            missed: 1,
            broken: 1,
            slowest: Duration::from_secs(2),
            ..BoardStats::default()
        };
        assert_eq!(stats, one_each);
    }
}
