//! What can be done to many devices at once, in words. Pure.

use serde::{Deserialize, Serialize};

use super::target::MOST_LISTED;
use crate::access::right::Right;
use crate::ctx::Ctx;
use crate::jobs::bulk::MAX_DEVICES;

/// What can be done to many devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Reboot,
    Refresh,
    ConnectionRequest,
    Set,
    Tag,
    Untag,
    Move,
    Group,
}

/// An action in the list's menu.
#[derive(Debug, Serialize)]
pub(super) struct Offer {
    word: Action,
    label: &'static str,
}

impl Action {
    pub(super) const ALL: [Self; 8] = [
        Self::Reboot,
        Self::Refresh,
        Self::ConnectionRequest,
        Self::Set,
        Self::Tag,
        Self::Untag,
        Self::Move,
        Self::Group,
    ];

    /// What somebody may do.
    pub(super) fn offers(ctx: &Ctx) -> Vec<Offer> {
        let may = ctx.may(Right::Operate);
        let offers = Self::ALL.into_iter().filter(|_| may);
        offers.map(|word| Offer { word, label: word.label() }).collect()
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Reboot => "Reboot",
            Self::Refresh => "Read the data model",
            Self::ConnectionRequest => "Wake",
            Self::Set => "Set a parameter",
            Self::Tag => "Add a tag",
            Self::Untag => "Take a tag away",
            Self::Move => "Move to a site",
            Self::Group => "Put into a group",
        }
    }

    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Reboot => {
                "Each device is woken and restarts. It and what hangs on it are offline meanwhile."
            }
            Self::Refresh => "Each device is woken and asked for all its parameters.",
            Self::ConnectionRequest => "Each device is woken, and asks for the work that waits.",
            Self::Set => "Each device is woken and given this value, one after the other.",
            Self::Tag => "Nothing happens on the devices: Muster notes the tag.",
            Self::Untag => "Nothing happens on the devices: Muster forgets the tag.",
            Self::Move => "Nothing happens on the devices: Muster notes where they stand.",
            Self::Group => "Nothing happens on the devices: Muster puts them on the group's list.",
        }
    }

    /// The kind of job that it makes.
    pub(super) fn job(self) -> Option<&'static str> {
        match self {
            Self::Reboot => Some("reboot"),
            Self::Refresh => Some("refresh"),
            Self::ConnectionRequest => Some("connection_request"),
            Self::Set => Some("set"),
            Self::Tag | Self::Untag | Self::Move | Self::Group => None,
        }
    }

    /// Devices to which it can be done at once.
    pub(super) fn most(self) -> usize {
        if self.job().is_some() { MAX_DEVICES } else { MOST_LISTED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_go_to_more_devices_than_changes_that_a_browser_waits_for() {
        assert_eq!(Action::Reboot.most(), MAX_DEVICES);
        assert_eq!(Action::Tag.most(), MOST_LISTED);
        for action in Action::ALL {
            let kind = serde_json::to_value(action).expect("a word");
            assert!(action.job().is_none_or(|job| kind == job), "{kind}");
        }
    }
}
