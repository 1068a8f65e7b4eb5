//! A way back for a board that a script cuts off: the configuration before it is put back unless the
//! board can reach Muster again in time.
//!
//! It takes a scheduler, which the device-mode of home routers does not allow.

use super::{RESCUE_FAILED, UNDONE, log};
use crate::quote::quote;
use crate::version::RosVersion;

/// What the backup and the scheduler's entry are called on the board.
pub const RESCUE: &str = "muster-rescue";

/// How it is named in an export, and in which menu.
const NAMED: &str = "name=muster-rescue";
const SCHEDULER: &str = "/system scheduler";
/// Minutes that may be waited: the client has to come through at least once.
const MINUTES: [u32; 2] = [3, 24 * 60];
/// Those that are waited unless somebody says otherwise.
const WAITS: u32 = 10;
/// Since this release boards leave the factory with a device-mode.
const DEVICE_MODE: RosVersion = RosVersion::release(7, 17, 0);

/// That there is to be a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescue {
    /// Minutes until it is taken, from 3 to 1440; what is outside becomes the nearest of these.
    pub minutes: u32,
}

impl Rescue {
    /// Minutes until the one that is given unless somebody says otherwise has been taken: those that it
    /// waits, and two in which it looks whether the client is at work.
    pub const TAKEN_AFTER: u32 = WAITS + 2;
}

impl Default for Rescue {
    fn default() -> Self {
        Self { minutes: WAITS }
    }
}

/// Whether a board can be given a way back, by the word for its device-mode and its version.
///
/// # Errors
/// Why it cannot, in words.
pub fn can_rescue(
    device_mode: Option<&str>,
    version: Option<&RosVersion>,
) -> Result<(), &'static str> {
    match (device_mode, version) {
        (Some("basic" | "advanced" | "enterprise" | "rose" | "ros"), _) => Ok(()),
        (Some("home"), _) => Err("its device-mode is home, which allows no scheduler"),
        (Some(_), _) => Err("its device-mode is not known to allow a scheduler"),
        (None, Some(version)) if *version < DEVICE_MODE => Ok(()),
        (None, _) => Err("its device-mode is not known: inspect the device first"),
    }
}

/// Commands that prepare the way back, or end the script: nothing is to be changed without it. One
/// that was prepared before is forgotten.
pub(super) fn arm(rescue: Rescue, tag: &str) -> String {
    let minutes = rescue.minutes.clamp(MINUTES[0], MINUTES[1]);
    let failed = log("error", tag, RESCUE_FAILED);
    let event = quote(&event(tag));
    // Boards with little flash keep only what is in `flash` over a restart.
    format!(
        ":do {{\n\
         :local dir \"\"\n\
         :if ([:len [/file find name=\"flash\"]] > 0) do={{ :set dir \"flash/\" }}\n\
         /system scheduler remove [find name=\"{RESCUE}\"]\n\
         /system backup save name=($dir . \"{RESCUE}\") dont-encrypt=yes\n\
         /system scheduler add name=\"{RESCUE}\" interval={minutes}m on-event={event}\n\
         }} on-error={{\n\
         {failed}\n\
         :error \"{RESCUE}: not prepared\"\n\
         }}\n"
    )
}

/// What the scheduler runs: the client is given two minutes to be at work. If it is, backup and entry
/// are removed; if not, the backup is loaded, which has no such entry in it. The restart that follows
/// empties the log, unless the board writes it to a disk.
fn event(tag: &str) -> String {
    let undone = log("error", tag, UNDONE);
    format!(
        ":local good false\n\
         :local dir \"\"\n\
         :if ([:len [/file find name=\"flash\"]] > 0) do={{ :set dir \"flash/\" }}\n\
         :for i from=1 to=12 do={{\n\
         :if (!$good) do={{\n\
         :do {{ :if ([:tostr [/tr069-client get status]] = \"running\") do={{ :set good true }} }} \
         on-error={{}}\n\
         :if (!$good) do={{ :delay 10s }}\n\
         }}\n\
         }}\n\
         :if ($good) do={{\n\
         :do {{ /file remove [find name=($dir . \"{RESCUE}.backup\")] }} on-error={{}}\n\
         /system scheduler remove [find name=\"{RESCUE}\"]\n\
         }} else={{\n\
         {undone}\n\
         /system backup load name=($dir . \"{RESCUE}\") password=\"\"\n\
         }}\n"
    )
}

/// A normalised export without the entry of a way back, which goes by itself: it is nothing that
/// somebody configured.
pub fn without_rescue(export: &str) -> String {
    let mut kept = String::with_capacity(export.len());
    let mut is_scheduler = false;
    let mut menu = None;
    for line in export.split_inclusive('\n') {
        if line.starts_with('/') {
            is_scheduler = line.trim_end() == SCHEDULER;
            if is_scheduler {
                // It is nothing without an entry.
                menu = Some(line);
                continue;
            }
            menu = None;
        } else if is_scheduler && is_entry(line) {
            continue;
        }
        kept.push_str(menu.take().unwrap_or_default());
        kept.push_str(line);
    }
    kept
}

/// Whether this line of an export adds the entry.
fn is_entry(line: &str) -> bool {
    let named = line.split(" on-event=").next().unwrap_or_default();
    line.starts_with("add ") && named.split_whitespace().any(|word| word == NAMED)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::lex::statements;
    use crate::lint::{Severity, lint};
    use crate::quote::unquote;

    #[test]
    fn boards_with_a_scheduler_can_be_rescued() {
        let old: RosVersion = "7.16.2".parse().unwrap();
        let new: RosVersion = "7.17".parse().unwrap();
        for mode in ["basic", "advanced", "enterprise", "rose"] {
            assert_eq!(can_rescue(Some(mode), Some(&new)), Ok(()));
            assert_eq!(can_rescue(Some(mode), None), Ok(()));
        }
        assert!(can_rescue(Some("home"), Some(&new)).is_err());
        assert!(can_rescue(Some("home"), Some(&old)).is_err());
        assert!(can_rescue(Some("other"), Some(&old)).is_err());
        assert_eq!(can_rescue(None, Some(&old)), Ok(()));
        assert!(can_rescue(None, Some(&new)).is_err());
        assert!(can_rescue(None, None).is_err());
    }

    #[test]
    fn the_way_back_is_a_script_without_mistakes() {
        let script = arm(Rescue { minutes: 10 }, "t1");
        for text in [&script, &event("t1")] {
            let errors: Vec<_> =
                lint(text).into_iter().filter(|f| f.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        assert!(script.contains(" interval=10m "));
        let on_event = script.split_once("on-event=").unwrap().1.lines().next().unwrap();
        assert_eq!(unquote(on_event), Some(event("t1")));
        assert_eq!(statements(&script).len(), 1);
    }

    #[test]
    fn a_way_back_that_waits_is_no_part_of_an_export() {
        let (before, after) = ("/ip dns\nset servers=9.9.9.9\n", "/system identity\nset name=a\n");
        let entry = "add interval=10m name=muster-rescue on-event=\":log info x\" policy=read\n";
        let own = "add interval=1d name=night on-event=\":put \\\" name=muster-rescue \\\"\"\n";
        let with = |entries: &str| format!("{before}{SCHEDULER}\n{entries}{after}");
        assert_eq!(without_rescue(&with(entry)), format!("{before}{after}"));
        assert_eq!(without_rescue(&with(&format!("{own}{entry}"))), with(own));
        assert_eq!(without_rescue(&with(&format!("{entry}{own}"))), with(own));
        let elsewhere = format!("/ip pool\n{entry}");
        assert_eq!(without_rescue(&elsewhere), elsewhere);
        assert!(NAMED.ends_with(RESCUE));
    }

    #[test]
    fn minutes_are_kept_within_reason() {
        assert!(arm(Rescue { minutes: 0 }, "t").contains("interval=3m"));
        assert!(arm(Rescue { minutes: u32::MAX }, "t").contains("interval=1440m"));
    }
}
