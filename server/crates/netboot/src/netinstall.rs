//! Netinstall: how a board that has booted a vendor's installer is given its packages, over UDP
//! broadcasts of port [`PORT`].
//!
//! Owns the frames and both ends of one installation as pure machines, and what is checked before
//! anything is formatted ([`check()`]). Whose disk may be formatted at all is its caller's to know. What is
//! known of the protocol comes from several open tools, and was never tried here with a real board; that
//! a frame which was not answered is sent again as it was, is an assumption. See `docs/flashfig.md`.

mod check;
mod device;
mod packet;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use check::{SCRIPT, check};
pub use device::{Device, Habits};
pub use packet::{Announcement, Frame, MAX_PAYLOAD, PORT, Wrong};
pub use server::{CHUNK, Installer, Progress};

/// A file that a board is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As the board is to call it: `routeros-7.16.1-arm64.npk`, or [`SCRIPT`].
    pub name: String,
    /// Its bytes.
    pub content: Arc<[u8]>,
}

/// How an installation has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The board has all files, and was told to restart.
    Done,
    /// It has not; why, in words, and what to do about it.
    Failed(String),
}

/// What a board is offered, with the key that it has announced.
const OFFER: &str = "OFFR";
/// It takes the offer.
const TAKES: &str = "YACK";
/// It begins to format its disk.
const FORMATS: &str = "STRT";
/// It is ready for the next thing.
const READY: &str = "RETR";
/// A file comes; or, without a name, none any more.
const FILE: &str = "FILE";
/// It waits to be told to restart.
const WAITS: &str = "WTRM";
/// It is to restart.
const RESTART: &str = "TERM";
