//! What a board is, how it behaves, and what becomes of it.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::mac::Mac;
use crate::netinstall::{self, Announcement};

/// What kind of board it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// Its address.
    pub mac: Mac,
    /// The identifier that it announces, such as `5009`.
    pub board_id: String,
    /// Bytes that are free for a configuration.
    pub free: u32,
    /// What it calls itself in Etherboot, such as `ARM64__boot`.
    pub class: String,
    /// What the installer says of it once it runs.
    pub announcement: Announcement,
}

/// How it behaves where boards differ, or where somebody needs it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// How often it waits 200 ms for an answer before it boots from its flash.
    pub waits: u32,
    /// The same in Etherboot.
    pub etherboot_waits: u32,
    /// It goes on answering a last block that comes again. A real one is thought to be deaf by then.
    pub lingers: bool,
    /// Of the installer.
    pub installer: netinstall::Habits,
}

impl Default for Habits {
    /// 2.4 s, 40 s, and deaf after the last block.
    fn default() -> Self {
        let installer = netinstall::Habits::default();
        Self { waits: 12, etherboot_waits: 200, lingers: false, installer }
    }
}

/// How far it is when somebody switches it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// As from the factory: it waits for a configuration.
    Flashboot,
    /// Somebody held its button: it waits for a boot image.
    Etherboot,
    /// A boot image runs already.
    Installer,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has stored what came, and boots with it: what stood behind the first four bytes.
    Stored(Vec<u8>),
    /// It got something that it does not take, in words, and boots as if nothing had come.
    Refused(String),
    /// It got nothing, in words, and boots from its flash.
    Nothing(String),
    /// It was formatted, and boots with these files.
    Installed(Vec<netinstall::File>),
    /// The installation broke off, in words: only switching it off and on helps.
    Broken(String),
}

/// A datagram that it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// From where.
    pub source: SocketAddrV4,
    /// To where; to all where it knows nobody.
    pub target: SocketAddrV4,
    /// Whose hardware address it goes to: that of the target itself, of the router, or of all.
    pub hop: Ipv4Addr,
    /// What.
    pub payload: Vec<u8>,
}
