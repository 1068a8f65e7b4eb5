//! The fleet over time, as the values of a line. Pure.

use chrono::{DateTime, Utc};

use crate::store::samples::Sample;

/// The mean of what was sampled in each of so many equal parts of a time, the oldest first; `None`
/// = nothing was sampled then.
pub(super) fn series(
    samples: &[Sample],
    (since, until): (DateTime<Utc>, DateTime<Utc>),
    parts: usize,
    of: impl Fn(&Sample) -> i64,
) -> Vec<Option<f64>> {
    let span = (until - since).num_milliseconds().max(1) as f64;
    let mut sums = vec![(0.0, 0.0); parts];
    for sample in samples {
        let place = (sample.at - since).num_milliseconds() as f64 / span;
        if !(0.0..=1.0).contains(&place) {
            continue;
        }
        // Truncation is meant: the part in which it falls.
        let part = (place * parts as f64) as usize;
        if let Some((sum, count)) = sums.get_mut(part.min(parts.saturating_sub(1))) {
            *sum += of(sample) as f64;
            *count += 1.0;
        }
    }
    sums.into_iter().map(|(sum, count)| (count > 0.0).then(|| sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn sample(minute: i64, informs: i64) -> Sample {
        let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        Sample { at, devices: 0, online: 0, fresh: 0, faulted: 0, informs }
    }

    fn over(minutes: i64, parts: usize, samples: &[Sample]) -> Vec<Option<f64>> {
        let since = DateTime::UNIX_EPOCH;
        let until = since + TimeDelta::minutes(minutes);
        series(samples, (since, until), parts, |sample| sample.informs)
    }

    #[test]
    fn each_part_is_the_mean_of_its_samples() {
        let samples = [sample(0, 10), sample(4, 20), sample(5, 7), sample(20, 9)];
        let expected = [Some(15.0), Some(7.0), None, Some(9.0)];
        assert_eq!(over(20, 4, &samples), expected, "the last moment is of the last part");
    }

    #[test]
    fn what_is_outside_of_the_time_counts_for_nothing() {
        assert_eq!(over(10, 2, &[sample(-1, 5), sample(11, 5)]), [None, None]);
        assert!(over(10, 0, &[sample(1, 5)]).is_empty());
        assert_eq!(over(0, 1, &[sample(0, 5)]), [Some(5.0)]);
    }
}
