//! Packages for demos and tests: the files that simulated devices need of a RouterOS release.
//!
//! Pure. They hold nothing and are not signed: no real device takes them, and none of a vendor's is
//! among them.

use muster_routeros::arch::Arch;
use muster_routeros::npk::{NewNpk, build};
use muster_routeros::package::{CLIENT, MAIN, file_name};
use muster_routeros::version::RosVersion;

/// When they say that they were built: 2023-11-14.
const BUILT: u32 = 1_700_000_000;

/// The packages of a release for one architecture, which between them are enough for every
/// simulated device.
pub fn names(version: &RosVersion, arch: Arch) -> Vec<&'static str> {
    let split = (version.major(), version.minor()) >= (7, 13);
    let mut names = vec![MAIN, CLIENT];
    let drivers: &[&str] = match (split, arch) {
        (true, Arch::Arm) => &["wireless", "wifi-qcom", "wifi-qcom-ac"],
        (true, Arch::Arm64) => &["wireless", "wifi-qcom"],
        (true, Arch::Smips) => &[],
        (true, _) => &["wireless"],
        (false, Arch::Arm | Arch::Arm64) if version.major() >= 7 => &["wifiwave2"],
        (false, _) => &[],
    };
    names.extend(drivers);
    names
}

/// One package's file and its content, of this many bytes and a little more.
pub fn file(name: &str, version: &RosVersion, arch: Arch, bytes: u32) -> (String, Vec<u8>) {
    let content = build(&NewNpk {
        name: name.to_owned(),
        version: *version,
        arch: Some(arch),
        built_at: BUILT,
        description: "Made for simulated devices. It is empty and not signed.".to_owned(),
        payload: bytes,
    });
    (file_name(name, version, arch), content)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Cursor;

    use muster_routeros::npk::read;

    use super::*;
    use crate::manifest::Package;
    use crate::profile::PROFILES;

    #[test]
    fn a_release_has_what_every_board_needs() {
        for profile in PROFILES.iter().filter(|profile| profile.radios > 0) {
            for version in ["6.49.10", "7.12.1", "7.13", "7.16.1"] {
                let version: RosVersion = version.parse().unwrap();
                let first = profile.versions.iter().map(|v| v.parse::<RosVersion>().unwrap());
                if first.min().is_some_and(|first| version < first) {
                    continue;
                }
                let names = names(&version, profile.arch.parse().unwrap());
                assert!(names.starts_with(&["routeros", "tr069-client"]));
                let drivers = profile.driver.packages(&version);
                let driven = drivers.is_empty() || drivers.iter().any(|name| names.contains(name));
                assert!(driven, "{} {version}", profile.board);
            }
        }
    }

    #[test]
    fn files_are_what_they_are_called() {
        for arch in Arch::ALL {
            for version in ["6.49.10", "7.12.1", "7.16.1", "7.24rc1"] {
                let version = version.parse().unwrap();
                for name in names(&version, arch) {
                    let (file, content) = file(name, &version, arch, 2_000);
                    let package = Package::new(&file, &read(Cursor::new(content)).unwrap());
                    let expected = Package { name: name.to_owned(), version, arch };
                    assert_eq!(package, Ok(expected), "{file}");
                }
            }
        }
    }
}
