//! Muster: fleet provisioning and an ACS (TR-069) for MikroTik RouterOS devices and any other CPE.
//!
//! The layers point one way: `web | api | acs -> jobs | fleet -> store -> sqlx`. The protocol itself
//! is in `muster-cwmp`, which knows nothing of this crate. `server/README.md` is the map.
//!
//! - [`boot`]: from configuration to a running process, and back down.
//! - [`acs`]: the CWMP endpoint. [`files`]: what devices fetch and send.
//! - [`jobs`]: work on devices. [`fleet`]: who devices are and what is known of them.
//! - [`api`]: REST. [`web`]: the dashboard.
//! - [`store`]: PostgreSQL, also the embedded one. [`net`]: listeners.
//! - [`config`], [`telemetry`], [`doctor`], [`clock`], [`error`], [`ctx`]: what all of them use.

#![forbid(unsafe_code)]

pub mod acs;
pub mod api;
pub mod boot;
pub mod clock;
pub mod config;
pub mod ctx;
pub mod doctor;
pub mod error;
pub mod files;
pub mod fleet;
pub mod jobs;
pub mod net;
pub mod store;
pub mod telemetry;
pub mod web;
