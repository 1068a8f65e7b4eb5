//! Releases in words and pictures. Pure.

use muster_routeros::version::RosVersion;
use serde::Serialize;

use super::on_version;
use crate::firmware::catalogue::Completeness;
use crate::service::releases::Running;
use crate::service::releases::upload::{Outcome, Verdict};
use crate::web::chart::{Share, share_bar};
use crate::web::format::{grouped, size};

/// Versions of the fleet that have a part of their own in its bar.
const PARTS: usize = 4;
/// Their colours.
const TONES: [&str; PARTS] = ["a1", "a2", "a3", "a4"];

/// How much of a release is stored for an architecture.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ArchView {
    arch: String,
    have: String,
    /// What no device can do without; empty = all of that is there.
    needed: String,
    /// What else there would be; empty = nothing.
    missing: String,
}

impl ArchView {
    pub(super) fn of(of: &Completeness) -> Self {
        let missing = |required: bool| {
            let missing = of.missing.iter().filter(|missing| missing.required == required);
            let names: Vec<&str> = missing.map(|missing| missing.name.as_str()).collect();
            names.join(", ")
        };
        Self {
            arch: of.arch.to_string(),
            have: of.have.join(", "),
            needed: missing(true),
            missing: missing(false),
        }
    }
}

/// What the fleet runs: a bar, and what its colours mean.
#[derive(Serialize)]
pub(super) struct Fleet {
    bar: String,
    key: Vec<KeyItem>,
}

/// What a colour means.
#[derive(Serialize)]
pub(super) struct KeyItem {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) count: String,
    pub(super) tone: &'static str,
}

/// `None` = there is no device.
pub(super) fn fleet(running: &Running) -> Option<Fleet> {
    let mut most: Vec<(&RosVersion, &i64)> = running.devices.iter().collect();
    most.sort_by_key(|(version, devices)| (-**devices, **version));
    let mut shown: Vec<(&RosVersion, i64)> =
        most.iter().take(PARTS).map(|(version, devices)| (*version, **devices)).collect();
    // As time went, from left to right.
    shown.sort();
    let named: i64 = shown.iter().map(|(_, devices)| devices).sum();
    let all: i64 = running.devices.values().sum();
    let mut parts: Vec<(String, String, i64, &'static str)> = shown
        .into_iter()
        .zip(TONES)
        .map(|((version, devices), tone)| {
            let version = version.to_string();
            let href = on_version(&version);
            (version, href, devices, tone)
        })
        .collect();
    parts.push(("other versions".to_owned(), String::new(), all - named, "a6"));
    parts.push(("not told".to_owned(), String::new(), running.others, "idle"));
    parts.retain(|(_, _, devices, _)| *devices > 0);
    if parts.is_empty() {
        return None;
    }
    let shares: Vec<Share<'_>> =
        parts.iter().map(|(label, _, count, tone)| Share { label, count: *count, tone }).collect();
    let bar = share_bar(&shares, "Devices by the version that they run");
    let item = |(label, href, count, tone): (String, String, i64, &'static str)| KeyItem {
        label,
        href,
        count: grouped(count),
        tone,
    };
    Some(Fleet { bar, key: parts.into_iter().map(item).collect() })
}

/// How many devices run a version.
pub(super) fn devices_on(running: &Running, version: &str) -> i64 {
    let version = version.parse::<RosVersion>().ok();
    version.and_then(|version| running.devices.get(&version)).copied().unwrap_or_default()
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct SentView {
    file: String,
    /// As `ui.state` has it, and its word.
    state: &'static str,
    label: &'static str,
    words: String,
    /// Its release; empty = it is not taken.
    href: String,
}

impl SentView {
    pub(super) fn of(verdict: Verdict) -> Self {
        let (state, label, words) = match &verdict.outcome {
            Outcome::Stored(p) => {
                let what = format!("{} {} for {}, {}", p.name, p.version, p.arch, size(p.size));
                ("done", "stored", what)
            }
            Outcome::There(p) => ("idle", "there", format!("{} was stored before", p.file_name)),
            Outcome::Refused(why) => ("failed", "not taken", why.clone()),
        };
        let package = verdict.outcome.package();
        let href = package.map(|package| super::path(&package.version)).unwrap_or_default();
        Self { file: verdict.file, state, label, words, href }
    }
}

#[cfg(test)]
pub(super) fn sample_running() -> Running {
    let versions = [(7, 12, 10), (7, 13, 2), (7, 14, 3), (7, 15, 4), (7, 16, 5), (7, 17, 1)];
    let devices = versions.map(|(major, minor, n)| (RosVersion::release(major, minor, 1), n));
    Running { devices: devices.into(), others: 3 }
}

#[cfg(test)]
pub(super) fn sample_sent() -> Vec<SentView> {
    let evil = || "<x-evil>".to_owned();
    let package = sample(true).packages.remove(0);
    let of = |outcome| SentView::of(Verdict { file: evil(), outcome });
    vec![
        of(Outcome::Stored(package.clone())),
        of(Outcome::There(package)),
        of(Outcome::Refused(evil())),
    ]
}

/// A release, withdrawn or not.
#[cfg(test)]
pub(super) fn sample(withdrawn: bool) -> crate::service::releases::View {
    use chrono::DateTime;
    use muster_routeros::arch::Arch;
    use uuid::Uuid;

    use crate::firmware::catalogue::Missing;
    use crate::store::releases::{Package, Release};

    let evil = || "<x-evil>".to_owned();
    let missing = |required| Missing { name: evil(), file_name: evil(), required };
    crate::service::releases::View {
        release: Release {
            version: "7.16.1".to_owned(),
            version_key: RosVersion::release(7, 16, 1).key().to_vec(),
            notes: evil(),
            withdrawn_at: withdrawn.then_some(DateTime::UNIX_EPOCH),
            withdrawn_why: withdrawn.then(evil),
            created_by: evil(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        },
        packages: vec![Package {
            package_id: Uuid::from_u128(7),
            version: "7.16.1".to_owned(),
            arch: "arm".to_owned(),
            name: evil(),
            file_name: evil(),
            size: 13_107_200,
            sha256: vec![0xab; 32],
            built_at: withdrawn.then_some(DateTime::UNIX_EPOCH),
            created_by: evil(),
            created_at: DateTime::UNIX_EPOCH,
        }],
        completeness: vec![
            Completeness {
                arch: Arch::Arm,
                have: vec!["routeros".to_owned(), "tr069-client".to_owned()],
                missing: vec![missing(false)],
                usable: true,
            },
            Completeness {
                arch: Arch::Smips,
                have: vec![evil()],
                missing: vec![missing(true), missing(false)],
                usable: false,
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_bar_has_the_most_frequent_versions_in_their_order() {
        let fleet = fleet(&sample_running()).unwrap();
        let labels: Vec<&str> = fleet.key.iter().map(|item| item.label.as_str()).collect();
        assert_eq!(labels, ["7.12.1", "7.14.1", "7.15.1", "7.16.1", "other versions", "not told"]);
        let counts: Vec<&str> = fleet.key.iter().map(|item| item.count.as_str()).collect();
        assert_eq!(counts, ["10", "3", "4", "5", "3", "3"]);
        assert_eq!(fleet.bar.matches("<rect").count(), 6);
        assert!(super::fleet(&Running::default()).is_none());
        assert_eq!(devices_on(&sample_running(), "7.16.1"), 5);
        assert_eq!(devices_on(&sample_running(), "7.1"), 0);
    }

    #[test]
    fn an_architecture_says_what_it_cannot_do_without() {
        let view = sample(false);
        let [arm, smips] = &view.completeness[..] else { panic!("two have some") };
        let arm = ArchView::of(arm);
        assert_eq!((arm.arch.as_str(), arm.needed.as_str()), ("arm", ""));
        assert_eq!(
            (arm.have.as_str(), arm.missing.as_str()),
            ("routeros, tr069-client", "<x-evil>")
        );
        assert_eq!(ArchView::of(smips).needed, "<x-evil>");
    }
}
