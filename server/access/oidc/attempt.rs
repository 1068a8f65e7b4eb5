//! A login under way. Muster keeps nothing of it: the browser that begins one carries what its end
//! needs, sealed, so that no other browser can end it and nobody can begin one for somebody else.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::fleet::secret::Keys;

/// How long a browser may take at the provider.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// What attempts are sealed for.
const PURPOSE: &str = "oidc login";

/// A login that was begun; the browser carries it, sealed.
#[derive(Serialize, Deserialize)]
pub struct Attempt {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) expires_at: DateTime<Utc>,
    /// Where in Muster the browser wanted to go.
    pub next: String,
}

impl Attempt {
    /// As the browser carries it.
    pub fn seal(&self, keys: &Keys) -> String {
        let text = serde_json::to_string(self).expect("an attempt is plain data");
        keys.seal_text(&text, PURPOSE)
    }

    /// What [`Attempt::seal`] made, unless it is too old or somebody else's work.
    pub fn open(keys: &Keys, sealed: &str, now: DateTime<Utc>) -> Option<Self> {
        let text = keys.open_text(sealed, PURPOSE).ok()?;
        let attempt: Self = serde_json::from_str(&text).ok()?;
        (now < attempt.expires_at).then_some(attempt)
    }

    /// Whether this is the state that went with it.
    pub fn is_answered_by(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_attempt_is_good_for_its_state_its_time_and_this_installation_only() {
        let keys = Keys::new([7; 32]);
        let now = DateTime::UNIX_EPOCH;
        let attempt = Attempt {
            state: "state".to_owned(),
            nonce: "nonce".to_owned(),
            verifier: "verifier".to_owned(),
            expires_at: now + PATIENCE,
            next: "/devices".to_owned(),
        };
        let sealed = attempt.seal(&keys);
        assert!(!sealed.contains([';', ',', ' ', '"', '=']), "{sealed} must fit a cookie");
        let opened = Attempt::open(&keys, &sealed, now).unwrap();
        assert_eq!((opened.next.as_str(), opened.verifier.as_str()), ("/devices", "verifier"));
        assert!(opened.is_answered_by("state"));
        assert!(!opened.is_answered_by("") && !opened.is_answered_by("stat"));
        assert!(Attempt::open(&keys, &sealed, now + PATIENCE).is_none());
        assert!(Attempt::open(&Keys::new([8; 32]), &sealed, now).is_none());
        // What was sealed for something else is no attempt, whatever it says.
        let text = serde_json::to_string(&attempt).unwrap();
        assert!(Attempt::open(&keys, &keys.seal_text(&text, "login"), now).is_none());
        assert!(Attempt::open(&keys, "", now).is_none());
    }
}
