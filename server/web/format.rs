//! Times, sizes, numbers and this server's address as people read them. Pure: the time of the reader
//! is an argument.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{Config, TlsMode};

/// A time in words, with the exact one beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct When {
    /// `5 min ago`, `in 2 h`, `now`.
    words: String,
    /// `2026-11-22 09:30:00 UTC`.
    exact: String,
    /// RFC 3339, for `<time datetime>`.
    iso: String,
}

impl When {
    pub(super) fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            words: relative(at, now),
            exact: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            iso: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// `2026-11-22 09:30:00 UTC (5 min ago)`.
    pub(super) fn both(&self) -> String {
        format!("{} ({})", self.exact, self.words)
    }
}

/// How long ago, or in how long, in one unit.
pub(super) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let words = duration(seconds.unsigned_abs());
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("{words} ago"),
        ..0 => format!("in {words}"),
    }
}

/// A span of seconds in the largest unit that still says enough.
fn duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < 2 * DAY => format!("{} h", s / HOUR),
        s => format!("{} days", s / DAY),
    }
}

/// A size in bytes, rounded down to three digits or so.
pub(super) fn size(bytes: i64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let bytes = bytes.max(0);
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    // The largest unit of which there is one at least.
    let power = (bytes.ilog2() / 10).min(4);
    let shift = power * 10;
    let tenths = (((bytes & ((1 << shift) - 1)) >> (shift - 10)) * 10) >> 10;
    format!("{}.{tenths} {}", bytes >> shift, UNITS[power as usize - 1])
}

/// A number with its thousands apart.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            // A narrow blank at which no line ends.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Where devices are to be pointed, as far as the configuration tells.
pub(super) fn acs_url(config: &Config) -> String {
    let acs = &config.acs;
    if let Some(url) = &acs.public_url {
        return url.clone();
    }
    let scheme = if acs.tls == TlsMode::Off { "http" } else { "https" };
    match acs.listen.ip().is_unspecified() {
        true => format!("{scheme}://SERVER:{}", acs.listen.port()),
        false => format!("{scheme}://{}", acs.listen),
    }
}

/// At most `limit` characters, with an ellipsis where something is left out.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use chrono::{TimeDelta, TimeZone};

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        for (seconds, words) in [
            (0, "now"),
            (1, "1 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (47 * 3_600 + 3_599, "47 h ago"),
            (48 * 3_600, "2 days ago"),
            (-1, "in 1 s"),
            (-90, "in 1 min"),
            (-7_200, "in 2 h"),
        ] {
            assert_eq!(relative(now() - TimeDelta::seconds(seconds), now()), words);
        }
    }

    #[test]
    fn the_exact_time_stands_beside_it() {
        let when = When::new(now(), now() + TimeDelta::minutes(5));
        assert_eq!(when.words, "5 min ago");
        assert_eq!(when.exact, "2026-11-22 09:30:00 UTC");
        assert_eq!(when.iso, "2026-11-22T09:30:00Z");
        assert_eq!(when.both(), "2026-11-22 09:30:00 UTC (5 min ago)");
    }

    #[test]
    fn a_clock_that_is_far_off_is_no_panic() {
        let zero = Utc.with_ymd_and_hms(1, 1, 1, 0, 0, 0).unwrap();
        assert!(relative(zero, now()).ends_with("days ago"));
        assert!(relative(now(), zero).starts_with("in "));
        assert!(relative(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).ends_with("days ago"));
    }

    #[test]
    fn a_size_has_a_unit() {
        for (bytes, words) in [
            (-1, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (1_048_575, "1023.9 KiB"),
            (1_048_576, "1.0 MiB"),
            (13_107_200, "12.5 MiB"),
            (46_212_857_856, "43.0 GiB"),
            (i64::MAX, "8388607.9 TiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (-1_234_567, "-1 234 567"),
            (i64::MIN, "-9 223 372 036 854 775 808"),
        ] {
            assert_eq!(grouped(number), text.replace(' ', "\u{202f}"));
        }
    }

    #[test]
    fn the_acs_url_is_the_public_one_where_there_is_one() {
        let mut config = Config::default();
        assert_eq!(acs_url(&config), "http://SERVER:7547");
        config.acs.tls = TlsMode::SelfMade;
        config.acs.listen = "192.0.2.1:7548".parse().unwrap();
        assert_eq!(acs_url(&config), "https://192.0.2.1:7548");
        config.acs.public_url = Some("https://acs.example".to_owned());
        assert_eq!(acs_url(&config), "https://acs.example");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö…");
    }
}
