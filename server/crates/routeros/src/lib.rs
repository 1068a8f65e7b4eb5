//! What RouterOS means by what it writes: its own formats and rules, apart from any protocol.
//!
//! Pure: no sockets, no clock, no randomness, no database.
//!
//! - [`version`]: the versions of RouterOS and the order in which they were made.

#![forbid(unsafe_code)]

pub mod version;
