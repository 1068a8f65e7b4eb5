//! A boot loader made after what is known of RouterBOOT (`docs/flashfig.md`): how it asks, what it
//! takes, and what it does with what it gets, with its impatience and its quirks.
//!
//! A self-authored test double: it was made from the same notes as the server. That both agree proves
//! consistency, not compatibility. Nothing here was seen on a board, and no code of a boot loader is in
//! it. Whoever plays it brings the frames, the question who has an address ([`crate::wire`]) and the
//! time.

mod answer;
mod hardware;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::bootp::Request;
use crate::netinstall::{self, Device};
use crate::tftp::{Packet, Quirks, Receiver, code, refuse};
use answer::Answer;
pub use hardware::{Begin, Habits, Hardware, Outcome, Sent};

/// What a board calls itself where it waits for a configuration.
pub const FLASHBOOT: &str = "Flashboot";
/// What begins a configuration for it.
pub const CONFIGURATION: [u8; 4] = *b"123 ";
/// What sends it on into Etherboot.
pub const REDIRECT: [u8; 4] = *b"doEB";
/// How a boot image begins.
const ELF: [u8; 4] = *b"\x7fELF";
/// The file that it asks for where the answer names none.
const NAMELESS: &str = "vmlinux";
/// Bytes of a block that it asks for first.
const BLKSIZE: &str = "1452";
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// What it stores is filled up to a multiple of so many bytes.
const PAD: usize = 4;
/// Bytes that what it stores takes up beside itself.
const OVERHEAD: usize = 4;
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const TFTP_PORT: u16 = 69;

/// One board that is switched on.
#[derive(Debug)]
pub struct Booter {
    hardware: Hardware,
    habits: Habits,
    /// Of its random numbers.
    seed: u32,
    state: State,
    line: Option<Line>,
    asked: u32,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
enum State {
    /// It asks who has something for it.
    Asking {
        etherboot: bool,
        xid: u32,
        since: Duration,
        sent: u32,
    },
    /// It fetches a file.
    Fetching {
        etherboot: bool,
        receiver: Box<Receiver>,
    },
    /// A boot image runs.
    Installing(Box<Device>),
    Over,
}

/// What it knows of the network and of the server.
#[derive(Debug, Clone, Copy)]
struct Line {
    answer: Answer,
    /// Its own port.
    port: u16,
    /// The server's, once it has sent something.
    peer: Option<u16>,
}

impl Booter {
    /// Switches it on; what it sends first. `seed` decides its random numbers.
    pub fn switch_on(
        hardware: Hardware,
        habits: Habits,
        begin: Begin,
        seed: u32,
        now: Duration,
    ) -> (Self, Vec<Sent>) {
        let mut booter = Self {
            hardware,
            habits,
            seed: seed | 1,
            state: State::Over,
            line: None,
            asked: 0,
            outcome: None,
        };
        let sent = match begin {
            Begin::Flashboot => booter.ask(false, now),
            Begin::Etherboot => booter.ask(true, now),
            Begin::Installer => booter.install(now),
        };
        (booter, sent)
    }

    /// What it makes of a datagram that reaches it: one for its hardware address or for all.
    pub fn datagram(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: &[u8],
        now: Duration,
    ) -> Vec<Sent> {
        match &self.state {
            State::Asking { etherboot, xid, .. } => {
                let (etherboot, xid) = (*etherboot, *xid);
                if (from.port(), to.port()) != (SERVER_PORT, CLIENT_PORT) {
                    return Vec::new();
                }
                match Answer::read(payload, xid, self.hardware.mac) {
                    Some((answer, file)) => self.fetch(etherboot, answer, &file, now),
                    None => Vec::new(),
                }
            }
            State::Fetching { .. } | State::Over => self.transfer(from, to, payload, now),
            State::Installing(_) => {
                if (from.port(), to.port()) != (netinstall::PORT, netinstall::PORT) {
                    return Vec::new();
                }
                self.instruct(|device| device.packet(payload, now))
            }
        }
    }

    /// What it does when its time has come ([`Self::deadline`]).
    pub fn tick(&mut self, now: Duration) -> Vec<Sent> {
        match &mut self.state {
            State::Asking { .. } => self.question(now),
            State::Fetching { receiver, .. } => {
                let packets = receiver.tick(now);
                self.forward(packets, now)
            }
            State::Installing(_) => self.instruct(|device| device.tick(now)),
            State::Over => Vec::new(),
        }
    }

    /// Nobody has told the hardware address that it sends through: it boots from its flash.
    pub fn unreachable(&mut self) {
        if let State::Fetching { .. } = self.state {
            self.end(Outcome::Nothing("nobody has the address of the server".to_owned()));
        }
    }

    /// When it acts of its own accord.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Asking { since, sent, .. } => Some(*since + PAUSE * *sent),
            State::Fetching { receiver, .. } => receiver.deadline(),
            State::Installing(device) => device.deadline(),
            State::Over => None,
        }
    }

    /// What became of it, once it is known.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The address that it answers for now.
    pub fn address(&self) -> Option<Ipv4Addr> {
        let listens = match self.state {
            State::Fetching { .. } => true,
            State::Over => self.habits.lingers,
            State::Asking { .. } | State::Installing(_) => false,
        };
        self.line.filter(|_| listens).map(|line| line.answer.own)
    }

    /// Whether it asks, or has asked, for a boot image.
    pub fn is_in_etherboot(&self) -> bool {
        match &self.state {
            State::Asking { etherboot, .. } | State::Fetching { etherboot, .. } => *etherboot,
            State::Installing(_) => true,
            State::Over => false,
        }
    }

    /// How often it has asked.
    pub fn asked(&self) -> u32 {
        self.asked
    }

    fn random(&mut self) -> u32 {
        // Marsaglia's xorshift: good enough for a number that only has to differ.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Over;
        self.outcome = Some(outcome);
    }

    fn ask(&mut self, etherboot: bool, now: Duration) -> Vec<Sent> {
        let xid = self.random();
        self.line = None;
        self.state = State::Asking { etherboot, xid, since: now, sent: 0 };
        self.question(now)
    }

    /// Asks as often as is due. The last question has no wait behind it.
    fn question(&mut self, now: Duration) -> Vec<Sent> {
        let mut out = Vec::new();
        while let State::Asking { etherboot, xid, since, sent } = self.state
            && since + PAUSE * sent <= now
        {
            let waits = if etherboot { self.habits.etherboot_waits } else { self.habits.waits };
            let elapsed = u16::try_from((PAUSE * sent).as_secs()).unwrap_or(u16::MAX);
            out.push(self.request(etherboot, xid, elapsed));
            self.asked += 1;
            if sent >= waits {
                self.end(Outcome::Nothing("nobody answered".to_owned()));
            } else {
                self.state = State::Asking { etherboot, xid, since, sent: sent + 1 };
            }
        }
        out
    }

    fn request(&self, etherboot: bool, xid: u32, elapsed: u16) -> Sent {
        let hardware = &self.hardware;
        let options = if etherboot {
            vec![(60, hardware.class.as_bytes().to_vec())]
        } else {
            vec![
                (60, FLASHBOOT.as_bytes().to_vec()),
                (128, hardware.board_id.as_bytes().to_vec()),
                (129, hardware.free.to_be_bytes().to_vec()),
            ]
        };
        let request = Request {
            xid,
            // The low byte goes first.
            secs: elapsed.swap_bytes(),
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac: hardware.mac,
            file: Vec::new(),
            options,
        };
        Sent {
            source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT),
            target: SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT),
            hop: Ipv4Addr::BROADCAST,
            payload: request.write(),
        }
    }

    fn fetch(&mut self, etherboot: bool, answer: Answer, file: &str, now: Duration) -> Vec<Sent> {
        let port = 1024 + u16::try_from(self.random() % 60_000).unwrap_or(0);
        self.line = Some(Line { answer, port, peer: None });
        let name = if file.is_empty() { NAMELESS } else { file };
        let options = [("blksize".to_owned(), BLKSIZE.to_owned())];
        let (receiver, first) = Receiver::begin(name, &options, Quirks::routerboot(), now);
        self.state = State::Fetching { etherboot, receiver: Box::new(receiver) };
        self.forward(vec![first], now)
    }

    fn transfer(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: &[u8],
        now: Duration,
    ) -> Vec<Sent> {
        let is_deaf = matches!(self.state, State::Over) && !self.habits.lingers;
        let Some(line) = self.line.as_mut().filter(|_| !is_deaf) else { return Vec::new() };
        let own = SocketAddrV4::new(line.answer.own, line.port);
        let hop = line.answer.next_hop(line.answer.server);
        if *from.ip() != line.answer.server || to != own {
            return Vec::new();
        }
        if *line.peer.get_or_insert(from.port()) != from.port() {
            let payload = refuse(code::UNKNOWN_PORT, "unknown transfer");
            return vec![Sent { source: own, target: from, hop, payload }];
        }
        match &mut self.state {
            State::Fetching { receiver, .. } => {
                let packets = receiver.packet(payload, now);
                self.forward(packets, now)
            }
            State::Over if self.habits.lingers => match Packet::read(payload) {
                Ok(Packet::Data { block, .. }) => {
                    let payload = Packet::Ack { block }.write();
                    vec![Sent { source: own, target: from, hop, payload }]
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Addresses what the transfer says, and goes on once the file is there.
    fn forward(&mut self, packets: Vec<Vec<u8>>, now: Duration) -> Vec<Sent> {
        let Some(line) = self.line.as_mut() else { return Vec::new() };
        let source = SocketAddrV4::new(line.answer.own, line.port);
        let hop = line.answer.next_hop(line.answer.server);
        let mut out = Vec::new();
        for payload in packets {
            if matches!(Packet::read(&payload), Ok(Packet::Read { .. })) {
                // The server may begin anew from another port.
                line.peer = None;
            }
            let port = line.peer.unwrap_or(TFTP_PORT);
            let target = SocketAddrV4::new(line.answer.server, port);
            out.push(Sent { source, target, hop, payload });
        }
        if let State::Fetching { etherboot, receiver } = &self.state {
            match (receiver.outcome(), *etherboot) {
                (Some(Ok(file)), true) => out.extend(self.run(&file, now)),
                (Some(Ok(file)), false) => out.extend(self.take(file, now)),
                (Some(Err(words)), _) => self.end(Outcome::Nothing(words)),
                (None, _) => {}
            }
        }
        out
    }

    /// The first four bytes decide.
    fn take(&mut self, mut file: Vec<u8>, now: Duration) -> Vec<Sent> {
        match file.first_chunk::<4>() {
            Some(&CONFIGURATION) => {
                let needed = file.len().next_multiple_of(PAD) + OVERHEAD;
                let free = self.hardware.free as usize;
                self.end(if needed > free {
                    Outcome::Refused(format!("{needed} bytes do not fit into {free}"))
                } else {
                    Outcome::Stored(file.split_off(CONFIGURATION.len()))
                });
                Vec::new()
            }
            Some(&REDIRECT) => self.ask(true, now),
            _ => {
                self.end(Outcome::Refused("that is no configuration".to_owned()));
                Vec::new()
            }
        }
    }

    /// Runs a boot image.
    fn run(&mut self, image: &[u8], now: Duration) -> Vec<Sent> {
        if image.starts_with(&ELF) {
            return self.install(now);
        }
        self.end(Outcome::Refused("that is no boot image: it does not begin with ELF".to_owned()));
        Vec::new()
    }

    fn install(&mut self, now: Duration) -> Vec<Sent> {
        let announcement = self.hardware.announcement.clone();
        let (device, packets) =
            Device::begin(self.hardware.mac, announcement, self.habits.installer, now);
        self.line = None;
        self.state = State::Installing(Box::new(device));
        broadcast(packets)
    }

    fn instruct(&mut self, step: impl FnOnce(&mut Device) -> Vec<Vec<u8>>) -> Vec<Sent> {
        let State::Installing(device) = &mut self.state else { return Vec::new() };
        let out = broadcast(step(device.as_mut()));
        match device.outcome() {
            Some(netinstall::Outcome::Done) => {
                let files = device.files().to_vec();
                self.end(Outcome::Installed(files));
            }
            Some(netinstall::Outcome::Failed(words)) => self.end(Outcome::Broken(words)),
            None => {}
        }
        out
    }
}

/// What the installer says goes to all, from nobody.
fn broadcast(packets: Vec<Vec<u8>>) -> Vec<Sent> {
    let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, netinstall::PORT);
    let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, netinstall::PORT);
    let hop = Ipv4Addr::BROADCAST;
    packets.into_iter().map(|payload| Sent { source, target, hop, payload }).collect()
}
