//! The configuration that is kept before Muster changes a device.

use super::{AHEAD, BEFORE, Decision};
use crate::ctx::App;
use crate::desired::reconcile::Subject;
use crate::error::Error;
use crate::jobs::before;
use crate::jobs::spec::JobSpec;
use crate::store::backups;

/// So often a change waits for a backup that fails, which mostly passes. Then one that cuts nobody off is
/// made without it.
const TRIES: i32 = 3;

/// Puts the job that keeps a device's configuration before those that change it, unless a profile says
/// that none does: before what may cut the device off, where a profile wants it, and before any change of
/// a device that has one with which the next is compared. What was changed by hand since is seen then,
/// and not taken for a part of the change.
pub(super) async fn before_change(
    app: &App,
    decision: &mut Decision,
    subject: &Subject,
) -> Result<(), Error> {
    let wanted = subject.effective.backup.as_ref().map(|backup| backup.value.before_changes);
    let Some(is_risky) = risk(decision) else { return Ok(()) };
    if wanted == Some(false) {
        return Ok(());
    }
    let is_wanted = is_risky && wanted == Some(true);
    // What it sent while nothing was wanted of it says nothing of what is right.
    let is_new = subject.row.state == "unmanaged";
    let id = subject.facts.device_id;
    if is_wanted || (!is_new && backups::accepted(&app.pool, id).await?.is_some()) {
        let waits = is_risky || decision.row.attempts < TRIES;
        decision.keep_configuration(if waits { BEFORE } else { AHEAD });
        decision.jobs.rotate_right(1);
    }
    Ok(())
}

/// Whether one of the changes may cut its device off; `None` = nothing is changed.
fn risk(decision: &Decision) -> Option<bool> {
    let mut changes =
        decision.jobs.iter().filter(|(spec, _)| before::changes(spec.kind())).peekable();
    changes.peek()?;
    Some(changes.any(|(spec, _)| match spec {
        JobSpec::Set { parameters } => parameters.iter().any(|one| may_cut_off(&one.name)),
        _ => true,
    }))
}

/// Whether a parameter with this name says how a device is reached, or reaches others: its way to
/// Muster or to the internet. How often it comes is none of these.
pub(super) fn may_cut_off(name: &str) -> bool {
    let mut words = name.split('.').skip(1);
    match words.next().unwrap_or_default() {
        "ManagementServer" => words.next() != Some("PeriodicInformInterval"),
        object => matches!(object, "IP" | "PPP") || object.starts_with("WAN"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_cut_a_device_off_is_known_by_its_name() {
        for name in [
            "Device.ManagementServer.URL",
            "InternetGatewayDevice.ManagementServer.Password",
            "Device.IP.Interface.1.IPv4Address.1.IPAddress",
            "Device.PPP.Interface.1.Username",
            "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANPPPConnection.1.Username",
        ] {
            assert!(may_cut_off(name), "{name}");
        }
        for name in [
            "Device.ManagementServer.PeriodicInformInterval",
            "Device.DeviceInfo.ProvisioningCode",
            "Device.WiFi.SSID.1.SSID",
            "Device.DNS.Client.Server.1.DNSServer",
            "IP",
        ] {
            assert!(!may_cut_off(name), "{name}");
        }
    }
}
