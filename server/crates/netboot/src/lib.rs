//! How a factory-fresh board is served over the wire, for both sides of it: BOOTP, TFTP, FlashFig and
//! Netinstall.
//!
//! Pure: no sockets, no clock, no threads, no randomness, no database. Time is an argument: the
//! [`std::time::Duration`] since any beginning. Liberal in what it takes, exact in what it sends: boot
//! loaders forgive nothing. What is known of MikroTik's side, and how well, stands in
//! `docs/flashfig.md`; no test here proves more than that both of our sides agree.
//!
//! - [`mac`]: addresses. [`bootp`]: the messages of BOOTP and DHCP.
//! - [`vendor`]: what boot loaders call their architectures. [`profile`]: how boards of a kind are
//!   served, as data. [`payload`]: what a board is given, and whether it fits.
//! - [`board`]: what one board has come to. [`pool`]: the addresses that boards borrow.
//! - [`tftp`]: the machines of a transfer. [`netinstall`]: those of an installation.
//! - [`booter`]: a boot loader made of the same facts, for tests and demonstrations. [`learn`]: what a
//!   capture tells. [`wire`]: frames.

#![forbid(unsafe_code)]

pub mod board;
pub mod booter;
pub mod bootp;
pub mod learn;
pub mod mac;
pub mod netinstall;
pub mod payload;
pub mod pool;
pub mod profile;
pub mod tftp;
pub mod vendor;
pub mod wire;
