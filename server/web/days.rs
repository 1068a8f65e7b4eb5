//! Times that people name in forms: a day, by the clock of whoever names it, or an exact time.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::viewer::Viewer;
use crate::error::Error;

/// The zone in which somebody reads times; the server does not know that of the browser.
pub(super) fn zone(viewer: &Viewer) -> Tz {
    viewer.preference("time_zone").parse().unwrap_or(Tz::UTC)
}

/// From when on something is meant; none where nothing is named. What is wrong stands at `/since`.
pub(super) fn since(text: &str, zone: Tz) -> Result<Option<DateTime<Utc>>, Error> {
    named(text, zone, 0, "/since")
}

/// Until when something is meant: to the end of a day that is named. What is wrong stands at
/// `/until`.
pub(super) fn until(text: &str, zone: Tz) -> Result<Option<DateTime<Utc>>, Error> {
    named(text, zone, 1, "/until")
}

/// Whether it is a day, as opposed to an exact time.
pub(super) fn is_day(text: &str) -> bool {
    day(text).is_some()
}

/// An exact time, or when a day begins, or so many days after it.
fn named(text: &str, zone: Tz, later: u64, pointer: &str) -> Result<Option<DateTime<Utc>>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(exact.with_timezone(&Utc)));
    }
    let why = || Error::invalid(pointer, "A day is written as 2026-11-22.");
    let date = day(text).ok_or_else(why)?;
    Ok(date.checked_add_days(Days::new(later)).and_then(|date| begins(date, zone)))
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// When a day begins in a zone: at midnight, or an hour later where the clock skips that.
fn begins(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = date.and_time(NaiveTime::MIN);
    let later = midnight.checked_add_signed(TimeDelta::hours(1))?;
    let at = |local| zone.from_local_datetime(&local).earliest();
    at(midnight).or_else(|| at(later)).map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_day_is_that_of_the_reader_and_a_time_is_exact() {
        let riga = Tz::Europe__Riga;
        let begin = since("2026-11-22", riga).unwrap().unwrap();
        assert_eq!(begin.to_rfc3339(), "2026-11-21T22:00:00+00:00");
        assert_eq!(until("2026-11-22", riga).unwrap().unwrap() - begin, TimeDelta::days(1));
        let exact = "2026-11-22T02:00:00.000001+02:00";
        for at in [since(exact, riga), until(exact, riga)] {
            assert_eq!(at.unwrap().unwrap().to_rfc3339(), "2026-11-22T00:00:00.000001+00:00");
        }
        assert_eq!((since("", riga).unwrap(), until("", riga).unwrap()), (None, None));
        // Where the clock skips midnight, the day begins an hour later.
        let begin = since("2018-11-04", Tz::America__Sao_Paulo).unwrap().unwrap();
        assert_eq!(begin.to_rfc3339(), "2018-11-04T03:00:00+00:00");
        assert!(is_day("2026-11-22") && !is_day("2026-11-22T02:00:00Z"));
    }

    #[test]
    fn what_is_neither_is_said_at_its_field() {
        let (text, zone) = ("yesterday", Tz::UTC);
        for (read, place) in [(since(text, zone), "/since"), (until(text, zone), "/until")] {
            match read {
                Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, place),
                other => panic!("{other:?}"),
            }
        }
    }
}
