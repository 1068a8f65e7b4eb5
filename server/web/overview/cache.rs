//! Figures that many dashboards ask for, counted once for all of them.
//!
//! What was counted is kept by where it was counted, so that nobody is shown figures of devices
//! that they may not see. It serves again for five seconds, or longer where counting took long: at
//! most a tenth of the time is spent on it, however many look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::store::within::Within;

/// Shortest time for which figures serve.
const LEAST: Duration = Duration::from_secs(5);
/// Longest time for which they do.
const MOST: Duration = Duration::from_secs(60);
/// They serve so many times as long as counting took.
const TIMES: u32 = 10;
/// Places of which figures are kept.
const MAX_PLACES: usize = 64;

/// Of which devices it was counted; `None` = of all.
type Place = Option<Within>;
/// Locked while somebody counts: the others wait for that.
type Slot<T> = Arc<tokio::sync::Mutex<Option<Counted<T>>>>;

/// What was counted.
struct Counted<T> {
    value: Arc<T>,
    until: Instant,
}

/// Figures of one kind.
pub(in crate::web) struct Cache<T>(Mutex<HashMap<Place, Slot<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<T> Cache<T> {
    /// What was counted at this place lately, or what `count` gives; it is not begun where that is
    /// not needed.
    pub(in crate::web) async fn get(
        &self,
        place: Place,
        count: impl Future<Output = Result<T, Error>>,
    ) -> Result<Arc<T>, Error> {
        let slot = self.slot(place);
        let mut kept = slot.lock().await;
        let begun = Instant::now();
        if let Some(counted) = kept.as_ref().filter(|counted| begun < counted.until) {
            return Ok(counted.value.clone());
        }
        let value = Arc::new(count.await?);
        let ended = Instant::now();
        *kept = Some(Counted { value: value.clone(), until: ended + life(ended - begun) });
        Ok(value)
    }

    fn slot(&self, place: Place) -> Slot<T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_PLACES && !slots.contains_key(&place) {
            slots.clear();
        }
        slots.entry(place).or_default().clone()
    }
}

/// How long figures serve that took so long to count.
fn life(took: Duration) -> Duration {
    (took * TIMES).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use uuid::Uuid;

    use super::*;

    fn at(site: &str) -> Place {
        Some(Within { sites: vec![site.to_owned()], groups: Vec::new() })
    }

    #[tokio::test]
    async fn who_looks_at_the_same_place_is_shown_the_same_figures() {
        let cache = Cache::default();
        assert_eq!(*cache.get(None, async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(*cache.get(None, async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cache.get(at("eu"), async { Ok(3) }).await.unwrap(), 3);
        assert_eq!(*cache.get(at("us"), async { Ok(4) }).await.unwrap(), 4);
        let of = |group| Some(Within { sites: Vec::new(), groups: vec![Uuid::from_u128(group)] });
        for group in 5..7 {
            let counted = cache.get(of(group), async { Ok(group) }).await.unwrap();
            assert_eq!(*counted, group, "of another group there are other devices");
        }
    }

    #[tokio::test]
    async fn what_failed_is_counted_again() {
        let cache = Cache::default();
        let failed = cache.get(None, async { Err(Error::Internal(String::new())) }).await;
        assert!(failed.is_err());
        assert_eq!(*cache.get(None, async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn it_keeps_a_bounded_number_of_places() {
        let cache = Cache::default();
        for n in 0..3 * MAX_PLACES {
            cache.get(at(&n.to_string()), async { Ok(n) }).await.unwrap();
            assert!(cache.0.lock().unwrap().len() <= MAX_PLACES);
        }
    }

    #[test]
    fn counting_takes_a_tenth_of_the_time_at_most() {
        for (took, life_of_it) in [(0, 5_000), (400, 5_000), (1_000, 10_000), (60_000, 60_000)] {
            let life = life(Duration::from_millis(took));
            assert_eq!(life, Duration::from_millis(life_of_it), "{took} ms");
        }
    }
}
