//! A latency histogram of fixed size: exact below 64 us, within 1.6 % above.

use std::time::Duration;

/// Buckets per power of two.
const STEPS: u64 = 64;
/// log2 of [`STEPS`].
const STEP_BITS: u32 = 6;
/// Enough for any u64.
const BUCKETS: usize = ((64 - STEP_BITS + 1) as usize) * STEPS as usize;

/// Counts durations by microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl Histogram {
    /// Nothing counted yet.
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: Duration::ZERO }
    }

    /// Counts one.
    pub(crate) fn record(&mut self, value: Duration) {
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.total += 1;
        self.max = self.max.max(value);
    }

    /// Adds another's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The largest.
    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// The value below or at which this share (0 to 1) of the counts lies; zero when empty.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper(index as u64)).min(self.max);
            }
        }
        Duration::ZERO
    }
}

fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let shift = micros.ilog2() - STEP_BITS;
    let step = (micros >> shift) - STEPS;
    ((u64::from(shift) + 1) * STEPS + step) as usize
}

/// The largest value of a bucket.
fn upper(index: u64) -> u64 {
    let (octave, step) = (index / STEPS, index % STEPS);
    if octave == 0 {
        return step;
    }
    let shift = octave - 1;
    // One below the next bucket's first value, without overflow in the last bucket.
    ((STEPS + step) << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_a_known_set() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for millis in 1..=1_000 {
            histogram.record(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let found = histogram.quantile(share).as_secs_f64() * 1_000.0;
            assert!((found / millis - 1.0).abs() < 0.02, "{share}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), Duration::from_secs(1));
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.total(), twice.max()), (2_000, Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value(micros: u64) {
            let index = bucket(micros);
            prop_assert!(index < BUCKETS);
            prop_assert!(upper(index as u64) >= micros);
            prop_assert!(index == 0 || upper(index as u64 - 1) < micros);
        }
    }
}
