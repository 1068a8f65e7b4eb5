//! How much strangers may make the log say.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most so many lines in a window; the rest are counted and told with the next one.
pub struct Noise {
    lines: u32,
    window: Duration,
    state: Mutex<State>,
}

struct State {
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Noise {
    /// `lines` in each `window`.
    pub const fn new(lines: u32, window: Duration) -> Self {
        Self { lines, window, state: Mutex::new(State { since: None, said: 0, unsaid: 0 }) }
    }

    /// `Some` = say it, and how many before it were not said.
    pub fn say(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.is_none_or(|since| now.duration_since(since) >= self.window) {
            state.since = Some(now);
            state.said = 0;
        }
        if state.said >= self.lines {
            state.unsaid += 1;
            return None;
        }
        state.said += 1;
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_not_told() {
        let noise = Noise::new(2, Duration::from_secs(1));
        let start = Instant::now();
        let said: Vec<_> = (0..100).filter_map(|_| noise.say(start)).collect();
        assert_eq!(said, [0, 0]);
        assert_eq!(noise.say(start + Duration::from_secs(1)), Some(98));
    }
}
