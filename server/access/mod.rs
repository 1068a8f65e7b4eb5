//! Who may do what: people, their roles, sessions and tokens, and the log of what they changed.
//!
//! Owns authentication of people and programs, and the rules of rights. It knows nothing of HTTP:
//! `api` and `web` turn a request into a [`crate::ctx::Ctx`] with what is here, and each call in
//! `service` asks that. It must never keep a password or a token in clear, nor tell a stranger
//! whether a name exists.

pub mod audit;
pub mod first;
pub mod grant;
pub mod known;
pub mod login;
pub mod oidc;
pub mod password;
pub mod right;
pub mod role;
pub mod session;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod user;
