//! Netboot profiles: how boards of a kind are served, as data. What is known of the wire is not certain,
//! so it can be corrected without a new version, and how certain it is goes with it ([`Status`]).
//!
//! Owns the form of a profile as TOML, its bounds, and those that come with Muster. A key that nobody
//! knows is an error: a misspelt one would be served wrongly.

mod check;
mod parts;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bootp::{self, Reply, Request};

pub use parts::{
    Counts, Destination, Limits, Matching, Mode, Newline, Number, Payload, Place, Redirect,
    ReplyRules, Status, Strategy, Success, SuccessOn, Tftp,
};

/// The longest text of a profile, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// Most characters of a board's identifier that are kept.
pub const MAX_BOARD_ID: usize = 64;
/// Most characters of an error of the reader.
const MAX_WORDS: usize = 300;

const MIKROTIK_FLASHBOOT: &str = include_str!("../profiles/mikrotik-flashboot.toml");

/// Why a text is no profile, or a word none of its words, for people; with the line where one is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// How boards of a kind are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// 1 to 40 small letters, digits and hyphens.
    pub name: String,
    /// How sure it is.
    pub status: Status,
    /// What it rests on: at most 400 characters on one line.
    pub evidence: String,
    /// Which boards it is for.
    #[serde(rename = "match")]
    pub matching: Matching,
    /// What they have room for.
    pub limits: Limits,
    /// What they are answered.
    pub reply: ReplyRules,
    /// How they read.
    pub tftp: Tftp,
    /// What they read.
    pub payload: Payload,
    /// How a mode script goes with the script; none: nobody knows, so none is sent.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// What sends them into Etherboot mode; none: nothing does.
    #[serde(default)]
    pub redirect: Option<Redirect>,
    /// When they have what they were given.
    #[serde(default)]
    pub success: Success,
}

/// The file: an array of one table, so that files can be put together by hand.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    profile: Vec<Profile>,
}

/// Reads one `[[profile]]`.
///
/// # Errors
/// What is wrong, with its line or its key.
pub fn read(text: &str) -> Result<Profile, Wrong> {
    if text.len() > MAX_TEXT {
        return Err(Wrong(format!("a profile has at most {MAX_TEXT} bytes")));
    }
    let document: Document = toml::from_str(text).map_err(|error| at_line(text, &error))?;
    let [profile] = <[Profile; 1]>::try_from(document.profile).map_err(|profiles| {
        Wrong(format!("there is to be one [[profile]], and there are {}", profiles.len()))
    })?;
    check::check(&profile)?;
    Ok(profile)
}

/// Those that come with Muster: `mikrotik-flashboot`.
pub fn builtin() -> &'static [Profile] {
    static BUILTIN: LazyLock<Vec<Profile>> =
        LazyLock::new(|| vec![read(MIKROTIK_FLASHBOOT).expect("a test reads what comes with us")]);
    &BUILTIN
}

/// The first profile that is for the board which asks this.
pub fn matching<'p>(profiles: &'p [Profile], request: &Request) -> Option<&'p Profile> {
    profiles.iter().find(|profile| profile.matches(request))
}

impl Profile {
    /// Whether it is for the board that asks this: by option 60, whole, and by whether the request is one
    /// of DHCP.
    pub fn matches(&self, request: &Request) -> bool {
        request.message_type().is_some() == self.matching.require_option53
            && request.vendor_class().is_some_and(|class| class == self.matching.option60)
    }

    /// What the board calls itself: `952-hb`.
    pub fn board_id(&self, request: &Request) -> Option<String> {
        let id = bootp::text(request.option(self.matching.board_id_option?)?, MAX_BOARD_ID);
        (!id.is_empty()).then_some(id)
    }

    /// How many bytes the board says it has room for.
    pub fn free(&self, request: &Request) -> Option<u32> {
        self.limits.free_space_encoding.read(request.option(self.limits.free_space_option?)?)
    }

    /// The answer to the board, with the options that the profile names.
    pub fn reply(
        &self,
        to: &Request,
        yiaddr: Ipv4Addr,
        siaddr: Ipv4Addr,
        mask: Ipv4Addr,
        router: Option<Ipv4Addr>,
    ) -> Reply {
        let mut reply = Reply::plain(to, yiaddr, siaddr, mask, router, &self.reply.boot_file);
        reply.options.retain(|(code, _)| self.reply.options.contains(code));
        reply
    }

    /// The profile as TOML, which [`read`] reads.
    pub fn write(&self) -> String {
        toml::to_string(&Document { profile: vec![self.clone()] })
            .expect("a profile has tables, texts and small numbers alone")
    }
}

fn at_line(text: &str, error: &toml::de::Error) -> Wrong {
    let words = error.message().replace('\n', ", ");
    let words: String = words.chars().take(MAX_WORDS).collect();
    let Some(span) = error.span() else { return Wrong(words) };
    let before = text.bytes().take(span.start);
    Wrong(format!("line {}: {words}", before.filter(|byte| *byte == b'\n').count() + 1))
}
