#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

const MS: Duration = Duration::from_millis(1);

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn begin(options: &[(&str, &str)], quirks: Quirks) -> (Receiver, Vec<u8>) {
    Receiver::begin("vmlinux", &pairs(options), quirks, Duration::ZERO)
}

fn data(receiver: &mut Receiver, block: u16, bytes: &[u8]) -> Vec<Vec<u8>> {
    receiver.packet(&Packet::Data { block, bytes }.write(), MS)
}

fn options(receiver: &mut Receiver, options: &[(&str, &str)]) -> Vec<Vec<u8>> {
    receiver.packet(&Packet::Options(pairs(options)).write(), MS)
}

fn acks(block: u16) -> Vec<Vec<u8>> {
    vec![Packet::Ack { block }.write()]
}

#[test]
fn routerboot_asks_again_for_smaller_blocks() {
    let (mut receiver, request) = begin(&[("blksize", "1452")], Quirks::routerboot());
    assert_eq!(request, b"\x00\x01vmlinux\0octet\0blksize\x001452\0");
    assert!(receiver.tick(99 * MS).is_empty());
    let again = b"\x00\x01vmlinux\0octet\0blksize\x00512\0".to_vec();
    assert_eq!(receiver.tick(100 * MS), std::slice::from_ref(&again));
    assert_eq!(receiver.deadline(), Some(200 * MS));
    assert_eq!(receiver.tick(200 * MS), [again]);
    // The answer to the first request: the one to the last one is on its way.
    assert!(options(&mut receiver, &[("blksize", "1452")]).is_empty());
    assert_eq!(options(&mut receiver, &[("blksize", "512")]), acks(0));
    assert_eq!(receiver.agreed(), pairs(&[("blksize", "512")]));
    assert_eq!(data(&mut receiver, 1, &[7; 100]), acks(1));
    assert_eq!(receiver.outcome(), Some(Ok(vec![7; 100])));
    assert_eq!(receiver.deadline(), None);
}

#[test]
fn a_server_without_options_sends_blocks_at_once() {
    let (mut receiver, _) = begin(&[("blksize", "1452")], Quirks::default());
    assert_eq!(data(&mut receiver, 1, &[1; 512]), acks(1));
    assert_eq!(data(&mut receiver, 2, &[2; 512]), acks(2));
    assert!(receiver.agreed().is_empty());
    assert_eq!(data(&mut receiver, 3, &[]), acks(3));
    assert_eq!(receiver.outcome().unwrap().unwrap(), [[1; 512], [2; 512]].concat());
}

#[test]
fn a_lost_block_is_asked_for_by_the_one_before() {
    let (mut receiver, _) = begin(&[], Quirks::routerboot());
    assert_eq!(data(&mut receiver, 1, &[1; 512]), acks(1));
    assert_eq!(receiver.deadline(), Some(101 * MS));
    assert_eq!(receiver.tick(101 * MS), acks(1));
    assert_eq!(receiver.tick(201 * MS), acks(1));
    // A copy says that the acknowledgement was lost.
    assert_eq!(data(&mut receiver, 1, &[1; 512]), acks(1));
    assert_eq!(data(&mut receiver, 2, &[2; 3]), acks(2));
    // The last one is acknowledged for as long as it comes.
    assert_eq!(data(&mut receiver, 2, &[2; 3]), acks(2));
    assert!(data(&mut receiver, 1, &[1; 512]).is_empty());
    assert_eq!(receiver.outcome().unwrap().unwrap().len(), 515);
}

#[test]
fn a_window_is_acknowledged_at_its_end_and_at_its_gap() {
    let (mut receiver, _) = begin(&[("windowsize", "3")], Quirks::default());
    assert_eq!(options(&mut receiver, &[("windowsize", "3")]), acks(0));
    assert!(data(&mut receiver, 1, &[1; 512]).is_empty());
    assert!(data(&mut receiver, 2, &[2; 512]).is_empty());
    assert_eq!(data(&mut receiver, 3, &[3; 512]), acks(3));
    assert!(data(&mut receiver, 4, &[4; 512]).is_empty());
    // A copy within the window is no sign of a loss.
    assert!(data(&mut receiver, 4, &[4; 512]).is_empty());
    assert_eq!(data(&mut receiver, 6, &[6; 512]), acks(4));
    assert!(data(&mut receiver, 7, &[7; 512]).is_empty());
    assert!(data(&mut receiver, 5, &[5; 512]).is_empty());
    // The server counts its window from the gap.
    assert!(data(&mut receiver, 6, &[6; 512]).is_empty());
    assert_eq!(data(&mut receiver, 7, &[7; 512]), acks(7));
    assert_eq!(data(&mut receiver, 8, &[8]), acks(8));
    assert_eq!(receiver.outcome().unwrap().unwrap().len(), 7 * 512 + 1);
}

#[test]
fn what_no_server_says_ends_it() {
    for bytes in [
        b"\x00\x09".as_slice(),
        b"",
        b"\x00\x04\x00\x01",
        b"\x00\x01f\0octet\0",
        b"\x00\x02f\0octet\0",
    ] {
        let (mut receiver, _) = begin(&[], Quirks::default());
        let packets = receiver.packet(bytes, MS);
        let Ok(Packet::Error { code, .. }) = Packet::read(&packets[0]) else { panic!("{bytes:?}") };
        assert_eq!(code, code::ILLEGAL);
        assert!(receiver.outcome().unwrap().is_err());
        assert!(data(&mut receiver, 1, &[]).is_empty());
        assert!(receiver.tick(Duration::from_secs(60)).is_empty());
    }
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let (mut receiver, _) = begin(&[], Quirks::default());
    assert!(receiver.packet(&refuse(code::NOT_FOUND, "no such file"), MS).is_empty());
    let words = "the server refused: no such file (1)".to_owned();
    assert_eq!(receiver.outcome(), Some(Err(words)));
}

#[test]
fn more_than_agreed_is_not_taken() {
    let (mut receiver, _) = begin(&[], Quirks::default());
    assert_eq!(data(&mut receiver, 1, &[0; 513]).len(), 1);
    assert!(receiver.outcome().unwrap().is_err());

    let (mut receiver, _) = begin(&[], Quirks { max_bytes: 1000, ..Quirks::default() });
    assert_eq!(data(&mut receiver, 1, &[0; 512]), acks(1));
    let packets = data(&mut receiver, 2, &[0; 489]);
    assert!(matches!(Packet::read(&packets[0]), Ok(Packet::Error { code: code::FULL, .. })));

    // More, or another option, than was asked for.
    let (mut receiver, _) = begin(&[("blksize", "1000")], Quirks::default());
    assert!(options(&mut receiver, &[("blksize", "1001")]).is_empty());
    assert!(options(&mut receiver, &[("windowsize", "2")]).is_empty());
    assert_eq!(options(&mut receiver, &[("blksize", "0")]).len(), 1);
    assert!(receiver.outcome().unwrap().is_err());
}

#[test]
fn patience_ends() {
    let (mut receiver, _) = begin(&[], Quirks { patience: 2, ..Quirks::default() });
    let mut requests = 0;
    while let Some(deadline) = receiver.deadline() {
        requests += receiver.tick(deadline).len();
    }
    assert_eq!(requests, 2);
    assert_eq!(receiver.outcome(), Some(Err("the server fell silent".to_owned())));
}
