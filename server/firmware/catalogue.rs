//! What is stored: the packages of each release, and which releases nothing may be sent of.

use std::collections::BTreeMap;

use muster_routeros::arch::Arch;
use muster_routeros::package::{CLIENT, MAIN, file_name};
use muster_routeros::version::RosVersion;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::firmware::extras;

/// A stored package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub package_id: Uuid,
    /// `routeros`, `tr069-client` ... (`muster_routeros::package::kept_name`).
    pub name: String,
    /// Of what it brings.
    pub version: RosVersion,
    /// For which boards.
    pub arch: Arch,
    /// As RouterOS expects it at the end of a link.
    pub file_name: String,
    /// In bytes.
    pub size: u64,
}

/// All that is stored.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    packages: BTreeMap<(RosVersion, Arch), BTreeMap<String, Stored>>,
    /// With why.
    withdrawn: BTreeMap<RosVersion, String>,
}

/// How much of a release is stored for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Completeness {
    /// `arm`, `x86` ...
    #[schema(value_type = String, example = "arm")]
    pub arch: Arch,
    /// The names of what is stored: the main package, the TR-069 client, then by name.
    pub have: Vec<String>,
    /// What RouterOS has for this architecture and is not stored, in the same order.
    pub missing: Vec<Missing>,
    /// Devices can be brought to it: what each of them needs is there.
    pub usable: bool,
}

/// A package that is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// The file to upload.
    pub file_name: String,
    /// Without it no device can be brought to the release.
    pub required: bool,
}

impl Catalogue {
    /// Of these packages, with the releases that were withdrawn, and why.
    pub fn new(
        packages: impl IntoIterator<Item = Stored>,
        withdrawn: impl IntoIterator<Item = (RosVersion, String)>,
    ) -> Self {
        let mut catalogue =
            Self { packages: BTreeMap::new(), withdrawn: withdrawn.into_iter().collect() };
        for stored in packages {
            let of_arch = catalogue.packages.entry((stored.version, stored.arch)).or_default();
            of_arch.insert(stored.name.clone(), stored);
        }
        catalogue
    }

    /// A package of a release.
    pub fn get(&self, version: &RosVersion, arch: Arch, name: &str) -> Option<&Stored> {
        self.packages.get(&(*version, arch))?.get(name)
    }

    /// All packages of all releases.
    pub fn packages(&self) -> impl Iterator<Item = &Stored> {
        self.packages.values().flat_map(BTreeMap::values)
    }

    /// Why nothing may be sent of the release, where that is so.
    pub fn withdrawn(&self, version: &RosVersion) -> Option<&str> {
        self.withdrawn.get(version).map(String::as_str)
    }

    /// How much of a release is stored, for each architecture that anything is stored for.
    pub fn completeness(&self, version: &RosVersion) -> Vec<Completeness> {
        let arches = Arch::ALL.into_iter();
        arches.filter_map(|arch| self.completeness_of(version, arch)).collect()
    }

    fn completeness_of(&self, version: &RosVersion, arch: Arch) -> Option<Completeness> {
        let stored = self.packages.get(&(*version, arch))?;
        let rank = |name: &str| (name != MAIN, name != CLIENT);
        let mut have: Vec<String> = stored.keys().cloned().collect();
        have.sort_by_key(|name| rank(name));
        let there = std::iter::once(MAIN).chain(extras::of(version, arch));
        let mut missing: Vec<Missing> = there
            .filter(|name| !stored.contains_key(*name))
            .map(|name| Missing {
                name: name.to_owned(),
                file_name: file_name(name, version, arch),
                required: name == MAIN || name == CLIENT,
            })
            .collect();
        missing.sort_by_key(|missing| rank(&missing.name));
        let usable = missing.iter().all(|missing| !missing.required);
        Some(Completeness { arch, have, missing, usable })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A package as it would be stored.
    pub(in crate::firmware) fn stored(name: &str, version: &RosVersion, arch: Arch) -> Stored {
        Stored {
            package_id: Uuid::now_v7(),
            name: name.to_owned(),
            version: *version,
            arch,
            file_name: file_name(name, version, arch),
            size: 1_000,
        }
    }

    #[test]
    fn completeness_says_what_is_there_and_what_is_not() {
        let version = RosVersion::release(7, 16, 1);
        let arm = ["wifi-qcom", "tr069-client", "routeros", "own"];
        let packages = arm.map(|name| stored(name, &version, Arch::Arm));
        let smips = stored("routeros", &version, Arch::Smips);
        let catalogue = Catalogue::new(packages.into_iter().chain([smips]), []);
        let all = catalogue.completeness(&version);
        let [arm, smips] = all.as_slice() else { panic!("two have some") };

        assert_eq!((arm.arch, arm.usable), (Arch::Arm, true));
        assert_eq!(arm.have, ["routeros", "tr069-client", "own", "wifi-qcom"]);
        let missing: Vec<&str> = arm.missing.iter().map(|missing| missing.name.as_str()).collect();
        assert!(missing.contains(&"container") && missing.contains(&"wireless"), "{missing:?}");
        assert!(!missing.contains(&"wifi-qcom-be"), "there is none for arm");
        assert!(arm.missing.iter().all(|missing| !missing.required));

        assert_eq!((smips.arch, smips.usable), (Arch::Smips, false));
        let client = &smips.missing[0];
        assert_eq!(client.file_name, "tr069-client-7.16.1-smips.npk");
        assert!(client.required && !smips.missing.iter().any(|missing| missing.name == "wireless"));

        assert!(catalogue.completeness(&RosVersion::release(7, 1, 0)).is_empty());
    }

    #[test]
    fn packages_and_withdrawn_releases_are_found() {
        let version = RosVersion::release(7, 16, 1);
        let packages = [stored("routeros", &version, Arch::Arm)];
        let catalogue = Catalogue::new(packages, [(version, "it loops".to_owned())]);
        assert!(catalogue.get(&version, Arch::Arm, "routeros").is_some());
        assert!(catalogue.get(&version, Arch::Arm64, "routeros").is_none());
        assert_eq!(catalogue.withdrawn(&version), Some("it loops"));
        assert_eq!(catalogue.withdrawn(&RosVersion::release(7, 16, 2)), None);
    }
}
