#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const SECOND: Duration = Duration::from_secs(1);

fn begin(habits: Habits) -> (Device, Frame) {
    let announcement = Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "k/ey".to_owned(),
        model: "hAP".to_owned(),
        arch: "arm".to_owned(),
        min_version: "7.1".to_owned(),
        version: None,
    };
    let (device, packets) = Device::begin(BOARD, announcement, habits, Duration::ZERO);
    (device, Frame::read(&packets[0]).unwrap())
}

fn say(device: &mut Device, (counter, peer): (u16, u16), payload: &[u8]) -> Vec<Vec<u8>> {
    let payload = payload.to_vec();
    device.packet(&Frame { from: SERVER, to: BOARD, counter, peer, payload }.write(), SECOND)
}

/// What the board answers, as counters and words.
fn answers(packets: &[Vec<u8>]) -> Vec<(u16, u16, String)> {
    let read = |packet: &Vec<u8>| {
        let frame = Frame::read(packet).unwrap();
        assert_eq!((frame.from, frame.to), (BOARD, SERVER));
        (frame.counter, frame.peer, String::from_utf8(frame.payload).unwrap())
    };
    packets.iter().map(read).collect()
}

fn one(counter: u16, peer: u16, words: &str) -> Vec<(u16, u16, String)> {
    vec![(counter, peer, words.to_owned())]
}

/// A board that waits for its first file.
fn ready(habits: Habits) -> Device {
    let (mut device, _) = begin(Habits { format: Duration::ZERO, ..habits });
    assert_eq!(answers(&say(&mut device, (1, 0), b"OFFR\nk/ey\n\n\n\0")), one(1, 1, "YACK\n"));
    assert_eq!(answers(&say(&mut device, (2, 1), b"")), one(2, 2, "STRT"));
    assert_eq!(answers(&say(&mut device, (3, 2), b"")), one(3, 3, "RETR"));
    device
}

#[test]
fn it_announces_itself_until_it_is_offered_something() {
    let (mut device, frame) = begin(Habits::default());
    assert_eq!((frame.from, frame.to, frame.counter, frame.peer), (BOARD, Mac::ZERO, 1, 0));
    assert_eq!(frame.payload, b"DSCV\nABCD-1234\nk/ey\nhAP\narm\n7.1\n");
    assert!(device.tick(SECOND / 2).is_empty());
    assert_eq!(device.tick(SECOND), [frame.write()]);
    assert_eq!(device.deadline(), Some(2 * SECOND));
    // The old form of an offer, another key, other counters.
    assert!(say(&mut device, (1, 0), b"OFFR\n\n").is_empty());
    assert!(say(&mut device, (1, 0), b"OFFR\nkey\n\n\n\0").is_empty());
    assert!(say(&mut device, (2, 1), b"OFFR\nk/ey\n\n\n\0").is_empty());
    assert_eq!(answers(&say(&mut device, (1, 0), b"OFFR\nk/ey\n\n\n\0")), one(1, 1, "YACK\n"));

    let (mut device, _) = begin(Habits { needs_key: false, ..Habits::default() });
    assert_eq!(answers(&say(&mut device, (1, 0), b"OFFR\n\n")), one(1, 1, "YACK\n"));
}

#[test]
fn it_takes_files_until_it_is_told_to_restart() {
    let mut device = ready(Habits::default());
    assert_eq!(answers(&say(&mut device, (4, 3), b"FILE\na.npk\n5\n")), one(4, 4, "RETR"));
    assert_eq!(answers(&say(&mut device, (5, 4), b"abc")), one(5, 5, "RETR"));
    // The last chunk is answered twice.
    let twice = [one(6, 6, "RETR"), one(6, 6, "RETR")].concat();
    assert_eq!(answers(&say(&mut device, (6, 5), b"de")), twice);
    assert_eq!(answers(&say(&mut device, (7, 6), b"")), one(7, 7, "RETR"));
    assert_eq!(answers(&say(&mut device, (8, 7), b"FILE\nempty\n0\n")), one(8, 8, "RETR"));
    assert_eq!(answers(&say(&mut device, (9, 8), b"")), one(9, 9, "RETR"));
    assert_eq!(answers(&say(&mut device, (10, 9), b"FILE\n")), one(10, 10, "WTRM"));
    assert_eq!(device.outcome(), None);
    assert!(say(&mut device, (11, 10), b"TERM\nInstallation successful\n").is_empty());
    assert_eq!((device.outcome(), device.deadline()), (Some(Outcome::Done), None));
    let files: Vec<(&str, &[u8])> =
        device.files().iter().map(|file| (file.name.as_str(), &file.content[..])).collect();
    assert_eq!(files, [("a.npk", b"abcde".as_slice()), ("empty", b"".as_slice())]);
}

#[test]
fn it_repeats_itself_and_forgives_repeats() {
    let mut device = ready(Habits { doubles: false, ..Habits::default() });
    assert_eq!(answers(&say(&mut device, (4, 3), b"FILE\na.npk\n5\n")), one(4, 4, "RETR"));
    assert_eq!(answers(&device.tick(2 * SECOND)), one(4, 4, "RETR"));
    assert!(device.tick(2 * SECOND).is_empty());
    assert_eq!(answers(&say(&mut device, (4, 3), b"FILE\na.npk\n5\n")), one(4, 4, "RETR"));
    // Old ones, and from beyond what it knows.
    for counters in [(3, 2), (5, 3), (6, 4), (5, 5)] {
        assert!(say(&mut device, counters, b"abc").is_empty(), "{counters:?}");
    }
    assert_eq!(answers(&say(&mut device, (5, 4), b"abcde")), one(5, 5, "RETR"));
    assert_eq!(device.files().len(), 1);
}

#[test]
fn it_is_ready_when_the_disk_is() {
    let (mut device, _) = begin(Habits { format: 10 * SECOND, ..Habits::default() });
    say(&mut device, (1, 0), b"OFFR\nk/ey\n\n\n\0");
    assert_eq!(answers(&say(&mut device, (2, 1), b"")), one(2, 2, "STRT"));
    assert!(say(&mut device, (3, 2), b"").is_empty());
    assert!(say(&mut device, (3, 2), b"").is_empty());
    assert_eq!(device.deadline(), Some(11 * SECOND));
    assert!(device.tick(10 * SECOND).is_empty());
    assert_eq!(answers(&device.tick(11 * SECOND)), one(3, 3, "RETR"));
}

#[test]
fn some_boards_do_not_answer_a_header() {
    let mut device = ready(Habits { skips_answer: true, doubles: false, ..Habits::default() });
    assert!(say(&mut device, (4, 3), b"FILE\na.npk\n3\n").is_empty());
    assert_eq!(device.deadline(), None);
    assert_eq!(answers(&say(&mut device, (5, 3), b"abc")), one(4, 5, "RETR"));
}

#[test]
fn what_is_not_due_is_a_failure() {
    for payload in [
        b"".as_slice(),
        b"TERM\n",
        b"FILE\na.npk\n",
        b"FILE\na.npk\nmany\n",
        b"FILE\na.npk\n99999999999\n",
    ] {
        let mut device = ready(Habits::default());
        assert!(say(&mut device, (4, 3), payload).is_empty());
        assert!(matches!(device.outcome(), Some(Outcome::Failed(_))), "{payload:?}");
    }
    let mut device = ready(Habits::default());
    say(&mut device, (4, 3), b"FILE\na.npk\n3\n");
    assert!(say(&mut device, (5, 4), b"abcd").is_empty());
    assert!(matches!(device.outcome(), Some(Outcome::Failed(_))));
}

#[test]
fn it_may_die() {
    let mut device = ready(Habits { dies_after: Some(3), ..Habits::default() });
    say(&mut device, (4, 3), b"FILE\na.npk\n9\n");
    assert_eq!(say(&mut device, (5, 4), b"ab").len(), 1);
    assert!(say(&mut device, (6, 5), b"cd").is_empty());
    assert_eq!((device.deadline(), device.files().len()), (None, 0));
    assert!(say(&mut device, (6, 5), b"cd").is_empty());
}
