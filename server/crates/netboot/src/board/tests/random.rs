//! Whatever happens to a board, in whatever order.

use proptest::prelude::*;

use super::*;

/// Anything that can happen to a board.
#[derive(Debug, Clone)]
enum Happens {
    Request(u8),
    Verdict(u8),
    Read,
    Delivered,
    ReadFailed,
    Unacknowledged,
    Undecided,
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
        1 => Just(Happens::Unacknowledged),
        1 => Just(Happens::Undecided),
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
        Happens::Unacknowledged => board.unacknowledged(now),
        Happens::Undecided => board.undecided(now),
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
            prop_assert!(open || !board.is_asking());
            if step == Step::Answer {
                prop_assert!(board.pending().is_some() && board.offer().is_some());
                prop_assert!(!matches!(board.stage(), Stage::Seen | Stage::Refused));
            }
            if board.stage() == Stage::Refused {
                prop_assert!(board.offer().is_none() && board.words().is_some());
            }
            let failed = matches!(board.stage(), Stage::TimedOut | Stage::Failed);
            prop_assert!(!failed || (board.words().is_some() && board.duration().is_some()));
            let due = board.deadline().is_some_and(|due| due <= at(now));
            let mut later = board.clone();
            // That an offer is dropped is no news.
            prop_assert_eq!(later.tick(at(now)), due && !failed);
            prop_assert!(later.deadline().is_none_or(|due| due > at(now)), "it is told once");
        }
    }
}
