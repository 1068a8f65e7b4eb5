//! Who gets nothing, and what is kept of that.

use super::*;
use crate::store::bench::BoardRow;

#[test]
fn at_a_bench_that_nobody_armed_boards_are_seen_and_nothing_is_sent() {
    let mut bench = Bench::disarmed();
    let out = bench.asked(&flashboot(mac(1)));
    assert_eq!((out.questions.len(), out.sends.len(), states(&out)), (0, 0, vec!["refused"]));
    let row = &out.writes[0].row;
    assert_eq!(
        (row.reason.as_deref(), row.board_id.as_deref()),
        (Some("disarmed"), Some("952-hb"))
    );
    assert_eq!((row.kind.as_str(), row.decided), ("flashboot", false));
    for (port, bytes) in [(Port::Tftp, read(&[])), (Port::Transfer, ack(1))] {
        assert!(
            bench.hears(port, at(Ipv4Addr::new(192, 168, 88, 2), 2_000), &bytes).sends.is_empty()
        );
    }
    assert!(!bench.engine.serves(bench.now()));
}

#[test]
fn a_bench_that_cannot_serve_says_so_and_leaves_its_boards_to_others() {
    let mut bench = Bench::armed();
    let problem = || Err("UDP port 69 is taken".to_owned());
    let refused = |out: &Out| {
        let write = &out.writes[0];
        (out.sends.len(), write.row.reason.clone().unwrap(), write.turn_over)
    };
    // What could be sent is not found out: by that the board would have its turn here.
    bench.engine.ready(problem());
    let out = bench.asked(&flashboot(mac(1)));
    assert!(out.questions.is_empty());
    assert_eq!(refused(&out), (0, "cannot_serve".to_owned(), false));
    let words = out.writes[0].row.words.as_deref().unwrap();
    assert!(words.contains("UDP port 69"), "{words}");
    // And where it came to that meanwhile, the board has had its turn.
    bench.engine.ready(Ok(()));
    let question = bench.asked(&flashboot(mac(2))).questions.remove(0);
    bench.engine.ready(problem());
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!(refused(&out), (0, "cannot_serve".to_owned(), true));
    // It is asked about as soon as it is mended.
    bench.engine.ready(Ok(()));
    bench.save(&out);
    bench.pass(6_000);
    assert_eq!(bench.asked(&flashboot(mac(2))).questions.len(), 1);
}

#[test]
fn who_was_refused_is_asked_about_again_as_soon_as_somebody_arms() {
    let mut bench = Bench::disarmed();
    let out = bench.asked(&flashboot(mac(1)));
    bench.save(&out);
    bench.pass(200);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty());
    bench.arm(60);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
}

#[test]
fn at_a_bench_that_nobody_armed_a_board_is_written_once_a_minute() {
    let mut bench = Bench::disarmed();
    let mut writes = Vec::new();
    for _ in 0..125 {
        let out = bench.asked(&flashboot(mac(1)));
        assert!(out.questions.is_empty() && out.sends.is_empty());
        bench.save(&out);
        writes.extend(out.writes);
        bench.pass(1_000);
    }
    let seen: Vec<i64> = writes.iter().map(|write| write.row.seen_at.timestamp()).collect();
    assert_eq!(seen, [0, 60, 120]);
    let logged: Vec<bool> = writes.iter().map(|write| write.log.is_some()).collect();
    assert_eq!(logged, [true, false, false]);
}

#[test]
fn a_refusal_comes_into_the_log_once_a_minute_for_each_reason() {
    let mut bench = Bench::armed();
    let mut logged = Vec::new();
    // One each six seconds.
    for (n, code) in ["not_claimed", "rate"].into_iter().cycle().take(24).enumerate() {
        let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
        let out = bench.decided(question, refused(code));
        assert_eq!(out.writes[0].row.reason.as_deref(), Some(code));
        if out.writes[0].log.is_some() {
            logged.push(n);
        }
        bench.save(&out);
        bench.pass(6_000);
    }
    assert_eq!(logged, [0, 1, 10, 11, 20, 21]);
}

#[test]
fn who_turns_from_mode_to_mode_after_a_refusal_is_asked_about_no_more_often() {
    let mut bench = Bench::armed();
    let modes = [flashboot(mac(1)), request(mac(1), &[(60, b"ARM64__boot")])];
    let question = bench.asked(&modes[0]).questions.remove(0);
    let out = bench.decided(question, refused("not_claimed"));
    bench.save(&out);
    for n in 0..24 {
        assert!(bench.asked(&modes[n % 2]).questions.is_empty(), "{n}");
        bench.pass(200);
    }
    bench.pass(200);
    assert_eq!(bench.asked(&modes[1]).questions.len(), 1);
}

#[test]
fn a_board_that_had_its_delivery_stays_what_it_came_to() {
    let mut bench = Bench::armed();
    let row = bench.delivered(&flashboot(mac(1))).writes[0].row.clone();
    bench.order(Some(3_600), true);
    let what = |row: &BoardRow| {
        let said = (row.kind.clone(), row.board_id.clone(), row.free_bytes, row.options.clone());
        let came = (row.state.clone(), row.reason.clone(), row.words.clone(), row.duration_ms);
        (said, came, row.delivered_at, row.done, row.requests)
    };
    assert_eq!((row.state.as_str(), row.kind.as_str()), ("delivered", "flashboot"));
    for code in ["dhcp_off", "done", "no_profile"] {
        bench.pass(11_000);
        // The router that it has become asks for an address.
        let question = bench.asked(&dhcp(mac(1), bootp::DISCOVER, b"x")).questions.remove(0);
        let stored = Stored::Row(Box::new(row.clone()));
        let out = bench.decided_of(stored, question, refused(code));
        bench.save(&out);
        assert_eq!(what(&out.writes[0].row), what(&row), "{code}");
        let log = out.writes[0].log.as_ref().unwrap();
        assert_eq!((log.state.as_str(), log.words.as_deref()), ("refused", Some("for a reason")));
        assert_eq!(log.detail["reason"], code);
    }
    // And when nobody has armed the bench any more.
    bench.order(None, false);
    bench.pass(11_000);
    let out = bench.asked(&flashboot(mac(1)));
    assert_eq!(what(&out.writes[0].row), what(&row));
    assert_eq!(out.writes[0].log.as_ref().unwrap().detail["reason"], "disarmed");
}

#[test]
fn whose_a_board_is_goes_with_the_write_that_comes_of_a_decision() {
    let mut bench = Bench::armed();
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert!(out.writes[0].row.decided);
    let address = Reply::read(&out.sends[0].bytes).unwrap().yiaddr;
    let out = bench.hears(Port::Tftp, at(address, 2_000), &read(&[]));
    assert!(!out.writes[0].row.decided);
}
