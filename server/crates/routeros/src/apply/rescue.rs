//! A way back for a board that a script cuts off: the configuration before it is put back unless the
//! board can reach Muster again in time.
//!
//! It takes a scheduler, which the device-mode of home routers does not allow.

use super::{RESCUE_FAILED, log};
use crate::quote::quote;
use crate::version::RosVersion;

/// What the backup and the scheduler's entry are called on the board.
pub const RESCUE: &str = "muster-rescue";

/// Minutes that may be waited: the client has to come through at least once.
const MINUTES: [u32; 2] = [3, 24 * 60];
/// Since this release boards leave the factory with a device-mode.
const DEVICE_MODE: RosVersion = RosVersion::release(7, 17, 0);

/// That there is to be a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescue {
    /// Minutes until it is taken, from 3 to 1440; what is outside becomes the nearest of these.
    pub minutes: u32,
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
    let event = quote(&event());
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
/// are removed; if not, the backup is loaded, which has no such entry in it.
fn event() -> String {
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
         :log error \"{RESCUE}: the configuration before is put back\"\n\
         /system backup load name=($dir . \"{RESCUE}\") password=\"\"\n\
         }}\n"
    )
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
        for text in [&script, &event()] {
            let errors: Vec<_> =
                lint(text).into_iter().filter(|f| f.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        assert!(script.contains(" interval=10m "));
        let on_event = script.split_once("on-event=").unwrap().1.lines().next().unwrap();
        assert_eq!(unquote(on_event), Some(event()));
        assert_eq!(statements(&script).len(), 1);
    }

    #[test]
    fn minutes_are_kept_within_reason() {
        assert!(arm(Rescue { minutes: 0 }, "t").contains("interval=3m"));
        assert!(arm(Rescue { minutes: u32::MAX }, "t").contains("interval=1440m"));
    }
}
