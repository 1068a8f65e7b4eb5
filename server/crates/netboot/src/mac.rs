//! Hardware addresses: how they are written, and which of them a board can have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Most characters of a text that an error repeats.
const SHOWN: usize = 64;

/// A hardware address of six bytes. Written as `E4:8D:8C:00:00:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// What a frame to all is sent to.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// What stands where no address is known.
    pub const ZERO: Self = Self([0; 6]);

    /// The first three bytes, which name the maker.
    pub fn oui(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// Whether a single board can have it: it is neither zero nor that of a group.
    pub fn is_single(self) -> bool {
        self != Self::ZERO && self.0[0] & 1 == 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

/// The text is no hardware address; holds its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no MAC address: twelve hexadecimal digits, such as E4:8D:8C:00:00:01")]
pub struct NotAMac(String);

impl FromStr for Mac {
    type Err = NotAMac;

    /// Reads twelve hexadecimal digits in any case, with `:`, `-`, `.` and blanks anywhere between
    /// them.
    fn from_str(text: &str) -> Result<Self, NotAMac> {
        digits(text).ok_or_else(|| NotAMac(text.chars().take(SHOWN).collect()))
    }
}

fn digits(text: &str) -> Option<Mac> {
    let mut bytes = [0_u8; 6];
    let mut count = 0;
    for c in text.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')) {
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        let byte = bytes.get_mut(count / 2)?;
        *byte = (*byte << 4) | digit;
        count += 1;
    }
    (count == 12).then_some(Mac(bytes))
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_way_of_writing_is_read() {
        let mac = Mac([0xe4, 0x8d, 0x8c, 0x00, 0x0a, 0x01]);
        for text in [
            "E4:8D:8C:00:0A:01",
            "e4:8d:8c:00:0a:01",
            "E4-8D-8C-00-0A-01",
            "e48d.8c00.0a01",
            "e48d8c000a01",
            " E4 8D 8C 00 0A 01 ",
        ] {
            assert_eq!(text.parse(), Ok(mac), "{text:?}");
        }
        assert_eq!(mac.to_string(), "E4:8D:8C:00:0A:01");
        assert_eq!(mac.oui(), [0xe4, 0x8d, 0x8c]);
    }

    #[test]
    fn what_is_none_is_refused_in_few_words() {
        for text in
            ["", "e48d8c000a0", "e48d8c000a011", "e4:8d:8c:00:0a:0g", "e4_8d", "é48d8c000a01"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text:?}");
        }
        assert!("0".repeat(10_000).parse::<Mac>().unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn a_board_has_an_address_of_its_own() {
        assert!(Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]).is_single());
        // What tests and virtual machines give themselves.
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).is_single());
        for none in [Mac::ZERO, Mac::BROADCAST, Mac([1, 0, 0x5e, 0, 0, 1])] {
            assert!(!none.is_single(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in any::<[u8; 6]>()) {
            prop_assert_eq!(Mac(bytes).to_string().parse(), Ok(Mac(bytes)));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,20}") {
            if let Ok(mac) = text.parse::<Mac>() {
                prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
            }
        }
    }
}
