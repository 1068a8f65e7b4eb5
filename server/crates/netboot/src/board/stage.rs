//! How far a board can come, what it is given, and what is done next.

use std::net::Ipv4Addr;
use std::sync::Arc;

/// How far a board has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has asked, and nobody has said yet what is to be done.
    Seen,
    /// It gets nothing, for a reason.
    Refused,
    /// It was answered.
    Offered,
    /// It reads its file.
    Transferring,
    /// It has acknowledged the last byte of its file.
    Delivered,
    /// It was sent into Etherboot mode, and is to come back in it.
    Redirected,
    /// Its boot image was read: an installation is to come, or under way.
    Installing,
    /// Its installation has ended well.
    Installed,
    /// It did not do the next thing in time.
    TimedOut,
    /// Its transfer or its installation broke.
    Failed,
}

impl Stage {
    /// As it is stored: `seen`, `timed_out` ...
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Refused => "refused",
            Self::Offered => "offered",
            Self::Transferring => "transferring",
            Self::Delivered => "delivered",
            Self::Redirected => "redirected",
            Self::Installing => "installing",
            Self::Installed => "installed",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// What the file of an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A script, in the form of a profile: with its last byte the board is delivered.
    Script,
    /// The word that sends the board into Etherboot mode.
    Redirect,
    /// A boot image: an installation follows.
    Image,
}

/// What a board is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its address on the bench.
    pub address: Ipv4Addr,
    /// The name of the file in the reply; boards ask for it, or for what they like.
    pub file: String,
    /// What it reads, under whatever name.
    pub content: Arc<[u8]>,
    /// What that is.
    pub gives: Gives,
}

/// What was decided about a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It gets nothing.
    Refuse {
        /// Why, for programs.
        code: &'static str,
        /// Why, for people.
        words: String,
    },
    /// It gets this.
    Offer(Offer),
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Decide about [`pending`](super::Board::pending), and give the [`verdict`](super::Board::verdict).
    Ask,
    /// Send the reply to [`pending`](super::Board::pending) that [`offer`](super::Board::offer) says.
    Answer,
}
