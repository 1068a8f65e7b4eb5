//! How many devices this node compares in a second, whether they came by themselves or their time has
//! come. Those that come leave some turns to the others: after a power failure they come for minutes, and
//! take all that they find. Pure: the time is passed in. Sweeps have a pace of their own.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The turns of this node: as many come back each second as may be taken in it.
#[derive(Debug)]
pub struct Pace(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    /// Below zero where more were taken than there were.
    turns: f64,
    at: Instant,
}

/// A pace below this is too slow to be shared out.
const SHARED_FROM: f64 = 4.0;

impl Bucket {
    /// As many turns as are kept for those whose time has come.
    fn kept(&self) -> f64 {
        if self.per_second < SHARED_FROM { 0.0 } else { self.per_second / 4.0 }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        // Nobody saves up; but a whole turn comes together also where it takes longer than a second.
        let most = self.per_second.max(1.0);
        self.turns = (self.turns + seconds * self.per_second).min(most);
        self.at = self.at.max(now);
    }
}

impl Pace {
    /// So many devices a second, all of them at once at first.
    pub fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self(Mutex::new(Bucket { per_second, turns: per_second.max(1.0), at: now }))
    }

    /// So many devices a second, by so many nodes together: this one has its share.
    pub fn share(&self, per_second: u32, nodes: u32, now: Instant) {
        self.with(now, |bucket| {
            bucket.per_second = f64::from(per_second) / f64::from(nodes.max(1));
        });
    }

    /// Takes a turn for a device that came by itself; false = there is none but those that are kept for
    /// the others.
    pub fn take(&self, now: Instant) -> bool {
        self.with(now, |bucket| {
            let is_there = bucket.turns >= 1.0 + bucket.kept();
            bucket.turns -= if is_there { 1.0 } else { 0.0 };
            is_there
        })
    }

    /// How many turns there are.
    pub fn left(&self, now: Instant) -> u32 {
        self.with(now, |bucket| bucket.turns.max(0.0) as u32)
    }

    /// Takes so many turns of those that were [`Pace::left`]. Where somebody else took them meanwhile
    /// they are owed.
    pub fn spend(&self, turns: u32, now: Instant) {
        self.with(now, |bucket| bucket.turns -= f64::from(turns));
    }

    fn with<T>(&self, now: Instant, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.fill(now);
        work(&mut bucket)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn taken(pace: &Pace, now: Instant) -> usize {
        (0..1_000).filter(|_| pace.take(now)).count()
    }

    #[test]
    fn no_more_are_taken_in_a_second_than_may_be() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let pace = Pace::new(3, start);
        assert_eq!(taken(&pace, start), 3);
        assert_eq!(taken(&pace, after(250)), 0, "the most of a turn is none");
        assert_eq!(taken(&pace, after(750)), 2);
        assert_eq!(taken(&pace, after(60_000)), 3, "nobody saves up");
    }

    #[test]
    fn those_that_come_by_themselves_leave_a_quarter_to_those_whose_time_has_come() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let pace = Pace::new(8, start);
        for second in 0..10 {
            let now = after(second);
            assert_eq!((taken(&pace, now), pace.left(now)), (6, 2), "in second {second}");
            pace.spend(2, now);
        }
    }

    #[test]
    fn nodes_share_the_pace_and_each_gets_its_turn() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let pace = Pace::new(1, start);
        assert_eq!(taken(&pace, start), 1);
        pace.share(1, 4, start);
        assert_eq!((taken(&pace, after(3)), taken(&pace, after(5))), (0, 1));
        pace.share(8, 0, after(5));
        assert_eq!(taken(&pace, after(6)), 6, "a quarter is kept");
    }

    #[test]
    fn what_is_spent_twice_is_owed() {
        let start = Instant::now();
        let pace = Pace::new(4, start);
        assert_eq!(pace.left(start), 4);
        assert!(pace.take(start));
        pace.spend(4, start);
        assert_eq!((pace.left(start), pace.take(start)), (0, false));
        assert_eq!(pace.left(start + Duration::from_secs(1)), 3);
    }
}
