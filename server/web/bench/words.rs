//! What the bench says, as people read it. Pure.

use muster_netboot::payload::MAX_SCRIPT;
use muster_netboot::profile::{Status, Strategy};
use serde::Serialize;

use crate::store::bench::BoardRow;
use crate::web::chart::percent;
use crate::web::format::grouped;

/// A state as it is shown: a word of the style sheet, and as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Standing {
    pub(super) word: &'static str,
    pub(super) label: &'static str,
}

/// A state of boards.
struct Known {
    state: &'static str,
    standing: Standing,
    meaning: &'static str,
}

const fn known(
    state: &'static str,
    word: &'static str,
    label: &'static str,
    meaning: &'static str,
) -> Known {
    Known { state, standing: Standing { word, label }, meaning }
}

/// The states, in the order in which a board comes to them.
static KNOWN: [Known; 11] = [
    known("seen", "new", "seen", "It has asked, and nothing was decided yet."),
    known(
        "refused",
        "refused",
        "refused",
        "It was not answered. It asks again when it is switched on the next time.",
    ),
    known(
        "offered",
        "waiting",
        "offered",
        "It was offered an address and a file, and has not come for the file yet.",
    ),
    known("transferring", "busy", "transferring", "It is fetching what it is given."),
    known(
        "delivered",
        "done",
        "delivered",
        "It has fetched all of its script. Leave it on: it stores it, beeps and blinks, then starts \
         and runs it. Whether it did is seen when its device informs: then it is confirmed.",
    ),
    known(
        "redirected",
        "busy",
        "redirected",
        "It was sent into Etherboot, and asks for its boot image next.",
    ),
    known(
        "installing",
        "busy",
        "installing",
        "RouterOS is being installed on it: leave it switched on.",
    ),
    known(
        "installed",
        "done",
        "installed",
        "RouterOS is installed on it. When its device informs, it is confirmed.",
    ),
    known(
        "timed_out",
        "late",
        "timed out",
        "It was offered a file and did not come for it. Look at its cable, at spanning tree on the \
         switch between, and whether another server answers there; then switch it off and on.",
    ),
    known(
        "failed",
        "failed",
        "failed",
        "It began and did not come to the end. Unless it says that it may have its script, switch it \
         off and on: it is served anew.",
    ),
    known(
        "confirmed",
        "ok",
        "confirmed",
        "Its device has informed since: it has become what it was to be.",
    ),
];

/// How a claim stands whose board no bench has seen.
pub(super) const UNSEEN: Standing = Standing { word: "none", label: "not seen" };
/// How a claim stands that no bench can tell the board of.
pub(super) const NAMELESS: Standing =
    Standing { word: "none", label: "no MAC address in its claim" };

/// A state as it is shown; one that nobody knows stays as it is written elsewhere.
pub(super) fn standing(state: &str) -> Standing {
    let none = Standing { word: "idle", label: "unknown" };
    KNOWN.iter().find(|known| known.state == state).map_or(none, |known| known.standing)
}

/// What a state means, and what to do about it.
pub(super) fn meaning(state: &str) -> &'static str {
    KNOWN.iter().find(|known| known.state == state).map_or("", |known| known.meaning)
}

/// All states, for a filter.
pub(super) fn states() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().map(|known| (known.state, known.standing.label))
}

/// How sure a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Surety {
    /// Of the style sheet; `warn` = nobody has verified it.
    pub(super) word: &'static str,
    pub(super) label: &'static str,
    pub(super) meaning: &'static str,
}

/// How sure a profile is, by the word that is stored. A word that nobody knows is no surety.
pub(super) fn surety(status: &str) -> Surety {
    match status.parse().unwrap_or(Status::Unverified) {
        Status::Unverified => Surety {
            word: "warn",
            label: "unverified",
            meaning: "From reading alone: no server of the vendor and no board has shown that it is \
                      right.",
        },
        Status::Captured => Surety {
            word: "idle",
            label: "captured",
            meaning: "From what a server of the vendor sent; no board has been seen to take it from \
                      Muster.",
        },
        Status::HardwareVerified => Surety {
            word: "ok",
            label: "hardware-verified",
            meaning: "A board has taken a script by it, and was seen configured: so whoever wrote it \
                      says.",
        },
    }
}

/// How sure a profile is, least first.
pub(super) fn sureties() -> Vec<Surety> {
    Status::ALL.into_iter().map(|status| surety(status.word())).collect()
}

/// What a strategy is, for a choice of one.
pub(super) fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::FlashfigDirect => "its script (flashfig-direct)",
        Strategy::EtherbootRedirect => {
            "the way to its boot image, if it is armed for an installation (etherboot-redirect)"
        }
    }
}

/// Why boards were refused or failed, many of them, by the code of it.
pub(super) fn reason(code: &str) -> String {
    let words = match code {
        "disarmed" => "the bench was not armed",
        "not_claimed" => "nobody claimed or allowed them",
        "serial_only" => "no claim has their MAC address, only serial numbers",
        "done" => "they had their delivery already",
        "rate" => "too many that nobody named came within a minute",
        "any_expired" => "the time for any board was over",
        "too_big" => "too big: what they get does not fit into them",
        "no_profile" => "no profile that may be used fits them",
        "wrong_kind" => "they are not in flash-boot or Etherboot",
        "dhcp_off" => "they speak DHCP, for which the bench was not armed",
        "not_armed_for_install" => "they ask for an installation, for which nobody armed them",
        "template" => "the template gives nothing for them",
        "variables" => "variables that the template needs are missing",
        "no_image" => "there is no boot image for them",
        "no_package" => "a package is not stored for them, or does not go onto them",
        "cannot_serve" => "nothing could be sent on that interface",
        "no_address" => "all addresses of the bench were lent",
        "undecided" => "what they get could not be found out in time",
        "taken" => "a device has taken their claim already",
        "interrupted" => "Muster stopped, or the interface changed, while they were served",
        "unacknowledged" => "they did not acknowledge the last block: they may have their script",
        "elsewhere" => "another bench served them at the moment",
        "no_tftp" => "they did not fetch what they were offered (no TFTP request)",
        "no_etherboot" => "they did not come back in Etherboot",
        "no_announcement" => "their boot image did not announce itself",
        "transfer" => "the transfer did not come to its end",
        "install" => "the installation did not come to its end",
        // One that came with a newer part of Muster: as it is.
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

/// What a board asks for, by how it does.
pub(super) fn kind(kind: &str) -> &'static str {
    match kind {
        "flashboot" => "a script, in flash-boot",
        "etherboot" => "a boot image, in Etherboot",
        "dhcp" => "an address, by DHCP",
        _ => "an address, by BOOTP: no boot loader that Muster knows",
    }
}

/// A number with commas, as boot loaders and their manuals write it: all numbers of the bench.
pub(super) fn number(number: i64) -> String {
    grouped(number).replace('\u{202f}', ",")
}

/// `3,412 of 4,000 bytes`: of a script that a board in flash-boot is given, beside what it has room
/// for. What goes by another way has no such limit.
pub(super) fn size(bytes: i32, strategy: Option<&str>, free: Option<i32>) -> String {
    if strategy != Some(Strategy::FlashfigDirect.word()) {
        return format!("{} bytes", number(bytes.into()));
    }
    let most = i32::try_from(MAX_SCRIPT).unwrap_or(i32::MAX);
    let room = free.map_or(most, |free| free.min(most));
    format!("{} of {} bytes", number(bytes.into()), number(room.into()))
}

/// The size of what a board was given; empty = nothing. An installation has the limits of its disk.
pub(super) fn size_of(board: &BoardRow) -> String {
    let installs = matches!(board.state.as_str(), "redirected" | "installing" | "installed");
    let strategy = board.strategy.as_deref().filter(|_| !installs && board.kind != "etherboot");
    board.size.map(|bytes| size(bytes, strategy, board.free_bytes)).unwrap_or_default()
}

/// How long something took: `2.4 s`, or `850 ms`.
pub(super) fn took(milliseconds: i32) -> String {
    match milliseconds.max(0) {
        short @ ..1_000 => format!("{short} ms"),
        long => format!("{}.{} s", long / 1_000, long % 1_000 / 100),
    }
}

/// How much a board has of what it is being given, in hundredths; `None` = nothing is under way.
pub(super) fn so_far(board: &BoardRow) -> Option<i64> {
    let under_way = matches!(board.state.as_str(), "transferring" | "installing");
    (under_way && board.total_bytes > 0).then(|| percent(board.sent_bytes, board.total_bytes))
}

/// What a board was given, in one line; empty = nothing.
pub(super) fn given(template: Option<&str>, version: Option<i32>) -> String {
    match (template, version) {
        (Some(template), Some(version)) => format!("{template}, version {version}"),
        (Some(template), None) => template.to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::bench::STATES;
    use crate::web::bench::tests::sample_board;

    #[test]
    fn each_state_is_told_with_what_it_means() {
        let all: Vec<&str> = states().map(|(state, _)| state).collect();
        assert_eq!(all, STATES);
        for (state, label) in states() {
            assert_eq!(standing(state).label, label);
            assert!(meaning(state).ends_with('.'), "{state}");
        }
        assert_eq!(standing("strange").label, "unknown");
        assert_eq!(meaning("strange"), "");
    }

    #[test]
    fn what_nobody_has_verified_is_something_to_look_at() {
        assert_eq!(surety("unverified").word, "warn");
        assert_eq!(surety("strange"), surety("unverified"));
        assert_eq!(surety("hardware-verified").word, "ok");
        let labels: Vec<&str> = sureties().iter().map(|surety| surety.label).collect();
        assert_eq!(labels, ["unverified", "captured", "hardware-verified"]);
    }

    #[test]
    fn a_reason_is_told_also_where_it_is_new() {
        assert_eq!(reason("disarmed"), "the bench was not armed");
        assert_eq!(reason("odd_thing"), "odd thing");
        for code in [
            "no_package",
            "cannot_serve",
            "no_address",
            "undecided",
            "taken",
            "elsewhere",
            "interrupted",
            "unacknowledged",
        ] {
            assert_ne!(reason(code), code.replace('_', " "));
        }
    }

    #[test]
    fn a_size_stands_beside_what_there_is_room_for() {
        let direct = Some("flashfig-direct");
        assert_eq!(size(3_412, direct, None), "3,412 of 4,000 bytes");
        assert_eq!(size(3_412, direct, Some(8_000)), "3,412 of 4,000 bytes");
        assert_eq!(size(7, direct, Some(3_900)), "7 of 3,900 bytes");
        assert_eq!(size(9_000, Some("etherboot-redirect"), Some(3_900)), "9,000 bytes");
        let mut one = sample_board("delivered");
        assert_eq!(size_of(&one), "3,412 of 4,000 bytes");
        one.state = "installed".to_owned();
        assert_eq!(size_of(&one), "3,412 bytes");
        one.size = None;
        assert_eq!(size_of(&one), "");
    }

    #[test]
    fn a_time_is_told_as_finely_as_it_matters() {
        for (milliseconds, words) in
            [(-1, "0 ms"), (850, "850 ms"), (1_000, "1.0 s"), (2_449, "2.4 s"), (61_000, "61.0 s")]
        {
            assert_eq!(took(milliseconds), words);
        }
    }

    #[test]
    fn only_what_is_under_way_has_a_part() {
        let mut one = sample_board("transferring");
        (one.sent_bytes, one.total_bytes) = (1, 4);
        assert_eq!(so_far(&one), Some(25));
        one.state = "delivered".to_owned();
        assert_eq!(so_far(&one), None);
        (one.state, one.total_bytes) = ("installing".to_owned(), 0);
        assert_eq!(so_far(&one), None);
    }

    #[test]
    fn what_was_given_is_one_line() {
        assert_eq!(given(Some("bench"), Some(3)), "bench, version 3");
        assert_eq!(given(Some("bench"), None), "bench");
        assert_eq!(given(None, Some(3)), "");
    }
}
