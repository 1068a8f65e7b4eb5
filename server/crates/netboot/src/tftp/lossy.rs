//! A wire between two ends, for tests: it loses packets, brings some twice, and others late, each the
//! same way for the same seed.

use std::collections::BTreeMap;
use std::time::Duration;

/// The wire, and what is on it.
pub(crate) struct Wire {
    /// What chance begins with.
    pub seed: u64,
    /// Of a hundred packets, so many are lost.
    pub loss: u64,
    /// Of a hundred packets, so many come twice.
    pub twice: u64,
    /// Each takes up to this much longer, in milliseconds: packets overtake each other.
    pub late: u64,
    /// What each takes at least.
    pub least: Duration,
    /// Packets so far.
    pub sent: u64,
    /// By the time at which they arrive, and in their order; whether the server is meant.
    pub under_way: BTreeMap<(Duration, u64), (bool, Vec<u8>)>,
}

impl Wire {
    /// Everything arrives at once, and in its order.
    pub(crate) fn perfect() -> Self {
        Self {
            seed: 0,
            loss: 0,
            twice: 0,
            late: 0,
            least: Duration::ZERO,
            sent: 0,
            under_way: BTreeMap::new(),
        }
    }

    /// Puts a packet onto it.
    pub(crate) fn send(&mut self, to_server: bool, bytes: Vec<u8>, now: Duration) {
        if self.chance(100) >= self.loss {
            self.put(to_server, bytes.clone(), now);
            if self.chance(100) < self.twice {
                self.put(to_server, bytes, now);
            }
        }
    }

    fn put(&mut self, to_server: bool, bytes: Vec<u8>, now: Duration) {
        let late = Duration::from_millis(self.chance(self.late + 1));
        self.sent += 1;
        self.under_way.insert((now + self.least + late, self.sent), (to_server, bytes));
    }

    /// When the next packet arrives.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    /// The next packet that has arrived.
    pub(crate) fn take(&mut self, now: Duration) -> Option<(bool, Vec<u8>)> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Any number below `most`: splitmix64.
    fn chance(&mut self, most: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}
