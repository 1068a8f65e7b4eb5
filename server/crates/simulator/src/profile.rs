//! Which boards the fleet is made of, and who device `i` of a seed is.
//!
//! Pure: the same seed and index give the same device in every process, so that a fleet can be
//! stopped and started again, and a test can name its devices beforehand.

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// One hardware model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// DeviceId ProductClass: the marketing name, with spaces and non-ASCII as RouterOS sends it.
    pub product_class: &'static str,
    /// The board name of `/system/routerboard`.
    pub board: &'static str,
    /// Architecture as in package names.
    pub arch: &'static str,
    /// Ethernet ports.
    pub ports: u32,
    /// Mbit/s of each.
    pub port_mbit: u32,
    /// Radios: 2.4 GHz, then 5 GHz; 0 = no Wi-Fi.
    pub radios: u32,
    /// What drives them.
    pub driver: Driver,
    /// Its device-mode, on RouterOS that has one.
    pub mode: &'static str,
    /// Has a modem.
    pub lte: bool,
    /// Memory, KiB.
    pub memory: u32,
    /// RouterOS versions that devices of this model run at first.
    pub versions: &'static [&'static str],
}

/// Which packages drive the radios of a model (routeros.md section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The system itself, in every version; also where there is no radio.
    System,
    /// `wireless`, part of the system up to RouterOS 7.12.
    Wireless,
    /// The same, or `wifi-qcom-ac` from 7.13 on.
    Either,
    /// `wifi-qcom`, which is `wifiwave2` up to 7.12.
    Ax,
}

impl Driver {
    /// The packages of which one must be there for the radios to work on this RouterOS, the usual
    /// one first; none where the system does it itself.
    pub fn packages(self, version: &RosVersion) -> &'static [&'static str] {
        match (self, (version.major(), version.minor()) >= (7, 13)) {
            (Self::System, _) | (Self::Wireless | Self::Either, false) => &[],
            (Self::Wireless, true) => &["wireless"],
            (Self::Either, true) => &["wireless", "wifi-qcom-ac"],
            (Self::Ax, false) => &["wifiwave2"],
            (Self::Ax, true) => &["wifi-qcom"],
        }
    }
}

/// The boards of every fleet.
pub static PROFILES: [Profile; 6] = [
    Profile {
        product_class: "hAP lite",
        board: "RB941-2nD",
        arch: "smips",
        ports: 4,
        port_mbit: 100,
        radios: 1,
        driver: Driver::System,
        mode: "home",
        lte: false,
        memory: 32_768,
        versions: &["6.48.4", "6.49.10"],
    },
    Profile {
        product_class: "hAP ac\u{b2}",
        board: "RBD52G-5HacD2HnD",
        arch: "arm",
        ports: 5,
        port_mbit: 1_000,
        radios: 2,
        driver: Driver::Either,
        mode: "home",
        lte: false,
        memory: 131_072,
        versions: &["6.48.4", "6.49.10", "7.12.1"],
    },
    Profile {
        product_class: "RB4011iGS+",
        board: "RB4011iGS+RM",
        arch: "arm",
        ports: 11,
        port_mbit: 1_000,
        radios: 0,
        driver: Driver::System,
        mode: "basic",
        lte: false,
        memory: 1_048_576,
        versions: &["6.49.10", "7.12.1", "7.16.1"],
    },
    Profile {
        product_class: "CCR2004-1G-12S+2XS",
        board: "CCR2004-1G-12S+2XS",
        arch: "arm64",
        ports: 15,
        port_mbit: 1_000,
        radios: 0,
        driver: Driver::System,
        mode: "advanced",
        lte: false,
        memory: 4_194_304,
        versions: &["7.12.1", "7.16.1"],
    },
    Profile {
        product_class: "cAP ax",
        board: "cAPGi-5HaxD2HaxD",
        arch: "arm64",
        ports: 2,
        port_mbit: 1_000,
        radios: 2,
        driver: Driver::Ax,
        mode: "home",
        lte: false,
        memory: 1_048_576,
        versions: &["7.12.1", "7.16.1"],
    },
    Profile {
        product_class: "wAP LTE kit",
        board: "RBwAPR-2nD&R11e-LTE",
        arch: "mipsbe",
        ports: 1,
        port_mbit: 100,
        radios: 1,
        driver: Driver::Wireless,
        mode: "home",
        lte: true,
        memory: 65_536,
        versions: &["6.48.4", "6.49.10", "7.12.1"],
    },
];

/// Real boards have many; nothing may depend on one.
const OUIS: [&str; 6] = ["E48D8C", "4C5E0C", "64D154", "2CC81B", "B869F4", "DC2C6E"];

/// Who one device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Six upper-case hex digits.
    pub oui: &'static str,
    /// Twelve upper-case hex digits, unique within a seed for indices below 2^24.
    pub serial: String,
    /// Position in [`PROFILES`].
    pub profile_index: usize,
    /// RouterOS version at first power-up.
    pub version: &'static str,
    /// The 36 hex digits that end its ConnectionRequestURL.
    pub request_path: String,
}

impl Identity {
    /// Device `index` of the fleet with this seed.
    pub fn derive(seed: u64, index: u32) -> Self {
        let mut rng = device_rng(seed, index);
        let profile_index = rng.random_range(0..PROFILES.len());
        let versions = PROFILES[profile_index].versions;
        let high: u32 = rng.random();
        let (a, b, c): (u64, u64, u16) = (rng.random(), rng.random(), rng.random());
        Self {
            oui: OUIS[rng.random_range(0..OUIS.len())],
            serial: format!("{:06X}{:06X}", high >> 8, index & 0xFF_FFFF),
            profile_index,
            version: versions[rng.random_range(0..versions.len())],
            request_path: format!("{a:016x}{b:016x}{c:04x}"),
        }
    }

    /// Its hardware model.
    pub fn profile(&self) -> &'static Profile {
        &PROFILES[self.profile_index]
    }

    /// The architecture that its packages must have.
    pub fn arch(&self) -> Arch {
        self.profile().arch.parse().expect("a profile's architecture is one")
    }

    /// RouterOS at first power-up.
    pub fn first_version(&self) -> RosVersion {
        self.version.parse().expect("a profile's versions are some")
    }

    /// Its number in the fleet, which its serial ends in.
    pub(crate) fn number(&self) -> u32 {
        u32::from_str_radix(&self.serial[6..], 16).unwrap_or(0)
    }

    /// The MAC address of interface `n`, from OUI and serial: ports from 1, Wi-Fi networks from 16,
    /// below 32. No two are the same in fleets below 2^19.
    pub fn mac(&self, n: u32) -> String {
        let low = self.number().wrapping_mul(32).wrapping_add(n);
        let byte = |at: usize| &self.oui[at..at + 2];
        let [_, x, y, z] = low.to_be_bytes();
        format!("{}:{}:{}:{x:02X}:{y:02X}:{z:02X}", byte(0), byte(2), byte(4))
    }
}

/// The device's own stream of random numbers.
pub(crate) fn device_rng(seed: u64, index: u32) -> SmallRng {
    // The odd constant spreads neighbouring indices over the whole seed space.
    SmallRng::seed_from_u64(seed ^ u64::from(index).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn devices_are_distinct_and_the_same_again() {
        let devices: Vec<Identity> = (0..2_000).map(|i| Identity::derive(7, i)).collect();
        let serials: BTreeSet<&str> = devices.iter().map(|d| d.serial.as_str()).collect();
        assert_eq!(serials.len(), devices.len());
        let models: BTreeSet<usize> = devices.iter().map(|d| d.profile_index).collect();
        assert_eq!(models.len(), PROFILES.len());
        assert_eq!(devices[41], Identity::derive(7, 41));
        assert_ne!(devices[41].request_path, Identity::derive(8, 41).request_path);
    }

    #[test]
    fn each_board_has_an_architecture_and_versions() {
        for device in (0..200).map(|i| Identity::derive(3, i)) {
            assert_eq!(device.arch().word(), device.profile().arch);
            assert_eq!(device.first_version().to_string(), device.version);
        }
    }

    #[test]
    fn drivers_are_packages_of_their_own_from_7_13_on() {
        let (before, after) = (RosVersion::release(7, 12, 1), RosVersion::release(7, 13, 0));
        assert!(Driver::Wireless.packages(&before).is_empty());
        assert_eq!(Driver::Wireless.packages(&after), ["wireless"]);
        assert_eq!(Driver::Ax.packages(&before), ["wifiwave2"]);
        assert_eq!(Driver::Ax.packages(&after), ["wifi-qcom"]);
    }

    #[test]
    fn an_identity_has_the_shape_of_the_captures() {
        let device = Identity::derive(1, 300);
        assert_eq!((device.serial.len(), device.request_path.len()), (12, 36));
        assert!(device.serial.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(device.request_path.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(device.mac(2).len(), 17);
        assert_ne!(device.mac(1), device.mac(2));
    }
}
