//! How fast the downloads of a rollout go together.
//!
//! Owns one line for each rollout that has a limit. Each piece of a file takes its place at the end
//! of the line, as long as the limit makes it, and goes when its turn comes: so all downloads of a
//! rollout share what it may take, however many they are. The nodes do not see each other's lines: each
//! takes an equal share of the limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use uuid::Uuid;

/// Nobody waits for less: timers are not finer, and a line that made up for it would be too slow.
const FINEST: Duration = Duration::from_millis(10);
/// Lines that are kept before those in which nothing waits are forgotten.
const LINES: usize = 64;

/// The lines of a node.
#[derive(Debug, Clone, Default)]
pub struct Throttle(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    ends: HashMap<Uuid, Instant>,
    /// Nodes that share each limit; 0 = none was heard of yet: this one.
    nodes: u32,
}

/// How fast the downloads of a rollout may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Which rollout.
    pub rollout_id: Uuid,
    /// Megabits per second, all of them together, on all nodes.
    pub megabits: u32,
}

impl Throttle {
    /// So many nodes send now, this one among them: from here on each takes its share.
    pub fn share(&self, nodes: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).nodes = nodes;
    }

    /// The same bytes, no faster than the rollout may.
    pub fn slowed<E: Send + 'static>(
        &self,
        pace: Pace,
        bytes: BoxStream<'static, Result<Bytes, E>>,
    ) -> BoxStream<'static, Result<Bytes, E>> {
        let lines = self.clone();
        let slowed = bytes.then(move |piece| {
            let length = piece.as_ref().map_or(0, Bytes::len);
            let turn = lines.turn(pace, length, Instant::now());
            async move {
                if let Some(turn) = turn {
                    tokio::time::sleep_until(turn.into()).await;
                }
                piece
            }
        });
        slowed.boxed()
    }

    /// Takes a place for so many bytes at the end of the line. `None` = they may go now.
    fn turn(&self, pace: Pace, length: usize, now: Instant) -> Option<Instant> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.ends.len() >= LINES {
            lines.ends.retain(|_, end| *end > now);
        }
        let length = length_of(length, pace.megabits, lines.nodes);
        let end = lines.ends.entry(pace.rollout_id).or_insert(now);
        let turn = (*end).max(now);
        *end = turn + length;
        (turn > now + FINEST).then_some(turn)
    }
}

/// How long so many bytes take of one of so many nodes: a megabit per second is a bit per microsecond.
fn length_of(bytes: usize, megabits: u32, nodes: u32) -> Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
    let shared = bits.saturating_mul(u64::from(nodes.max(1)));
    Duration::from_micros(shared / u64::from(megabits.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rollout: u128, megabits: u32) -> Pace {
        Pace { rollout_id: Uuid::from_u128(rollout), megabits }
    }

    #[test]
    fn the_downloads_of_a_rollout_share_its_limit() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        // 8 Mbit/s are a byte per microsecond: each of these takes 100 ms.
        let turns: Vec<Duration> = (0..5)
            .map(|_| throttle.turn(pace(1, 8), 100_000, now).map_or(Duration::ZERO, |t| t - now))
            .collect();
        let expected: Vec<Duration> = (0..5).map(|n| Duration::from_millis(100 * n)).collect();
        assert_eq!(turns, expected);
        assert_eq!(throttle.turn(pace(2, 8), 100_000, now), None, "another has a line of its own");
        let later = now + Duration::from_secs(1);
        assert_eq!(throttle.turn(pace(1, 8), 100_000, later), None, "nobody saves up");
        let next = throttle.turn(pace(1, 8), 1, later);
        assert_eq!(next, Some(later + Duration::from_millis(100)));
    }

    #[test]
    fn nodes_share_the_limit_equally() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        throttle.share(2);
        assert_eq!(throttle.turn(pace(1, 8), 100_000, now), None);
        let next = throttle.turn(pace(1, 8), 100_000, now);
        assert_eq!(next, Some(now + Duration::from_millis(200)), "half of a byte per microsecond");
        throttle.share(1);
        let next = throttle.turn(pace(1, 8), 1, now);
        assert_eq!(next, Some(now + Duration::from_millis(400)), "what waits keeps its turn");
        let next = throttle.turn(pace(1, 8), 1, now + Duration::from_secs(1));
        assert_eq!(next, None);
        let alone = throttle.turn(pace(2, 8), 100_000, now).or(throttle.turn(pace(2, 8), 1, now));
        assert_eq!(alone, Some(now + Duration::from_millis(100)), "the other one has gone");
    }

    #[test]
    fn small_pieces_go_at_the_limit_although_timers_are_coarse() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let turns: Vec<Option<Instant>> =
            (0..1_000).map(|_| throttle.turn(pace(1, 800), 8_192, now)).collect();
        let last = turns.last().copied().flatten().map(|turn| turn - now);
        // 999 pieces of 81 us stand before the last one.
        assert_eq!(last, Some(Duration::from_micros(999 * 81)));
    }

    #[test]
    fn lines_in_which_nothing_waits_are_forgotten() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for rollout in 0..1_000 {
            let at = now + Duration::from_secs(rollout);
            throttle.turn(pace(u128::from(rollout), 1), 1, at);
        }
        let kept = throttle.0.lock().map_or(0, |lines| lines.ends.len());
        assert!(kept <= LINES, "{kept}");
    }
}
