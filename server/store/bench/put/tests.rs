use chrono::TimeDelta;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// A board that had its delivery at the first bench.
fn held() -> Held {
    Held {
        bench_id: Uuid::from_u128(1),
        state: "delivered".to_owned(),
        reason: None,
        delivered_at: Some(at(10)),
        done: true,
        install_until: None,
        updated_at: at(10),
    }
}

/// What a bench is to write, a minute after that.
fn seen(bench: u128, kind: &str, state: &str) -> BoardRow {
    BoardRow {
        mac: "E4:8D:8C:00:00:01".to_owned(),
        bench_id: Uuid::from_u128(bench),
        kind: kind.to_owned(),
        state: state.to_owned(),
        options: json!({}),
        requests: 1,
        first_seen_at: at(0),
        seen_at: at(70),
        updated_at: at(70),
        decided: true,
        ..BoardRow::default()
    }
}

#[test]
fn what_a_board_had_is_not_written_over_by_what_it_did_not_get() {
    for (bench, state, expected) in [
        (1, "seen", Extent::Seen),
        (1, "refused", Extent::Seen),
        (2, "refused", Extent::Seen),
        (1, "timed_out", Extent::Seen),
        // Only where another bench has its own idea of it.
        (2, "offered", Extent::Seen),
        (1, "offered", Extent::Whole),
        (2, "delivered", Extent::Whole),
        (1, "failed", Extent::Whole),
        (1, "installing", Extent::Whole),
    ] {
        let board = seen(bench, "flashboot", state);
        assert_eq!(extent(&held(), &board), expected, "{state} at {bench}");
        let rearmed = Held { done: false, ..held() };
        assert_eq!(extent(&rearmed, &board), Extent::Whole, "{state} at {bench}");
    }
}

#[test]
fn one_that_is_to_be_installed_shows_how_far_that_has_come() {
    let armed = Held { install_until: Some(at(600)), ..held() };
    assert_eq!(extent(&armed, &seen(2, "etherboot", "offered")), Extent::Whole);
    assert_eq!(extent(&armed, &seen(1, "etherboot", "refused")), Extent::Whole);
    let over = Held { install_until: Some(at(60)), ..held() };
    assert_eq!(extent(&over, &seen(1, "etherboot", "refused")), Extent::Seen);
}

#[test]
fn a_bench_that_only_offered_says_nothing_of_a_board_that_is_at_another() {
    let there = Held { state: "transferring".to_owned(), done: false, ..held() };
    assert_eq!(extent(&there, &seen(2, "flashboot", "timed_out")), Extent::Nothing);
    assert_eq!(extent(&there, &seen(1, "flashboot", "timed_out")), Extent::Whole);
    assert_eq!(extent(&held(), &seen(2, "flashboot", "timed_out")), Extent::Nothing);
}

#[test]
fn a_bench_says_nothing_of_a_board_that_another_serves_at_the_moment() {
    for state in ["offered", "transferring", "redirected", "installing"] {
        let there = Held { state: state.to_owned(), done: false, updated_at: at(11), ..held() };
        for said in ["seen", "refused"] {
            assert_eq!(extent(&there, &seen(2, "flashboot", said)), Extent::Nothing, "{state}");
            assert_eq!(extent(&there, &seen(1, "flashboot", said)), Extent::Whole, "{state}");
        }
        // What it does itself counts, and so does what is older than a turn.
        assert_eq!(extent(&there, &seen(2, "flashboot", "offered")), Extent::Whole, "{state}");
        let silent = Held { updated_at: at(10), ..there };
        assert_eq!(extent(&silent, &seen(2, "flashboot", "refused")), Extent::Whole, "{state}");
    }
    let failed = Held { state: "failed".to_owned(), done: false, updated_at: at(69), ..held() };
    assert_eq!(extent(&failed, &seen(2, "flashboot", "refused")), Extent::Whole);
}

#[test]
fn one_that_may_have_its_script_waits_for_its_inform_when_it_has_started() {
    let reason = Some(UNACKNOWLEDGED.to_owned());
    let may = Held { state: "failed".to_owned(), reason, done: false, ..held() };
    assert_eq!(extent(&may, &seen(1, "dhcp", "refused")), Extent::Seen);
    // It asks for its script again: that is news.
    assert_eq!(extent(&may, &seen(1, "flashboot", "refused")), Extent::Whole);
    assert_eq!(extent(&may, &seen(1, "dhcp", "offered")), Extent::Whole);
    let other = Held { reason: None, ..may };
    assert_eq!(extent(&other, &seen(1, "dhcp", "refused")), Extent::Whole);
}

#[test]
fn one_whose_device_has_come_stays_confirmed_until_its_next_delivery() {
    let come = Held { state: "confirmed".to_owned(), ..held() };
    let same = BoardRow { delivered_at: Some(at(10)), ..seen(1, "flashboot", "delivered") };
    assert_eq!(extent(&come, &same), Extent::Seen);
    let next = BoardRow { delivered_at: Some(at(65)), ..same };
    assert_eq!(extent(&come, &next), Extent::Whole);
}
