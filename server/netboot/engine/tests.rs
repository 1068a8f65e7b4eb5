#![expect(clippy::unwrap_used, reason = "tests")]

mod boots;
mod installs;
mod reads;
mod refusals;
mod rivals;

use chrono::{DateTime, TimeDelta};
use muster_netboot::board::Gives;
use muster_netboot::bootp::{self, Reply};
use muster_netboot::profile;
use muster_netboot::tftp::{Packet, code};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::netboot::decide::{Gift, Given, Question, Reading, Stored};
use crate::netboot::policy::{By, Refusal};
use crate::netboot::record;

const SERVER: Mac = Mac([2, 0, 0, 0, 0, 0xff]);
/// The payload of a script: less than one block.
const SCRIPT: &[u8] = b"123 /system/identity/set name=a\n";

/// A bench, its boards, and the time.
struct Bench {
    engine: Engine,
    since: Duration,
    armed_at: i64,
}

fn mac(n: u8) -> Mac {
    Mac([0xe4, 0x8d, 0x8c, 0, 0, n])
}

fn request(mac: Mac, options: &[(u8, &[u8])]) -> Request {
    Request {
        xid: 7,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac,
        file: Vec::new(),
        options: options.iter().map(|(code, value)| (*code, value.to_vec())).collect(),
    }
}

fn flashboot(mac: Mac) -> Request {
    let free = 3_900_u32.to_be_bytes();
    request(mac, &[(60, b"Flashboot"), (128, b"952-hb"), (129, &free)])
}

fn dhcp(mac: Mac, kind: u8, class: &[u8]) -> Request {
    request(mac, &[(bootp::MESSAGE_TYPE, &[kind]), (bootp::VENDOR_CLASS, class)])
}

fn read(options: &[(&str, &str)]) -> Vec<u8> {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Packet::Read { file: b"vmlinux", mode: b"octet", options }.write()
}

fn ack(block: u16) -> Vec<u8> {
    Packet::Ack { block }.write()
}

fn at(ip: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip, port)
}

impl Bench {
    fn disarmed() -> Self {
        let network = "192.168.88.1/29".parse().unwrap();
        let setup =
            Setup { bench_id: Uuid::nil(), mac: SERVER, network, range: None, lease_seconds: 600 };
        let mut bench = Self { engine: Engine::new(setup), since: Duration::ZERO, armed_at: 0 };
        bench.order(None, false);
        bench
    }

    fn armed() -> Self {
        let mut bench = Self::disarmed();
        bench.arm(3_600);
        bench
    }

    fn order(&mut self, seconds: Option<i64>, dhcp: bool) {
        let epoch = DateTime::UNIX_EPOCH;
        self.engine.ordered(Orders {
            until: seconds.map(|seconds| epoch + TimeDelta::seconds(seconds)),
            armed_at: (self.armed_at > 0).then(|| epoch + TimeDelta::seconds(self.armed_at)),
            dhcp,
            profiles: Arc::new(profile::builtin().to_vec()),
            profile: None,
        });
    }

    /// Until so many seconds after the beginning.
    fn arm(&mut self, seconds: i64) {
        self.armed_at += 1;
        self.order(Some(seconds), false);
        self.engine.ready(Ok(()));
    }

    fn now(&self) -> Now {
        let at = DateTime::UNIX_EPOCH + TimeDelta::from_std(self.since).unwrap();
        Now { since: self.since, at }
    }

    fn pass(&mut self, milliseconds: u64) -> Out {
        self.since += Duration::from_millis(milliseconds);
        let now = self.now();
        self.engine.tick(now)
    }

    fn hears(&mut self, port: Port, from: SocketAddrV4, bytes: &[u8]) -> Out {
        let now = self.now();
        self.engine.packet(port, from, bytes, now)
    }

    fn asked(&mut self, request: &Request) -> Out {
        self.hears(Port::Bootp, at(Ipv4Addr::UNSPECIFIED, 68), &request.write())
    }

    fn decided(&mut self, question: Question, outcome: Result<Given, Refusal>) -> Out {
        self.decided_of(Stored::Nothing, question, outcome)
    }

    /// Of a board that is stored like this.
    fn decided_of(
        &mut self,
        row: Stored,
        question: Question,
        outcome: Result<Given, Refusal>,
    ) -> Out {
        let now = self.now();
        self.engine.decided(Decision { question, row, claim: None, outcome }, now)
    }

    /// Reads a file of one block to its end, after the board was offered it; gives what was written.
    fn delivered(&mut self, request: &Request) -> Out {
        let peer = at(self.offered(request, Gives::Script, SCRIPT), 2_000);
        let began = self.hears(Port::Tftp, peer, &read(&[]));
        self.save(&began);
        let out = self.hears(Port::Transfer, peer, &ack(1));
        self.save(&out);
        out
    }

    /// Asks, and is offered this; gives the address.
    fn offered(&mut self, request: &Request, gives: Gives, content: &[u8]) -> Ipv4Addr {
        let question = self.asked(request).questions.remove(0);
        let out = self.decided(question, Ok(file(gives, content)));
        self.save(&out);
        Reply::read(&out.sends[0].bytes).unwrap().yiaddr
    }

    /// All of this is stored.
    fn save(&mut self, out: &Out) -> Out {
        let mut all = Out::default();
        for write in &out.writes {
            all.questions.extend(self.engine.saved(write.mac).questions);
        }
        all
    }
}

fn given(gift: Gift) -> Given {
    let strategy = "flashfig-direct".to_owned();
    Given { by: By::Claim, profile: None, profile_status: None, strategy, script: None, gift }
}

fn file(gives: Gives, content: &[u8]) -> Given {
    let (name, reading) = ("flashfig".to_owned(), Reading::default());
    given(Gift::File { gives, name, content: content.into(), reading })
}

fn refused(code: &'static str) -> Result<Given, Refusal> {
    Err(Refusal::new(code, "for a reason"))
}

fn states(out: &Out) -> Vec<&str> {
    out.writes.iter().map(|write| write.row.state.as_str()).collect()
}
