//! What can be done to many devices at once, in words. Pure.
//!
//! What cannot be taken back is not among it: no factory reset, no configuration in place of the one
//! that is there, nobody removed.

use serde::{Deserialize, Serialize};

use crate::access::right::Right;
use crate::ctx::Ctx;
use crate::web::device::diagnose::Kind;

/// What can be done to many devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Reboot,
    Refresh,
    Inspect,
    ConnectionRequest,
    Set,
    Script,
    Download,
    Configuration,
    Log,
    Ping,
    Traceroute,
    DownloadSpeed,
    UploadSpeed,
    Tag,
    Untag,
    Move,
    Group,
    Ungroup,
}

/// Actions of one kind in the list's menu.
#[derive(Debug, Serialize)]
pub(super) struct Offers {
    label: &'static str,
    actions: Vec<Offer>,
}

/// An action in the list's menu.
#[derive(Debug, Serialize)]
struct Offer {
    word: Action,
    label: &'static str,
}

impl Action {
    pub(super) const ALL: [Self; 18] = [
        Self::Reboot,
        Self::Refresh,
        Self::Inspect,
        Self::ConnectionRequest,
        Self::Set,
        Self::Script,
        Self::Download,
        Self::Configuration,
        Self::Log,
        Self::Ping,
        Self::Traceroute,
        Self::DownloadSpeed,
        Self::UploadSpeed,
        Self::Tag,
        Self::Untag,
        Self::Move,
        Self::Group,
        Self::Ungroup,
    ];

    /// What somebody may do.
    pub(super) fn offers(ctx: &Ctx) -> Vec<Offers> {
        let mut offers: Vec<Offers> = Vec::new();
        for word in Self::ALL.into_iter().filter(|_| ctx.may(Right::Operate)) {
            let offer = Offer { word, label: word.label() };
            match offers.last_mut() {
                Some(last) if last.label == word.kind() => last.actions.push(offer),
                _ => offers.push(Offers { label: word.kind(), actions: vec![offer] }),
            }
        }
        offers
    }

    /// Under what it stands in the menu.
    fn kind(self) -> &'static str {
        match self {
            Self::Reboot | Self::Refresh | Self::Inspect | Self::ConnectionRequest | Self::Set => {
                "On the devices"
            }
            Self::Script | Self::Download | Self::Configuration | Self::Log => "Files",
            Self::Ping | Self::Traceroute | Self::DownloadSpeed | Self::UploadSpeed => {
                "Tests by the devices"
            }
            Self::Tag | Self::Untag | Self::Move | Self::Group | Self::Ungroup => {
                "What Muster notes"
            }
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Reboot => "Reboot",
            Self::Refresh => "Read the data model",
            Self::Inspect => "Ask what is installed",
            Self::ConnectionRequest => "Wake",
            Self::Set => "Set a parameter",
            Self::Script => "Run a script",
            Self::Download => "Send firmware or web content",
            Self::Configuration => "Fetch the configuration",
            Self::Log => "Fetch the log",
            Self::Ping => "Ping a host",
            Self::Traceroute => "Trace a route",
            Self::DownloadSpeed => "Measure the download",
            Self::UploadSpeed => "Measure the upload",
            Self::Tag => "Add a tag",
            Self::Untag => "Take a tag away",
            Self::Move => "Move to a site",
            Self::Group => "Put into a group",
            Self::Ungroup => "Take out of a group",
        }
    }

    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Reboot => {
                "Each device is woken and restarts. It and what hangs on it are offline meanwhile."
            }
            Self::Refresh => "Each device is woken and asked for all its parameters.",
            Self::Inspect => {
                "Each device is woken, runs a script that writes what is installed into its log, and \
                 sends that log. Nothing is changed."
            }
            Self::ConnectionRequest => "Each device is woken, and asks for the work that waits.",
            Self::Set => "Each device is woken and given this value, one after the other.",
            Self::Script => {
                "Each device is woken, fetches the script and runs it on top of the configuration \
                 that it has. Try it on one of them first: a mistake in it is a mistake on all."
            }
            Self::Download => {
                "Each device is woken and fetches the file. With firmware it restarts; it and what \
                 hangs on it are offline meanwhile. Try it on one of them first."
            }
            Self::Configuration => {
                "Each device is woken and sends its configuration, which is kept with its files."
            }
            Self::Log => "Each device is woken and sends its log, which is kept with its files.",
            Self::Ping => "Each device is woken and pings the host from where it stands.",
            Self::Traceroute => "Each device is woken and looks for its way to the host.",
            Self::DownloadSpeed => {
                "Each device is woken and fetches the file, many at the same time: the server that \
                 has it must bear that."
            }
            Self::UploadSpeed => {
                "Each device is woken and sends, many at the same time: the server that takes it \
                 must bear that."
            }
            Self::Tag => "Nothing happens on the devices: Muster notes the tag.",
            Self::Untag => "Nothing happens on the devices: Muster forgets the tag.",
            Self::Move => "Nothing happens on the devices: Muster notes where they stand.",
            Self::Group => "Nothing happens on the devices: Muster puts them on the group's list.",
            Self::Ungroup => "Nothing happens on the devices: Muster takes them off its list.",
        }
    }

    /// The kind of job that it makes.
    pub(super) fn job(self) -> Option<&'static str> {
        match self {
            Self::Reboot => Some("reboot"),
            Self::Refresh => Some("refresh"),
            Self::ConnectionRequest => Some("connection_request"),
            Self::Set => Some("set"),
            Self::Script | Self::Download => Some("download"),
            // The log is what says it.
            Self::Inspect | Self::Configuration | Self::Log => Some("upload"),
            Self::Ping | Self::Traceroute | Self::DownloadSpeed | Self::UploadSpeed => {
                Some("diagnose")
            }
            Self::Tag | Self::Untag | Self::Move | Self::Group | Self::Ungroup => None,
        }
    }

    /// The test that it is.
    pub(super) fn test(self) -> Option<Kind> {
        match self {
            Self::Ping => Some(Kind::Ping),
            Self::Traceroute => Some(Kind::Traceroute),
            Self::DownloadSpeed => Some(Kind::DownloadSpeed),
            Self::UploadSpeed => Some(Kind::UploadSpeed),
            _ => None,
        }
    }

    /// Whether a stored file goes to the devices.
    pub(super) fn sends_file(self) -> bool {
        matches!(self, Self::Script | Self::Download)
    }

    /// Whether it is about a group.
    pub(super) fn is_of_group(self) -> bool {
        matches!(self, Self::Group | Self::Ungroup)
    }

    /// Whether customers may notice.
    pub(super) fn is_felt(self) -> bool {
        matches!(self, Self::Reboot | Self::Set) || self.sends_file()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;

    #[test]
    fn every_action_stands_once_in_the_menu_below_its_kind() {
        let offers = Action::offers(&Ctx::console(DateTime::UNIX_EPOCH));
        let kinds: Vec<&str> = offers.iter().map(|offers| offers.label).collect();
        let all = ["On the devices", "Files", "Tests by the devices", "What Muster notes"];
        assert_eq!(kinds, all);
        let count: usize = offers.iter().map(|offers| offers.actions.len()).sum();
        assert_eq!(count, Action::ALL.len());
        for (i, action) in Action::ALL.iter().enumerate() {
            for other in &Action::ALL[i + 1..] {
                assert_ne!(action.label(), other.label());
            }
        }
        assert!(Action::offers(&Ctx::nobody("ann", None, DateTime::UNIX_EPOCH)).is_empty());
    }

    #[test]
    fn a_test_is_called_as_its_form_is() {
        for action in Action::ALL {
            let Some(kind) = action.test() else { continue };
            let word = serde_json::to_value(action).unwrap();
            assert_eq!(serde_json::from_value::<Kind>(word).unwrap(), kind);
            assert_eq!(action.job(), Some("diagnose"));
        }
    }
}
