//! What no device could take is refused before it is stored, with a pointer to the field.

use muster_routeros::version::RosVersion;
use uuid::Uuid;

use super::{JobSpec, SetParameter};
use crate::error::Error;

/// Parameters in one job: beyond it a device's own limit is near, and the audit unreadable.
pub const MAX_PARAMETERS: usize = 1_000;
/// TR-069: names and object paths have at most 256 characters.
pub const MAX_NAME: usize = 256;
/// Packages in one upgrade: RouterOS has fewer.
pub const MAX_PACKAGES: usize = 64;
/// A script longer than this is no configuration of one device.
pub const MAX_SCRIPT: usize = 512 * 1024;
/// A value longer than this is no setting but a file.
pub const MAX_VALUE: usize = 65_536;

impl JobSpec {
    /// Refuses what no device could take, naming the field by an RFC 6901 pointer.
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Get { names } | Self::GetAttributes { names } => {
                count("/names", names.len())?;
                names.iter().enumerate().try_for_each(|(i, n)| name(&format!("/names/{i}"), n))
            }
            Self::Set { parameters } => {
                count("/parameters", parameters.len())?;
                set_parameters(parameters, false)
            }
            Self::AddObject { object, parameters } => {
                path("/object", object)?;
                if parameters.len() > MAX_PARAMETERS {
                    count("/parameters", parameters.len())?;
                }
                set_parameters(parameters, true)
            }
            Self::DeleteObject { object } => path("/object", object),
            Self::SetAttributes { attributes } => {
                count("/attributes", attributes.len())?;
                attributes.iter().enumerate().try_for_each(|(i, a)| {
                    name(&format!("/attributes/{i}/name"), &a.name)?;
                    if a.notification.is_some_and(|n| n > 6) {
                        let at = format!("/attributes/{i}/notification");
                        return Err(Error::invalid(at, "notification is 0 to 6"));
                    }
                    Ok(())
                })
            }
            Self::Refresh { path: Some(p) } => path("/path", p),
            Self::ScheduleDownload { windows, .. } if !(1..=2).contains(&windows.len()) => {
                Err(Error::invalid("/windows", "one or two windows"))
            }
            Self::ChangeDuState { operations } => count("/operations", operations.len()),
            Self::Upgrade { version, packages, from } => {
                upgrade(version, packages)?;
                match from {
                    Some(from) => release("/from", from),
                    None => Ok(()),
                }
            }
            Self::Configure { script, .. } if script.len() > MAX_SCRIPT => {
                Err(Error::invalid("/script", format!("at most {MAX_SCRIPT} bytes")))
            }
            Self::ScheduleInform { delay_seconds: 0 } => {
                Err(Error::invalid("/delay_seconds", "more than 0"))
            }
            Self::Diagnose { test } => test.validate(),
            Self::Refresh { path: None }
            | Self::Methods
            | Self::Reboot
            | Self::FactoryReset
            | Self::Configure { .. }
            | Self::Download(_)
            | Self::Upload { .. }
            | Self::ScheduleInform { .. }
            | Self::QueuedTransfers
            | Self::CancelTransfer { .. }
            | Self::ScheduleDownload { .. }
            | Self::ConnectionRequest
            | Self::Credentials => Ok(()),
        }
    }
}

fn count(pointer: &str, n: usize) -> Result<(), Error> {
    if n == 0 || n > MAX_PARAMETERS {
        return Err(Error::invalid(pointer, format!("1 to {MAX_PARAMETERS} entries, not {n}")));
    }
    Ok(())
}

fn upgrade(version: &str, packages: &[Uuid]) -> Result<(), Error> {
    release("/version", version)?;
    if !(1..=MAX_PACKAGES).contains(&packages.len()) {
        let why = format!("1 to {MAX_PACKAGES} packages, not {}", packages.len());
        return Err(Error::invalid("/packages", why));
    }
    let mut seen = std::collections::HashSet::new();
    match packages.iter().position(|package| !seen.insert(package)) {
        Some(i) => Err(Error::invalid(format!("/packages/{i}"), "each package once")),
        None => Ok(()),
    }
}

fn release(pointer: &str, version: &str) -> Result<(), Error> {
    let known: Result<RosVersion, _> = version.parse();
    known.map(drop).map_err(|e| Error::invalid(pointer, e.to_string()))
}

fn name(pointer: &str, text: &str) -> Result<(), Error> {
    // C1: an empty name is legal and breaks gateways; white space never belongs there.
    if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_whitespace) {
        return Err(Error::invalid(
            pointer,
            format!("a parameter name has 1 to {MAX_NAME} characters and no white space"),
        ));
    }
    Ok(())
}

fn path(pointer: &str, text: &str) -> Result<(), Error> {
    name(pointer, text)?;
    if !text.ends_with('.') {
        return Err(Error::invalid(pointer, "an object path ends in a dot"));
    }
    Ok(())
}

fn set_parameters(parameters: &[SetParameter], relative: bool) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::new();
    for (i, p) in parameters.iter().enumerate() {
        let at = format!("/parameters/{i}/name");
        name(&at, &p.name)?;
        if p.name.ends_with('.') {
            return Err(Error::invalid(at, "a parameter, not an object"));
        }
        if !seen.insert(&p.name) {
            return Err(Error::invalid(at, "no name twice in one job (TR-069 A.3.2.1)"));
        }
        // Deviation 24: one wrong letter here and the device never comes back.
        if !relative && p.name.ends_with(".ManagementServer.URL") {
            return Err(Error::invalid(
                at,
                "the ACS URL is not changed by a set job: the device would leave this ACS for good",
            ));
        }
        if p.value.len() > MAX_VALUE {
            let at = format!("/parameters/{i}/value");
            return Err(Error::invalid(at, format!("at most {MAX_VALUE} bytes")));
        }
    }
    Ok(())
}
