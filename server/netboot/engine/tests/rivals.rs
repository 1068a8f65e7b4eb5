//! Other servers on the segment.

use super::super::rivals::{ASK_OTHERS, CLASS};
use super::*;

/// What the bench asks of other servers.
fn asked(out: &Out) -> Vec<Request> {
    let to = at(Ipv4Addr::BROADCAST, 67);
    let asks = out.sends.iter().filter(|sent| sent.to == to);
    asks.map(|sent| Request::read(&sent.bytes).unwrap()).collect()
}

#[test]
fn an_armed_bench_asks_who_else_is_there_and_one_that_is_not_is_silent() {
    let mut bench = Bench::disarmed();
    assert!(bench.engine.deadline().is_none() && bench.pass(60_000).sends.is_empty());
    bench.arm(3_600);
    assert!(bench.engine.deadline().unwrap() <= bench.since);
    let out = bench.pass(0);
    let discover = asked(&out).remove(0);
    assert_eq!((out.sends.len(), out.sends[0].from), (1, Port::Replies));
    assert_eq!((discover.mac, discover.flags, discover.message_type()), (SERVER, 0x8000, Some(1)));
    assert_eq!(discover.vendor_class().as_deref(), Some(CLASS));
    assert_eq!(discover.option(61), Some(b"\0muster-bench".as_slice()), "it is not the host");
    assert_eq!(bench.engine.deadline(), Some(bench.since + ASK_OTHERS));
    assert!(bench.pass(29_999).sends.is_empty());
    assert_eq!(asked(&bench.pass(1)).len(), 1);
    // At once where somebody arms it anew.
    bench.arm(3_600);
    assert_eq!(asked(&bench.pass(1)).len(), 1);
    // Nobody was told for a while whether it is armed, and then that it still is.
    bench.order(None, false);
    assert!(bench.pass(60_000).sends.is_empty());
    bench.order(Some(3_600), false);
    assert_eq!(asked(&bench.pass(1)).len(), 1);
    assert!(asked(&bench.pass(3_600_000)).is_empty(), "its time is over");
    assert_eq!(bench.engine.deadline(), None);
}

#[test]
fn who_answers_that_and_other_benches_are_noticed() {
    let mut bench = Bench::armed();
    let discover = asked(&bench.pass(0)).remove(0);
    let (server, mask) = (Ipv4Addr::new(192, 168, 88, 3), Ipv4Addr::new(255, 255, 255, 248));
    let lent = Ipv4Addr::new(192, 168, 88, 4);
    let offer =
        Reply::dhcp(&discover, bootp::Kind::Offer, lent, server, mask, None, "", 600).write();
    let out = bench.hears(Port::Replies, at(server, 67), &offer);
    assert!(out.sends.is_empty(), "no offer is taken");
    // Its own question comes back to it, also by an address that it had before.
    for from in [Ipv4Addr::new(192, 168, 88, 1), Ipv4Addr::new(192, 168, 88, 5)] {
        bench.hears(Port::Bootp, at(from, 68), &discover.write());
    }
    let other = Request { mac: Mac([2, 0, 0, 0, 0, 0xfe]), ..discover };
    let far = Ipv4Addr::new(192, 168, 99, 1);
    bench.order(Some(3_600), true);
    for from in [far, Ipv4Addr::UNSPECIFIED] {
        let out = bench.hears(Port::Bootp, at(from, 68), &other.write());
        assert!(out.questions.is_empty() && out.writes.is_empty(), "it is no board");
    }
    let heard = bench.engine.others(bench.now());
    let heard: Vec<(Ipv4Addr, bool)> = heard.iter().map(|o| (o.address, o.dhcp)).collect();
    assert_eq!(heard, [(server, true), (far, false)]);
}
