//! Over which releases a device gets to the one that it should run.
//!
//! Version 6 goes up over 7.12.1 and no further at once. From there, and within a version, the way
//! is direct, also down. Each release on the way must be one that may be sent, that the device lets
//! be installed, and whose packages are stored.

use muster_routeros::allowed::Allowed;
use muster_routeros::package::file_name;
use muster_routeros::version::RosVersion;

use crate::firmware::catalogue::{Catalogue, Stored};
use crate::firmware::extras;
use crate::firmware::refusal::Refusal;
use crate::firmware::set::{Known, PackageSet, package_set};

/// The one release of version 7 that version 6 may go to, or else an older one.
pub const STOP: RosVersion = RosVersion::release(7, 12, 1);

/// The list of boards from 7.17 on, as the manual has it: holds where a board has not said its own.
const USUAL: &str = "7.13+,6.49.8+";
/// Since when boards have such a list.
const LISTS_SINCE: RosVersion = RosVersion::release(7, 17, 0);

/// A way to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// One after the other; at least one.
    pub hops: Vec<Hop>,
    /// The device has not said all that was decided by.
    pub assumed: bool,
    /// To download, in bytes.
    pub bytes: u64,
}

/// One step of the way: one download, one version that comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What the device runs then.
    pub version: RosVersion,
    /// What it is given: the main package first, then the TR-069 client.
    pub packages: Vec<Stored>,
}

/// The way of a device to a release; `downgrade` = it may lead down.
///
/// # Errors
/// [`Refusal`]: there is none.
pub fn plan(
    known: &Known<'_>,
    target: &RosVersion,
    downgrade: bool,
    catalogue: &Catalogue,
) -> Result<Path, Refusal> {
    let from = known.version()?;
    known.arch()?;
    if *target == from {
        return Err(Refusal::AlreadyThere(from));
    }
    if *target < from && !downgrade {
        return Err(Refusal::Newer { current: from, target: *target });
    }
    let stops = stops(&from, target);
    // What nobody can change by uploading a file comes first.
    for stop in &stops {
        if let Some(why) = catalogue.withdrawn(stop) {
            return Err(Refusal::Withdrawn { version: *stop, why: why.to_owned() });
        }
        allow(known, &from, stop)?;
    }
    let sets = stops.iter().map(|stop| package_set(known, stop)).collect::<Result<Vec<_>, _>>()?;
    let hops = choose(&stops, &sets, catalogue)?;
    let assumed = sets.iter().any(|set| set.assumed) || list_is_assumed(known, &from, target);
    let bytes = hops.iter().flat_map(|hop| &hop.packages).map(|package| package.size).sum();
    Ok(Path { hops, assumed, bytes })
}

/// The releases on the way, the last one included.
fn stops(from: &RosVersion, target: &RosVersion) -> Vec<RosVersion> {
    if from.major() < 7 && *target > STOP { vec![STOP, *target] } else { vec![*target] }
}

/// Whether a board has a list that it has not said, and that matters: it lets pass what is newer.
fn list_is_assumed(known: &Known<'_>, from: &RosVersion, stop: &RosVersion) -> bool {
    known.allowed_versions.is_none() && *from >= LISTS_SINCE && stop < from
}

/// Whether the device lets the release be installed.
fn allow(known: &Known<'_>, from: &RosVersion, stop: &RosVersion) -> Result<(), Refusal> {
    let list = match known.allowed_versions {
        Some(list) => list,
        None if list_is_assumed(known, from, stop) => USUAL,
        None => return Ok(()),
    };
    // A list that cannot be read keeps nobody from what is newer than what runs.
    let permits = list.parse::<Allowed>().map_or(stop > from, |list| list.permits(stop));
    if permits {
        return Ok(());
    }
    Err(Refusal::NotAllowed {
        version: *stop,
        allowed: list.to_owned(),
        device_mode: known.device_mode.map(str::to_owned),
    })
}

/// The stored packages of each set.
fn choose(
    stops: &[RosVersion],
    sets: &[PackageSet],
    catalogue: &Catalogue,
) -> Result<Vec<Hop>, Refusal> {
    let mut hops = Vec::with_capacity(stops.len());
    let mut missing = Vec::new();
    for (version, set) in stops.iter().zip(sets) {
        let mut packages = Vec::with_capacity(set.names.len());
        for name in &set.names {
            match catalogue.get(version, set.arch, name) {
                Some(stored) => packages.push(stored.clone()),
                None if extras::is_idle(name) => {}
                None => missing.push(file_name(name, version, set.arch)),
            }
        }
        hops.push(Hop { version: *version, packages });
    }
    if missing.is_empty() { Ok(hops) } else { Err(Refusal::MissingPackage(missing)) }
}

#[cfg(test)]
mod tests;
