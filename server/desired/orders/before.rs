//! The configuration that is kept before Muster changes a device.

use super::{BEFORE, Decision};
use crate::desired::reconcile::Subject;

/// Its configuration is kept before Muster changes it, where that is wanted.
pub(super) fn before_change(decision: &mut Decision, subject: &Subject) {
    if subject.effective.backup.as_ref().is_some_and(|backup| backup.value.before_changes) {
        decision.keep_configuration(BEFORE);
    }
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
