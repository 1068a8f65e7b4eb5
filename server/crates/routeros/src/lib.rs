//! What RouterOS means by what it writes: its own formats and rules, apart from any protocol.
//!
//! Pure: no sockets, no files, no clock, no randomness, no database. What is read is given as bytes,
//! text, or something to read from.
//!
//! - [`version`]: the versions of RouterOS and the order in which they were made.
//! - [`allowed`]: which versions a board lets be installed (`allowed-versions`).
//! - [`arch`]: the architectures that packages are made for.
//! - [`package`]: what package files are called. [`npk`]: what they say about themselves.
//! - [`inspect`]: what a board was asked, by a script, to write into its log about itself.
//! - [`quote`], [`lex`]: scripts as text, in both directions. [`menus`]: the menus that there are.
//! - [`lint`]: what is wrong with a script before it is sent. [`apply`]: how one is carried out so
//!   that its failures are known.
//! - [`export`]: what a board writes of its configuration: made comparable, without its secrets, and
//!   how two of them differ.

#![forbid(unsafe_code)]

pub mod allowed;
pub mod apply;
pub mod arch;
pub mod export;
pub mod inspect;
pub mod lex;
pub mod lint;
pub mod menus;
pub mod npk;
pub mod package;
pub mod quote;
mod secret;
pub mod version;
