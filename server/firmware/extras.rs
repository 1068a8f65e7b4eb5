//! Which packages RouterOS has beside its main one, for which boards and in which versions.
//!
//! As MikroTik's manual lists them. Of version 6 only what its main package does not hold. A package
//! that is not here may still be stored and sent; nobody is told that it is missing.

use muster_routeros::arch::Arch::{self, Arm, Arm64, Mipsbe, Mmips, Ppc, Smips, Tile, X86};
use muster_routeros::version::RosVersion;

/// The driver of radios up to 802.11ac.
pub(super) const WIRELESS: &str = "wireless";
/// The driver of 802.11ax, and for choice of some 802.11ac, before 7.13.
pub(super) const WAVE2: &str = "wifiwave2";
/// The driver of 802.11ax from 7.13 on.
pub(super) const QCOM: &str = "wifi-qcom";
/// The other driver of some 802.11ac from 7.13 on.
pub(super) const QCOM_AC: &str = "wifi-qcom-ac";
/// The driver of 802.11be.
pub(super) const QCOM_BE: &str = "wifi-qcom-be";
/// The driver of MediaTek's radios.
pub(super) const MEDIATEK: &str = "wifi-mediatek";

/// Drivers of radios; a board has the one that it needs, and not what another board needs.
pub(super) const DRIVERS: [&str; 6] = [WIRELESS, WAVE2, QCOM, QCOM_AC, QCOM_BE, MEDIATEK];

/// A package, with the boards and versions that have it.
pub(super) struct Extra {
    pub(super) name: &'static str,
    arches: &'static [Arch],
    /// The first version with it, and the first without it again: major and minor.
    from: (u32, u32),
    before: (u32, u32),
}

const ALL: &[Arch] = &Arch::ALL;
const ALL_BUT_SMIPS: &[Arch] = &[Arm, Arm64, Mipsbe, Mmips, Tile, Ppc, X86];
const BOTH_ARMS: &[Arch] = &[Arm, Arm64];
const FIRST: (u32, u32) = (0, 0);
const V7: (u32, u32) = (7, 0);
/// The radios' drivers left the main package.
const SPLIT: (u32, u32) = (7, 13);
const EVER: (u32, u32) = (u32::MAX, 0);

const fn extra(
    name: &'static str,
    arches: &'static [Arch],
    from: (u32, u32),
    before: (u32, u32),
) -> Extra {
    Extra { name, arches, from, before }
}

/// All of them.
pub(super) static EXTRAS: [Extra; 28] = [
    extra("calea", ALL_BUT_SMIPS, FIRST, EVER),
    extra("container", &[Arm, Arm64, X86], V7, EVER),
    extra("dude", &[Arm, Arm64, Mmips, Tile, X86], FIRST, EVER),
    extra("extra-nic", &[Arm64], V7, EVER),
    extra("gps", ALL_BUT_SMIPS, FIRST, EVER),
    // The smallest boards have it apart.
    extra("hotspot", &[Smips], V7, EVER),
    extra("iot", ALL_BUT_SMIPS, FIRST, EVER),
    extra("iot-bt-extra", BOTH_ARMS, V7, EVER),
    extra("kvm", &[X86], FIRST, V7),
    extra("lcd", ALL_BUT_SMIPS, FIRST, V7),
    extra("lora", ALL_BUT_SMIPS, FIRST, EVER),
    extra("lte", &[Mipsbe], V7, EVER),
    // In the main package since version 7.
    extra("multicast", ALL, FIRST, V7),
    extra("netinstall", ALL_BUT_SMIPS, (7, 24), EVER),
    extra("ntp", ALL, FIRST, V7),
    extra("openflow", ALL_BUT_SMIPS, FIRST, EVER),
    extra("rose-storage", &[Arm, Arm64, Tile, X86], V7, EVER),
    extra("switch-marvell", &[Arm64], V7, EVER),
    extra("tr069-client", ALL, FIRST, EVER),
    extra("ups", ALL_BUT_SMIPS, FIRST, EVER),
    extra("user-manager", ALL_BUT_SMIPS, FIRST, EVER),
    extra(MEDIATEK, &[Arm], SPLIT, EVER),
    extra(QCOM, BOTH_ARMS, SPLIT, EVER),
    extra(QCOM_AC, &[Arm], SPLIT, EVER),
    extra(QCOM_BE, &[Arm64], SPLIT, EVER),
    extra(WAVE2, BOTH_ARMS, V7, SPLIT),
    // In the main package before; that of smips, which has no other, holds it still.
    extra(WIRELESS, ALL_BUT_SMIPS, SPLIT, EVER),
    extra("zerotier", BOTH_ARMS, V7, EVER),
];

/// Parts of the main package of version 6, which boards list one by one.
const PARTS: [&str; 11] = [
    "advanced-tools",
    "dhcp",
    "hotspot",
    "ipv6",
    "lte",
    "mpls",
    "ppp",
    "routing",
    "security",
    "system",
    "wireless",
];

/// Does nothing any more, and is not needed where it is not stored.
const IDLE: [&str; 1] = ["lora"];

impl Extra {
    /// Whether this version has it for these boards.
    pub(super) fn exists(&self, version: &RosVersion, arch: Arch) -> bool {
        let at = (version.major(), version.minor());
        self.arches.contains(&arch) && self.from <= at && at < self.before
    }
}

/// The packages that this version has for these boards, but for its main one.
pub(super) fn of(version: &RosVersion, arch: Arch) -> impl Iterator<Item = &'static str> {
    EXTRAS.iter().filter(move |extra| extra.exists(version, arch)).map(|extra| extra.name)
}

/// Whether this version can have the package for these boards: so it is listed, or nobody knows.
pub(super) fn can_exist(name: &str, version: &RosVersion, arch: Arch) -> bool {
    let listed = EXTRAS.iter().find(|extra| extra.name == name);
    listed.is_none_or(|extra| extra.exists(version, arch))
}

/// Whether radios have their drivers in packages of their own in this version.
pub(super) fn is_split(version: &RosVersion) -> bool {
    (version.major(), version.minor()) >= SPLIT
}

/// Whether a package on a board that runs this version is a part of its main package.
pub(super) fn is_part(name: &str, version: &RosVersion) -> bool {
    name == "system" || (version.major() < 7 && PARTS.contains(&name))
}

/// Whether a device may do without the package where it is not stored.
pub(super) fn is_idle(name: &str) -> bool {
    IDLE.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_listed_once_and_for_somebody() {
        let names: BTreeSet<&str> = EXTRAS.iter().map(|extra| extra.name).collect();
        assert_eq!(names.len(), EXTRAS.len());
        assert!(EXTRAS.iter().all(|extra| !extra.arches.is_empty() && extra.from < extra.before));
        assert!(DRIVERS.iter().all(|driver| names.contains(driver)));
    }

    #[test]
    fn versions_and_boards_have_what_they_have() {
        let [v6, old, new] = [
            RosVersion::release(6, 49, 10),
            RosVersion::release(7, 12, 1),
            RosVersion::release(7, 16, 1),
        ];
        for arch in Arch::ALL {
            for version in [&v6, &old, &new] {
                assert!(of(version, arch).any(|name| name == "tr069-client"));
            }
        }
        assert!(of(&new, Arm).any(|name| name == WIRELESS));
        assert!(!of(&old, Arm).any(|name| name == WIRELESS), "it is in the main package");
        assert!(!of(&new, Smips).any(|name| name == WIRELESS));
        assert!(!can_exist(WAVE2, &new, Arm) && can_exist(WAVE2, &old, Arm));
        assert!(!can_exist("container", &v6, Arm) && can_exist("container", &new, Arm));
        assert!(can_exist("of-somebody", &v6, Ppc));
        assert!(is_split(&RosVersion::release(7, 13, 0)) && !is_split(&old));
        assert!(is_part(WIRELESS, &v6) && !is_part(WIRELESS, &new) && is_part("system", &new));
    }
}
