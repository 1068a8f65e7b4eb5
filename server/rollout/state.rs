//! The states of a rollout and of a device in it, with the ways between them. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being written; it can still be changed.
    Draft,
    /// Somebody has started it, and somebody else must approve it.
    AwaitingApproval,
    /// It begins at its time.
    Scheduled,
    /// Devices are being changed.
    Running,
    /// All devices of the wave have come to an end, and are watched.
    Soaking,
    /// Nothing new begins.
    Paused,
    /// It came to its end.
    Completed,
    /// It was ended.
    Aborted,
    /// Another rollout takes it back.
    RollingBack,
    /// It was taken back.
    RolledBack,
}

/// Where a device of a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Its turn has not come.
    Waiting,
    /// Its turn has come; its baseline is being read.
    Due,
    /// The order is there for it to take.
    Offered,
    /// It has taken the order.
    Downloading,
    /// It is on its way back.
    Rebooting,
    /// It runs what it should; its health is being looked at.
    Verifying,
    /// It runs what it should, and is well.
    Healthy,
    /// It does not.
    Failed,
    /// It was left out.
    Skipped,
    /// It did not come in time.
    TimedOut,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Draft,
        Self::AwaitingApproval,
        Self::Scheduled,
        Self::Running,
        Self::Soaking,
        Self::Paused,
        Self::Completed,
        Self::Aborted,
        Self::RollingBack,
        Self::RolledBack,
    ];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Soaking => "soaking",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
        }
    }

    /// As people read it: "the rollout is ...".
    pub fn words(self) -> &'static str {
        match self {
            Self::Draft => "a draft",
            Self::AwaitingApproval => "waiting for an approval",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Soaking => "soaking",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
        }
    }

    /// From its stored word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether it has ended: nothing happens any more unless somebody takes it back.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Aborted | Self::RolledBack)
    }

    /// Whether a rollout may go from this state into another.
    pub fn can(self, to: Self) -> bool {
        use State::{
            Aborted, AwaitingApproval, Completed, Draft, Paused, RolledBack, RollingBack, Running,
            Scheduled, Soaking,
        };
        match self {
            Draft => matches!(to, AwaitingApproval | Scheduled | Running),
            AwaitingApproval => matches!(to, Draft | Scheduled | Running | Aborted),
            Scheduled => matches!(to, Draft | Running | Paused | Aborted),
            Running => matches!(to, Soaking | Paused | Completed | Aborted | RollingBack),
            Soaking => matches!(to, Running | Paused | Completed | Aborted | RollingBack),
            Paused => matches!(to, Scheduled | Running | Soaking | Aborted | RollingBack),
            Completed | Aborted => to == RollingBack,
            // What takes it back may itself be given up.
            RollingBack => matches!(to, RolledBack | Aborted),
            RolledBack => false,
        }
    }
}

impl DeviceState {
    /// All of them, in the order in which a device goes through them.
    pub const ALL: [Self; 10] = [
        Self::Waiting,
        Self::Due,
        Self::Offered,
        Self::Downloading,
        Self::Rebooting,
        Self::Verifying,
        Self::Healthy,
        Self::Failed,
        Self::Skipped,
        Self::TimedOut,
    ];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Due => "due",
            Self::Offered => "offered",
            Self::Downloading => "downloading",
            Self::Rebooting => "rebooting",
            Self::Verifying => "verifying",
            Self::Healthy => "healthy",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed_out",
        }
    }

    /// From its stored word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether it is under way: it was begun, and has not come to its end.
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Self::Due | Self::Offered | Self::Downloading | Self::Rebooting | Self::Verifying
        )
    }

    /// Whether it has come to its end. One that is healthy may still get sick as long as it is
    /// watched.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Healthy | Self::Failed | Self::Skipped | Self::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn words_are_what_is_stored_and_sent() {
        for state in State::ALL {
            assert_eq!(State::of(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        for state in DeviceState::ALL {
            assert_eq!(DeviceState::of(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        assert_eq!((State::of("lost"), DeviceState::of("")), (None, None));
    }

    #[test]
    fn a_rollout_that_has_ended_can_only_be_taken_back() {
        for state in State::ALL {
            assert!(!state.can(state), "{state:?}");
            assert!(!state.can(State::Draft) || state.can(State::Running), "{state:?}");
            if state.is_final() {
                let ways: Vec<State> = State::ALL.into_iter().filter(|to| state.can(*to)).collect();
                assert!(ways.iter().all(|to| *to == State::RollingBack), "{state:?}: {ways:?}");
            } else {
                assert!(State::ALL.into_iter().any(|to| state.can(to)), "{state:?} is a dead end");
            }
        }
        assert!(State::Completed.can(State::RollingBack));
        assert!(!State::RolledBack.can(State::RollingBack));
        assert!(State::Running.can(State::Paused) && State::Paused.can(State::Running));
    }

    #[test]
    fn a_device_waits_is_under_way_or_has_ended() {
        for state in DeviceState::ALL {
            let ways = [state == DeviceState::Waiting, state.is_active(), state.is_final()];
            assert_eq!(ways.into_iter().filter(|way| *way).count(), 1, "{state:?}");
        }
    }
}
