//! What is done to boards that are installed.

use muster_netboot::board::Board;
use muster_netboot::netinstall::{Announcement, Device, File, Frame, Habits, Outcome};

use super::*;
use crate::netboot::record::Write;

/// A board that is installed has no address.
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 5_000);

fn announcement() -> Announcement {
    Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "key".to_owned(),
        model: "RB5009".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: None,
    }
}

/// What a board says that runs its boot image.
pub(super) fn announces(mac: Mac) -> Vec<u8> {
    let payload = announcement().write();
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
fn who_asks_in_etherboot_mode_was_sent_there_whether_or_not_it_has_said_so() {
    let etherboot = request(mac(1), &[(60, b"ARM64__boot")]);
    let (nothing, redirected): (&[&str], &[&str]) = (&[], &["redirected"]);
    for (reads, acknowledges, expected) in
        [(true, false, redirected), (true, true, nothing), (false, false, nothing)]
    {
        let mut bench = Bench::armed();
        let peer = at(bench.offered(&flashboot(mac(1)), Gives::Redirect, b"doEB"), 2_000);
        if reads {
            let out = bench.hears(Port::Tftp, peer, &read(&[]));
            bench.save(&out);
        }
        if acknowledges {
            let out = bench.hears(Port::Transfer, peer, &ack(1));
            assert_eq!(states(&out), redirected);
            bench.save(&out);
        }
        let out = bench.asked(&etherboot);
        assert_eq!(states(&out), expected);
        // What is asked about it waits until that is stored.
        assert_eq!(out.questions.len() + bench.save(&out).questions.len(), 1);
        let late = bench.hears(Port::Transfer, peer, &ack(1));
        assert!(late.writes.is_empty() && bench.pass(2_000).writes.is_empty());
    }
}

/// An installation that has begun, its board, and what was written of that.
fn begun() -> (Bench, Device, Out) {
    let mut bench = Bench::armed();
    let (device, first) = Device::begin(mac(1), announcement(), Habits::default(), Duration::ZERO);
    let question = bench.hears(Port::Netinstall, NOBODY, &first[0]).questions.remove(0);
    let out = bench.decided(question, Ok(files()));
    assert_eq!(states(&out), ["installing"]);
    (bench, device, out)
}

/// Plays a board until it is told to restart, while somebody asks in its name all the time; gives what
/// was written.
fn play(bench: &mut Bench, device: &mut Device, began: Out, saves: bool) -> Vec<Write> {
    let (mut sends, mut writes) = (began.sends, Vec::new());
    for _ in 0..300 {
        let now = bench.since;
        let mut said = device.tick(now);
        for datagram in std::mem::take(&mut sends) {
            said.extend(device.packet(&datagram.bytes, now));
        }
        let mut outs: Vec<Out> =
            said.iter().map(|bytes| bench.hears(Port::Netinstall, NOBODY, bytes)).collect();
        let asked = bench.asked(&flashboot(mac(1)));
        assert!(asked.questions.is_empty() && asked.writes.is_empty());
        outs.push(bench.pass(100));
        for out in outs {
            if saves {
                bench.save(&out);
            }
            sends.extend(out.sends);
            writes.extend(out.writes);
        }
        if device.outcome().is_some() {
            return writes;
        }
    }
    panic!("it does not come to an end");
}

#[test]
fn who_is_installed_is_left_alone_and_an_arming_is_over_with_its_end() {
    let (mut bench, mut device, began) = begun();
    bench.save(&began);
    let told = play(&mut bench, &mut device, began, true);
    assert_eq!(device.outcome(), Some(Outcome::Done));
    assert!(!told.is_empty() && told.iter().all(|write| write.row.state == "installing"));
    // It restarts, and asks what it may start with before its silence has ended.
    bench.pass(1_000);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty());
    let out = bench.pass(1_000);
    assert_eq!((states(&out), out.writes[0].row.done), (vec!["installed"], true));
    assert!(out.writes[0].install_over.is_some());
    assert!(bench.engine.installs.is_empty());
}

#[test]
fn an_arming_is_over_whatever_the_board_has_asked_since() {
    let (mut bench, mut device, began) = begun();
    // Nothing is told of what comes after while that is not stored.
    assert!(play(&mut bench, &mut device, began, false).is_empty());
    let known = bench.engine.boards.get_mut(&mac(1)).unwrap();
    known.board = Board::new(mac(1), bench.since);
    let out = bench.pass(2_000);
    assert!(out.writes[0].install_over.is_some());
}

#[test]
fn a_board_that_falls_silent_while_it_is_installed_may_begin_anew() {
    let (mut bench, _, began) = begun();
    bench.save(&began);
    bench.pass(4_900);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty());
    bench.pass(100);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
    assert!(bench.engine.installs.is_empty());
}

#[test]
fn an_installation_that_nobody_could_decide_is_asked_about_again() {
    let mut bench = Bench::armed();
    let question = bench.hears(Port::Netinstall, NOBODY, &announces(mac(1))).questions.remove(0);
    let out = bench.decided_of(Stored::Unknown, question, refused("undecided"));
    assert!(out.writes.is_empty() && out.sends.is_empty());
    assert_eq!(bench.hears(Port::Netinstall, NOBODY, &announces(mac(1))).questions.len(), 1);
}
