//! The way in: TCP listeners with caps and deadlines, TLS, and what a handler may know of its
//! connection.
//!
//! Owns sockets until a request reaches a router. Must never know CWMP, the database or what a
//! router serves: the CWMP port, the dashboard and the metrics port run on the same code.

mod deadline;
mod listener;
#[cfg(test)]
mod tests;
pub mod tls;

pub use listener::{ConnInfo, ConnSlot, ServeOptions, bind, serve};
