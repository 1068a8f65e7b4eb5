//! Maintenance windows: when the devices of a site may be changed. Pure.
//!
//! A window opens on its days at its time of day, by the clock of its site, and stays open for so
//! many minutes as they pass, whatever the clock does meanwhile. Where the clock skips the time, it
//! opens when the clock goes on; where the clock shows the time twice, it opens the first time only.
//! No windows at all means: at any time.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc, Weekday,
};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::store::sites::Site;

/// Windows of one site.
const MAX_WINDOWS: usize = 50;
/// Minutes of one window: a week.
const MAX_MINUTES: u16 = 7 * 1_440;

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday
    Mon,
    /// Tuesday
    Tue,
    /// Wednesday
    Wed,
    /// Thursday
    Thu,
    /// Friday
    Fri,
    /// Saturday
    Sat,
    /// Sunday
    Sun,
}

impl Day {
    /// All of them, from Monday on.
    pub const ALL: [Self; 7] =
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// As it is written: `mon` to `sun`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }

    fn of(weekday: Weekday) -> Self {
        Self::ALL[weekday.num_days_from_monday() as usize]
    }
}

/// A time of day to the minute, such as `02:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(NaiveTime);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| -> Option<u32> {
            let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            if two { digits.parse().ok() } else { None }
        };
        let time = text
            .split_once(':')
            .and_then(|(hour, minute)| NaiveTime::from_hms_opt(number(hour)?, number(minute)?, 0));
        let why = || format!("`{}` is no time of day: 00:00 to 23:59", text.escape_debug());
        time.map(Self).ok_or_else(why)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// A time in which devices may be changed, every week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// On which days it opens: one or more, each once.
    pub days: Vec<Day>,
    /// When it opens: `00:00` to `23:59` by the site's clock.
    #[schema(value_type = String, example = "02:00")]
    pub from: TimeOfDay,
    /// For how long it stays open: 1 to 10080 (a week). It may last past midnight.
    #[schema(minimum = 1, maximum = 10080)]
    pub minutes: u16,
}

impl Window {
    fn length(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.minutes))
    }

    /// When it opens on those of these days, counted from the local date of `now`, that are its own.
    fn openings(
        &self,
        tz: Tz,
        now: DateTime<Utc>,
        days: RangeInclusive<i64>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let today = now.with_timezone(&tz).date_naive();
        days.filter_map(move |day| {
            let date = today.checked_add_signed(TimeDelta::days(day))?;
            let opens = self.days.contains(&Day::of(date.weekday()));
            if opens { reaches(tz, date.and_time(self.from.0)) } else { None }
        })
    }
}

/// When the clock of a zone first shows this time or, where it skips it, a later one.
pub(crate) fn reaches(tz: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let shown = tz.from_local_datetime(&local).earliest();
    let at = shown.or_else(|| GapInfo::new(&local, &tz)?.end)?;
    Some(at.with_timezone(&Utc))
}

/// Refuses windows that make no sense; the fault is in `/windows`.
///
/// # Errors
/// [`Error::Invalid`]
pub fn check(windows: &[Window]) -> Result<(), Error> {
    if windows.len() > MAX_WINDOWS {
        return Err(Error::invalid("/windows", format!("at most {MAX_WINDOWS} windows")));
    }
    for (i, window) in windows.iter().enumerate() {
        let mut days = window.days.clone();
        days.sort();
        days.dedup();
        if days.is_empty() || days.len() < window.days.len() {
            let why = "one day or more of mon, tue, wed, thu, fri, sat, sun, each once";
            return Err(Error::invalid(format!("/windows/{i}/days"), why));
        }
        if !(1..=MAX_MINUTES).contains(&window.minutes) {
            let why = format!("1 to {MAX_MINUTES} minutes");
            return Err(Error::invalid(format!("/windows/{i}/minutes"), why));
        }
    }
    Ok(())
}

/// Whether devices may be changed now. Without windows: always.
pub fn is_open(windows: &[Window], tz: Tz, now: DateTime<Utc>) -> bool {
    windows.is_empty() || closes(windows, tz, now).is_some()
}

/// When the last of the windows that are open now closes; another one may be open by then. `None` =
/// none of them is open.
pub fn closes(windows: &[Window], tz: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let end = |window: &Window| {
        // A day more on each side: where the clock skips or repeats a midnight, what opened at one
        // date still or already has another.
        let days = -i64::from(window.minutes / 1_440) - 2..=1;
        let begun = window.openings(tz, now, days).filter(|at| *at <= now);
        begun.map(|at| at + window.length()).filter(|end| *end > now).max()
    };
    windows.iter().filter_map(end).max()
}

/// The first time from now on at which devices may be changed: now, where they may. `None` = never,
/// which no windows that were checked say.
pub fn next_open(windows: &[Window], tz: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if is_open(windows, tz, now) {
        return Some(now);
    }
    // A week from now it is today's day again, and today's opening may be past.
    let openings = windows.iter().flat_map(|window| window.openings(tz, now, -1..=8));
    openings.filter(|at| *at > now).min()
}

/// When the devices of a site may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The site that says so: theirs, or the nearest above that has windows. `None` = none has.
    pub site: Option<String>,
    /// Its windows; none = at any time.
    pub windows: Vec<Window>,
    /// Its zone, by whose clock they open.
    pub time_zone: Tz,
}

impl Hours {
    /// At any time.
    pub fn any_time() -> Self {
        Self { site: None, windows: Vec::new(), time_zone: Tz::UTC }
    }

    /// As [`is_open`].
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        is_open(&self.windows, self.time_zone, now)
    }

    /// As [`next_open`].
    pub fn next_open(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        next_open(&self.windows, self.time_zone, now)
    }

    /// As [`closes`].
    pub fn closes(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        closes(&self.windows, self.time_zone, now)
    }
}

/// What holds at the first of these sites, each of which stands in the next one.
///
/// # Errors
/// [`Error::Internal`] for a stored time zone that is none.
pub fn effective(nearest_first: Vec<Site>) -> Result<Hours, Error> {
    let Some(site) = nearest_first.into_iter().find(|site| !site.windows.is_empty()) else {
        return Ok(Hours::any_time());
    };
    let unknown =
        |_| Error::Internal(format!("time zone {} of site {}", site.time_zone, site.path));
    let time_zone = site.time_zone.parse().map_err(unknown)?;
    Ok(Hours { site: Some(site.path), windows: site.windows.0, time_zone })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn window(days: &[Day], from: &str, minutes: u16) -> Window {
        Window { days: days.to_vec(), from: from.parse().unwrap(), minutes }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The first minute from `now` on at which a window is open, found by walking through all minutes
    /// with an eye on the clock: a window opens whenever the clock shows its time, or a later one,
    /// for the first time.
    fn naive(windows: &[Window], tz: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let longest = windows.iter().map(Window::length).max()?;
        let minute = TimeDelta::minutes(1);
        let mut time = now - longest - TimeDelta::days(2);
        let mut latest = time.with_timezone(&tz).naive_local();
        let mut until = time;
        while time < now + TimeDelta::days(10) {
            time += minute;
            let clock = time.with_timezone(&tz).naive_local();
            if clock > latest {
                for date in latest.date().iter_days().take_while(|date| *date <= clock.date()) {
                    for window in windows {
                        let opens = date.and_time(window.from.0);
                        let its_day = window.days.contains(&Day::of(date.weekday()));
                        if its_day && latest < opens && opens <= clock {
                            until = until.max(time + window.length());
                        }
                    }
                }
                latest = clock;
            }
            if now <= time && time < until {
                return Some(time);
            }
        }
        None
    }

    #[test]
    fn a_window_may_last_past_midnight_and_for_days() {
        let riga = Tz::Europe__Riga;
        // 2026-11-20 is a Friday; Riga is two hours ahead.
        let night = [window(&[Day::Fri], "23:00", 240)];
        for (now, open) in [
            ("2026-11-20T20:59:59Z", false),
            ("2026-11-20T21:00:00Z", true),
            ("2026-11-21T00:59:59Z", true),
            ("2026-11-21T01:00:00Z", false),
        ] {
            assert_eq!(is_open(&night, riga, at(now)), open, "{now}");
        }
        let next = |now| next_open(&night, riga, at(now)).unwrap();
        assert_eq!(next("2026-11-21T01:00:00Z"), at("2026-11-27T21:00:00Z"));
        assert_eq!(next("2026-11-20T22:00:00Z"), at("2026-11-20T22:00:00Z"));
        let closes = |now| closes(&night, riga, at(now));
        assert_eq!(closes("2026-11-20T22:00:00Z"), Some(at("2026-11-21T01:00:00Z")));
        assert_eq!(closes("2026-11-21T01:00:00Z"), None);
        let always = [window(&[Day::Mon], "00:00", MAX_MINUTES)];
        for hour in 0..24 * 8 {
            assert!(is_open(&always, riga, at("2026-06-01T00:30:00Z") + TimeDelta::hours(hour)));
        }
    }

    #[test]
    fn the_clock_may_skip_or_repeat_the_time() {
        let riga = Tz::Europe__Riga;
        let early = [window(&[Day::Sun], "03:30", 60)];
        // On 2026-03-29 the clock of Riga goes from 03:00 to 04:00, which is 01:00 UTC.
        let next = |now| next_open(&early, riga, at(now)).unwrap();
        assert_eq!(next("2026-03-28T12:00:00Z"), at("2026-03-29T01:00:00Z"));
        assert!(!is_open(&early, riga, at("2026-03-29T02:00:00Z")));
        // On 2026-10-25 it goes from 04:00 back to 03:00, which is 01:00 UTC.
        assert_eq!(next("2026-10-24T12:00:00Z"), at("2026-10-25T00:30:00Z"));
        assert!(is_open(&early, riga, at("2026-10-25T01:29:59Z")));
        assert!(!is_open(&early, riga, at("2026-10-25T01:30:00Z")));
        // Apia went from the end of Thursday, 2011-12-29, to Saturday.
        let friday = [window(&[Day::Fri], "12:00", 60)];
        let next = next_open(&friday, Tz::Pacific__Apia, at("2011-12-29T00:00:00Z"));
        assert_eq!(next, Some(at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn what_holds_is_what_the_nearest_site_says() {
        let site = |path: &str, zone: &str, windows: Vec<Window>| Site {
            site_id: Uuid::nil(),
            path: path.to_owned(),
            name: path.to_owned(),
            time_zone: zone.to_owned(),
            variables: json!({}),
            windows: sqlx::types::Json(windows),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let bare = site("eu.lv.riga", "Europe/Riga", vec![]);
        let said = site("eu.lv", "Europe/Riga", vec![window(&[Day::Mon], "02:00", 60)]);
        let top = site("eu", "UTC", vec![window(&[Day::Sun], "02:00", 60)]);
        let hours = effective(vec![bare.clone(), said.clone(), top]).unwrap();
        assert_eq!((hours.site.as_deref(), hours.time_zone), (Some("eu.lv"), Tz::Europe__Riga));
        assert!(hours.is_open(at("2026-11-23T00:30:00Z")));
        assert_eq!(effective(vec![bare]).unwrap(), Hours::any_time());
        let now = at("2026-11-23T12:00:00Z");
        assert!(Hours::any_time().is_open(now) && Hours::any_time().next_open(now) == Some(now));
        let broken = Site { time_zone: "Mars".to_owned(), ..said };
        assert!(effective(vec![broken]).is_err());
    }

    #[test]
    fn a_window_is_written_as_it_was_read() {
        let text = json!({ "days": ["mon", "sun"], "from": "02:05", "minutes": 180 });
        let read: Window = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(read, window(&[Day::Mon, Day::Sun], "02:05", 180));
        assert_eq!(serde_json::to_value(&read).unwrap(), text);
        for day in Day::ALL {
            assert_eq!(serde_json::to_value(day).unwrap(), day.word());
        }
        for bad in ["", "2:00", "24:00", "12:60", "1200", "12:00:00", "+1:00", "ab:cd", "١٢:٠٠"]
        {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_pointed_at() {
        let good = || window(&[Day::Mon], "02:00", 60);
        assert!(check(&[]).is_ok() && check(&vec![good(); MAX_WINDOWS]).is_ok());
        for (bad, place) in [
            (window(&[], "02:00", 60), "/windows/1/days"),
            (window(&[Day::Mon, Day::Tue, Day::Mon], "02:00", 60), "/windows/1/days"),
            (window(&[Day::Mon], "02:00", 0), "/windows/1/minutes"),
            (window(&[Day::Mon], "02:00", MAX_MINUTES + 1), "/windows/1/minutes"),
        ] {
            let Err(Error::Invalid { pointer, .. }) = check(&[good(), bad]) else { panic!() };
            assert_eq!(pointer, place);
        }
        assert!(check(&vec![good(); MAX_WINDOWS + 1]).is_err());
    }

    fn any_window() -> impl Strategy<Value = Window> {
        let days = prop::sample::subsequence(Day::ALL.to_vec(), 1..=3);
        // Mostly about when clocks change.
        let from = prop_oneof![4 => 0u32..=240, 1 => 0u32..1_440];
        let minutes = prop_oneof![6 => 1u16..=600, 1 => 1u16..=MAX_MINUTES];
        (days, from, minutes).prop_map(|(days, from, minutes)| {
            let from = NaiveTime::from_hms_opt(from / 60, from % 60, 0).unwrap();
            Window { days, from: TimeOfDay(from), minutes }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Zones and times at which something odd happens to the clock: half an hour, at midnight,
        /// a minute past it, a whole day.
        #[test]
        fn the_rule_is_what_a_walk_through_all_minutes_finds(
            windows in prop::collection::vec(any_window(), 1..=3),
            (tz, change) in prop::sample::select(vec![
                (Tz::UTC, "2026-03-29T01:00:00Z"),
                (Tz::Europe__Riga, "2026-03-29T01:00:00Z"),
                (Tz::Europe__Riga, "2026-10-25T01:00:00Z"),
                (Tz::America__New_York, "2026-11-01T06:00:00Z"),
                (Tz::Australia__Lord_Howe, "2026-04-04T15:00:00Z"),
                (Tz::Australia__Lord_Howe, "2026-10-03T15:30:00Z"),
                (Tz::America__Sao_Paulo, "2018-11-04T03:00:00Z"),
                (Tz::America__Sao_Paulo, "2018-02-18T02:00:00Z"),
                (Tz::America__St_Johns, "2010-11-07T02:31:00Z"),
                (Tz::America__Havana, "2026-11-01T05:00:00Z"),
                (Tz::Africa__Cairo, "2026-04-23T22:00:00Z"),
                (Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
            ]),
            minutes in -2_000i64..=2_000,
        ) {
            let now = at(change) + TimeDelta::minutes(minutes);
            let expected = naive(&windows, tz, now);
            prop_assert_eq!(next_open(&windows, tz, now), expected);
            prop_assert_eq!(is_open(&windows, tz, now), expected == Some(now));
        }
    }
}
