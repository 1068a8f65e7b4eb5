//! Stateless nonces: a node knows its own (and its peers', who share the key) by their seal.
//!
//! Owns the form of a nonce. Must never keep a list: a challenge that costs memory is an invitation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Seconds since 1970, then the caller's number.
const PAYLOAD_BYTES: usize = 16;
/// Half of an HMAC-SHA256 (RFC 2104 section 5 allows it).
const SEAL_BYTES: usize = 16;
/// Keeps this use of the key apart from any other.
const PURPOSE: &[u8] = b"muster http digest nonce";

/// Issues and recognises nonces. All nodes of an installation share the key.
#[derive(Clone)]
pub struct Nonces {
    /// Secret, 256 random bits.
    pub key: [u8; 32],
}

/// What a nonce that came back is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceState {
    /// Ours and young enough.
    Valid,
    /// Ours but too old: challenge again with `stale=true` (U2).
    Stale,
    /// Not ours, or altered.
    Forged,
}

impl Nonces {
    /// A new nonce of 43 characters. `random` makes two nonces of one second differ; a caller that
    /// binds nonces to sessions (U3) keeps it and compares it with [`Nonces::random_in`].
    pub fn issue(&self, now_unix: u64, random: u64) -> String {
        let mut bytes = [0; PAYLOAD_BYTES + SEAL_BYTES];
        bytes[..8].copy_from_slice(&now_unix.to_be_bytes());
        bytes[8..PAYLOAD_BYTES].copy_from_slice(&random.to_be_bytes());
        let seal = self.mac(&bytes[..PAYLOAD_BYTES]).finalize().into_bytes();
        bytes[PAYLOAD_BYTES..].copy_from_slice(&seal.as_slice()[..SEAL_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Judges a nonce; `now_unix` and `max_age` are in seconds. One from the future (another node's
    /// clock is ahead) is valid: its seal says that it is ours.
    pub fn verify(&self, nonce: &str, now_unix: u64, max_age: u64) -> NonceState {
        let Some(bytes) = decode(nonce) else { return NonceState::Forged };
        let (payload, seal) = bytes.split_at(PAYLOAD_BYTES);
        if self.mac(payload).verify_truncated_left(seal).is_err() {
            return NonceState::Forged;
        }
        if now_unix.saturating_sub(be_u64(&payload[..8])) > max_age {
            return NonceState::Stale;
        }
        NonceState::Valid
    }

    /// The number that was given to [`Nonces::issue`]. Means something only for a nonce that
    /// [`Nonces::verify`] did not call forged; `None` if it has not even the form of one.
    pub fn random_in(nonce: &str) -> Option<u64> {
        decode(nonce).map(|bytes| be_u64(&bytes[8..PAYLOAD_BYTES]))
    }

    fn mac(&self, payload: &[u8]) -> Hmac<Sha256> {
        <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key)
            .expect("HMAC takes a key of any length")
            .chain_update(PURPOSE)
            .chain_update(payload)
    }
}

fn decode(nonce: &str) -> Option<[u8; PAYLOAD_BYTES + SEAL_BYTES]> {
    URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_nonce_ages() {
        let nonces = Nonces { key: [7; 32] };
        let nonce = nonces.issue(NOW, 42);
        assert_eq!(nonce.len(), 43);
        assert_eq!(nonces.verify(&nonce, NOW, 300), NonceState::Valid);
        assert_eq!(nonces.verify(&nonce, NOW + 300, 300), NonceState::Valid);
        assert_eq!(nonces.verify(&nonce, NOW + 301, 300), NonceState::Stale);
        assert_eq!(nonces.verify(&nonce, NOW - 5, 300), NonceState::Valid);
        assert_eq!(Nonces::random_in(&nonce), Some(42));
    }

    #[test]
    fn every_altered_character_is_noticed() {
        let nonces = Nonces { key: [7; 32] };
        let nonce = nonces.issue(NOW, 42);
        for at in 0..nonce.len() {
            let mut bytes = nonce.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(nonces.verify(&altered, NOW, 300), NonceState::Forged, "{altered}");
        }
        assert_eq!(Nonces { key: [8; 32] }.verify(&nonce, NOW, 300), NonceState::Forged);
    }

    #[test]
    fn garbage_is_forged() {
        let nonces = Nonces { key: [7; 32] };
        for garbage in ["", "x", &"A".repeat(43), &"ü".repeat(43), &"A".repeat(4000)] {
            assert_eq!(nonces.verify(garbage, NOW, 300), NonceState::Forged);
        }
    }
}
