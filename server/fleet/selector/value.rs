//! Values that a selector compares with, checked when they are made.

use std::fmt;

use chrono::TimeDelta;

/// Longest time that can be asked for, in days.
const MAX_DAYS: i64 = 36_500;
/// Most digits before a number's point.
const WHOLE_DIGITS: usize = 18;
/// Most digits after a number's point.
const FRACTION_DIGITS: usize = 9;
/// Ten to the power of [`FRACTION_DIGITS`].
const SCALE: i128 = 1_000_000_000;

/// The full name of one parameter, from its root on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterPath(String);

impl ParameterPath {
    /// `Err` says what is wrong with the text.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 256 {
            return Err("a parameter's name has 1 to 256 bytes");
        }
        if text.ends_with('.') {
            return Err("this names an object; name one of its parameters");
        }
        if text.contains(['*', '?']) {
            return Err("a path names one parameter: `*` and `?` stand only in values");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether this text, where a field is expected, is a path rather than a field's name.
    pub(super) fn begins(text: &str) -> bool {
        text.starts_with("Device.") || text.starts_with("InternetGatewayDevice.")
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A decimal number, kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(i128);

impl Number {
    /// The texts that are numbers, as a regular expression that PostgreSQL understands too.
    pub(super) const PATTERN: &str = "^-?[0-9]{1,18}([.][0-9]{1,9})?$";

    /// `None` = not a number of at most 18 digits, and 9 more after a point.
    pub fn new(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        if !digits(whole, WHOLE_DIGITS) || fraction.is_some_and(|f| !digits(f, FRACTION_DIGITS)) {
            return None;
        }
        let fraction = format!("{:0<FRACTION_DIGITS$}", fraction.unwrap_or(""));
        let scaled = whole.parse::<i128>().ok()? * SCALE + fraction.parse::<i128>().ok()?;
        Some(Self(if negative { -scaled } else { scaled }))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let scaled = self.0.abs();
        write!(f, "{sign}{}.{:0FRACTION_DIGITS$}", scaled / SCALE, scaled % SCALE)
    }
}

/// Reads `30s`, `5m`, `2h`, `2d`, `1w` and sums like `1d12h`; `None` = not a duration, or longer
/// than a century.
pub(super) fn duration(text: &str) -> Option<TimeDelta> {
    let mut rest = text;
    let mut seconds = 0_i64;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let mut tail = tail.chars();
        let unit = match tail.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        rest = tail.as_str();
    }
    let total = TimeDelta::try_seconds(seconds)?;
    (!text.is_empty() && total <= TimeDelta::try_days(MAX_DAYS)?).then_some(total)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let seconds = |text| duration(text).map(|d| d.num_seconds());
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1d12h"), Some(36 * 3_600));
        assert_eq!(seconds("1w"), Some(604_800));
        for text in ["", "5", "m", "5x", "5 m", "-5m", "2d5", "99999999999999999999s", "101y"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
        assert_eq!(duration("36501d"), None);
        assert_eq!(duration("9223372036854775807w"), None);
    }

    #[test]
    fn numbers_are_exact_and_bounded() {
        let n = |text| Number::new(text).unwrap();
        assert!(n("-2") < n("-1.5") && n("-0.1") < n("0") && n("9") < n("10"));
        assert_eq!(n("007"), n("7.0"));
        assert_eq!(n("-0"), n("0"));
        assert_eq!(n("1.5").to_string(), "1.500000000");
        assert_eq!(n("-0.25").to_string(), "-0.250000000");
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "1234567890123456789", "1.2.3"]
        {
            assert_eq!(Number::new(text), None, "{text:?}");
        }
    }
}
