//! TFTP (RFC 1350, 2347, 2348, 2349, 7440), for reading only: its packets, and both ends of one
//! transfer as pure machines.
//!
//! Owns what is said, and when it is said again. Sockets and addresses are its caller's: who may have
//! what, which port belongs to which transfer, and that a stranger on a port is told so
//! ([`code::UNKNOWN_PORT`]). No file of the machine is ever named here: what is sent is bytes, and what
//! comes from outside is a name to be looked at. Nothing is ever written for a client.

#[cfg(test)]
pub(crate) mod lossy;
mod packet;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use packet::{MAX_BLKSIZE, Packet, Wrong, code, is_octet, refuse};
pub use receiver::{Quirks, Receiver};
pub use sender::{Limits, Outcome, Sender};

/// Bytes of a block where nothing else was agreed (RFC 1350).
pub const BLKSIZE: u16 = 512;

/// A block's number as the wire has it: from 65,535 it goes on with 0.
fn number(block: u64) -> u16 {
    u16::try_from(block % 65_536).expect("what is left of a division by 65,536 fits")
}

/// The number of an option; none where it is not there, or not a number.
fn option(options: &[(String, String)], name: &str) -> Option<u64> {
    let (_, value) = options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    value.parse().ok()
}
