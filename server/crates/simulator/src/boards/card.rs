//! A boot loader with its network card: frames in, frames out.
//!
//! Pure. Owns who is asked for a hardware address and what waits for the answer, as boot loaders do it:
//! every 100 ms, a hundred times.

use std::net::Ipv4Addr;
use std::time::Duration;

use muster_netboot::booter::{Begin, Booter, Habits, Hardware, Sent};
use muster_netboot::mac::Mac;
use muster_netboot::wire::{Arp, Datagram, Frame};

/// Between two questions who has an address.
const PAUSE: Duration = Duration::from_millis(100);
/// How often that is asked.
const TRIES: u32 = 100;

/// A board that is switched on.
#[derive(Debug)]
pub(super) struct Card {
    mac: Mac,
    booter: Booter,
    /// Whom it has asked for last, and who answered.
    neighbour: Option<(Mac, Ipv4Addr)>,
    search: Option<Search>,
}

/// A question that is open.
#[derive(Debug)]
struct Search {
    wanted: Ipv4Addr,
    /// When to ask again.
    next: Duration,
    left: u32,
    /// What waits for the answer: the newest alone, as in any system.
    waiting: Sent,
}

impl Card {
    /// Switches a board on; the frames that it sends first.
    pub(super) fn switch_on(
        hardware: Hardware,
        habits: Habits,
        begin: Begin,
        seed: u32,
        now: Duration,
    ) -> (Self, Vec<Vec<u8>>) {
        let mac = hardware.mac;
        let (booter, sent) = Booter::switch_on(hardware, habits, begin, seed, now);
        let mut card = Self { mac, booter, neighbour: None, search: None };
        let frames = card.put(sent, now);
        (card, frames)
    }

    /// Its boot loader.
    pub(super) fn booter(&self) -> &Booter {
        &self.booter
    }

    /// Takes a frame that reaches it.
    pub(super) fn frame(&mut self, frame: &Frame<'_>, now: Duration) -> Vec<Vec<u8>> {
        match frame {
            Frame::Arp(arp) => self.arp(arp),
            Frame::Udp(datagram) if [self.mac, Mac::BROADCAST].contains(&datagram.macs.1) => {
                let Datagram { source, target, payload, .. } = datagram;
                let sent = self.booter.datagram(*source, *target, payload, now);
                self.put(sent, now)
            }
            Frame::Udp(_) => Vec::new(),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if let Some(search) = self.search.as_mut().filter(|search| search.next <= now) {
            search.next = now + PAUSE;
            search.left = search.left.saturating_sub(1);
            let (wanted, left) = (search.wanted, search.left);
            if left == 0 {
                self.search = None;
                self.booter.unreachable();
            } else {
                out.push(self.question(wanted));
            }
        }
        if self.booter.deadline().is_some_and(|due| due <= now) {
            let sent = self.booter.tick(now);
            out.extend(self.put(sent, now));
        }
        out
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let search = self.search.as_ref().map(|search| search.next);
        search.into_iter().chain(self.booter.deadline()).min()
    }

    fn arp(&mut self, arp: &Arp) -> Vec<Vec<u8>> {
        if arp.asks {
            let is_own = self.booter.address() == Some(arp.target.1);
            return if is_own { vec![arp.answer(self.mac).write()] } else { Vec::new() };
        }
        let answers = |search: &mut Search| search.wanted == arp.sender.1;
        match self.search.take_if(answers) {
            Some(search) => {
                self.neighbour = Some(arp.sender);
                self.addressed(&search.waiting, arp.sender.0).into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    fn question(&self, wanted: Ipv4Addr) -> Vec<u8> {
        let own = self.booter.address().unwrap_or(Ipv4Addr::UNSPECIFIED);
        Arp::question((self.mac, own), wanted).write()
    }

    /// Puts what the boot loader sends into frames, and asks for the address of whom they go to.
    fn put(&mut self, sent: Vec<Sent>, now: Duration) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for sent in sent {
            let hop = sent.hop;
            let known = match self.neighbour {
                _ if hop.is_broadcast() => Some(Mac::BROADCAST),
                Some((mac, address)) if address == hop => Some(mac),
                _ => None,
            };
            if let Some(mac) = known {
                out.extend(self.addressed(&sent, mac));
                continue;
            }
            if let Some(search) = self.search.as_mut().filter(|search| search.wanted == hop) {
                search.waiting = sent;
                continue;
            }
            self.search =
                Some(Search { wanted: hop, next: now + PAUSE, left: TRIES, waiting: sent });
            out.push(self.question(hop));
        }
        out
    }

    fn addressed(&self, sent: &Sent, to: Mac) -> Option<Vec<u8>> {
        let Sent { source, target, payload, .. } = sent;
        let macs = (self.mac, to);
        Datagram { macs, source: *source, target: *target, payload }.write()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use muster_netboot::booter::Outcome;
    use muster_netboot::bootp::{Reply, Request};
    use muster_netboot::wire;

    use super::*;
    use crate::boards::hardware::hardware;
    use crate::profile::Identity;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 20);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 1);
    const SERVER_MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    /// A board that has just been answered, and the frames that it sent then.
    fn answered() -> (Card, Vec<Vec<u8>>) {
        let hardware = hardware(&Identity::derive(1, 0));
        let (mut card, first) =
            Card::switch_on(hardware, Habits::default(), Begin::Flashboot, 1, Duration::ZERO);
        assert_eq!(first.len(), 1);
        let Some(Frame::Udp(asked)) = wire::read(&first[0]) else { panic!("no datagram") };
        assert_eq!(asked.macs, (card.mac, Mac::BROADCAST));
        let request = Request::read(asked.payload).unwrap();
        let mask = Ipv4Addr::new(255, 255, 255, 0);
        let reply = Reply::plain(&request, OWN, SERVER, mask, None, "x").write();
        let answer = Datagram {
            macs: (SERVER_MAC, Mac::BROADCAST),
            source: "10.5.0.1:67".parse().unwrap(),
            target: "255.255.255.255:68".parse().unwrap(),
            payload: &reply,
        };
        let frames = card.frame(&Frame::Udp(answer), Duration::ZERO);
        (card, frames)
    }

    fn question(frame: &[u8]) -> Arp {
        match wire::read(frame) {
            Some(Frame::Arp(arp)) => arp,
            other => panic!("no question: {other:?}"),
        }
    }

    #[test]
    fn it_asks_who_the_server_is_before_it_reads() {
        let (mut card, frames) = answered();
        let asked = question(&frames[0]);
        assert_eq!((asked.sender, asked.target.1), ((card.mac, OWN), SERVER));
        assert_eq!((frames.len(), card.deadline()), (1, Some(PAUSE)));
        // Meanwhile it wants to read once more, with smaller blocks; only that is sent.
        let again = card.tick(PAUSE);
        assert_eq!(again.len(), 1);
        assert_eq!(question(&again[0]), asked);

        let sent = card.frame(&Frame::Arp(asked.answer(SERVER_MAC)), PAUSE);
        assert_eq!(sent.len(), 1);
        let Some(Frame::Udp(read)) = wire::read(&sent[0]) else { panic!("no datagram") };
        assert_eq!((read.macs, read.target.port()), ((card.mac, SERVER_MAC), 69));
        assert!(String::from_utf8_lossy(read.payload).contains("512"));
        // From here on it knows.
        let later = card.tick(2 * PAUSE);
        assert!(matches!(wire::read(&later[0]), Some(Frame::Udp(_))));
    }

    #[test]
    fn it_gives_up_where_nobody_answers() {
        let (mut card, _) = answered();
        let (mut asked, mut now) = (1, Duration::ZERO);
        while card.booter().outcome().is_none() {
            now = card.deadline().unwrap();
            let frames = card.tick(now);
            assert!(frames.iter().all(|frame| matches!(wire::read(frame), Some(Frame::Arp(_)))));
            asked += frames.len();
        }
        assert!(matches!(card.booter().outcome(), Some(Outcome::Nothing(_))));
        assert_eq!((asked, now), (100, Duration::from_secs(10)));
        assert_eq!((card.deadline(), card.booter().address()), (None, None));
    }

    #[test]
    fn it_answers_for_its_own_address_alone() {
        let (mut card, _) = answered();
        let asks = |wanted| Frame::Arp(Arp::question((SERVER_MAC, SERVER), wanted));
        let answers = card.frame(&asks(OWN), Duration::ZERO);
        let Some(Frame::Arp(answer)) = wire::read(&answers[0]) else { panic!("no answer") };
        assert_eq!((answer.sender, answer.target), ((card.mac, OWN), (SERVER_MAC, SERVER)));
        assert!(card.frame(&asks(Ipv4Addr::new(10, 5, 0, 21)), Duration::ZERO).is_empty());
    }
}
