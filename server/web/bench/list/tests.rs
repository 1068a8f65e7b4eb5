#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::TimeDelta;

use super::super::tests::{sample_bench, sample_board};
use super::*;

#[test]
fn a_page_begins_where_its_address_says() {
    let at: DateTime<Utc> = "2030-01-01T00:00:00.000001Z".parse().unwrap();
    let place = (at, "E4:8D:8C:00:00:01".to_owned());
    assert_eq!(after(&written(&place)).unwrap(), Some(place));
    assert_eq!(after(" ").unwrap(), None);
    for bad in ["x", "~", "2030-01-01~x", "2030-01-01T00:00:00Z"] {
        assert!(matches!(after(bad), Err(Error::Invalid { .. })), "{bad}");
    }
}

#[test]
fn a_filter_is_read_from_its_fields() {
    let query = ListQuery { q: " 952-hb ".to_owned(), ..ListQuery::default() };
    assert_eq!(query.filter().unwrap().text.as_deref(), Some("952-hb"));
    assert!(query.filtered() && !ListQuery::default().filtered());
    assert_eq!(query.at(""), "/bench?q=952-hb");
    let query = ListQuery { bench: "eth1".to_owned(), ..ListQuery::default() };
    assert!(query.filter().is_err());
}

#[test]
fn a_bench_says_what_is_to_be_looked_at_first() {
    let of = |change: fn(&mut Status)| {
        let mut status = sample_bench(true);
        change(&mut status);
        standing(&status)
    };
    assert_eq!(of(|_| {}).word, "warn", "any board is served");
    assert_eq!(of(|status| status.arming = None).label, "armed");
    assert_eq!(of(|status| status.remaining = None).label, "disarmed");
    assert_eq!(of(|status| status.bench.problem = Some("no".to_owned())).word, "failed");
    assert_eq!(of(|status| status.alive = false).word, "late");
}

#[test]
fn what_it_was_armed_for_is_not_what_it_is_armed_for() {
    let now = DateTime::UNIX_EPOCH;
    let mut status = sample_bench(true);
    status.remaining = Some(TimeDelta::minutes(1));
    assert!(bench(&status, now).armed.is_some());
    status.remaining = None;
    assert!(bench(&status, now).armed.is_none());
}

#[test]
fn states_are_counted_in_the_order_in_which_boards_come_to_them() {
    let view = bench(&sample_bench(true), DateTime::UNIX_EPOCH);
    let labels: Vec<&str> = view.counts.iter().map(|count| count.state.label).collect();
    assert_eq!(labels, ["refused", "delivered"]);
    assert!(view.counts[0].href.starts_with("/bench?state=refused&bench="));
}

#[test]
fn other_servers_are_told_by_their_addresses() {
    let now = DateTime::UNIX_EPOCH;
    let others = others(&sample_bench(true).others, now + TimeDelta::minutes(2));
    assert_eq!(others, ["192.0.2.9 by DHCP, heard 1970-01-01 00:00:00 UTC (2 min ago)"]);
}

#[test]
fn a_row_says_what_a_board_got_and_how_much_there_was_room_for() {
    let row = row(
        &Board { row: sample_board("delivered"), serial: None, customer: None },
        DateTime::UNIX_EPOCH,
    );
    assert_eq!(row.size, "3,412 of 4,000 bytes");
    assert_eq!((row.time.as_str(), row.named.as_str()), ("2.4 s", ""));
    assert_eq!(row.status.unwrap().label, "unverified");
}
