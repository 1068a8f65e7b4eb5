//! Talking to a device itself, beside CWMP: so far over the REST service of RouterOS 7, to ask what is
//! installed on it.
//!
//! Owns whom Muster calls for that, and what it shows them: the address is the one at which the device
//! takes connection requests, by the same rules, and never one that somebody asks for; the password goes
//! over TLS to the certificate that its owner has named, and to nothing else. Why not is said in words
//! that hold no secret and nothing of what was answered. Nothing is stored here.

mod address;
mod login;
mod pin;
mod rest;
mod said;

pub use login::Login;
pub use rest::{Asked, inspect};

#[cfg(test)]
mod tests;
