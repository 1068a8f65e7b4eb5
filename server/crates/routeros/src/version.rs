//! The versions of RouterOS: dotted sequences, not decimals (7.9 is older than 7.16), with the
//! stages alpha, beta and rc before the final release.
//!
//! Owns the order of versions and the key by which a database sorts them in the same order.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Most digits of one number of a version: what fits an `i32` whatever the digits are.
const MAX_DIGITS: usize = 9;
/// Most characters of a text that an error repeats.
const SHOWN: usize = 64;

/// How far a release has come. The order of the variants is the order in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `alpha`, with its number.
    Alpha(u32),
    /// `beta`, with its number.
    Beta(u32),
    /// `rc`, with its number.
    Rc(u32),
    /// The release itself.
    Final,
}

/// A version of RouterOS: `7.16`, `6.49.10`, `7.24beta1`. Its order is that of the releases, and
/// `7.16` and `7.16.0` are one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RosVersion {
    major: u32,
    minor: u32,
    patch: u32,
    stage: Stage,
}

impl RosVersion {
    /// A release itself: `release(7, 12, 1)` is 7.12.1.
    pub const fn release(major: u16, minor: u16, patch: u16) -> Self {
        // Lossless; `From` is not const.
        let [major, minor, patch] = [major as u32, minor as u32, patch as u32];
        Self { major, minor, patch, stage: Stage::Final }
    }

    /// What came before a release: RouterOS numbers these without a third number.
    pub(crate) fn early(major: u8, minor: u8, stage: Stage) -> Self {
        Self { major: major.into(), minor: minor.into(), patch: 0, stage }
    }

    /// The first number; 7 of `7.16.1rc2`.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The second number; 16 of `7.16.1rc2`.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// The third number; 1 of `7.16.1rc2`, 0 where there is none.
    pub fn patch(&self) -> u32 {
        self.patch
    }

    /// How far this release has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// `[major, minor, patch, stage, number of the stage]`, with the stage as 0 alpha, 1 beta,
    /// 2 rc, 3 final. Keys order as the versions do, element by element, which is also how
    /// PostgreSQL orders arrays.
    pub fn key(&self) -> [i32; 5] {
        let (stage, number) = match self.stage {
            Stage::Alpha(n) => (0, n),
            Stage::Beta(n) => (1, n),
            Stage::Rc(n) => (2, n),
            Stage::Final => (3, 0),
        };
        let whole = |n: u32| i32::try_from(n).expect("a number has at most nine digits");
        [whole(self.major), whole(self.minor), whole(self.patch), stage, whole(number)]
    }
}

impl fmt::Display for RosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch != 0 {
            write!(f, ".{}", self.patch)?;
        }
        match self.stage {
            Stage::Alpha(n) => write!(f, "alpha{n}"),
            Stage::Beta(n) => write!(f, "beta{n}"),
            Stage::Rc(n) => write!(f, "rc{n}"),
            Stage::Final => Ok(()),
        }
    }
}

/// The text is not a version of RouterOS; holds its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a version of RouterOS, such as 7.16.1 or 7.24rc1")]
pub struct NotAVersion(String);

impl FromStr for RosVersion {
    type Err = NotAVersion;

    /// Reads `major[.minor[.patch]][stage[number]]`, with spaces before it, and after a space
    /// anything: devices write `7.16.1 (stable)`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        parse(text).ok_or_else(|| NotAVersion(text.chars().take(SHOWN).collect()))
    }
}

fn parse(text: &str) -> Option<RosVersion> {
    let (major, rest) = number(text.trim_start_matches(' '))?;
    let (minor, rest) = dotted(rest)?;
    let (patch, rest) = dotted(rest)?;
    let (stage, rest) = stage(rest)?;
    (rest.is_empty() || rest.starts_with(' ')).then_some(RosVersion { major, minor, patch, stage })
}

/// A number and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > MAX_DIGITS {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

/// A number after a dot; 0 where there is no dot.
fn dotted(text: &str) -> Option<(u32, &str)> {
    match text.strip_prefix('.') {
        Some(rest) => number(rest),
        None => Some((0, text)),
    }
}

/// From the number behind a stage's word.
type MakeStage = fn(u32) -> Stage;

fn stage(text: &str) -> Option<(Stage, &str)> {
    let stages: [(&str, MakeStage); 3] =
        [("alpha", Stage::Alpha), ("beta", Stage::Beta), ("rc", Stage::Rc)];
    for (name, stage) in stages {
        let Some(rest) = text.strip_prefix(name) else { continue };
        let numbered = rest.starts_with(|c: char| c.is_ascii_digit());
        let (n, rest) = if numbered { number(rest)? } else { (0, rest) };
        return Some((stage(n), rest));
    }
    Some((Stage::Final, text))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> RosVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_order_as_they_were_made() {
        let order = [
            "6.43rc56",
            "6.49.9",
            "6.49.10",
            "7",
            "7.1beta6",
            "7.9",
            "7.9.2",
            "7.12.1",
            "7.13beta1",
            "7.16",
            "7.16.1",
            "7.16.2rc1",
            "7.16.2",
            "7.24alpha9",
            "7.24alpha10",
            "7.24beta1",
            "7.24beta2",
            "7.24rc1",
            "7.24",
        ];
        for pair in order.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{pair:?}");
            assert!(v(pair[0]).key() < v(pair[1]).key(), "{pair:?}");
        }
    }

    #[test]
    fn what_devices_write_around_a_version_does_not_matter() {
        for text in ["7.16", " 7.16", "7.16 (stable)", "7.16.0", "7.16 ", "7.16.0 2024"] {
            assert_eq!(v(text), v("7.16"), "{text:?}");
        }
        assert_eq!(v("7.24rc1").key(), [7, 24, 0, 2, 1]);
        assert_eq!(v("6.49.10").key(), [6, 49, 10, 3, 0]);
        assert_eq!(v("7.1beta").to_string(), "7.1beta0");
        assert_eq!(RosVersion::release(6, 49, 10), v("6.49.10"));
        assert_eq!(RosVersion::early(7, 24, Stage::Rc(1)), v("7.24rc1"));
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in [
            "",
            "v7.16",
            "7.",
            "7.16.",
            "7..1",
            ".7",
            "7.16.1.2",
            "7.16gamma1",
            "7.16rc1b",
            "7.16-1",
            "-7.1",
            "7.1234567890",
            "7.16rc1234567890",
            "٧.١",
        ] {
            assert!(text.parse::<RosVersion>().is_err(), "{text:?}");
        }
        let long = "x".repeat(10_000).parse::<RosVersion>().unwrap_err().to_string();
        assert!(long.len() < 200);
    }

    fn any_version() -> impl Strategy<Value = RosVersion> {
        let n = || prop_oneof![0..4u32, 0..1_000_000_000u32];
        let stage = prop_oneof![
            n().prop_map(Stage::Alpha),
            n().prop_map(Stage::Beta),
            n().prop_map(Stage::Rc),
            Just(Stage::Final)
        ];
        (n(), n(), n(), stage).prop_map(|(major, minor, patch, stage)| RosVersion {
            major,
            minor,
            patch,
            stage,
        })
    }

    proptest! {
        #[test]
        fn keys_order_as_versions(a in any_version(), b in any_version()) {
            prop_assert_eq!(a.cmp(&b), a.key().cmp(&b.key()));
        }

        #[test]
        fn what_is_written_is_read_back(a in any_version()) {
            prop_assert_eq!(a.to_string().parse::<RosVersion>(), Ok(a));
            prop_assert_eq!(format!(" {a} (testing)").parse::<RosVersion>(), Ok(a));
        }

        #[test]
        fn no_text_breaks_it(text in "[0-9a-z. ]{0,20}|\\PC{0,20}") {
            if let Ok(version) = text.parse::<RosVersion>() {
                prop_assert_eq!(version.to_string().parse::<RosVersion>(), Ok(version));
            }
        }
    }
}
