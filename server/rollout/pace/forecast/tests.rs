#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fleet::window::Window;

const RIGA: Tz = Tz::Europe__Riga;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Open on all days of the week from this time on.
fn nightly(from: &str, minutes: u16, time_zone: Tz) -> Hours {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let window = json!({ "days": days, "from": from, "minutes": minutes });
    let window: Window = serde_json::from_value(window).unwrap();
    Hours { site: Some("lv".to_owned()), windows: vec![window], time_zone }
}

fn days(from: &str, to: &str) -> Blackout {
    Blackout { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

#[test]
fn work_that_is_longer_than_a_night_ends_in_the_next_one() {
    let hours = nightly("02:00", 120, RIGA);
    let ends = |from, work| finish(&hours, RIGA, &[], None, at(from), TimeDelta::minutes(work));
    // Riga is two hours ahead.
    assert_eq!(ends("2026-11-22T12:00:00Z", 180), at("2026-11-24T01:00:00Z"));
    assert_eq!(ends("2026-11-22T12:00:00Z", 120), at("2026-11-23T02:00:00Z"));
    assert_eq!(ends("2026-11-23T01:30:00Z", 60), at("2026-11-24T00:30:00Z"), "begun within one");
    assert_eq!(ends("2026-11-22T12:00:00Z", 0), at("2026-11-22T12:00:00Z"));
    let any = Hours::any_time();
    let from = at("2026-11-22T12:00:00Z");
    let long = TimeDelta::hours(60);
    assert_eq!(finish(&any, RIGA, &[], None, from, long), from + long);
    let most = finish(&hours, RIGA, &[], None, from, TimeDelta::days(4_000));
    assert_eq!(most, from + FARTHEST);
}

#[test]
fn clocks_that_change_make_a_night_longer_or_leave_it_out() {
    // On 2026-03-29 the clock of Riga goes from 03:00 to 04:00: the window opens when it goes on, at
    // 01:00 UTC, and the next one at 00:30 UTC.
    let hours = nightly("03:30", 60, RIGA);
    let ends = |from, work| finish(&hours, RIGA, &[], None, at(from), TimeDelta::minutes(work));
    assert_eq!(ends("2026-03-28T12:00:00Z", 90), at("2026-03-30T01:00:00Z"));
    // On 2026-10-25 it goes from 04:00 back to 03:00: it opens the first time that it is 03:30.
    assert_eq!(ends("2026-10-24T12:00:00Z", 90), at("2026-10-26T02:00:00Z"));
    // A day without changes has 23 hours then.
    let (any, blackout) = (Hours::any_time(), [days("2026-03-29", "2026-03-29")]);
    let over = finish(&any, RIGA, &blackout, None, at("2026-03-28T21:00:00Z"), TimeDelta::hours(2));
    assert_eq!(over, at("2026-03-29T22:00:00Z"));
}

#[test]
fn days_without_changes_are_skipped_by_the_clock_of_the_site() {
    let hours = nightly("02:00", 120, RIGA);
    let blackout = [days("2026-11-23", "2026-11-24")];
    let from = at("2026-11-22T12:00:00Z");
    let end = finish(&hours, RIGA, &blackout, None, from, TimeDelta::minutes(60));
    assert_eq!(end, at("2026-11-25T01:00:00Z"));
    // Elsewhere it is the 22nd for longer, and the 25th later.
    let zone = Tz::America__New_York;
    let end = finish(&hours, zone, &blackout, None, from, TimeDelta::minutes(180));
    assert_eq!(end, at("2026-11-26T01:00:00Z"));
    let ever = [days("2020-01-01", "2099-01-01")];
    let end = finish(&hours, RIGA, &ever, None, from, TimeDelta::minutes(1));
    assert_eq!(end, from + FARTHEST);
}

fn load(devices: u64, bytes: u64) -> Load<'static> {
    Load { devices, bytes, minutes: 6, ..Load::default() }
}

#[test]
fn the_tightest_of_all_limits_says_how_long_it_takes() {
    let pace = Pace { concurrent: 100, ..Pace::default() };
    assert_eq!(load(1_000, 0).minutes(&pace), 60);
    let slowly = Pace { per_minute: Some(10), ..pace };
    assert_eq!(load(1_000, 0).minutes(&slowly), 106);
    let daily = Pace { per_day: Some(300), ..pace };
    assert_eq!(load(1_000, 0).minutes(&daily), 3 * 1_440);
    // 8 Mbit/s are 60 MB a minute.
    let thin = Pace { megabits: Some(8), ..pace };
    assert_eq!(load(1_000, 12_000_000_000).minutes(&thin), 200);
    assert_eq!(load(1_000, 60_000_000).minutes(&thin), 60);
}

#[test]
fn the_largest_site_line_and_set_say_how_long_it_takes() {
    let uplink = Some(Uuid::from_u128(9));
    let mut load = Load::default();
    for number in 0..100_u32 {
        let small = number < 10;
        load.add(One {
            site: Some(if small { "ee" } else { "lv" }),
            uplink: uplink.filter(|_| number < 40),
            redundancy: Some("core").filter(|_| small),
            minutes: if small { 12 } else { 6 },
            bytes: 1,
        });
    }
    let pace = Pace { concurrent: 100, ..Pace::default() };
    assert_eq!(load.minutes(&pace), 120, "ten of a set, two hops each, one after the other");
    assert_eq!(load.minutes(&Pace { per_site: Some(5), ..pace }), 18 * 12);
    assert_eq!(load.minutes(&Pace { per_uplink: Some(2), ..pace }), 20 * 12);
    assert_eq!(load.minutes(&Pace { per_site: Some(90), per_uplink: Some(40), ..pace }), 120);
}

#[test]
fn what_may_be_begun_in_a_day_holds_on_days_that_are_open() {
    let pace = Pace { concurrent: 100, per_day: Some(300), ..Pace::default() };
    let (any, from) = (Hours::any_time(), at("2026-11-22T12:00:00Z"));
    let ends = |hours: &Hours| load(1_000, 0).finish(&pace, hours, Tz::UTC, &[], from);
    // An hour of work in all, of which 300 devices are 18 minutes.
    assert_eq!(ends(&any), at("2026-11-25T00:06:00Z"));
    let mut weekly = nightly("02:00", 120, Tz::UTC);
    weekly.windows[0].days.truncate(1);
    // 2026-11-23 is a Monday.
    assert_eq!(ends(&weekly), at("2026-12-14T02:06:00Z"));
    assert_eq!(Load::default().finish(&pace, &weekly, Tz::UTC, &[], from), from);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The last second of the work is in open time, and so is all of it.
    #[test]
    fn nothing_is_done_in_closed_time(
        minutes in (1_u16..300).prop_map(|n| n * 5),
        hour in 0_u32..24,
        zone in prop::sample::select(vec![
            Tz::UTC, RIGA, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::America__Havana,
        ]),
        start in (0_i64..400 * 288).prop_map(|n| n * 5),
        work in (1_i64..200).prop_map(|n| n * 5),
        skipped in 0_u64..400,
        length in 0_u64..9,
    ) {
        let hours = nightly(&format!("{hour:02}:30"), minutes, RIGA);
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::Days::new(skipped);
        let blackout = [Blackout { from: first, to: first + chrono::Days::new(length) }];
        let from = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(start);
        let is_open = |at: DateTime<Utc>| {
            let today = at.with_timezone(&zone).date_naive();
            hours.is_open(at) && !(blackout[0].from..=blackout[0].to).contains(&today)
        };
        let work = work.min(i64::from(minutes) * 10);
        let end = finish(&hours, zone, &blackout, None, from, TimeDelta::minutes(work));
        prop_assert!(end > from && end < from + FARTHEST);
        prop_assert!(is_open(end - TimeDelta::seconds(1)), "{end}");
        let mut open = 0;
        let mut at = from;
        while at < end {
            open += 5 * i64::from(is_open(at));
            at += TimeDelta::minutes(5);
        }
        prop_assert_eq!(open, work);
    }
}
