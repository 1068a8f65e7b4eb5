//! Requests, and their answers.

use super::super::boots::MAX_NEWCOMERS;
use super::installs::announces;
use super::*;

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
    assert!(!out.writes[0].turn_over);
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
    assert!(out.writes[0].turn_over, "another bench may have one for it");
}

#[test]
fn clients_of_dhcp_are_answered_in_their_way_and_others_servers_noticed() {
    let mut bench = Bench::disarmed();
    // Anybody's telephone is none of the bench's unless it is armed for such; a board is.
    assert!(bench.asked(&dhcp(mac(1), bootp::DISCOVER, b"android")).writes.is_empty());
    assert_eq!(states(&bench.asked(&dhcp(mac(2), bootp::DISCOVER, b"ARM64__boot"))), ["refused"]);
    bench.arm(60);
    let out = bench.asked(&dhcp(mac(1), bootp::DISCOVER, b"android"));
    assert!(out.questions.is_empty() && out.writes.is_empty());
    assert_eq!(bench.asked(&dhcp(mac(3), bootp::DISCOVER, b"ARM64__boot")).questions.len(), 1);
    bench.order(Some(60), true);
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
    let made_up = |n: u16| Mac([2, 0, 0, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
    let [armed, disarmed] = MAX_NEWCOMERS;
    let mut bench = Bench::disarmed();
    let seen = (0..2_000).map(|n| bench.asked(&flashboot(made_up(n))).writes.len());
    assert_eq!(seen.sum::<usize>(), usize::try_from(disarmed).unwrap());
    let mut bench = Bench::armed();
    let asked = (0..2_000).map(|n| bench.asked(&flashboot(made_up(n))).questions.len());
    assert_eq!(asked.sum::<usize>(), usize::try_from(armed).unwrap());
    bench.pass(60_000);
    assert_eq!(bench.asked(&flashboot(mac(1))).questions.len(), 1);
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
    let out = bench.decided_of(Stored::Row(Box::new(row)), question, refused("done"));
    assert_eq!((out.writes[0].row.done, out.writes[0].row.deliveries), (true, 3));
    bench.save(&out);
    bench.pass(6_000);
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    let row = &out.writes[0].row;
    assert_eq!((row.done, row.delivered_at, row.state.as_str()), (false, None, "offered"));
}

#[test]
fn who_was_told_for_how_long_it_has_its_address_keeps_it_for_so_long() {
    let mut bench = Bench::armed();
    bench.order(Some(3_600), true);
    let address = bench.offered(&dhcp(mac(1), bootp::DISCOVER, b"x"), Gives::Script, SCRIPT);
    assert_eq!(bench.asked(&dhcp(mac(1), bootp::REQUEST, b"x")).sends.len(), 1);
    bench.pass(61_000);
    for n in 2..=5 {
        assert_ne!(bench.offered(&flashboot(mac(n)), Gives::Script, SCRIPT), address);
    }
    let question = bench.asked(&flashboot(mac(6))).questions.remove(0);
    let out = bench.decided(question, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!(out.writes[0].row.reason.as_deref(), Some("no_address"));
}

#[test]
fn of_two_profiles_for_the_same_boards_the_armed_one_is_tried_first() {
    let mut bench = Bench::armed();
    let builtin = profile::builtin()[0].clone();
    let mut own = builtin.clone();
    own.name = "own".to_owned();
    own.matching.board_id_option = Some(200);
    let board = request(mac(1), &[(60, b"Flashboot"), (128, b"952-hb"), (200, b"other")]);
    for (armed, expected) in [("own", "other"), (builtin.name.as_str(), "952-hb")] {
        let mut orders = bench.engine.orders.clone();
        orders.armed_at = orders.armed_at.map(|at| at + TimeDelta::seconds(1));
        orders.profiles = Arc::new(vec![builtin.clone(), own.clone()]);
        orders.profile = Some(armed.to_owned());
        bench.engine.ordered(orders);
        let question = bench.asked(&board).questions.remove(0);
        let Asks::Boot { said, .. } = &question.asks else { panic!("{question:?}") };
        assert_eq!(said.board_id.as_deref(), Some(expected));
    }
}

#[test]
fn what_nobody_could_decide_is_asked_again_at_the_next_request() {
    let mut bench = Bench::armed();
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let out = bench.decided_of(Stored::Unknown, question, refused("undecided"));
    assert!(out.writes.is_empty() && out.sends.is_empty() && out.questions.is_empty());
    bench.pass(200);
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    // Where it is known what is stored it is told, and asked again all the same.
    let out = bench.decided(question, refused("undecided"));
    assert_eq!(states(&out), ["refused"]);
    bench.save(&out);
    bench.pass(200);
    let question = bench.asked(&flashboot(mac(1))).questions.remove(0);
    assert_eq!(states(&bench.decided(question, Ok(file(Gives::Script, SCRIPT)))), ["offered"]);
}

#[test]
fn a_decision_about_what_a_board_was_is_made_again_when_that_is_stored() {
    let mut bench = Bench::armed();
    let first = bench.asked(&flashboot(mac(1))).questions.remove(0);
    bench.pass(10_000);
    // It has taken too long.
    let second = bench.asked(&flashboot(mac(1))).questions.remove(0);
    let told = bench.decided(first, refused("not_claimed"));
    bench.pass(5_100);
    assert!(bench.asked(&flashboot(mac(1))).questions.is_empty(), "not before that is stored");
    let fourth = second.clone();
    let out = bench.decided(second, Ok(file(Gives::Script, SCRIPT)));
    assert!(out.sends.is_empty() && out.writes.is_empty());
    let third = bench.save(&told).questions.remove(0);
    let out = bench.decided(third, Ok(file(Gives::Script, SCRIPT)));
    assert_eq!((out.sends.len(), states(&out)), (1, vec!["offered"]));
    // And nobody waits for one more.
    let out = bench.decided(fourth, refused("not_claimed"));
    assert!(out.writes.is_empty() && out.questions.is_empty());
}

#[test]
fn nobody_off_the_network_is_heard() {
    let mut bench = Bench::armed();
    let (asks, far) = (flashboot(mac(1)), Ipv4Addr::new(10, 0, 0, 1));
    let relayed = Request { giaddr: far, ..asks.clone() };
    let nothing = |out: Out| {
        assert!(
            out.questions.is_empty() && out.sends.is_empty() && out.writes.is_empty(),
            "{out:?}"
        );
    };
    nothing(bench.asked(&relayed));
    for (port, bytes) in [
        (Port::Bootp, asks.write()),
        (Port::Tftp, read(&[])),
        (Port::Transfer, ack(1)),
        (Port::Netinstall, announces(mac(1))),
    ] {
        nothing(bench.hears(port, at(far, 2_000), &bytes));
    }
    // A board that has no address may ask; it reads nothing so.
    for port in [Port::Tftp, Port::Transfer] {
        nothing(bench.hears(port, at(Ipv4Addr::UNSPECIFIED, 2_000), &read(&[])));
    }
    let near = at(Ipv4Addr::new(192, 168, 88, 5), 68);
    assert_eq!(bench.hears(Port::Bootp, near, &asks.write()).questions.len(), 1);
}
