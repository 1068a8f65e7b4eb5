//! What boards read.

use muster_netboot::board;

use super::*;

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

/// What is said beside in the log of a board whose read is on its way after so many milliseconds.
fn warned(profile: Option<&str>, milliseconds: u64) -> Option<Vec<String>> {
    let mut bench = Bench::armed();
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let given = Given { profile: profile.map(str::to_owned), ..file(Gives::Script, SCRIPT) };
    let out = bench.decided(question, Ok(given));
    let peer = at(Reply::read(&out.sends[0].bytes).unwrap().yiaddr, 2_000);
    bench.hears(Port::Tftp, peer, &read(&[]));
    bench.since += Duration::from_millis(milliseconds);
    let now = bench.now();
    bench.engine.answered(peer, now);
    // It reads once more, and is answered at once.
    bench.since += Duration::from_secs(1);
    bench.hears(Port::Tftp, peer, &read(&[]));
    let now = bench.now();
    bench.engine.answered(peer, now);
    let out = bench.hears(Port::Transfer, peer, &ack(1));
    assert_eq!(states(&out), ["delivered"]);
    let detail = &out.writes[0].log.as_ref().unwrap().detail;
    serde_json::from_value(detail.get("warnings")?.clone()).unwrap()
}

#[test]
fn an_answer_that_boards_of_the_profile_do_not_wait_for_is_noted() {
    let named = Some("mikrotik-flashboot");
    let words = "answered after 140 ms; boards of this profile wait 100 ms".to_owned();
    assert_eq!(warned(named, 140), Some(vec![words]));
    assert_eq!(warned(named, 100), None);
    assert_eq!(warned(None, 140), None, "nobody knows for how long it waits");
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
fn a_board_that_does_not_read_is_given_up_and_may_come_again() {
    let mut bench = Bench::armed();
    bench.offered(&flashboot(mac(1)), Gives::Script, SCRIPT);
    // The bench has asked who else is there.
    bench.pass(0);
    let due = bench.engine.deadline().unwrap();
    assert!(due > bench.since);
    let out = bench.pass(20_000);
    assert_eq!(states(&out), ["timed_out"]);
    // What it was offered may be read for another minute.
    let due = bench.engine.boards[&mac(1)].board.deadline();
    assert_eq!(due, Some(Duration::from_secs(80)));
    bench.save(&out);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

/// What a board of two blocks has read when it falls silent for half a minute, and where that was.
fn silent(acknowledged: Option<u16>) -> (Bench, SocketAddrV4, Out) {
    let mut bench = Bench::armed();
    let content = [b"123 ".as_slice(), &[b'#'; 1_000]].concat();
    let peer = at(bench.offered(&flashboot(mac(1)), Gives::Script, &content), 2_000);
    let began = bench.hears(Port::Tftp, peer, &read(&[]));
    bench.save(&began);
    if let Some(block) = acknowledged {
        bench.hears(Port::Transfer, peer, &ack(block));
    }
    let out = bench.pass(30_000);
    bench.save(&out);
    (bench, peer, out)
}

#[test]
fn a_board_whose_transfer_ends_without_its_last_word_may_have_it() {
    let (_, _, out) = silent(None);
    let row = &out.writes[0].row;
    assert_eq!((states(&out), row.reason.as_deref()), (vec!["failed"], Some("transfer")));
    let words = row.words.as_deref().unwrap();
    assert!(words.ends_with("; 512 of 1004 bytes of its script went out"), "{words}");
    let (_, _, out) = silent(Some(1));
    let row = &out.writes[0].row;
    assert_eq!((states(&out), row.reason.as_deref()), (vec!["failed"], Some("unacknowledged")));
    assert_eq!((row.done, row.words.as_deref()), (false, Some(board::UNACKNOWLEDGED)));
}

#[test]
fn what_was_offered_may_be_read_for_a_minute_after_it_broke() {
    let (mut bench, peer, _) = silent(None);
    bench.pass(59_900);
    assert_eq!(states(&bench.hears(Port::Tftp, peer, &read(&[]))), ["transferring"]);

    let (mut bench, peer, _) = silent(None);
    assert!(bench.pass(60_000).writes.is_empty());
    let out = bench.hears(Port::Tftp, peer, &read(&[]));
    assert!(matches!(
        Packet::read(&out.sends[0].bytes),
        Ok(Packet::Error { code: code::DENIED, .. })
    ));

    // Who asks again is asked about.
    let (mut bench, _, _) = silent(None);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

#[test]
fn how_far_a_large_file_has_come_is_written_when_all_before_is() {
    let mut bench = Bench::armed();
    let image = vec![7_u8; 300 << 10];
    let board = request(mac(1), &[(60, b"ARM64__boot")]);
    let peer = at(bench.offered(&board, Gives::Image, &image), 2_000);
    let began = bench.hears(Port::Tftp, peer, &read(&[]));
    let acknowledged = |bench: &mut Bench, block: u16| {
        bench.pass(100);
        bench.hears(Port::Transfer, peer, &ack(block))
    };
    for block in 1..=20 {
        assert!(acknowledged(&mut bench, block).writes.is_empty(), "{block}");
    }
    bench.save(&began);
    let out = acknowledged(&mut bench, 21);
    assert_eq!((states(&out), out.writes[0].log.is_none()), (vec!["transferring"], true));
    assert_eq!(out.writes[0].row.sent_bytes, 21 * 512);
}
