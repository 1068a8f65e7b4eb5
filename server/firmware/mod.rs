//! Firmware: which packages a device needs for a release, and over which releases it gets there.
//!
//! Pure: no clock, no database, no files. `muster-routeros` reads packages; rollouts (and whoever
//! upgrades one device) ask here what to send.
//!
//! - [`catalogue`]: what is stored of which release.
//! - `extras`: which packages RouterOS has at all.
//! - [`models`]: which radios a board has, by its name.
//! - [`set`]: which packages a device needs of a release.
//! - [`hops`]: over which releases it goes.
//! - [`manifest`]: what it is told to fetch.
//! - [`refusal`]: why none of this can be, in words that say what to do.
//! - [`scripts`]: what is run on a board to learn of it, and to bring its RouterBOOT up to date.

pub mod catalogue;
mod extras;
pub mod hops;
pub mod manifest;
pub mod models;
pub mod refusal;
pub mod scripts;
pub mod set;
