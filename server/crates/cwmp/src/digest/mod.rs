//! HTTP Basic and Digest authentication (RFC 7617, RFC 7616, RFC 2617) for both sides of the wire:
//! the ACS challenges devices, devices (and the simulator) answer, and a connection request does
//! the same the other way round.
//!
//! Owns: challenges, nonces, parsing and checking of `Authorization`, answering a challenge. Must
//! never read a clock, draw randomness, log, or decide policy: who may use Basic, which realm is
//! ours and how often one may fail are the caller's.
//!
//! What is kept of a device's password is HA1, never the password (a stolen table then gives access
//! to this realm only).

mod client;
mod header;
mod nonce;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Challenge, ChallengeError, DigestChallenge, answer};
pub use header::HeaderError;
pub use nonce::{NonceState, Nonces};
pub use server::{Authorization, DigestCredentials, challenges};

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Longest authentication header that is read, in bytes. Real ones are below 600.
pub const MAX_HEADER_BYTES: usize = 8192;
/// Most fields (and scheme names) that one authentication header may hold. Real ones have ten.
pub const MAX_HEADER_FIELDS: usize = 48;

/// The hash under a Digest (RFC 7616 section 3.3). The `-sess` variants are neither offered nor
/// accepted: no CPE is known to need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What TR-069 asks for and every device that can do Digest knows.
    Md5,
    /// Offered second (U1).
    Sha256,
}

impl Algorithm {
    /// The name in the `algorithm` field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Reads an `algorithm` field in any case; `None` for one that is not supported.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Lower-case hexadecimal hash of the parts joined with colons.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hex::encode(Md5::digest(text.as_bytes())),
            Self::Sha256 => hex::encode(Sha256::digest(text.as_bytes())),
        }
    }
}

/// HA1 in lower-case hexadecimal (RFC 7616 section 3.4.2): all that has to be stored to check a
/// Digest of this algorithm and realm, or a Basic password.
pub fn ha1(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&[username, realm, password])
}

/// Compares two secrets of the same form (HA1, password) in a time that depends on their length
/// only. To check Basic against a stored HA1, compare it with [`ha1`] of what came.
pub fn secrets_match(expected: &str, actual: &str) -> bool {
    expected.as_bytes().ct_eq(actual.as_bytes()).into()
}

/// The parts of a Digest that are hashed besides HA1.
struct Question<'a> {
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    /// `(nc, cnonce)` with qop=auth; `None` is the older form of RFC 2069.
    auth: Option<(&'a str, &'a str)>,
}

/// The `response` field (RFC 7616 section 3.4.1).
fn response(algorithm: Algorithm, ha1: &str, question: &Question<'_>) -> String {
    let ha2 = algorithm.hash(&[question.method, question.uri]);
    match question.auth {
        Some((nc, cnonce)) => {
            algorithm.hash(&[ha1, question.nonce, nc, cnonce, "auth", ha2.as_str()])
        }
        None => algorithm.hash(&[ha1, question.nonce, ha2.as_str()]),
    }
}
