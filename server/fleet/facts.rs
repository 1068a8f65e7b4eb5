//! What is read out of parameters: the few facts that lists and look-ups use, and which parameters
//! are counters. Pure.

use muster_cwmp::value::ParameterValue;
use sha2::{Digest, Sha256};

/// Facts found among parameters; `None` = not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: Option<String>,
    /// `DeviceInfo.ModelName`
    pub model: Option<String>,
    /// `DeviceInfo.X_MIKROTIK_ArchName`
    pub arch: Option<String>,
    /// `DeviceInfo.X_MIKROTIK_SystemIdentity`
    pub identity: Option<String>,
    /// `DeviceInfo.HardwareVersion`
    pub hardware_version: Option<String>,
    /// `DeviceInfo.SoftwareVersion`
    pub software_version: Option<String>,
    /// `DeviceInfo.ProvisioningCode`
    pub provisioning_code: Option<String>,
    /// `ManagementServer.ParameterKey`
    pub parameter_key: Option<String>,
    /// `ManagementServer.ConnectionRequestURL`
    pub connection_request_url: Option<String>,
    /// `ManagementServer.PeriodicInformInterval`, in seconds
    pub inform_interval: Option<String>,
}

impl Facts {
    /// Reads the facts out of any list of parameters, of either data model.
    pub fn from_parameters(parameters: &[ParameterValue]) -> Self {
        let mut facts = Self::default();
        for p in parameters {
            let Some((root, rest)) = p.name.split_once('.') else { continue };
            if facts.root.is_none() && matches!(root, "Device" | "InternetGatewayDevice") {
                facts.root = Some(format!("{root}."));
            }
            let slot = match rest {
                "DeviceInfo.ModelName" => &mut facts.model,
                "DeviceInfo.X_MIKROTIK_ArchName" => &mut facts.arch,
                "DeviceInfo.X_MIKROTIK_SystemIdentity" => &mut facts.identity,
                "DeviceInfo.HardwareVersion" => &mut facts.hardware_version,
                "DeviceInfo.SoftwareVersion" => &mut facts.software_version,
                "DeviceInfo.ProvisioningCode" => &mut facts.provisioning_code,
                "ManagementServer.ParameterKey" => &mut facts.parameter_key,
                "ManagementServer.ConnectionRequestURL" => &mut facts.connection_request_url,
                "ManagementServer.PeriodicInformInterval" => &mut facts.inform_interval,
                _ => continue,
            };
            *slot = Some(capped(&p.value).to_owned());
        }
        facts
    }
}

/// Longest fact that is kept, in characters: TR-106 gives these parameters 64 or 256, and an index
/// takes no entry of some kilobytes. The parameter itself is kept whole.
pub const MAX_FACT: usize = 256;

/// The text, cut to [`MAX_FACT`] characters.
pub fn capped(text: &str) -> &str {
    text.char_indices().nth(MAX_FACT).map_or(text, |(end, _)| &text[..end])
}

/// Whether a parameter is a counter or gauge that changes by itself. Such values are kept apart, so
/// that they never rewrite a device's document.
pub fn is_volatile(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    name.contains(".Stats.")
        || name.contains("Stats.")
        || matches!(
            last,
            "UpTime"
                | "Free"
                | "CPUUsage"
                | "LeaseTimeRemaining"
                | "SignalStrength"
                | "RSSI"
                | "Noise"
                | "TotalEntries"
                | "CurrentLocalTime"
                | "LastActivity"
                | "RxRate"
                | "TxRate"
                | "MaxRxRate"
                | "MaxTxRate"
        )
}

/// Hash over the identity and the steady parameters of an Inform: equal hash, nothing to merge.
pub fn inform_hash(identity: &[&str], parameters: &[ParameterValue]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        // Length-prefixed, so that no two lists of fields give the same bytes.
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    identity.iter().for_each(|t| field(t));
    for p in parameters.iter().filter(|p| !is_volatile(&p.name)) {
        field(&p.name);
        field(&p.value);
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut out = [0; 16];
    out.copy_from_slice(&full[..16]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(name: &str, value: &str) -> ParameterValue {
        ParameterValue::string(name, value)
    }

    #[test]
    fn facts_are_found_in_both_data_models() {
        for root in ["Device.", "InternetGatewayDevice."] {
            let facts = Facts::from_parameters(&[
                p(&format!("{root}DeviceInfo.SoftwareVersion"), "7.16.1"),
                p(&format!("{root}X.DeviceInfo.ModelName"), "not this"),
            ]);
            assert_eq!(facts.root.as_deref(), Some(root));
            assert_eq!(facts.software_version.as_deref(), Some("7.16.1"));
            assert_eq!(facts.model, None);
        }
    }

    #[test]
    fn counters_do_not_change_the_hash_and_everything_else_does() {
        let a = inform_hash(&["x"], &[p("Device.DeviceInfo.UpTime", "1"), p("Device.A", "1")]);
        let b = inform_hash(&["x"], &[p("Device.DeviceInfo.UpTime", "2"), p("Device.A", "1")]);
        assert_eq!(a, b);
        assert_ne!(a, inform_hash(&["x"], &[p("Device.A", "2")]));
        assert_ne!(a, inform_hash(&["y"], &[p("Device.A", "1")]));
        assert_ne!(inform_hash(&["ab", "c"], &[]), inform_hash(&["a", "bc"], &[]));
    }
}
