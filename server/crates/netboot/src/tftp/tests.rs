//! Both ends, with a wire between them that loses packets, brings some twice, and others late. Our own
//! client proves that both of our ends agree, and nothing about anybody else's.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::lossy::Wire;
use super::*;

/// The server as its caller has it: one transfer for the one port that there is.
struct Server {
    content: Arc<[u8]>,
    limits: Limits,
    sender: Option<Sender>,
    /// Transfers that were begun.
    begun: u32,
}

impl Server {
    fn new(content: &Arc<[u8]>) -> Self {
        Self { content: content.clone(), limits: Limits::default(), sender: None, begun: 0 }
    }

    fn packet(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if let Ok(Packet::Read { options, .. }) = Packet::read(bytes) {
            if self.sender.as_ref().is_some_and(|sender| sender.under_way(now)) {
                return Vec::new();
            }
            let content = self.content.clone();
            let (sender, packets) = Sender::begin(content, &options, &self.limits, now);
            self.begun += 1;
            self.sender = Some(sender);
            return packets;
        }
        self.sender.as_mut().map_or_else(Vec::new, |sender| sender.packet(bytes, now))
    }

    fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        self.sender.as_mut().map_or_else(Vec::new, |sender| sender.tick(now))
    }

    fn deadline(&self) -> Option<Duration> {
        self.sender.as_ref().and_then(Sender::deadline)
    }
}

/// Runs a transfer until nobody has anything more to say; gives the client and the time it took.
fn run(
    server: &mut Server,
    wire: &mut Wire,
    options: &[(String, String)],
    quirks: Quirks,
) -> (Receiver, Duration) {
    let mut now = Duration::ZERO;
    let (mut receiver, request) = Receiver::begin("vmlinux", options, quirks, now);
    wire.send(true, request, now);
    let mut took = None;
    while let Some(next) =
        [wire.deadline(), server.deadline(), receiver.deadline()].into_iter().flatten().min()
    {
        assert!(next < Duration::from_secs(3600), "it does not come to an end");
        now = now.max(next);
        let (to_client, to_server) = match wire.take(now) {
            Some((true, bytes)) => (server.packet(&bytes, now), Vec::new()),
            Some((false, bytes)) => (Vec::new(), receiver.packet(&bytes, now)),
            None => (server.tick(now), receiver.tick(now)),
        };
        to_client.into_iter().for_each(|bytes| wire.send(false, bytes, now));
        to_server.into_iter().for_each(|bytes| wire.send(true, bytes, now));
        if took.is_none() && receiver.deadline().is_none() {
            took = Some(now);
        }
    }
    (receiver, took.unwrap_or(now))
}

fn pairs(options: &[(&str, u16)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect()
}

fn content(bytes: usize) -> Arc<[u8]> {
    (0..bytes).map(|at| u8::try_from(at % 251).expect("less than 251")).collect()
}

fn came(receiver: &Receiver) -> Vec<u8> {
    match receiver.outcome() {
        Some(Ok(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn block_numbers_go_on_with_zero() {
    for (window, extra) in [(1, 3), (16, 0)] {
        // 8 bytes a block: one more than there are numbers, and in the second case the empty one.
        let content = content(65_536 * 8 + extra);
        let mut server = Server::new(&content);
        let options = pairs(&[("blksize", 8), ("windowsize", window)]);
        let mut wire = Wire::perfect();
        let (receiver, _) = run(&mut server, &mut wire, &options, Quirks::default());
        assert!(came(&receiver) == *content);
        let sender = server.sender.expect("it was asked");
        assert_eq!(sender.outcome(), Some(Outcome::Done));
        assert_eq!((sender.sent_bytes(), sender.resent()), (65_536 * 8 + extra as u64, 0));
    }
}

#[test]
fn block_numbers_go_on_with_zero_where_packets_are_lost() {
    let content = content(66_000 * 8);
    let mut server = Server::new(&content);
    let mut wire = Wire { loss: 2, twice: 2, ..Wire::perfect() };
    let options = pairs(&[("blksize", 8), ("windowsize", 16)]);
    let (receiver, _) = run(&mut server, &mut wire, &options, Quirks::default());
    assert!(came(&receiver) == *content);
}

#[test]
fn a_board_that_cannot_count_on_says_so() {
    let content = content(65_536 * 8);
    let mut server = Server::new(&content);
    let options = pairs(&[("blksize", 8)]);
    let (receiver, _) = run(&mut server, &mut Wire::perfect(), &options, Quirks::routerboot());
    assert!(matches!(receiver.outcome(), Some(Err(words)) if words.contains("more blocks")));
    assert!(matches!(server.sender.and_then(|sender| sender.outcome()), Some(Outcome::Failed(_))));
}

#[test]
fn a_board_that_heard_nothing_begins_anew_with_smaller_blocks() {
    let content = content(4004);
    let mut server = Server::new(&content);
    // The answer to the first request comes when the board has asked again.
    let mut wire = Wire { least: Duration::from_millis(60), ..Wire::perfect() };
    let options = pairs(&[("blksize", 1452)]);
    let (receiver, _) = run(&mut server, &mut wire, &options, Quirks::routerboot());
    assert!(came(&receiver) == *content);
    assert_eq!(receiver.agreed(), pairs(&[("blksize", 512)]));
    assert!(server.begun >= 2);
}

#[test]
fn a_board_on_a_good_wire_is_done_at_once() {
    let content = content(4004);
    let mut server = Server::new(&content);
    let mut wire = Wire { least: Duration::from_millis(1), ..Wire::perfect() };
    let options = pairs(&[("blksize", 1452)]);
    let (receiver, took) = run(&mut server, &mut wire, &options, Quirks::routerboot());
    assert!(came(&receiver) == *content);
    assert_eq!(receiver.agreed(), options);
    assert_eq!(server.begun, 1);
    // The request and its answer, and three blocks, each with the acknowledgement that brings it.
    assert_eq!(took, Duration::from_millis(8));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_transfer_arrives_whole(
        bytes in prop_oneof![0..6000_usize, (0..12_usize).prop_map(|blocks| blocks * 512)],
        blksize in proptest::option::of(proptest::sample::select(vec![8_u16, 512, 1024, 1452])),
        window in proptest::option::of(1..20_u16),
        board in any::<bool>(),
        (seed, loss, twice, late) in (any::<u64>(), 0..30_u64, 0..30_u64, 0..45_u64),
    ) {
        let content = content(bytes);
        let mut server = Server::new(&content);
        let mut wire = Wire { seed, loss, twice, late, ..Wire::perfect() };
        let asked = [("blksize", blksize), ("windowsize", window)];
        let asked: Vec<_> =
            asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let (asked, quirks) = if board {
            (pairs(&[("blksize", 1452)]), Quirks::routerboot())
        } else {
            (pairs(&asked), Quirks::default())
        };
        let (receiver, _) = run(&mut server, &mut wire, &asked, quirks);
        prop_assert_eq!(receiver.outcome(), Some(Ok(content.to_vec())));
        let sender = server.sender.expect("it was asked");
        prop_assert_eq!(sender.sent_bytes(), u64::try_from(bytes).expect("it is small"));
        prop_assert_eq!(sender.outcome(), Some(Outcome::Done));
    }
}
