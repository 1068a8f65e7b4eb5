#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const SECOND: Duration = Duration::from_secs(1);

fn begin(files: &[(&str, &[u8])]) -> (Installer, Frame) {
    let announcement = Announcement {
        software_id: "ABCD-1234".to_owned(),
        key: "k/ey".to_owned(),
        model: "RB5009UG+S+".to_owned(),
        arch: "arm64".to_owned(),
        min_version: "7.4".to_owned(),
        version: None,
    };
    let file =
        |(name, bytes): &(&str, &[u8])| File { name: (*name).to_owned(), content: (*bytes).into() };
    let files = files.iter().map(file).collect();
    let (installer, packets) =
        Installer::begin(SERVER, &announcement, BOARD, files, Duration::ZERO);
    (installer, only(&packets))
}

fn only(packets: &[Vec<u8>]) -> Frame {
    assert_eq!(packets.len(), 1);
    Frame::read(&packets[0]).unwrap()
}

fn board(counter: u16, peer: u16, words: &str) -> Vec<u8> {
    let payload = words.as_bytes().to_vec();
    Frame { from: BOARD, to: SERVER, counter, peer, payload }.write()
}

/// Answers as boards do, and gives what the installer says then.
fn answer(installer: &mut Installer, words: &str, now: Duration) -> Frame {
    let (counter, peer) = (installer.peer.wrapping_add(1), installer.counter);
    let frame = only(&installer.packet(&board(counter, peer, words), now));
    assert_eq!((frame.from, frame.to), (SERVER, BOARD));
    assert_eq!((frame.counter, frame.peer), (peer.wrapping_add(1), counter));
    frame
}

fn failure(installer: &Installer) -> String {
    assert_eq!(installer.deadline(), None);
    match installer.outcome() {
        Some(Outcome::Failed(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_installation_step_by_step() {
    let image = vec![7; 1500];
    let (mut installer, offer) = begin(&[("routeros.npk", &image), ("autorun.scr", b"\n")]);
    assert_eq!((offer.from, offer.to, offer.counter, offer.peer), (SERVER, BOARD, 1, 0));
    assert_eq!(offer.payload, b"OFFR\nk/ey\n\n\n\0");
    assert_eq!(installer.progress().step, "offering the packages");
    let now = SECOND;
    let steps: [(&str, &[u8]); 11] = [
        ("YACK\n", b""),
        ("STRT", b""),
        ("RETR", b"FILE\nrouteros.npk\n1500\n"),
        ("RETR", &image[..1024]),
        ("RETR", &image[1024..]),
        ("RETR", b""),
        ("RETR", b"FILE\nautorun.scr\n1\n"),
        ("RETR", b"\n"),
        ("RETR", b""),
        ("RETR", b"FILE\n"),
        ("WTRM", b"TERM\n"),
    ];
    for (said, next) in steps {
        assert_eq!(installer.outcome(), None);
        assert_eq!(answer(&mut installer, said, now).payload, next);
    }
    assert_eq!((installer.counter, installer.peer), (12, 11));
    let progress = Progress { step: "restarting".to_owned(), sent: 1501, total: 1501 };
    assert_eq!(installer.progress(), progress);
    // It may not have heard it; then it has.
    assert_eq!(only(&installer.packet(&board(11, 11, "WTRM"), 2 * SECOND)).payload, b"TERM\n");
    while let Some(deadline) = installer.deadline() {
        assert!(installer.tick(deadline).len() <= 1 && deadline <= 4 * SECOND);
    }
    assert_eq!(installer.outcome(), Some(Outcome::Done));
    assert!(installer.packet(&board(11, 11, "WTRM"), 5 * SECOND).is_empty());
}

#[test]
fn progress_is_counted_when_the_board_has_it() {
    let image = vec![7; 3000];
    let (mut installer, _) = begin(&[("routeros.npk", &image)]);
    for words in ["YACK\n", "STRT", "RETR"] {
        answer(&mut installer, words, SECOND);
    }
    answer(&mut installer, "RETR", SECOND);
    assert_eq!(installer.progress().sent, 0);
    answer(&mut installer, "RETR", SECOND);
    let progress = installer.progress();
    assert_eq!((progress.sent, progress.total), (1024, 3000));
    assert_eq!(progress.step, "sending routeros.npk");
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let (mut installer, _) = begin(&[("a.npk", b"abc")]);
    answer(&mut installer, "YACK\n", SECOND);
    let other = Mac([0xe4, 0x8d, 0x8c, 0, 0, 2]);
    let stranger =
        Frame { from: other, to: SERVER, counter: 2, peer: 2, payload: b"STRT".to_vec() };
    let elsewhere = Frame { from: BOARD, to: other, ..stranger.clone() };
    for bytes in [
        // The board repeats itself, is ahead of itself, or means something else.
        board(1, 1, "YACK\n"),
        board(2, 1, "STRT"),
        board(3, 2, "STRT"),
        board(1, 2, "STRT"),
        board(2, 3, "STRT"),
        stranger.write(),
        elsewhere.write(),
        b"anything".to_vec(),
        Vec::new(),
    ] {
        for _ in 0..25 {
            assert!(installer.packet(&bytes, SECOND).is_empty());
        }
    }
    answer(&mut installer, "STRT", 2 * SECOND);
}

#[test]
fn a_frame_without_an_answer_is_said_again_as_it_was() {
    let (mut installer, offer) = begin(&[("a.npk", b"abc")]);
    let mut times = Vec::new();
    for _ in 0..6 {
        let now = installer.deadline().unwrap();
        times.push(now.as_millis());
        assert_eq!(only(&installer.tick(now)), offer);
    }
    assert_eq!(times, [250, 750, 1750, 3750, 7750, 11_750]);
    assert!(installer.tick(12 * SECOND).is_empty());
}

#[test]
fn a_board_that_falls_silent_needs_a_power_cycle() {
    let (mut installer, _) = begin(&[("a.npk", b"abc")]);
    assert!(installer.tick(60 * SECOND).is_empty());
    assert!(failure(&installer).contains("nothing was formatted"));

    let (mut installer, _) = begin(&[("a.npk", b"abc")]);
    answer(&mut installer, "YACK\n", SECOND);
    answer(&mut installer, "STRT", SECOND);
    // Formatting takes longer than anything else.
    assert_eq!(installer.tick(120 * SECOND).len(), 1);
    assert!(installer.tick(121 * SECOND).is_empty());
    let words = failure(&installer);
    assert!(words.contains("120 s while formatting") && words.contains("needs a power cycle"));

    let (mut installer, _) = begin(&[("a.npk", b"abc")]);
    for words in ["YACK\n", "STRT", "RETR", "RETR"] {
        answer(&mut installer, words, SECOND);
    }
    assert_eq!(installer.tick(60 * SECOND).len(), 1);
    assert!(installer.tick(61 * SECOND).is_empty());
    let words = failure(&installer);
    assert!(words.contains("60 s while sending a.npk") && words.contains("needs a power cycle"));
}

#[test]
fn a_board_that_never_restarts_has_failed() {
    let (mut installer, _) = begin(&[]);
    for words in ["YACK\n", "STRT", "RETR", "WTRM"] {
        answer(&mut installer, words, SECOND);
    }
    for second in 2..61_u32 {
        assert!(installer.tick(second * SECOND).len() <= 1);
        assert_eq!(installer.packet(&board(4, 4, "WTRM"), second * SECOND).len(), 1);
    }
    assert!(installer.tick(61 * SECOND).is_empty());
    assert!(failure(&installer).contains("did not restart"));
}

#[test]
fn another_answer_than_was_due_ends_it() {
    let (mut installer, _) = begin(&[("a.npk", b"abc")]);
    answer(&mut installer, "YACK\n", SECOND);
    assert!(installer.packet(&board(2, 2, "ERR\x1b\nno disk\n"), SECOND).is_empty());
    let words = failure(&installer);
    assert!(words.contains("`ERR  no disk` instead of `STRT`"), "{words}");
    assert!(words.contains("needs a power cycle"));
}

#[test]
fn a_header_may_stay_without_an_answer() {
    let begin = || {
        let (mut installer, _) = begin(&[("a.npk", b"abc"), ("empty", b"")]);
        for words in ["YACK\n", "STRT", "RETR"] {
            answer(&mut installer, words, SECOND);
        }
        assert_eq!(only(&installer.tick(Duration::from_millis(1250))).payload, b"FILE\na.npk\n3\n");
        assert_eq!(only(&installer.tick(6 * SECOND)).payload, b"abc");
        installer
    };
    let mut installer = begin();
    assert!(answer(&mut installer, "RETR", 6 * SECOND).payload.is_empty());
    assert_eq!(answer(&mut installer, "RETR", 6 * SECOND).payload, b"FILE\nempty\n0\n");
    // There is nothing to send of it.
    assert!(answer(&mut installer, "RETR", 6 * SECOND).payload.is_empty());
    assert_eq!(answer(&mut installer, "RETR", 6 * SECOND).payload, b"FILE\n");

    // The answer was only late: the same is said, so that the board takes it.
    let mut installer = begin();
    let frame = only(&installer.packet(&board(4, 4, "RETR"), 6 * SECOND));
    assert_eq!((frame.counter, frame.peer, frame.payload.as_slice()), (5, 4, b"abc".as_slice()));
    assert!(installer.packet(&board(4, 4, "RETR"), 6 * SECOND).is_empty());
    assert!(answer(&mut installer, "RETR", 6 * SECOND).payload.is_empty());
}

#[test]
fn a_name_stays_in_its_line() {
    let (mut installer, _) = begin(&[("a\n99\nb.npk", b"abc")]);
    for words in ["YACK\n", "STRT"] {
        answer(&mut installer, words, SECOND);
    }
    assert_eq!(answer(&mut installer, "RETR", SECOND).payload, b"FILE\na99b.npk\n3\n");
}
