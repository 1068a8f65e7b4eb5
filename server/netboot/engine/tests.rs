#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, TimeDelta};
use muster_netboot::board::Gives;
use muster_netboot::netinstall::{Announcement, File, Frame};
use muster_netboot::profile;
use muster_netboot::tftp::{Packet, code};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::netboot::decide::{Given, Reading, Stored};
use crate::netboot::policy::By;
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
        let now = self.now();
        let decision = Decision { question, row: Stored::Nothing, claim: None, outcome };
        self.engine.decided(decision, now)
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

#[test]
fn at_a_bench_that_nobody_armed_boards_are_seen_and_nothing_is_sent() {
    let mut bench = Bench::disarmed();
    let out = bench.asked(&flashboot(mac(1)));
    assert_eq!((out.questions.len(), out.sends.len()), (1, 0));
    let question = out.questions.into_iter().next().unwrap();
    // Even if somebody decided otherwise.
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert!(out.sends.is_empty());
    assert_eq!(out.writes[0].row.reason.as_deref(), Some("disarmed"));
    assert_eq!(out.writes[0].row.board_id.as_deref(), Some("952-hb"));
    for (port, bytes) in [(Port::Tftp, read(&[])), (Port::Transfer, ack(1))] {
        assert!(
            bench.hears(port, at(Ipv4Addr::new(192, 168, 88, 2), 2_000), &bytes).sends.is_empty()
        );
    }
    assert!(!bench.engine.serves(bench.now()));
}

#[test]
fn a_board_that_repeats_itself_is_decided_about_once_and_answered_each_time() {
    let mut bench = Bench::armed();
    let mut questions = bench.asked(&flashboot(mac(1))).questions;
    for _ in 0..4 {
        bench.pass(200);
        let out = bench.asked(&flashboot(mac(1)));
        assert!(out.questions.is_empty() && out.sends.is_empty());
    }
    let out = bench.decided(questions.remove(0), Ok(file(Gives::Script, SCRIPT)));
    assert_eq!((out.sends.len(), states(&out)), (1, vec!["offered"]));
    let first = out.sends[0].clone();
    assert_eq!((first.from, first.to), (Port::Bootp, at(Ipv4Addr::BROADCAST, 68)));
    let reply = Reply::read(&first.bytes).unwrap();
    assert_eq!(
        (reply.mac, reply.siaddr, reply.message_type()),
        (mac(1), "192.168.88.1".parse().unwrap(), None)
    );
    assert_eq!(out.writes[0].log.as_ref().unwrap().detail["by"], "claim");
    for _ in 0..8 {
        bench.pass(200);
        let out = bench.asked(&flashboot(mac(1)));
        assert_eq!((out.sends.as_slice(), out.questions.len()), (std::slice::from_ref(&first), 0));
        assert!(out.writes.is_empty());
    }
}

#[test]
fn a_board_has_its_delivery_and_nothing_else_before_that_is_stored() {
    let mut bench = Bench::armed();
    let address = bench.offered(&flashboot(mac(1)), Gives::Script, SCRIPT);
    let peer = at(address, 2_000);
    let out = bench.hears(Port::Tftp, peer, &read(&[("blksize", "1452")]));
    assert_eq!((out.sends[0].from, out.sends[0].to), (Port::Transfer, peer));
    assert!(matches!(Packet::read(&out.sends[0].bytes), Ok(Packet::Options(_))));
    assert_eq!(states(&out), ["transferring"]);
    let began = bench.save(&out);
    assert!(began.questions.is_empty());
    let out = bench.hears(Port::Transfer, peer, &ack(0));
    let Ok(Packet::Data { block: 1, bytes }) = Packet::read(&out.sends[0].bytes) else {
        panic!("{out:?}")
    };
    assert_eq!(bytes, SCRIPT);
    let out = bench.hears(Port::Transfer, peer, &ack(1));
    let row = &out.writes[0].row;
    assert_eq!((row.state.as_str(), row.done), ("delivered", true));
    assert_eq!(row.sent_bytes, i64::try_from(SCRIPT.len()).unwrap());
    // A late copy of its request begins nothing.
    assert!(bench.hears(Port::Tftp, peer, &read(&[("blksize", "1452")])).sends.is_empty());
    // It asks again, and nobody is asked before it is stored that it had its delivery.
    bench.pass(11_000);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty());
    let asked = bench.save(&out).questions;
    assert_eq!(asked.len(), 1);
    let out = bench.decided(asked.into_iter().next().unwrap(), refused("done"));
    assert_eq!((states(&out), out.sends.len()), (vec!["refused"], 0));
    let out = bench.hears(Port::Tftp, peer, &read(&[]));
    assert!(matches!(
        Packet::read(&out.sends[0].bytes),
        Ok(Packet::Error { code: code::DENIED, .. })
    ));
}

#[test]
fn what_began_while_the_bench_was_armed_is_ended_and_nothing_else_begins() {
    let mut bench = Bench::armed();
    bench.arm(5);
    let reads = bench.offered(&flashboot(mac(1)), Gives::Script, SCRIPT);
    let waits = bench.offered(&flashboot(mac(2)), Gives::Script, SCRIPT);
    let question = bench.asked(&flashboot(mac(3))).questions.remove(0);
    bench.hears(Port::Tftp, at(reads, 2_000), &read(&[("blksize", "1452")]));
    bench.pass(5_000);
    assert!(bench.engine.serves(bench.now()));
    // Not the file of another board, no answer, and nothing that was granted a moment ago.
    assert!(bench.hears(Port::Tftp, at(waits, 2_000), &read(&[])).sends.is_empty());
    assert!(bench.asked(&flashboot(mac(2))).sends.is_empty());
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!((out.sends.len(), out.writes[0].row.reason.as_deref()), (0, Some("disarmed")));
    let stranger = at(Ipv4Addr::new(192, 168, 88, 6), 2_000);
    assert!(bench.hears(Port::Tftp, stranger, &read(&[])).sends.is_empty());
    // Its board even begins anew, with other options.
    let out = bench.hears(Port::Tftp, at(reads, 2_000), &read(&[("blksize", "512")]));
    assert_eq!(out.sends.len(), 1);
    bench.hears(Port::Transfer, at(reads, 2_000), &ack(0));
    let out = bench.hears(Port::Transfer, at(reads, 2_000), &ack(1));
    assert_eq!(states(&out), ["delivered"]);
    assert!(!bench.engine.serves(bench.now()));
}

#[test]
fn strangers_and_writers_are_sent_away() {
    let mut bench = Bench::armed();
    let stranger = at(Ipv4Addr::new(192, 168, 88, 6), 2_000);
    let write = Packet::Write { file: b"x" }.write();
    let table = [
        (Port::Tftp, read(&[]), code::DENIED),
        (Port::Tftp, write, code::DENIED),
        (Port::Tftp, ack(1), code::ILLEGAL),
        (Port::Transfer, ack(1), code::UNKNOWN_PORT),
    ];
    for (port, bytes, expected) in table {
        let out = bench.hears(port, stranger, &bytes);
        let Ok(Packet::Error { code, .. }) = Packet::read(&out.sends[0].bytes) else {
            panic!("{out:?}")
        };
        assert_eq!((code, out.sends[0].to), (expected, stranger));
    }
    let error = Packet::Error { code: 0, words: String::new() }.write();
    for port in [Port::Tftp, Port::Transfer, Port::Bootp, Port::Netinstall] {
        assert!(bench.hears(port, stranger, &error).sends.is_empty());
    }
}

#[test]
fn each_board_has_an_address_of_its_own_as_long_as_there_are_any() {
    let mut bench = Bench::armed();
    // A /29 has six, of which one is the server's.
    let given: Vec<Ipv4Addr> =
        (1..=5).map(|n| bench.offered(&flashboot(mac(n)), Gives::Script, SCRIPT)).collect();
    let mut different = given.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 5);
    let question = bench.asked(&flashboot(mac(6))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!(out.writes[0].row.reason.as_deref(), Some("no_address"));
}

#[test]
fn a_bench_that_cannot_serve_says_so_to_whoever_looks() {
    let mut bench = Bench::armed();
    bench.engine.ready(Err("UDP port 69 is taken".to_owned()));
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!((out.sends.len(), out.writes[0].row.reason.as_deref()), (0, Some("cannot_serve")));
}

#[test]
fn a_board_that_does_not_read_is_given_up_and_may_come_again() {
    let mut bench = Bench::armed();
    bench.offered(&flashboot(mac(1)), Gives::Script, SCRIPT);
    let due = bench.engine.deadline().unwrap();
    assert!(due > bench.since);
    let out = bench.pass(20_000);
    assert_eq!(states(&out), ["timed_out"]);
    assert_eq!(bench.engine.deadline(), None);
    bench.save(&out);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

#[test]
fn who_was_refused_is_asked_about_again_as_soon_as_somebody_arms() {
    let mut bench = Bench::disarmed();
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided(question, refused("disarmed"));
    bench.save(&out);
    bench.pass(200);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty());
    bench.arm(60);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

#[test]
fn clients_of_dhcp_are_answered_in_their_way_and_others_servers_noticed() {
    let mut bench = Bench::disarmed();
    // Anybody's telephone is none of the bench's while it is not armed; a board is.
    assert!(bench.asked(&dhcp(mac(1), bootp::DISCOVER, b"android")).questions.is_empty());
    assert_eq!(bench.asked(&dhcp(mac(2), bootp::DISCOVER, b"ARM64__boot")).questions.len(), 1);
    bench.armed_at = 1;
    bench.order(Some(60), true);
    bench.engine.ready(Ok(()));
    let question = bench.asked(&dhcp(mac(1), bootp::DISCOVER, b"x")).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    let offer = Reply::read(&out.sends[0].bytes).unwrap();
    assert_eq!(offer.message_type(), Some(2));
    let mut wants = dhcp(mac(1), bootp::REQUEST, b"x");
    wants.options.push((bootp::REQUESTED, offer.yiaddr.octets().to_vec()));
    wants.options.push((bootp::SERVER, offer.siaddr.octets().to_vec()));
    let out = bench.asked(&wants);
    assert_eq!(Reply::read(&out.sends[0].bytes).unwrap().message_type(), Some(5));
    let mut other = dhcp(mac(1), bootp::REQUEST, b"x");
    other.options.push((bootp::REQUESTED, vec![10, 0, 0, 1]));
    let out = bench.asked(&other);
    assert_eq!(Reply::read(&out.sends[0].bytes).unwrap().message_type(), Some(6));
    // It has taken another server's offer: nothing to answer, and something to tell.
    other.options.push((bootp::SERVER, vec![10, 0, 0, 9]));
    assert!(bench.asked(&other).sends.is_empty());
    bench.hears(Port::Replies, at(Ipv4Addr::new(192, 168, 88, 3), 67), &offer.write());
    let heard = bench.engine.others(bench.now());
    assert_eq!(heard.len(), 1, "what names this server is no other: {heard:?}");
    assert_eq!((heard[0].address, heard[0].dhcp), (Ipv4Addr::new(10, 0, 0, 9), true));
}

#[test]
fn whoever_makes_addresses_up_fills_no_table() {
    let mut bench = Bench::armed();
    let made_up = |n: u16| Mac([2, 0, 0, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
    let asked = (0..2_000).map(|n| bench.asked(&flashboot(made_up(n))).questions.len());
    assert_eq!(asked.sum::<usize>(), usize::try_from(MAX_NEWCOMERS).unwrap());
    bench.pass(60_000);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

fn announces(mac: Mac) -> Vec<u8> {
    let announcement = Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "key".to_owned(),
        model: "RB5009".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: None,
    };
    let payload = announcement.write();
    Frame { from: mac, to: Mac::ZERO, counter: 1, peer: 0, payload }.write()
}

fn files() -> Given {
    let content: Arc<[u8]> = b"npk".as_slice().into();
    given(Gift::Files {
        files: vec![File { name: "routeros.npk".to_owned(), content }],
        warnings: vec!["a warning".to_owned()],
        install: json!({ "release": "7.16.1" }),
        until: DateTime::UNIX_EPOCH + TimeDelta::hours(1),
    })
}

#[test]
fn an_installation_begins_when_it_was_decided_and_the_bench_is_armed() {
    let (board, anywhere) = (mac(1), at(Ipv4Addr::UNSPECIFIED, 5_000));
    let mut bench = Bench::disarmed();
    assert!(bench.hears(Port::Netinstall, anywhere, &announces(board)).questions.is_empty());
    bench.arm(60);
    let mut asked = bench.hears(Port::Netinstall, anywhere, &announces(board)).questions;
    // It announces itself again and again.
    assert!(bench.hears(Port::Netinstall, anywhere, &announces(board)).questions.is_empty());
    // Of one that nobody armed by its name nothing is said to anybody.
    let stranger = bench.hears(Port::Netinstall, anywhere, &announces(mac(9))).questions.remove(0);
    let out = bench.decided(stranger, refused("not_armed_for_install"));
    assert!(out.writes.is_empty() && out.sends.is_empty());
    let out = bench.decided(asked.remove(0), Ok(files()));
    assert_eq!(states(&out), ["installing"]);
    assert!(!out.sends.is_empty());
    assert!(out.sends.iter().all(|sent| sent.to == at(Ipv4Addr::BROADCAST, 5_000)));
    let log = out.writes[0].log.as_ref().unwrap();
    assert_eq!(log.detail["warnings"], json!(["a warning"]));
    bench.save(&out);
    // It goes on whatever becomes of the arming, and ends by itself where the board is silent.
    bench.order(Some(0), false);
    assert!(bench.engine.serves(bench.now()));
    let mut last = Vec::new();
    for _ in 0..400 {
        let out = bench.pass(500);
        last.extend(out.writes.iter().map(|write| write.row.state.clone()));
        bench.save(&out);
    }
    assert_eq!(last.last().map(String::as_str), Some("failed"));
    assert!(!bench.engine.serves(bench.now()));
}

#[test]
fn a_board_that_was_sent_its_boot_image_is_told_why_it_gets_no_more() {
    let mut bench = Bench::armed();
    let board = request(mac(1), &[(60, b"ARM64__boot")]);
    let peer = at(bench.offered(&board, Gives::Image, b"ELF"), 2_000);
    bench.hears(Port::Tftp, peer, &read(&[]));
    let out = bench.hears(Port::Transfer, peer, &ack(1));
    assert_eq!((states(&out), out.writes[0].row.done), (vec!["installing"], false));
    // Not before it is stored how far it has come.
    let anywhere = at(Ipv4Addr::UNSPECIFIED, 5_000);
    assert!(bench.hears(Port::Netinstall, anywhere, &announces(mac(1))).questions.is_empty());
    for _ in 0..2 {
        bench.save(&out);
    }
    let question = bench.hears(Port::Netinstall, anywhere, &announces(mac(1))).questions.remove(0);
    let out = bench.decided(question, refused("no_package"));
    assert_eq!(states(&out), ["failed"]);
    assert_eq!(out.writes[0].row.words.as_deref(), Some("for a reason"));
}

#[test]
fn two_hundred_boards_at_once_are_two_hundred_questions() {
    let mut bench = Bench::armed();
    let asked: usize = (0..200).map(|n| bench.asked(&flashboot(mac(n))).questions.len()).sum();
    assert_eq!(asked, 200);
    let again: usize = (0..200).map(|n| bench.asked(&flashboot(mac(n))).questions.len()).sum();
    assert_eq!(again, 0);
}

#[test]
fn a_board_that_somebody_forgot_is_new() {
    let mut bench = Bench::armed();
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let mut row = record::fresh(mac(1), Uuid::nil(), DateTime::UNIX_EPOCH);
    (row.done, row.deliveries, row.delivered_at) = (true, 3, Some(DateTime::UNIX_EPOCH));
    let row = Stored::Row(Box::new(row));
    let decision = Decision { question, row, claim: None, outcome: refused("done") };
    let now = bench.now();
    let out = bench.engine.decided(decision, now);
    assert_eq!((out.writes[0].row.done, out.writes[0].row.deliveries), (true, 3));
    bench.save(&out);
    bench.pass(6_000);
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    let row = &out.writes[0].row;
    assert_eq!((row.done, row.delivered_at, row.state.as_str()), (false, None, "offered"));
}
