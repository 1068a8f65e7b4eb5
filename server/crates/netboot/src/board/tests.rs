//! A board's way, with the repeats of a boot loader and without.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::profile;

const MAC: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const ARM64: Kind = Kind::Etherboot { arch: "arm64" };

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn request(xid: u32, options: &[(u8, &[u8])]) -> Request {
    Request {
        xid,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: MAC,
        file: Vec::new(),
        options: options.iter().map(|(code, value)| (*code, value.to_vec())).collect(),
    }
}

fn offer(gives: Gives) -> Verdict {
    let address = Ipv4Addr::new(192, 168, 88, 11);
    let content = b"123 :delay 5s\n".as_slice().into();
    Verdict::Offer(Offer { address, file: "flashfig".to_owned(), content, gives })
}

fn refusal() -> Verdict {
    Verdict::Refuse { code: "disarmed", words: "the bench is not armed".to_owned() }
}

/// A board that asked at 0 and was offered this at 0.
fn offered(kind: Kind, gives: Gives) -> Board {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), kind, at(0)), Step::Ask);
    assert_eq!(board.verdict(offer(gives), at(0)), Step::Answer);
    board
}

#[test]
fn what_a_board_is_follows_from_its_request() {
    let kind = |options: &[(u8, &[u8])]| kind(&request(1, options), profile::builtin());
    assert_eq!(kind(&[(60, b"Flashboot")]), Kind::Flashboot);
    assert_eq!(kind(&[(60, b"ARM64__boot")]), ARM64);
    assert_eq!(kind(&[(60, b"MMipsBoot")]), Kind::Etherboot { arch: "mmips" });
    assert_eq!(kind(&[(53, &[1]), (60, b"ARM64__boot")]), Kind::Dhcp);
    assert_eq!(kind(&[(53, &[1]), (60, b"Flashboot")]), Kind::Dhcp);
    assert_eq!(kind(&[(60, b"MSFT 5.0")]), Kind::Other);
    assert_eq!(kind(&[]), Kind::Other);
    let words = [Kind::Flashboot, ARM64, Kind::Dhcp, Kind::Other].map(Kind::word);
    assert_eq!(words, ["flashboot", "etherboot", "dhcp", "other"]);
}

#[test]
fn a_delivery() {
    let mut board = offered(Kind::Flashboot, Gives::Script);
    assert_eq!((board.stage(), board.deadline()), (Stage::Offered, Some(at(15_000))));
    board.read_began(at(300));
    assert_eq!((board.stage(), board.deadline()), (Stage::Transferring, None));
    board.read_repeated();
    board.delivered(14, at(500));
    assert_eq!((board.stage(), board.sent(), board.retries()), (Stage::Delivered, 14, 1));
    assert_eq!(board.duration(), Some(at(500)));
    // Requests that are late are of the same coming.
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(600)), Step::Nothing);
    assert_eq!((board.stage(), board.requests()), (Stage::Delivered, 2));
}

#[test]
fn thirteen_requests_are_one_question_and_as_many_answers() {
    let mut board = Board::new(MAC, at(0));
    let ask = |board: &mut Board, n: u32| {
        // Some boot loaders change the number each time.
        board.request(request(n, &[]), Kind::Flashboot, at(u64::from(n) * 200))
    };
    assert_eq!(ask(&mut board, 0), Step::Ask);
    for n in 1..6 {
        assert_eq!(ask(&mut board, n), Step::Nothing, "{n}");
    }
    assert_eq!(board.verdict(offer(Gives::Script), at(1100)), Step::Answer);
    // To the last of them.
    assert_eq!(board.pending().map(|request| request.xid), Some(5));
    for n in 6..13 {
        assert_eq!(ask(&mut board, n), Step::Answer, "{n}");
    }
    assert_eq!(board.requests(), 13);
    // The time runs from the offer, not from each repeat.
    assert_eq!(board.deadline(), Some(at(16_100)));
}

#[test]
fn who_is_refused_is_asked_about_again_now_and_then() {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(0)), Step::Ask);
    assert_eq!(board.verdict(refusal(), at(100)), Step::Nothing);
    assert_eq!((board.stage(), board.reason()), (Stage::Refused, Some("disarmed")));
    assert_eq!(board.words(), Some("the bench is not armed"));
    for millis in [200, 400, 5099] {
        let step = board.request(request(1, &[]), Kind::Flashboot, at(millis));
        assert_eq!(step, Step::Nothing, "{millis}");
    }
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(5100)), Step::Ask);
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(5300)), Step::Nothing);
    assert_eq!(board.verdict(offer(Gives::Script), at(5400)), Step::Answer);
    assert_eq!((board.stage(), board.reason(), board.words()), (Stage::Offered, None, None));
}

#[test]
fn a_pause_or_another_mode_begins_a_new_coming() {
    let mut board = offered(Kind::Flashboot, Gives::Script);
    board.delivered(14, at(500));
    assert_eq!(board.request(request(2, &[]), Kind::Flashboot, at(10_000)), Step::Nothing);
    assert_eq!(board.request(request(3, &[]), Kind::Flashboot, at(20_001)), Step::Ask);
    assert_eq!((board.stage(), board.requests(), board.sent()), (Stage::Seen, 1, 0));
    assert_eq!((board.offer(), board.duration()), (None, None));
    assert_eq!(board.verdict(refusal(), at(20_002)), Step::Nothing);
    assert_eq!(board.request(request(4, &[]), ARM64, at(20_100)), Step::Ask);
    assert_eq!((board.stage(), board.kind(), board.reason()), (Stage::Seen, ARM64, None));
}

#[test]
fn a_verdict_about_another_mode_is_asked_for_again() {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(0)), Step::Ask);
    assert_eq!(board.request(request(2, &[]), ARM64, at(100)), Step::Nothing);
    assert_eq!(board.verdict(offer(Gives::Script), at(200)), Step::Ask);
    assert_eq!((board.stage(), board.offer()), (Stage::Seen, None));
    assert_eq!(board.verdict(refusal(), at(300)), Step::Nothing);
    assert_eq!(board.stage(), Stage::Refused);
    // And nobody asked for one more.
    assert_eq!(board.verdict(offer(Gives::Script), at(400)), Step::Nothing);
    assert_eq!((board.stage(), board.offer()), (Stage::Refused, None));
}

#[test]
fn a_question_that_was_lost_is_asked_again() {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), ARM64, at(0)), Step::Ask);
    assert_eq!(board.request(request(1, &[]), ARM64, at(9_999)), Step::Nothing);
    assert_eq!(board.request(request(1, &[]), ARM64, at(10_000)), Step::Ask);
}

#[test]
fn who_is_offered_something_and_never_reads_it_times_out() {
    let mut board = offered(ARM64, Gives::Image);
    assert!(!board.tick(at(14_999)));
    assert!(board.tick(at(15_000)));
    assert!(!board.tick(at(15_001)), "it is told once");
    assert_eq!((board.stage(), board.words()), (Stage::TimedOut, Some("no TFTP request")));
    assert_eq!((board.reason(), board.duration()), (Some("no_tftp"), Some(at(15_000))));
    assert_eq!(board.deadline(), None);
    // Etherboot asks for 40 seconds: it may still come.
    let mut late = offered(ARM64, Gives::Image);
    assert_eq!(late.request(request(1, &[]), ARM64, at(9_000)), Step::Answer);
    assert!(late.tick(at(15_000)));
    assert_eq!(late.request(request(1, &[]), ARM64, at(15_200)), Step::Answer);
    late.read_began(at(15_300));
    assert_eq!((late.stage(), late.words()), (Stage::Transferring, None));
}

#[test]
fn a_broken_transfer_is_tried_again_with_the_same_offer() {
    let mut board = offered(Kind::Dhcp, Gives::Script);
    board.read_failed("nothing is read yet", at(100));
    assert_eq!(board.stage(), Stage::Offered);
    board.read_began(at(200));
    board.read_failed("it fell silent", at(900));
    assert_eq!((board.stage(), board.reason()), (Stage::Failed, Some("transfer")));
    assert_eq!((board.words(), board.duration()), (Some("it fell silent"), Some(at(900))));
    assert_eq!(board.request(request(2, &[]), Kind::Dhcp, at(5_000)), Step::Answer);
    assert_eq!((board.stage(), board.words()), (Stage::Offered, None));
    assert_eq!(board.deadline(), Some(at(20_000)));
}

#[test]
fn a_redirected_board_comes_back_as_another_and_its_time_runs_on() {
    let mut board = offered(Kind::Flashboot, Gives::Redirect);
    board.read_began(at(100));
    board.delivered(4, at(200));
    assert_eq!((board.stage(), board.deadline()), (Stage::Redirected, Some(at(15_200))));
    assert_eq!(board.request(request(2, &[]), Kind::Flashboot, at(250)), Step::Nothing);
    assert_eq!(board.request(request(3, &[]), ARM64, at(300)), Step::Ask);
    assert_eq!((board.stage(), board.requests(), board.deadline()), (Stage::Seen, 3, None));
    assert_eq!(board.verdict(offer(Gives::Image), at(400)), Step::Answer);
    board.read_began(at(500));
    board.delivered(9_000_000, at(6_000));
    assert_eq!((board.stage(), board.deadline()), (Stage::Installing, Some(at(126_000))));
    board.install_began(at(20_000));
    assert_eq!((board.stage(), board.deadline()), (Stage::Installing, None));
    board.install_step("system.npk", at(30_000));
    assert_eq!((board.step(), board.touched()), (Some("system.npk"), at(30_000)));
    board.installed(at(60_000));
    assert_eq!((board.stage(), board.duration()), (Stage::Installed, Some(at(60_000))));
}

#[test]
fn who_does_not_come_back_or_does_not_announce_times_out() {
    let mut board = offered(Kind::Flashboot, Gives::Redirect);
    board.delivered(4, at(200));
    assert!(board.tick(at(15_200)));
    assert_eq!((board.stage(), board.reason()), (Stage::TimedOut, Some("no_etherboot")));
    let mut board = offered(ARM64, Gives::Image);
    board.delivered(9, at(200));
    assert!(!board.tick(at(120_199)));
    assert!(board.tick(at(120_200)));
    assert_eq!((board.stage(), board.reason()), (Stage::TimedOut, Some("no_announcement")));
}

#[test]
fn an_installation_fails_in_words() {
    let mut board = offered(ARM64, Gives::Image);
    board.install_failed("none is under way", at(50));
    assert_eq!(board.stage(), Stage::Offered);
    board.delivered(9, at(200));
    board.install_began(at(300));
    board.install_failed("it needs a power cycle", at(400));
    assert_eq!((board.stage(), board.reason()), (Stage::Failed, Some("install")));
    assert_eq!(board.words(), Some("it needs a power cycle"));
    // After that power cycle.
    assert_eq!(board.request(request(9, &[]), ARM64, at(20_000)), Step::Ask);
}

#[test]
fn a_board_that_starts_again_in_the_middle_begins_anew() {
    let mut board = offered(ARM64, Gives::Image);
    board.read_began(at(100));
    assert_eq!(board.request(request(1, &[]), ARM64, at(200)), Step::Answer);
    assert_eq!(board.stage(), Stage::Transferring);
    assert_eq!(board.request(request(2, &[]), ARM64, at(11_000)), Step::Ask);
    assert_eq!((board.stage(), board.offer()), (Stage::Seen, None));
    // What its old transfer has to say is of no interest.
    board.delivered(9, at(11_100));
    board.read_began(at(11_200));
    assert_eq!(board.stage(), Stage::Seen);
}

#[test]
fn words_are_those_of_the_table() {
    let stages = [
        (Stage::Seen, "seen"),
        (Stage::Refused, "refused"),
        (Stage::Offered, "offered"),
        (Stage::Transferring, "transferring"),
        (Stage::Delivered, "delivered"),
        (Stage::Redirected, "redirected"),
        (Stage::Installing, "installing"),
        (Stage::Installed, "installed"),
        (Stage::TimedOut, "timed_out"),
        (Stage::Failed, "failed"),
    ];
    for (stage, word) in stages {
        assert_eq!(stage.word(), word);
    }
}

/// Anything that can happen to a board.
#[derive(Debug, Clone)]
enum Happens {
    Request(u8),
    Verdict(u8),
    Read,
    Delivered,
    ReadFailed,
    Install(u8),
    Tick,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Happens::Request),
        3 => (0..4_u8).prop_map(Happens::Verdict),
        2 => Just(Happens::Read),
        2 => Just(Happens::Delivered),
        1 => Just(Happens::ReadFailed),
        2 => (0..4_u8).prop_map(Happens::Install),
        2 => Just(Happens::Tick),
    ]
}

fn play(board: &mut Board, event: &Happens, now: Duration) -> Step {
    match event {
        Happens::Request(n) => {
            let kind = [Kind::Flashboot, ARM64, Kind::Dhcp][usize::from(*n)];
            return board.request(request(1, &[]), kind, now);
        }
        Happens::Verdict(0) => return board.verdict(refusal(), now),
        Happens::Verdict(n) => {
            let gives = [Gives::Script, Gives::Redirect, Gives::Image][usize::from(*n) - 1];
            return board.verdict(offer(gives), now);
        }
        Happens::Read => board.read_began(now),
        Happens::Delivered => board.delivered(1, now),
        Happens::ReadFailed => board.read_failed("it fell silent", now),
        Happens::Install(0) => board.install_began(now),
        Happens::Install(1) => board.install_step("a step", now),
        Happens::Install(2) => board.installed(now),
        Happens::Install(_) => board.install_failed("it fell silent", now),
        Happens::Tick => {
            board.tick(now);
        }
    }
    Step::Nothing
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_answered_that_was_not_granted(
        events in prop::collection::vec((happens(), 0..12_000_u64), 0..60),
    ) {
        let mut board = Board::new(MAC, at(0));
        let mut now = 0;
        let mut open = false;
        for (event, pause) in events {
            now += pause;
            let step = play(&mut board, &event, at(now));
            let decided = matches!(event, Happens::Verdict(_));
            prop_assert!(open || !decided || step == Step::Nothing, "nobody had asked");
            open = step == Step::Ask || (open && !decided);
            if step == Step::Answer {
                prop_assert!(board.pending().is_some() && board.offer().is_some());
                prop_assert!(!matches!(board.stage(), Stage::Seen | Stage::Refused));
            }
            if board.stage() == Stage::Refused {
                prop_assert!(board.offer().is_none() && board.words().is_some());
            }
            let failed = matches!(board.stage(), Stage::TimedOut | Stage::Failed);
            prop_assert!(!failed || (board.words().is_some() && board.duration().is_some()));
            prop_assert_eq!(
                board.deadline().is_some_and(|due| due <= at(now)),
                board.clone().tick(at(now)),
            );
        }
    }
}
