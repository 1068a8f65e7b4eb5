//! A board's way, with the repeats of a boot loader and without.

mod random;

use std::net::Ipv4Addr;

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
    assert_eq!(board.request(request(4, &[]), ARM64, at(20_100)), Step::Nothing);
    assert_eq!((board.stage(), board.kind(), board.requests()), (Stage::Seen, ARM64, 1));
}

#[test]
fn who_was_refused_just_now_is_not_asked_about_for_another_mode() {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(0)), Step::Ask);
    assert_eq!(board.verdict(refusal(), at(100)), Step::Nothing);
    for (n, kind) in [ARM64, Kind::Dhcp, Kind::Flashboot, Kind::Other].into_iter().enumerate() {
        let now = at(200 + 1_000 * n as u64);
        assert_eq!(board.request(request(2, &[]), kind, now), Step::Nothing, "{kind:?}");
    }
    assert_eq!((board.kind(), board.requests()), (Kind::Flashboot, 5));
    assert_eq!(board.request(request(2, &[]), ARM64, at(5_100)), Step::Ask);
    assert_eq!((board.stage(), board.kind(), board.requests()), (Stage::Seen, ARM64, 1));
}

#[test]
fn a_question_that_nobody_could_decide_is_asked_again_at_once() {
    let mut board = Board::new(MAC, at(0));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(0)), Step::Ask);
    assert!(board.is_asking());
    board.undecided(at(100));
    assert!(!board.is_asking());
    assert_eq!((board.stage(), board.reason()), (Stage::Seen, None));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(200)), Step::Ask);
    assert_eq!(board.verdict(refusal(), at(300)), Step::Nothing);
    board.undecided(at(300));
    assert_eq!((board.stage(), board.reason()), (Stage::Refused, Some("disarmed")));
    assert_eq!(board.request(request(1, &[]), Kind::Flashboot, at(400)), Step::Ask);
    assert_eq!(board.verdict(offer(Gives::Script), at(500)), Step::Answer);
    assert!(!board.is_asking());
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
    assert_eq!(board.deadline(), Some(at(75_000)));
    // Etherboot asks for 40 seconds: it may still come.
    let mut late = offered(ARM64, Gives::Image);
    assert_eq!(late.request(request(1, &[]), ARM64, at(9_000)), Step::Answer);
    assert!(late.tick(at(15_000)));
    assert_eq!(late.request(request(1, &[]), ARM64, at(15_200)), Step::Answer);
    let mut asks = late.clone();
    for seconds in 16..75 {
        assert_eq!(asks.request(request(1, &[]), ARM64, at(seconds * 1_000)), Step::Answer);
    }
    assert!(!asks.tick(at(75_000)), "that its offer is dropped is no news");
    assert_eq!((asks.stage(), asks.offer(), asks.deadline()), (Stage::TimedOut, None, None));
    assert_eq!(asks.request(request(1, &[]), ARM64, at(75_100)), Step::Ask);
    late.read_began(at(15_300));
    assert_eq!((late.stage(), late.words()), (Stage::Transferring, None));
}

#[test]
fn a_broken_transfer_may_begin_again_for_a_while_and_who_asks_is_asked_about() {
    let mut board = offered(Kind::Dhcp, Gives::Script);
    board.read_failed("nothing is read yet", at(100));
    assert_eq!(board.stage(), Stage::Offered);
    board.read_began(at(200));
    board.read_failed("it fell silent", at(900));
    assert_eq!((board.stage(), board.reason()), (Stage::Failed, Some("transfer")));
    assert_eq!((board.words(), board.duration()), (Some("it fell silent"), Some(at(900))));
    assert_eq!(board.deadline(), Some(at(60_900)));
    board.read_began(at(1_000));
    assert_eq!((board.stage(), board.words(), board.deadline()), (Stage::Transferring, None, None));
    board.read_failed("it fell silent", at(2_000));
    let mut other = board.clone();
    assert!(!other.tick(at(62_000)));
    other.read_began(at(62_100));
    assert_eq!((other.stage(), other.offer()), (Stage::Failed, None));
    assert_eq!(board.request(request(2, &[]), Kind::Dhcp, at(2_100)), Step::Ask);
    assert_eq!((board.stage(), board.offer(), board.requests()), (Stage::Seen, None, 1));
}

#[test]
fn who_does_not_acknowledge_the_last_block_of_a_script_may_have_it() {
    let mut board = offered(Kind::Flashboot, Gives::Script);
    board.unacknowledged(at(50));
    assert_eq!(board.stage(), Stage::Offered, "nothing is read yet");
    board.read_began(at(100));
    board.unacknowledged(at(30_100));
    assert_eq!((board.stage(), board.reason()), (Stage::Failed, Some("unacknowledged")));
    assert_eq!(board.words(), Some(UNACKNOWLEDGED));
    // Of a boot image that says nothing.
    let mut board = offered(ARM64, Gives::Image);
    board.read_began(at(100));
    board.unacknowledged(at(30_100));
    assert_eq!((board.stage(), board.reason()), (Stage::Failed, Some("transfer")));
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
fn who_asks_in_etherboot_mode_has_the_word_that_it_did_not_acknowledge() {
    let reads = || {
        let mut board = offered(Kind::Flashboot, Gives::Redirect);
        assert!(!board.came_back(ARM64, at(50)), "it has read nothing");
        board.read_began(at(100));
        board
    };
    let mut board = reads();
    assert!(!board.came_back(Kind::Flashboot, at(200)));
    assert!(board.came_back(ARM64, at(300)));
    assert_eq!((board.stage(), board.deadline()), (Stage::Redirected, Some(at(15_300))));
    assert!(!board.came_back(ARM64, at(300)), "it is told once");
    // Its time and its requests count on.
    assert_eq!(board.request(request(2, &[]), ARM64, at(300)), Step::Ask);
    assert_eq!((board.stage(), board.requests()), (Stage::Seen, 2));

    let mut board = reads();
    board.unacknowledged(at(5_100));
    assert_eq!(board.stage(), Stage::Failed);
    assert!(board.came_back(ARM64, at(6_000)));
    assert_eq!((board.stage(), board.reason()), (Stage::Redirected, None));

    let mut board = offered(Kind::Flashboot, Gives::Script);
    board.read_began(at(100));
    assert!(!board.came_back(ARM64, at(200)), "a script sends nobody on");
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
