//! Which packages a device needs of a release.
//!
//! The main package and the TR-069 client always. Then what is on the device, under the names of the
//! release: disabled packages too, or they would be gone. Then the driver of its radios, which left
//! the main package with 7.13, and has other names on either side of that.
//!
//! Where a device has not said what is on it, or what drives its radios cannot be told from that,
//! its model decides, and the set is marked as assumed.

use std::collections::BTreeSet;

use muster_routeros::arch::Arch;
use muster_routeros::inspect::Installed;
use muster_routeros::package::{CLIENT, MAIN, plain_name};
use muster_routeros::version::RosVersion;

use crate::firmware::extras::{self, DRIVERS, MEDIATEK, QCOM, QCOM_AC, QCOM_BE, WAVE2, WIRELESS};
use crate::firmware::models::{Radio, radio};
use crate::firmware::refusal::Refusal;

/// What is known of a device; `None` = not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// As the device writes it.
    pub arch: Option<&'a str>,
    /// Such as `RBD52G-5HacD2HnD`.
    pub model: Option<&'a str>,
    /// The name that it is sold under.
    pub product_class: Option<&'a str>,
    /// The version that it runs, as it writes it.
    pub version: Option<&'a str>,
    /// What is on it.
    pub installed: Option<&'a [Installed]>,
    /// Which versions it lets be installed.
    pub allowed_versions: Option<&'a str>,
    /// Its device-mode.
    pub device_mode: Option<&'a str>,
}

impl Known<'_> {
    /// Its architecture.
    ///
    /// # Errors
    /// [`Refusal::UnknownArchitecture`]: not said, or none that packages are made for.
    pub fn arch(&self) -> Result<Arch, Refusal> {
        let said = || Refusal::UnknownArchitecture(self.arch.map(str::to_owned));
        self.arch.and_then(|arch| arch.parse().ok()).ok_or_else(said)
    }

    /// The version that it runs.
    ///
    /// # Errors
    /// [`Refusal::UnknownVersion`], [`Refusal::NotRouterOs`]
    pub fn version(&self) -> Result<RosVersion, Refusal> {
        let said = self.version.filter(|said| !said.trim().is_empty());
        let said = said.ok_or(Refusal::UnknownVersion)?;
        said.parse().map_err(|_| Refusal::NotRouterOs(said.chars().take(64).collect()))
    }

    fn radio(&self) -> Option<Radio> {
        radio(self.model, self.product_class)
    }
}

/// The packages that a device needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSet {
    /// For which boards.
    pub arch: Arch,
    /// The main package, the TR-069 client, then by name; no name twice.
    pub names: Vec<String>,
    /// The device has not said what is on it, so that its model decided.
    pub assumed: bool,
}

/// The packages that the device needs of a release.
///
/// # Errors
/// [`Refusal::UnknownArchitecture`]; [`Refusal::NoPath`] where the release has no driver for its
/// radios.
pub fn package_set(known: &Known<'_>, target: &RosVersion) -> Result<PackageSet, Refusal> {
    let arch = known.arch()?;
    let present = known.installed.and_then(Present::of);
    let mut more: BTreeSet<String> = BTreeSet::new();
    if let Some(present) = &present {
        let carried = present
            .extras
            .iter()
            .filter(|name| !DRIVERS.contains(*name) && extras::can_exist(name, target, arch));
        more.extend(carried.map(|name| (*name).to_owned()));
    }
    // Of version 6 it is a part of the main package, so that nobody can tell who needs it.
    let needs_lte = known.model.is_some_and(|model| model.contains("SXTLTE3-7"));
    if needs_lte && extras::can_exist("lte", target, arch) {
        more.insert("lte".to_owned());
    }
    let drivers = drivers(known, present.as_ref(), target, arch)?;
    more.extend(drivers.names.into_iter().map(str::to_owned));
    let mut names = vec![MAIN.to_owned(), CLIENT.to_owned()];
    names.extend(more);
    Ok(PackageSet { arch, names, assumed: drivers.assumed || present.is_none() })
}

/// What a device said is on it.
struct Present<'a> {
    /// Of its main package.
    version: RosVersion,
    /// Of the same version, but for the main package with its parts, and the TR-069 client.
    extras: Vec<&'a str>,
}

impl<'a> Present<'a> {
    /// `None` where the list has no main package: it cannot be right then.
    fn of(installed: &'a [Installed]) -> Option<Self> {
        let is_main = |name: &str| plain_name(name) == MAIN;
        // Of version 6 a board may have the parts without the package that holds them.
        let main = installed.iter().find(|package| is_main(&package.name));
        let main = main.or_else(|| installed.iter().find(|package| package.name == "system"))?;
        let version: RosVersion = main.version.parse().ok()?;
        let is_extra =
            |name: &str| !is_main(name) && name != CLIENT && !extras::is_part(name, &version);
        let extras = installed
            .iter()
            // One of another version, such as a branding, is of no release and stays as it is.
            .filter(|package| package.version.parse::<RosVersion>() == Ok(version))
            .map(|package| package.name.as_str())
            .filter(|name| is_extra(name))
            .collect();
        Some(Self { version, extras })
    }

    fn has(&self, name: &str) -> bool {
        self.extras.contains(&name)
    }
}

struct Drivers {
    names: Vec<&'static str>,
    assumed: bool,
}

impl Drivers {
    fn sure(name: Option<&'static str>) -> Self {
        Self { names: name.into_iter().collect(), assumed: false }
    }

    fn assumed(name: Option<&'static str>) -> Self {
        Self { names: name.into_iter().collect(), assumed: true }
    }
}

/// The drivers of the device's radios.
fn drivers(
    known: &Known<'_>,
    present: Option<&Present<'_>>,
    target: &RosVersion,
    arch: Arch,
) -> Result<Drivers, Refusal> {
    if extras::is_split(target) {
        Ok(split(known, present, target, arch))
    } else {
        bundled(known, present, target, arch)
    }
}

/// From 7.13 on each has a package of its own.
fn split(
    known: &Known<'_>,
    present: Option<&Present<'_>>,
    target: &RosVersion,
    arch: Arch,
) -> Drivers {
    let exists = |name: &&'static str| extras::can_exist(name, target, arch);
    if let Some(present) = present {
        if extras::is_split(&present.version) {
            let names = DRIVERS.into_iter().filter(|name| present.has(name)).filter(exists);
            return Drivers { names: names.collect(), assumed: false };
        }
        if present.has(WAVE2) {
            // It became two, of which one is for 802.11ac; only 32-bit boards have such radios.
            return match (arch, known.radio()) {
                (Arch::Arm, Some(Radio::Ac)) => Drivers::sure(Some(QCOM_AC)),
                (Arch::Arm, Some(Radio::Ax)) => Drivers::sure(Some(QCOM)),
                (Arch::Arm, _) => Drivers::assumed(Some(QCOM)),
                // Elsewhere it only managed the radios of others, as the main package does now.
                _ => Drivers::sure(Some(QCOM).filter(exists)),
            };
        }
    }
    let name = match known.radio() {
        Some(Radio::None) => None,
        Some(Radio::Ax) => Some(QCOM),
        Some(Radio::Be) => Some(QCOM_BE),
        Some(Radio::Legacy | Radio::Ac) | None => Some(WIRELESS),
    };
    Drivers::assumed(name.filter(exists))
}

/// Before 7.13 the main package has most; 802.11ax needs another, and 802.11be has none.
fn bundled(
    known: &Known<'_>,
    present: Option<&Present<'_>>,
    target: &RosVersion,
    arch: Arch,
) -> Result<Drivers, Refusal> {
    let wave2 = Some(WAVE2).filter(|name| extras::can_exist(name, target, arch));
    let Some(present) = present else {
        return match known.radio() {
            Some(Radio::Be) => Err(Refusal::radio(target, QCOM_BE, arch)),
            Some(Radio::Ax) if wave2.is_none() => Err(Refusal::radio(target, WAVE2, arch)),
            Some(Radio::Ax) => Ok(Drivers::assumed(wave2)),
            Some(Radio::None | Radio::Legacy | Radio::Ac) | None => Ok(Drivers::assumed(None)),
        };
    };
    let newer = [QCOM_BE, MEDIATEK].into_iter().find(|name| present.has(name));
    if let Some(name) = newer {
        return Err(Refusal::radio(target, name, arch));
    }
    // Either way version 6 drives the radios of 802.11ac by itself, and no others.
    let ac = present.has(QCOM_AC) || known.radio() == Some(Radio::Ac);
    if !(present.has(QCOM) || present.has(QCOM_AC) || present.has(WAVE2)) {
        Ok(Drivers::sure(None))
    } else if wave2.is_some() || ac {
        Ok(Drivers::sure(wave2))
    } else {
        Err(Refusal::radio(target, WAVE2, arch))
    }
}

#[cfg(test)]
mod tests;
