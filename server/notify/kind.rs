//! Kinds of events that others are told of. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Stands in place of a kind where a webhook is only tried.
pub const TEST: &str = "test";

/// A kind of event that others are told of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = EventKind)]
pub enum Kind {
    /// A device was heard of for the first time.
    #[serde(rename = "device.first_seen")]
    DeviceFirstSeen,
    /// A device waits for somebody to let it in.
    #[serde(rename = "device.quarantined")]
    DeviceQuarantined,
    /// A device is not heard of any more.
    #[serde(rename = "device.offline")]
    DeviceOffline,
    /// A device that was not heard of is back.
    #[serde(rename = "device.online")]
    DeviceOnline,
    /// A device is not as it is wanted.
    #[serde(rename = "device.drifted")]
    DeviceDrifted,
    /// A device wrote a crash file.
    #[serde(rename = "device.crashed")]
    DeviceCrashed,
    /// A job on a device failed.
    #[serde(rename = "device.fault")]
    DeviceFault,
    /// A rollout changed its state.
    #[serde(rename = "rollout.state")]
    RolloutState,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DeviceFirstSeen,
        Self::DeviceQuarantined,
        Self::DeviceOffline,
        Self::DeviceOnline,
        Self::DeviceDrifted,
        Self::DeviceCrashed,
        Self::DeviceFault,
        Self::RolloutState,
    ];

    /// The word in the database, the API, the command line and what is sent.
    pub fn word(self) -> &'static str {
        match self {
            Self::DeviceFirstSeen => "device.first_seen",
            Self::DeviceQuarantined => "device.quarantined",
            Self::DeviceOffline => "device.offline",
            Self::DeviceOnline => "device.online",
            Self::DeviceDrifted => "device.drifted",
            Self::DeviceCrashed => "device.crashed",
            Self::DeviceFault => "device.fault",
            Self::RolloutState => "rollout.state",
        }
    }

    /// What it says, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::DeviceFirstSeen => "A device was heard of for the first time",
            Self::DeviceQuarantined => "A device waits for somebody to let it in",
            Self::DeviceOffline => "A device is not heard of any more",
            Self::DeviceOnline => "A device that was not heard of is back",
            Self::DeviceDrifted => "A device is not as it is wanted",
            Self::DeviceCrashed => "A device wrote a crash file",
            Self::DeviceFault => "A job on a device failed",
            Self::RolloutState => "A rollout changed its state",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            format!("`{text}` is no kind of event: {}", words.join(", "))
        })
    }
}

/// Of which kind an event of a device is; `None` = nobody is told of it.
pub fn of_event(kind: &str) -> Option<Kind> {
    match kind {
        "first_contact" => Some(Kind::DeviceFirstSeen),
        "quarantined" => Some(Kind::DeviceQuarantined),
        "offline" => Some(Kind::DeviceOffline),
        "online" => Some(Kind::DeviceOnline),
        "drifted" => Some(Kind::DeviceDrifted),
        "crashed" => Some(Kind::DeviceCrashed),
        "job.failed" => Some(Kind::DeviceFault),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn words_lead_back_to_kinds() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse::<Kind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert!(!kind.meaning().is_empty());
        }
        assert!("device.lost".parse::<Kind>().unwrap_err().contains("device.first_seen"));
        assert!(TEST.parse::<Kind>().is_err(), "nobody asks for tests");
    }

    #[test]
    fn what_happens_all_day_is_told_nobody() {
        for quiet in ["boot", "value_change", "job.done", "job.created", "device.changed", ""] {
            assert_eq!(of_event(quiet), None, "{quiet}");
        }
        let told = ["first_contact", "quarantined", "offline", "online", "drifted", "crashed"];
        for event in told.into_iter().chain(["job.failed"]) {
            assert!(of_event(event).is_some(), "{event}");
        }
    }
}
