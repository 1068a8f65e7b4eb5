//! Which stored packages make an upgrade. Pure.
//!
//! Owns that no device is sent packages that are gone, made for other boards, or of a release that was
//! withdrawn. That a set does not leave a device dark is `firmware::manifest`'s, which cannot be made
//! of such a one.

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use uuid::Uuid;

use crate::firmware::catalogue::Stored;
use crate::firmware::hops::Hop;
use crate::firmware::manifest::Manifest;
use crate::store::packages::Package;

/// The list that a device fetches, of these packages.
///
/// # Errors
/// In words, why they make none.
pub fn manifest(version: &str, wanted: &[Uuid], stored: &[Package]) -> Result<Manifest, String> {
    let target = version.parse::<RosVersion>().map_err(|e| e.to_string())?;
    let mut packages = Vec::with_capacity(wanted.len());
    for id in wanted {
        let found = stored.iter().find(|package| package.package_id == *id);
        let found = found.ok_or_else(|| format!("no package {id} is stored: upload it first"))?;
        packages.push(stored_as(found)?);
    }
    Manifest::new(&Hop { version: target, packages }).map_err(|refusal| refusal.to_string())
}

/// Why these packages must not be sent now, to a device that says it is of this architecture; `None` =
/// they may.
pub fn obstacle(
    version: &str,
    wanted: &[Uuid],
    stored: &[Package],
    arch: Option<&str>,
) -> Option<String> {
    if let Some(why) = stored.iter().find_map(|package| package.withdrawn.as_deref()) {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        return Some(format!("{version} was withdrawn{why}"));
    }
    let list = match manifest(version, wanted, stored) {
        Ok(list) => list,
        Err(why) => return Some(why),
    };
    let arch: Arch = arch?.parse().ok()?;
    let other = list.packages().iter().find(|package| package.arch != arch)?;
    Some(format!("{} is for {}, and the device is {arch}", other.file_name, other.arch))
}

/// A package as the planner and the list know it.
///
/// # Errors
/// In words, where its row says what no package has.
pub fn stored_as(package: &Package) -> Result<Stored, String> {
    Ok(Stored {
        package_id: package.package_id,
        name: package.name.clone(),
        version: package.version.parse::<RosVersion>().map_err(|e| e.to_string())?,
        arch: package.arch.parse::<Arch>().map_err(|e| e.to_string())?,
        file_name: package.file_name.clone(),
        size: u64::try_from(package.size).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(id: u128, name: &str, version: &str, arch: &str) -> Package {
        Package {
            package_id: Uuid::from_u128(id),
            version: version.to_owned(),
            arch: arch.to_owned(),
            name: name.to_owned(),
            file_name: format!("{name}-{version}-{arch}.npk"),
            size: 1,
            sha256: vec![0; 32],
            withdrawn: None,
        }
    }

    fn ids(packages: &[Package]) -> Vec<Uuid> {
        packages.iter().map(|package| package.package_id).collect()
    }

    fn good() -> Vec<Package> {
        vec![
            package(1, "routeros", "7.16.1", "arm"),
            package(2, "tr069-client", "7.16.1", "arm"),
            package(3, "wifi-qcom", "7.16.1", "arm"),
        ]
    }

    #[test]
    fn a_whole_set_of_one_version_and_architecture_is_taken() {
        let stored = good();
        assert_eq!(obstacle("7.16.1", &ids(&stored), &stored, None), None);
        // More may be stored than is wanted.
        assert_eq!(obstacle("7.16.1", &ids(&stored[..2]), &stored, Some("ARM")), None);
    }

    #[test]
    fn packages_for_other_boards_are_not_sent() {
        let stored = good();
        let why = |arch| obstacle("7.16.1", &ids(&stored), &stored, Some(arch));
        let other = "routeros-7.16.1-arm.npk is for arm, and the device is ppc";
        assert_eq!(why("powerpc").as_deref(), Some(other));
        assert_eq!(why("something new"), None, "what it means nobody knows");
    }

    #[test]
    fn what_would_leave_a_device_dark_is_refused_in_words() {
        let with = |i: usize, package: Package| {
            let mut stored = good();
            stored[i] = package;
            stored
        };
        let gone = [ids(&good()), vec![Uuid::from_u128(9)]].concat();
        let withdrawn =
            Package { withdrawn: Some("reboots at noon".to_owned()), ..good().remove(0) };
        for (wanted, stored, word) in [
            (gone, good(), "upload it"),
            (ids(&good()), with(2, package(3, "wifi-qcom", "7.16.2", "arm")), "is not of 7.16.1"),
            (
                ids(&good()),
                with(2, package(3, "wifi-qcom", "7.16.1", "arm64")),
                "another architecture",
            ),
            (ids(&good()[..1]), good(), "tr069-client"),
            (ids(&good()), with(0, withdrawn), "withdrawn: reboots at noon"),
        ] {
            let why = obstacle("7.16.1", &wanted, &stored, None).unwrap_or_default();
            assert!(why.contains(word), "{why}: {word}");
        }
    }
}
