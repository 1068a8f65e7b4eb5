//! How an upgrade ends. Pure.
//!
//! Owns that nothing but the version on which a device comes back proves an upgrade. A
//! TransferComplete without a fault says that it had the files; a boot on another version after
//! that says that it did not take them. Reports come twice, late and in either order (N14): what was
//! heard before is kept with the job, and says nothing new when it is heard again.

use muster_routeros::version::RosVersion;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known of an upgrade that a device has accepted: the job's result while it is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// It has reported, without a fault, that it has the files.
    pub transferred: bool,
    /// The version on which it booted with that report still to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booted_on: Option<String>,
}

impl Progress {
    /// From the result of an open job.
    pub fn of(result: Option<&Value>) -> Self {
        result.and_then(|result| serde_json::from_value(result.clone()).ok()).unwrap_or_default()
    }
}

/// What a device says that may concern its upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report<'a> {
    /// An Inform.
    Inform {
        /// The version that it runs, as it says.
        version: Option<&'a str>,
        /// It had `1 BOOT`.
        booted: bool,
        /// It says that the transfer of this job has ended, and will report how.
        transfer_ended: bool,
    },
    /// TransferComplete without a fault.
    Complete,
}

/// What an upgrade has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The device runs what it should.
    Done,
    /// It had the files, has booted since, and runs something else.
    CameBack,
    /// Nobody knows yet.
    Wait,
}

/// What a report means for the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing that was not known.
    Nothing,
    /// It has come further.
    Further(Progress),
    /// It runs this version, as it should.
    Done(String),
    /// It came back on this version, and should not.
    CameBack(String),
}

/// The rule: by the version that the device says it runs, whether it has reported the files without
/// a fault, and whether it has booted after it had them.
pub fn verdict(
    expected: &str,
    seen_version: Option<&str>,
    transfer_completed: bool,
    booted_after: bool,
) -> Verdict {
    match seen_version {
        Some(seen) if is_same(expected, seen) => Verdict::Done,
        Some(_) if transfer_completed && booted_after => Verdict::CameBack,
        Some(_) | None => Verdict::Wait,
    }
}

/// Takes a report of an upgrade that is still open.
pub fn hear(expected: &str, known: &Progress, report: Report<'_>) -> News {
    let (seen, transferred, booted) = match report {
        Report::Inform { version, booted, .. } => (version, known.transferred, booted),
        Report::Complete => (known.booted_on.as_deref(), true, known.booted_on.is_some()),
    };
    let told = seen.unwrap_or_default().to_owned();
    match verdict(expected, seen, transferred, booted) {
        Verdict::Done => News::Done(told),
        Verdict::CameBack => News::CameBack(told),
        Verdict::Wait => further(known, report),
    }
}

fn further(known: &Progress, report: Report<'_>) -> News {
    let mut now = known.clone();
    match report {
        Report::Complete => now.transferred = true,
        // A boot whose session brings the report: RouterOS reports after it has restarted. A boot
        // without it says nothing, such as a power cut while it still fetches.
        Report::Inform { version: Some(version), booted: true, transfer_ended: true } => {
            now.booted_on = Some(version.to_owned());
        }
        Report::Inform { .. } => {}
    }
    if now == *known { News::Nothing } else { News::Further(now) }
}

/// Whether two texts name one version: devices write `7.16.1 (stable)`.
pub fn is_same(expected: &str, seen: &str) -> bool {
    match (expected.parse::<RosVersion>(), seen.parse::<RosVersion>()) {
        (Ok(expected), Ok(seen)) => expected == seen,
        _ => expected.trim() == seen.trim(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NEW: &str = "7.16.1";
    const OLD: &str = "7.12.1";

    fn inform(version: &str, booted: bool, transfer_ended: bool) -> Report<'_> {
        Report::Inform { version: Some(version), booted, transfer_ended }
    }

    /// Plays reports to an open job until it ends; what it ended with, and how often it changed.
    fn play(reports: &[Report<'_>]) -> (Progress, Vec<News>) {
        let (mut known, mut ends) = (Progress::default(), Vec::new());
        for report in reports {
            // As the table does: an ended job takes no change.
            if !ends.is_empty() {
                continue;
            }
            match hear(NEW, &known, *report) {
                News::Nothing => {}
                News::Further(progress) => known = progress,
                end @ (News::Done(_) | News::CameBack(_)) => ends.push(end),
            }
        }
        (known, ends)
    }

    #[test]
    fn only_the_version_proves_it() {
        for (seen, transferred, booted, expected) in [
            (Some(NEW), false, false, Verdict::Done),
            (Some("7.16.1 (stable)"), true, true, Verdict::Done),
            (Some(OLD), true, true, Verdict::CameBack),
            (Some(OLD), true, false, Verdict::Wait),
            (Some(OLD), false, true, Verdict::Wait),
            (None, true, true, Verdict::Wait),
        ] {
            assert_eq!(verdict(NEW, seen, transferred, booted), expected, "{seen:?}");
        }
    }

    #[test]
    fn it_ends_in_each_order_in_which_devices_report() {
        let came_back = vec![News::CameBack(OLD.to_owned())];
        let done = vec![News::Done(NEW.to_owned())];
        for (reports, expected) in [
            // RouterOS: it restarts, and reports after that.
            (vec![inform(NEW, true, true), Report::Complete], &done),
            (vec![inform(OLD, true, true), Report::Complete], &came_back),
            // Others report first, and restart then.
            (vec![inform(OLD, false, true), Report::Complete, inform(NEW, true, false)], &done),
            (
                vec![inform(OLD, false, true), Report::Complete, inform(OLD, true, false)],
                &came_back,
            ),
            // The session with the boot was lost before its report: that comes with the next.
            (vec![inform(OLD, true, true), inform(OLD, false, true), Report::Complete], &came_back),
            // A power cut while it fetches proves nothing.
            (vec![inform(OLD, true, false), inform(NEW, true, true)], &done),
        ] {
            assert_eq!(play(&reports).1, *expected, "{reports:?}");
        }
        let open = [inform(OLD, true, false), Report::Complete, inform(OLD, false, false)];
        let (known, ends) = play(&open);
        assert!(known.transferred && ends.is_empty(), "it has not booted since");
    }

    #[test]
    fn what_is_known_survives_in_the_result() {
        let known = Progress { transferred: true, booted_on: Some(OLD.to_owned()) };
        let stored = serde_json::to_value(&known).ok();
        assert_eq!(Progress::of(stored.as_ref()), known);
        assert_eq!(Progress::of(None), Progress::default());
        assert_eq!(Progress::of(Some(&json!({ "version": NEW }))), Progress::default());
    }

    fn reports() -> impl Strategy<Value = Vec<Report<'static>>> {
        let version = prop_oneof![Just(Some(NEW)), Just(Some(OLD)), Just(None)];
        let inform = (version, any::<bool>(), any::<bool>()).prop_map(
            |(version, booted, transfer_ended)| Report::Inform { version, booted, transfer_ended },
        );
        proptest::collection::vec(prop_oneof![3 => inform, 1 => Just(Report::Complete)], 0..12)
    }

    proptest! {
        /// Whatever comes, in whatever order: each report said twice is as good as said once, what
        /// comes after the end changes nothing, and the end is what was seen.
        #[test]
        fn reports_that_come_twice_or_late_change_nothing(reports in reports()) {
            let (known, ends) = play(&reports);
            prop_assert!(ends.len() <= 1);
            let twice: Vec<Report<'_>> = reports.iter().flat_map(|r| [*r, *r]).collect();
            prop_assert_eq!(play(&twice), (known.clone(), ends.clone()));
            for report in &reports {
                if let News::Further(next) = hear(NEW, &known, *report) {
                    prop_assert_eq!(hear(NEW, &next, *report), News::Nothing);
                }
            }
            let seen = |wanted: &str| reports.iter().any(|report| {
                matches!(report, Report::Inform { version: Some(v), .. } if *v == wanted)
            });
            match ends.first() {
                Some(News::Done(_)) => prop_assert!(seen(NEW)),
                Some(News::CameBack(version)) => {
                    prop_assert_eq!(version.as_str(), OLD);
                    prop_assert!(reports.contains(&Report::Complete));
                    let boots = |r: &Report<'_>| matches!(r, Report::Inform { booted: true, .. });
                    prop_assert!(reports.iter().any(boots));
                }
                _ => prop_assert!(!seen(NEW), "it runs what it should, and the job is open"),
            }
        }
    }
}
