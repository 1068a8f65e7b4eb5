//! What is asked about a board, and what was decided.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use muster_netboot::board::{Gives, Kind};
use muster_netboot::bootp::Request;
use muster_netboot::mac::Mac;
use muster_netboot::netinstall::{Announcement, File};
use muster_netboot::profile::Profile;
use serde_json::Value;
use uuid::Uuid;

use crate::netboot::policy::{By, Refusal};
use crate::netboot::prepare::Prepared;
use crate::netboot::record::Said;
use crate::store::bench::BoardRow;

/// The largest block for boards of which no profile says one: what fits into one frame.
const MAX_BLKSIZE: u16 = 1468;

/// What is asked.
#[derive(Debug, Clone)]
pub enum Asks {
    /// A board asks for something to start with.
    Boot {
        /// What it asks.
        request: Box<Request>,
        /// What mode it is in.
        kind: Kind,
        /// What it says of itself.
        said: Said,
    },
    /// A board runs its boot image, and asks for its installation.
    Install(Box<Announcement>),
}

/// A question about a board.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which.
    pub mac: Mac,
    /// What it asks.
    pub asks: Asks,
}

/// What a board gets, and what is to be kept of that.
#[derive(Debug, Clone)]
pub struct Given {
    /// By what it is served.
    pub by: By,
    /// Name of the profile of the boot protocol.
    pub profile: Option<String>,
    /// How sure that is.
    pub profile_status: Option<String>,
    /// How it comes to its configuration.
    pub strategy: String,
    /// The script that it is given.
    pub script: Option<Prepared>,
    /// What goes over the wire.
    pub gift: Gift,
}

/// What goes over the wire.
#[derive(Debug, Clone)]
pub enum Gift {
    /// One file to start with.
    File {
        /// What it is.
        gives: Gives,
        /// What the reply calls it.
        name: String,
        /// Its bytes.
        content: Arc<[u8]>,
        /// How it is read.
        reading: Reading,
    },
    /// An installation.
    Files {
        /// In the order in which they go.
        files: Vec<File>,
        /// What is to be said of them.
        warnings: Vec<String>,
        /// The arming by its name, as it was stored.
        install: Value,
        /// Until when that is good.
        until: DateTime<Utc>,
    },
}

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The options of the reply to a plain request.
    pub options: Vec<u8>,
    /// The largest block, in bytes.
    pub max_blksize: u16,
    /// Under whatever name.
    pub any_name: bool,
}

impl Reading {
    /// As a profile says.
    pub fn of(profile: &Profile) -> Self {
        Self {
            options: profile.reply.options.clone(),
            max_blksize: profile.tftp.max_blksize,
            any_name: profile.tftp.accept_any_name,
        }
    }
}

impl Default for Reading {
    fn default() -> Self {
        Self { options: vec![1, 3], max_blksize: MAX_BLKSIZE, any_name: true }
    }
}

/// A board as it was stored.
#[derive(Debug)]
pub enum Stored {
    /// So.
    Row(Box<BoardRow>),
    /// It was not.
    Nothing,
    /// Nobody knows: the database was away.
    Unknown,
}

/// What was decided.
#[derive(Debug)]
pub struct Decision {
    /// About what.
    pub question: Question,
    /// The board as it was stored.
    pub row: Stored,
    /// The claim that names it, and the site of that.
    pub claim: Option<(Uuid, Option<String>)>,
    /// What it gets, or why nothing.
    pub outcome: Result<Given, Refusal>,
}
