//! Packets of any bytes, cut at `|`: reading one never panics, what was read is written as it was, and
//! neither end of a transfer says more than it may, whatever the other one says.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use muster_netboot::tftp::{Limits, Outcome, Packet, Quirks, Receiver, Sender};

/// Bytes of the file: some blocks of any size that is asked for.
const SIZE: usize = 3000;
/// Most bytes that the client takes.
const MOST: usize = 8192;

fuzz_target!(|data: &[u8]| {
    let pieces: Vec<&[u8]> = data.split(|byte| *byte == b'|').collect();
    pieces.iter().for_each(|piece| again(piece));
    let options = pieces.iter().find_map(|piece| match Packet::read(piece) {
        Ok(Packet::Read { options, .. }) => Some(options),
        _ => None,
    });
    let options = options.unwrap_or_default();
    send(&pieces, &options);
    receive(&pieces, &options);
});

fn again(bytes: &[u8]) {
    let Ok(packet) = Packet::read(bytes) else { return };
    let written = packet.write();
    assert_eq!(Packet::read(&written), Ok(packet));
}

fn send(pieces: &[&[u8]], options: &[(String, String)]) {
    let limits = Limits { max_window: 4, ..Limits::default() };
    let content: Arc<[u8]> = vec![7; SIZE].into();
    let mut now = Duration::ZERO;
    let (mut sender, mut packets) = Sender::begin(content, options, &limits, now);
    for piece in pieces {
        let before = sender.sent_bytes();
        assert!(packets.len() <= 4);
        now += Duration::from_millis(50);
        packets = sender.packet(piece, now);
        assert!(sender.sent_bytes() >= before && sender.sent_bytes() <= SIZE as u64);
        assert!(sender.tick(now).len() <= 4);
    }
    match sender.outcome() {
        Some(Outcome::Done) => assert_eq!(sender.sent_bytes(), SIZE as u64),
        Some(Outcome::Unacknowledged) => {
            assert!(sender.sent_bytes() == SIZE as u64 && sender.deadline().is_none());
        }
        Some(Outcome::Failed(words)) => assert!(!words.is_empty() && sender.deadline().is_none()),
        None => assert!(sender.deadline().is_some_and(|deadline| deadline > now)),
    }
}

fn receive(pieces: &[&[u8]], options: &[(String, String)]) {
    let quirks = Quirks { max_bytes: MOST, ..Quirks::routerboot() };
    let mut now = Duration::ZERO;
    let (mut receiver, _) = Receiver::begin("vmlinux", options, quirks, now);
    for piece in pieces {
        now += Duration::from_millis(50);
        assert!(receiver.packet(piece, now).len() <= 1);
        assert!(receiver.tick(now).len() <= 1);
    }
    if let Some(Ok(bytes)) = receiver.outcome() {
        assert!(bytes.len() <= MOST);
    }
}
