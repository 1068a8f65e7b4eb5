//! The list of versions that a board lets be installed, as `/system/device-mode` shows it from
//! RouterOS 7.17 on: `7.13+,6.49.8+`.
//!
//! Owns what the list means. An entry with a `+` stands for its version and what came after it in
//! the same major version; an entry without one for itself alone. Where several entries with a `+`
//! are of one major version, the newest whose minor version is not beyond the version that is asked
//! for decides: `6.48.7+,6.49.8+` allows 6.48.9 and not 6.49.1. A major version newer than all in the
//! list is allowed, an older one is not.

use std::str::FromStr;

use thiserror::Error;

use crate::version::RosVersion;

/// What a board whose owner allowed all versions (`install-any-version`) is said to allow.
pub const ANY: &str = "any";
/// Most characters of a text that an error repeats.
const SHOWN: usize = 64;
/// Entries in one list; a real one has two.
const MAX_ENTRIES: usize = 64;

/// A list of allowed versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    any: bool,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    version: RosVersion,
    /// And what came after it.
    open: bool,
}

/// The text is no list of versions; holds its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a list of versions, such as 7.13+,6.49.8+")]
pub struct NotAList(String);

impl FromStr for Allowed {
    type Err = NotAList;

    /// Reads versions with or without `+`, apart by commas; or `any`.
    fn from_str(text: &str) -> Result<Self, NotAList> {
        read(text).ok_or_else(|| NotAList(text.chars().take(SHOWN).collect()))
    }
}

fn read(text: &str) -> Option<Allowed> {
    if text.trim() == ANY {
        return Some(Allowed { any: true, entries: Vec::new() });
    }
    if text.split(',').count() > MAX_ENTRIES {
        return None;
    }
    let entries = text.split(',').map(entry).collect::<Option<Vec<_>>>()?;
    Some(Allowed { any: false, entries })
}

fn entry(text: &str) -> Option<Entry> {
    let text = text.trim();
    let (version, open) = match text.strip_suffix('+') {
        Some(version) => (version, true),
        None => (text, false),
    };
    // A version may be followed by a space and anything: not here.
    if version.contains(' ') {
        return None;
    }
    Some(Entry { version: version.parse().ok()?, open })
}

impl Allowed {
    /// Whether the list lets this version be installed.
    pub fn permits(&self, version: &RosVersion) -> bool {
        let exact = self.entries.iter().any(|entry| entry.version == *version);
        if self.any || exact {
            return true;
        }
        let newest = self.entries.iter().map(|entry| entry.version.major()).max();
        if newest.is_some_and(|newest| version.major() > newest) {
            return true;
        }
        let same = |entry: &&Entry| entry.open && entry.version.major() == version.major();
        let entries = || self.entries.iter().filter(same).map(|entry| entry.version);
        let line = entries()
            .filter(|from| from.minor() <= version.minor())
            .max_by_key(|from| from.minor());
        let Some(line) = line else { return false };
        // Of several in one line of releases, the oldest is what counts.
        entries().any(|from| from.minor() == line.minor() && from <= *version)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn permits(list: &str, version: &str) -> bool {
        list.parse::<Allowed>().unwrap().permits(&version.parse().unwrap())
    }

    #[test]
    fn the_list_of_the_manual_is_read_in_the_order_of_versions() {
        let cases = [
            ("7.13", true),
            ("7.13.5", true),
            ("7.16.1", true),
            ("7.24beta1", true),
            ("8.0", true),
            ("7.13rc3", false),
            ("7.13beta1", false),
            ("7.12.1", false),
            // As a decimal it would be newer than 7.13.
            ("7.9", false),
            ("6.49.8", true),
            ("6.49.10", true),
            ("6.50", true),
            ("6.49.8rc1", false),
            ("6.49.7", false),
            ("6.5", false),
            ("6.48.7", false),
            ("5.26", false),
        ];
        for list in ["7.13+,6.49.8+", " 6.49.8+ , 7.13+ "] {
            for (version, expected) in cases {
                assert_eq!(permits(list, version), expected, "{list} {version}");
            }
        }
    }

    #[test]
    fn each_line_of_releases_has_its_own_beginning() {
        let list = "6.48.7+,6.49.8+,7.12.1,7.15+";
        for (version, expected) in [
            ("6.48.9", true),
            ("6.49.1", false),
            ("6.49.9", true),
            ("6.47.10", false),
            ("7.12.1", true),
            ("7.12.2", false),
            ("7.14", false),
            ("7.15", true),
        ] {
            assert_eq!(permits(list, version), expected, "{version}");
        }
        assert!(permits("7.13+,7.13.2+", "7.13.1"));
    }

    #[test]
    fn a_board_that_takes_any_version_takes_any() {
        assert!(permits("any", "3.30"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", ",", "7.13++", "7.13+,", "x", "7.13 +", "7.13+;6.49+", "any,7.13+"] {
            assert!(text.parse::<Allowed>().is_err(), "{text:?}");
        }
        let long = "x".repeat(10_000).parse::<Allowed>().unwrap_err().to_string();
        assert!(long.len() < 200);
        assert!(["7.1+"; 65].join(",").parse::<Allowed>().is_err());
    }

    proptest! {
        #[test]
        fn what_a_list_begins_with_is_allowed(
            major in 0..9_u16, minor in 0..60_u16, patch in 0..30_u16, more in 0..30_u16,
        ) {
            let from = RosVersion::release(major, minor, patch);
            let allowed: Allowed = format!("{from}+").parse().unwrap();
            prop_assert!(allowed.permits(&from));
            prop_assert!(allowed.permits(&RosVersion::release(major, minor, patch + more)));
            prop_assert!(allowed.permits(&RosVersion::release(major, minor + 1, 0)));
            let before = patch.checked_sub(1).map(|patch| RosVersion::release(major, minor, patch));
            prop_assert!(before.is_none_or(|before| !allowed.permits(&before)));
        }

        #[test]
        fn no_text_breaks_it(text in "[0-9a-z.+, ]{0,30}|\\PC{0,20}") {
            if let Ok(allowed) = text.parse::<Allowed>() {
                allowed.permits(&RosVersion::release(7, 16, 1));
            }
        }
    }
}
