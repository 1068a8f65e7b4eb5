//! Templates that took their process too far are refused for a while, so that the others get theirs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Failure;

/// SHA-256 of a template and of who has it rendered.
pub(super) type Key = [u8; 32];

/// How long one is refused.
const REFUSED: Duration = Duration::from_secs(5 * 60);
/// So many are known.
const MOST: usize = 1_000;

/// What is refused, why, and until when.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<HashMap<Key, (Failure, Instant)>>);

impl Refused {
    /// Why this one is refused now.
    pub(super) fn why(&self, key: &Key, now: Instant) -> Option<Failure> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(_, until)| *until > now).map(|(failure, _)| failure.clone())
    }

    /// Notes how the rendering of one failed. A mistake costs the others nothing, and that the renderers
    /// are busy is no fault of the template: neither is kept.
    pub(super) fn note(&self, key: Key, failure: &Failure, now: Instant) {
        if !matches!(failure, Failure::TooSlow | Failure::TooMuch | Failure::Died) {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, until)| *until > now);
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                known.remove(&oldest);
            }
        }
        known.insert(key, (failure.clone(), now + REFUSED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_too_far_is_refused_for_a_while_with_the_same_words() {
        let (refused, now) = (Refused::default(), Instant::now());
        let [slow, wrong, other] = [1, 2, 3].map(|n| [n; 32]);
        refused.note(slow, &Failure::TooSlow, now);
        refused.note(wrong, &Failure::Mistake("line 1: no".to_owned()), now);
        refused.note(other, &Failure::Busy, now);
        assert_eq!(refused.why(&slow, now), Some(Failure::TooSlow));
        assert_eq!(refused.why(&slow, now + REFUSED), None);
        assert_eq!([refused.why(&wrong, now), refused.why(&other, now)], [None, None]);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (refused, now) = (Refused::default(), Instant::now());
        let key = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            key
        };
        let at = |n: usize| now + Duration::from_millis(n as u64);
        for n in 0..=MOST {
            refused.note(key(n), &Failure::Died, at(n));
        }
        assert_eq!(refused.why(&key(0), at(MOST)), None);
        assert_eq!(refused.why(&key(1), at(MOST)), Some(Failure::Died));
        assert_eq!(refused.why(&key(MOST), at(MOST)), Some(Failure::Died));
    }
}
