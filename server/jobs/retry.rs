//! What a fault means for a job: again, and when, or no more. Pure.

use muster_cwmp::fault::FaultCode;

use super::spec::JobSpec;

/// What to do with a job whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Run it again after this many seconds.
    Retry {
        /// Seconds from now.
        after: u32,
    },
    /// The same request would fail the same way.
    GiveUp,
}

/// Attempts a job of this kind gets in all.
pub fn max_attempts(spec: &JobSpec) -> i32 {
    match spec {
        // Each attempt reads more carefully than the one before.
        JobSpec::Refresh { .. } => 5,
        JobSpec::Credentials => 8,
        // Its order is one, and so is each reading that was cut short; a look at a test that goes
        // on is none.
        JobSpec::Diagnose { .. } => 10,
        JobSpec::FactoryReset | JobSpec::Reboot => 3,
        _ => 5,
    }
}

/// Judges a CPE's fault. `attempt` counts from 1; `jitter` is in [0, 1).
///
/// What the device calls wrong in our request (9000, 9003, 9005 to 9009, 9013) will be wrong again;
/// what it calls its own trouble (9001, 9002, 9004) or the file server's (9010 to 9018) may pass.
pub fn after_fault(code: FaultCode, attempt: i32, max: i32, jitter: f64) -> Verdict {
    if attempt >= max {
        return Verdict::GiveUp;
    }
    match code.0 {
        9000 | 9003 | 9005..=9009 | 9012..=9014 | 9019 | 9021..=9026 | 9028..=9032 => {
            Verdict::GiveUp
        }
        9010 | 9011 | 9015..=9018 | 9020 => Verdict::Retry { after: back_off(60, attempt, jitter) },
        9001 | 9002 | 9004 | 9027 => Verdict::Retry { after: back_off(30, attempt, jitter) },
        // A vendor's own number: once more, in case it is passing.
        _ if attempt < 2 => Verdict::Retry { after: back_off(60, attempt, jitter) },
        _ => Verdict::GiveUp,
    }
}

/// Judges a session that was lost while the job ran.
pub fn after_loss(attempt: i32, max: i32, jitter: f64) -> Verdict {
    match attempt {
        n if n >= max => Verdict::GiveUp,
        // A lost connection is mostly only that: the session that found it out may go on.
        n if n <= 1 => Verdict::Retry { after: 0 },
        n => Verdict::Retry { after: back_off(5, n, jitter) },
    }
}

/// Judges a device that answered with nothing, several times in one session (N5): not in this one
/// again.
pub fn after_silence(attempt: i32, max: i32, jitter: f64) -> Verdict {
    after_loss(attempt.max(2), max, jitter)
}

/// `base` doubled with each attempt up to six hours, spread over half its length so that devices
/// that failed together do not come together.
fn back_off(base: u32, attempt: i32, jitter: f64) -> u32 {
    let exponent = u32::try_from(attempt.clamp(1, 12) - 1).unwrap_or(0);
    let full = base.saturating_mul(1 << exponent).min(21_600);
    let spread = f64::from(full) * 0.5 * jitter;
    // Truncation is meant: whole seconds, and the product is below 2^15.
    full / 2 + spread as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_the_request_is_not_sent_again() {
        for code in [9000, 9003, 9005, 9006, 9007, 9008] {
            assert_eq!(after_fault(FaultCode(code), 1, 5, 0.0), Verdict::GiveUp);
        }
    }

    #[test]
    fn passing_trouble_is_tried_again_with_growing_waits_until_the_last_attempt() {
        let mut last = 0;
        for attempt in 1..5 {
            let Verdict::Retry { after } = after_fault(FaultCode(9002), attempt, 5, 0.5) else {
                panic!("attempt {attempt} of 5 gave up")
            };
            assert!(after > last);
            last = after;
        }
        assert_eq!(after_fault(FaultCode(9002), 5, 5, 0.5), Verdict::GiveUp);
        assert_eq!(after_loss(1, 5, 0.5), Verdict::Retry { after: 0 });
        for verdict in [after_loss(2, 5, 0.5), after_silence(1, 5, 0.5)] {
            assert!(matches!(verdict, Verdict::Retry { after } if after > 0));
        }
        assert_eq!(after_loss(5, 5, 0.0), Verdict::GiveUp);
    }

    #[test]
    fn no_wait_exceeds_six_hours() {
        assert!(back_off(3_600, i32::MAX, 0.999) <= 21_600);
        assert!(back_off(u32::MAX, 12, 0.999) <= 21_600);
    }
}
