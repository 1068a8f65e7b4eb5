//! Who a device is: UUIDv5 of its identity, computed by any node without asking the database.

use muster_cwmp::rpc::DeviceId as CwmpDeviceId;
use uuid::Uuid;

use crate::config::IdentityMode;

/// Namespace of device ids; never changes, or every device would be a new one.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5064_8576_6963_65aa_0001);

/// Whether a device runs RouterOS, by the manufacturer that it gives: what its scripts and exports are is
/// known then. `is_routeros` of the database is the same.
pub fn is_routeros(manufacturer: &str) -> bool {
    manufacturer.eq_ignore_ascii_case("mikrotik")
}

/// The id of the device that calls itself this. The OUI must be normalised.
pub fn device_id(id: &CwmpDeviceId, mode: IdentityMode) -> Uuid {
    // A separator that cannot stand in an OUI keeps (AB, C-D) and (AB-C, D) apart.
    let name = match mode {
        IdentityMode::OuiSerial => format!("{}-{}", id.oui, id.serial_number),
        IdentityMode::OuiClassSerial => {
            format!("{}-{}\u{0}{}", id.oui, id.product_class, id.serial_number)
        }
    };
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// `OUI-Serial` as TR-069 3.4.4 writes it: characters outside `[A-Za-z0-9_]` as `%XX`. It is the
/// user name a device gets, so it must survive every HTTP client.
pub fn user_name(id: &CwmpDeviceId) -> String {
    let mut out = format!("{}-", escape(&id.oui));
    out.push_str(&escape(&id.serial_number));
    // ManagementServer.Username holds 256 characters; serials that long are not from devices.
    out.truncate(256);
    out
}

fn escape(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(oui: &str, class: &str, serial: &str) -> CwmpDeviceId {
        let mut id = CwmpDeviceId {
            manufacturer: "M".into(),
            oui: oui.into(),
            product_class: class.into(),
            serial_number: serial.into(),
        };
        id.normalise();
        id
    }

    #[test]
    fn the_product_class_is_identity_only_where_the_installation_says_so() {
        let (a, b) = (id("E48D8C", "hAP ac²", "1"), id("e4:8d:8c", "hAP", "1"));
        assert_eq!(device_id(&a, IdentityMode::OuiSerial), device_id(&b, IdentityMode::OuiSerial));
        let mode = IdentityMode::OuiClassSerial;
        assert_ne!(device_id(&a, mode), device_id(&b, mode));
    }

    #[test]
    fn an_id_never_changes() {
        let fixed = device_id(&id("E48D8C", "", "8A0C07C3F3BB"), IdentityMode::OuiSerial);
        assert_eq!(fixed, device_id(&id("e48d8c", "x", "8A0C07C3F3BB"), IdentityMode::OuiSerial));
        assert_eq!(fixed.get_version_num(), 5);
    }

    #[test]
    fn a_user_name_is_plain_ascii() {
        assert_eq!(user_name(&id("E48D8C", "", "A \"b/🙂")), "E48D8C-A%20%22b%2F%F0%9F%99%82");
    }
}
