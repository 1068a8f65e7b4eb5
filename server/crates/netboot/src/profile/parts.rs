//! The tables of a profile, and the words that stand in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Wrong;

/// How sure a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// From reading alone.
    Unverified,
    /// From what a server of the vendor sent.
    Captured,
    /// A board has taken it, and was seen configured.
    HardwareVerified,
}

impl Status {
    /// All of them, the least sure first.
    pub const ALL: [Self; 3] = [Self::Unverified, Self::Captured, Self::HardwareVerified];

    /// As it is written: `hardware-verified`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Captured => "captured",
            Self::HardwareVerified => "hardware-verified",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Status {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let words = "a status is one of unverified, captured, hardware-verified";
        Self::ALL
            .into_iter()
            .find(|status| status.word() == text)
            .ok_or_else(|| Wrong(words.to_owned()))
    }
}

/// How a board in flash-boot mode comes to its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// It reads the script itself, and keeps it.
    FlashfigDirect,
    /// It is sent into Etherboot mode, and installed.
    EtherbootRedirect,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::FlashfigDirect, Self::EtherbootRedirect];

    /// As it is written: `flashfig-direct`.
    pub fn word(self) -> &'static str {
        match self {
            Self::FlashfigDirect => "flashfig-direct",
            Self::EtherbootRedirect => "etherboot-redirect",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Strategy {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let words = "a strategy is flashfig-direct or etherboot-redirect";
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.word() == text)
            .ok_or_else(|| Wrong(words.to_owned()))
    }
}

/// How a number lies in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Number {
    /// There is none.
    #[default]
    None,
    /// Two bytes, the low one first.
    U16le,
    /// Two bytes, the high one first.
    U16be,
    /// Four bytes, the low one first.
    U32le,
    /// Four bytes, the high one first.
    U32be,
}

impl Number {
    /// All that are one.
    pub const ALL: [Self; 4] = [Self::U16le, Self::U16be, Self::U32le, Self::U32be];

    /// How many bytes it takes.
    pub fn width(self) -> usize {
        match self {
            Self::None => 0,
            Self::U16le | Self::U16be => 2,
            Self::U32le | Self::U32be => 4,
        }
    }

    /// The number in just these bytes; none where they are not as many as it takes.
    pub fn read(self, bytes: &[u8]) -> Option<u32> {
        match self {
            Self::None => None,
            Self::U16le => bytes.try_into().ok().map(u16::from_le_bytes).map(u32::from),
            Self::U16be => bytes.try_into().ok().map(u16::from_be_bytes).map(u32::from),
            Self::U32le => bytes.try_into().ok().map(u32::from_le_bytes),
            Self::U32be => bytes.try_into().ok().map(u32::from_be_bytes),
        }
    }

    /// Its bytes; none where it does not go into them.
    pub fn write(self, number: u32) -> Option<Vec<u8>> {
        let short = u16::try_from(number).ok();
        match self {
            Self::None => Some(Vec::new()),
            Self::U16le => short.map(|short| short.to_le_bytes().to_vec()),
            Self::U16be => short.map(|short| short.to_be_bytes().to_vec()),
            Self::U32le => Some(number.to_le_bytes().to_vec()),
            Self::U32be => Some(number.to_be_bytes().to_vec()),
        }
    }
}

/// Which boards a profile is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    /// Option 60, whole: 1 to 64 printable ASCII characters.
    pub option60: String,
    /// Whether its requests are those of DHCP.
    #[serde(default)]
    pub require_option53: bool,
    /// The option in which a board says what it is.
    #[serde(default)]
    pub board_id_option: Option<u8>,
}

/// What boards have room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The option in which a board says how many bytes it has.
    #[serde(default)]
    pub free_space_option: Option<u8>,
    /// How it says so.
    #[serde(default)]
    pub free_space_encoding: Number,
    /// The longest script, in bytes.
    pub max_script: u16,
    /// What is kept is filled up to a multiple of so many bytes.
    pub pad: u16,
    /// Bytes that go with what is kept.
    pub overhead: u16,
}

/// What boards are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyRules {
    /// The name of the file: at most 127 printable ASCII characters; empty: boards ask for `vmlinux`.
    pub boot_file: String,
    /// The options of the answer: 1 (mask) and 3 (router) are allowed.
    pub options: Vec<u8>,
    /// Where it is sent. It can be said, and not chosen: there is one way.
    #[serde(default)]
    pub dst: Destination,
}

/// Where a reply is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// To all: the board has no address yet.
    #[default]
    Broadcast,
}

/// How boards read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tftp {
    /// The largest block that is granted, in bytes.
    pub max_blksize: u16,
    /// Whether any file name gives the board its file; else only that of the reply does, and `vmlinux`
    /// where the reply has none.
    pub accept_any_name: bool,
    /// In how many milliseconds a read must be answered before the board falls back. Nothing is sent
    /// otherwise for that: whoever serves says which answers took longer.
    pub answer_deadline_ms: u16,
}

/// What boards read: prefix, script, suffix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// What stands before the script, with room for the length if there is one.
    #[serde(rename = "prefix_hex", with = "digits")]
    pub prefix: Vec<u8>,
    /// What stands behind it.
    #[serde(rename = "suffix_hex", with = "digits")]
    pub suffix: Vec<u8>,
    /// How the length is written.
    #[serde(default)]
    pub length_field: Number,
    /// Where in the prefix.
    #[serde(default)]
    pub length_offset: u16,
    /// What it counts.
    #[serde(default)]
    pub length_counts: Counts,
    /// How lines end.
    pub newline: Newline,
}

/// What a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// The script.
    #[default]
    Script,
    /// What stands behind the length.
    Rest,
    /// All of the file.
    All,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newline {
    /// With a line feed.
    Lf,
    /// With a carriage return before it.
    Crlf,
}

/// How a mode script goes with the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// On which side of the script.
    pub place: Place,
    /// What stands between both.
    #[serde(default, rename = "separator_hex", with = "digits")]
    pub separator: Vec<u8>,
}

/// On which side of the script something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before it.
    Before,
    /// Behind it.
    After,
}

/// What sends a board into Etherboot mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// What it reads instead of a script.
    #[serde(rename = "payload_hex", with = "digits")]
    pub payload: Vec<u8>,
}

/// When a board has what it was given. It can be said, and not chosen: nothing else is ever heard of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// With what.
    #[serde(default)]
    pub on: SuccessOn,
}

/// What shows that a board has what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessOn {
    /// It has acknowledged the last block.
    #[default]
    FinalAck,
}

/// Bytes as hexadecimal digits.
mod digits {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let digits = String::deserialize(deserializer)?;
        hex::decode(digits).map_err(|_| de::Error::custom("bytes are pairs of hexadecimal digits"))
    }
}
