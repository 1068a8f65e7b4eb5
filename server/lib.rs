//! Muster: fleet provisioning and an ACS (TR-069) for MikroTik RouterOS devices and any other CPE.
//!
//! The layers point one way: `web | api -> service -> rollout -> desired | firmware -> jobs | fleet |
//! access -> store -> sqlx`, and `acs -> desired | jobs | fleet`. The protocol itself is in `muster-cwmp`, which knows nothing of this crate.
//! `server/README.md` is the map.
//!
//! - [`boot`]: from configuration to a running process, and back down.
//! - [`acs`]: the CWMP endpoint. [`files`]: what devices fetch and send.
//! - [`jobs`]: work on devices. [`fleet`]: who devices are and what is known of them. [`desired`]:
//!   what they are to be. [`render`]: templates, in processes of their own. [`notify`]: who is told.
//! - [`rollout`]: a change for many devices, in waves. [`firmware`]: releases, and what a device fetches
//!   of them. [`netboot`]: boards of the bench (FlashFig, Netinstall).
//! - [`direct`]: a device asked itself, over REST.
//! - [`access`]: who may do what. [`service`]: what people and programs may ask for, each call with
//!   its [`ctx::Ctx`].
//! - [`api`]: REST. [`web`]: the dashboard.
//! - [`store`]: PostgreSQL, also the embedded one. [`net`]: listeners.
//! - [`config`], [`telemetry`], [`doctor`], [`clock`], [`error`], [`ctx`]: what all of them use.

#![forbid(unsafe_code)]

pub mod access;
pub mod acs;
pub mod api;
pub mod boot;
pub mod clock;
pub mod config;
pub mod ctx;
pub mod desired;
pub mod direct;
pub mod doctor;
pub mod error;
pub mod files;
pub mod firmware;
pub mod fleet;
pub mod jobs;
pub mod net;
pub mod netboot;
pub mod notify;
pub mod render;
pub mod rollout;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod web;
