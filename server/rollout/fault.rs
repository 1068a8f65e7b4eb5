//! What a failure means for a rollout: that it may pass, that it will not, or that it lies with the
//! rollout itself and will meet the others, too. Pure.

use muster_cwmp::fault::FaultCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to make of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FaultClass)]
pub enum Class {
    /// It may pass: the same again, as often as the plan says.
    Retry,
    /// The same would fail the same way.
    GiveUp,
    /// It lies with what the device was given, not with the device: nothing new begins.
    Hold,
}

impl Class {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::GiveUp => "give_up",
            Self::Hold => "hold",
        }
    }
}

/// Of which kind the fault is that ended a job (TR-069 A.5.1). The job itself was tried as often as
/// `jobs::retry` says before.
///
/// A job that ended without a fault of the device is given up: it came back on the old version, or
/// nobody knows what it did, and to flash it again blindly is no cure.
pub fn class(code: Option<u16>) -> Class {
    match code {
        // The file server refuses our devices, our address is none, or our file's signature is bad.
        Some(9012 | 9013 | 9019) => Class::Hold,
        // The device's own trouble, or that of its line.
        Some(9001 | 9002 | 9004 | 9010 | 9011 | 9015..=9018 | 9020 | 9027) => Class::Retry,
        Some(_) | None => Class::GiveUp,
    }
}

/// Why it failed, for people: what the job says, or what the number means.
pub fn words(code: Option<u16>, note: Option<&str>) -> String {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    match (note, code) {
        (Some(note), _) => note.to_owned(),
        (None, Some(code)) => match FaultCode(u32::from(code)).meaning() {
            Some(meaning) => format!("the device refused: {code} ({meaning})"),
            None => format!("the device refused: {code}"),
        },
        (None, None) => "it failed, and nobody said why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::retry::{self, Verdict};

    #[test]
    fn what_jobs_give_up_at_once_is_not_tried_again_by_the_rollout() {
        for code in 8_990..=10_100_u16 {
            let verdict = retry::after_fault(FaultCode(u32::from(code)), 1, 5, 0.0);
            if verdict == Verdict::GiveUp {
                assert_ne!(class(Some(code)), Class::Retry, "{code}");
            }
        }
        assert_eq!(class(Some(9010)), Class::Retry);
        assert_eq!(class(Some(9019)), Class::Hold);
        assert_eq!((class(Some(9800)), class(None)), (Class::GiveUp, Class::GiveUp));
    }

    #[test]
    fn a_failure_is_said_by_the_job_or_by_its_number() {
        let note = "came back on 7.12.1 instead of 7.16.1";
        assert_eq!(words(Some(9018), Some(note)), note);
        assert_eq!(words(Some(9018), Some(" ")), "the device refused: 9018 (file corrupted)");
        assert_eq!(words(Some(9899), None), "the device refused: 9899");
        assert!(!words(None, None).is_empty());
        for class in [Class::Retry, Class::GiveUp, Class::Hold] {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
        }
    }
}
