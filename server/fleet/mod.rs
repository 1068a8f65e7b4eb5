//! Devices as the operator knows them: identity, what is secret of them, what is learned of them.

pub mod credentials;
pub mod facts;
pub mod identity;
pub mod learn;
pub mod secret;
