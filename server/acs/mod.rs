//! The CWMP endpoint: sockets and database around the pure session machine of muster-cwmp.
//!
//! - [`route`]: HTTP in and out, caps, which session a POST belongs to.
//! - [`auth`]: who a device is.
//! - [`registry`]: the sessions open on this node.
//! - [`inform`]: what an Inform changes; [`writer`] is its hot path.
//! - [`driver`]: runs a session's jobs.
//! - [`transfer`]: what the CPE reports of its own accord.
//! - [`transcript`]: what was said, for people to read.
//! - [`waker`], [`wake_client`]: connection requests.
//!
//! It holds no rules about jobs (`jobs`) and no SQL (`store`).

pub mod auth;
pub mod batch;
pub mod body;
pub mod driver;
pub mod inform;
pub mod noise;
pub mod registry;
pub mod route;
pub mod transcript;
pub mod transfer;
pub mod wake_client;
pub mod waker;
pub mod writer;
