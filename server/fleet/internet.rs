//! A device's way to the Internet: its address, how it came by it, and whether the line is up. Pure.

use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::reading::{Reading, as_object};

/// Layers below an interface that are followed: a vendor's may go in circles.
const LAYERS: usize = 6;

/// A device's way to the Internet, as far as it tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Internet {
    /// Its address there.
    pub address: Option<String>,
    /// `DHCP` or `PPPoE`; null = fixed, or not told.
    pub how: Option<String>,
    /// Whether the line is up.
    pub up: Option<bool>,
    /// Mbit/s of the port that it comes by.
    pub port_mbit: Option<u32>,
}

/// The way of this device; `own` is the address at which it says it can be called.
pub fn internet(reading: Reading<'_>, own: Option<IpAddr>) -> Internet {
    let found = ppp(reading).or_else(|| dhcp(reading)).or_else(|| tr098(reading));
    let internet = found.unwrap_or_else(|| Internet {
        address: own.map(|address| address.to_string()),
        ..Internet::default()
    });
    match interface(reading, internet.address.as_deref()) {
        Some(path) => with_layers(reading, path, internet),
        None => internet,
    }
}

/// Whether its line is up, as far as it tells: also where it has no address because it is not.
pub fn is_up(reading: Reading<'_>) -> Option<bool> {
    internet(reading, None).up.or_else(|| asks_in_vain(reading).then_some(false))
}

/// Whether something that is to bring it an address says that it has none.
fn asks_in_vain(reading: Reading<'_>) -> bool {
    let without = |object: &String, status: &str, good: &str| {
        let off = reading.flag(&format!("{object}Enable")) == Some(false);
        let status = reading.text(&format!("{object}{status}"));
        !off && status.is_some_and(|status| status != good && status != "Unconfigured")
    };
    let ppp = reading.objects("Device.PPP.Interface.");
    let dhcp = reading.objects("Device.DHCPv4.Client.");
    ppp.iter().any(|object| without(object, "ConnectionStatus", "Connected"))
        || dhcp.iter().any(|object| without(object, "DHCPStatus", "Bound"))
        || connections(reading)
            .iter()
            .any(|object| without(object, "ConnectionStatus", "Connected"))
}

/// The connections of TR-098.
fn connections(reading: Reading<'_>) -> Vec<String> {
    let below = |table: String| reading.objects(&table);
    let wans = below("InternetGatewayDevice.WANDevice.".to_owned());
    let devices = wans.iter().flat_map(|wan| below(format!("{wan}WANConnectionDevice.")));
    devices
        .flat_map(|device| {
            let kinds = ["WANPPPConnection.", "WANIPConnection."];
            kinds.into_iter().flat_map(move |kind| below(format!("{device}{kind}")))
        })
        .collect()
}

fn ppp(reading: Reading<'_>) -> Option<Internet> {
    let table = "Device.PPP.Interface.";
    reading.rows(table).into_iter().find_map(|row| {
        let address = address(reading, &format!("{table}{row}.IPCP.LocalIPAddress"))?;
        let up = reading.text(&format!("{table}{row}.ConnectionStatus")).map(|s| s == "Connected");
        let how = Some("PPPoE".to_owned());
        Some(Internet { address: Some(address), how, up, port_mbit: None })
    })
}

fn dhcp(reading: Reading<'_>) -> Option<Internet> {
    let table = "Device.DHCPv4.Client.";
    reading.rows(table).into_iter().find_map(|row| {
        let address = address(reading, &format!("{table}{row}.IPAddress"))?;
        let how = Some("DHCP".to_owned());
        Some(Internet { address: Some(address), how, ..Internet::default() })
    })
}

/// The connection that is up; if none is, the first that has an address.
fn tr098(reading: Reading<'_>) -> Option<Internet> {
    let mut found = None;
    let wans = "InternetGatewayDevice.WANDevice.";
    for wan in reading.rows(wans) {
        let wan = format!("{wans}{wan}.");
        let line = reading.text(&format!("{wan}WANCommonInterfaceConfig.PhysicalLinkStatus"));
        let connections = format!("{wan}WANConnectionDevice.");
        for connection in reading.rows(&connections) {
            for (kind, how) in [("WANPPPConnection.", "PPPoE"), ("WANIPConnection.", "DHCP")] {
                let table = format!("{connections}{connection}.{kind}");
                for row in reading.rows(&table) {
                    let text = |name: &str| reading.text(&format!("{table}{row}.{name}"));
                    let address = address(reading, &format!("{table}{row}.ExternalIPAddress"));
                    let fixed = text("AddressingType") == Some("Static");
                    let connected = text("ConnectionStatus").map(|s| s == "Connected");
                    let way = Internet {
                        how: address.as_ref().filter(|_| !fixed).map(|_| how.to_owned()),
                        address,
                        up: connected.map(|up| up && line != Some("Down")),
                        port_mbit: None,
                    };
                    if way.up == Some(true) && way.address.is_some() {
                        return Some(way);
                    }
                    found = found.or(way.address.is_some().then_some(way));
                }
            }
        }
    }
    found
}

/// An address that is one: devices without any say 0.0.0.0, or nothing.
fn address(reading: Reading<'_>, name: &str) -> Option<String> {
    let address: IpAddr = reading.number(name)?;
    (!address.is_unspecified()).then(|| address.to_string())
}

/// The IP interface that has this address.
fn interface(reading: Reading<'_>, address: Option<&str>) -> Option<String> {
    let address = address?;
    let table = "Device.IP.Interface.";
    let has = |row: &u32| {
        let addresses = format!("{table}{row}.IPv4Address.");
        let mut rows = reading.rows(&addresses).into_iter();
        rows.any(|n| reading.text(&format!("{addresses}{n}.IPAddress")) == Some(address))
    };
    reading.rows(table).into_iter().find(has).map(|row| format!("{table}{row}."))
}

/// What the interface and the layers below it say: it is up if all of them are.
fn with_layers(reading: Reading<'_>, interface: String, mut internet: Internet) -> Internet {
    let mut path = interface;
    for _ in 0..LAYERS {
        let status = reading.text(&format!("{path}Status"));
        if let Some(status) = status.filter(|status| *status != "Unknown") {
            internet.up = Some(internet.up != Some(false) && status == "Up");
        }
        let rate: Option<u32> = reading.number(&format!("{path}CurrentBitRate"));
        internet.port_mbit = rate.filter(|mbit| *mbit > 0).or(internet.port_mbit);
        let below = reading.text(&format!("{path}LowerLayers"));
        match below.and_then(|list| list.split(',').next()) {
            Some(next) => path = as_object(next),
            None => break,
        }
    }
    internet
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fleet::reading::sample;

    fn read(parameters: &[(&str, &str)]) -> Internet {
        let (document, counters) = sample(parameters);
        let own = "192.0.2.9".parse().unwrap();
        internet(Reading::new(&document, Some(&counters)), Some(own))
    }

    const ROUTEROS: &[(&str, &str)] = &[
        ("Device.PPP.Interface.12.IPCP.LocalIPAddress", "0.0.0.0"),
        ("Device.DHCPv4.Client.1.IPAddress", "100.64.0.1"),
        ("Device.IP.Interface.7.IPv4Address.5.IPAddress", "192.168.88.1"),
        ("Device.IP.Interface.7.Status", "Down"),
        ("Device.IP.Interface.1.IPv4Address.3.IPAddress", "100.64.0.1"),
        ("Device.IP.Interface.1.Status", "Up"),
        ("Device.IP.Interface.1.LowerLayers", "Device.Ethernet.Link.1."),
        ("Device.Ethernet.Link.1.Status", "Up"),
        ("Device.Ethernet.Link.1.LowerLayers", "Device.Ethernet.Interface.1"),
        ("Device.Ethernet.Interface.1.Status", "Up"),
        ("Device.Ethernet.Interface.1.CurrentBitRate", "1000"),
    ];

    #[test]
    fn the_address_is_followed_down_to_its_port() {
        let expected = Internet {
            address: Some("100.64.0.1".to_owned()),
            how: Some("DHCP".to_owned()),
            up: Some(true),
            port_mbit: Some(1_000),
        };
        assert_eq!(read(ROUTEROS), expected);
        let mut unplugged = ROUTEROS.to_vec();
        unplugged.push(("Device.Ethernet.Interface.1.Status", "Down"));
        assert_eq!(read(&unplugged), Internet { up: Some(false), ..expected.clone() });
        let mut circle = ROUTEROS.to_vec();
        circle.push(("Device.Ethernet.Interface.1.LowerLayers", "Device.IP.Interface.1."));
        assert_eq!(read(&circle), expected);
    }

    #[test]
    fn a_session_that_is_connected_comes_first() {
        let mut parameters = ROUTEROS.to_vec();
        parameters.push(("Device.PPP.Interface.12.IPCP.LocalIPAddress", "203.0.113.7"));
        parameters.push(("Device.PPP.Interface.12.ConnectionStatus", "Connected"));
        let internet = read(&parameters);
        assert_eq!(internet.address.as_deref(), Some("203.0.113.7"));
        assert_eq!((internet.how.as_deref(), internet.up), (Some("PPPoE"), Some(true)));
    }

    #[test]
    fn who_asks_for_an_address_in_vain_is_down() {
        let up = |parameters: &[(&str, &str)]| {
            let (document, counters) = sample(parameters);
            is_up(Reading::new(&document, Some(&counters)))
        };
        assert_eq!(up(ROUTEROS), Some(true));
        assert_eq!(up(&[]), None);
        let dhcp = "Device.DHCPv4.Client.1.DHCPStatus";
        let address = "Device.DHCPv4.Client.1.IPAddress";
        assert_eq!(up(&[(dhcp, "Selecting"), (address, "0.0.0.0")]), Some(false));
        let off = "Device.DHCPv4.Client.1.Enable";
        assert_eq!(up(&[(dhcp, "Init"), (off, "0")]), None);
        let session = "Device.PPP.Interface.12.ConnectionStatus";
        assert_eq!(up(&[(session, "Unconfigured")]), None);
        assert_eq!(up(&[(session, "Disconnected")]), Some(false));
        let wan = "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANIPConnection.1.ConnectionStatus";
        assert_eq!(up(&[(wan, "Connecting")]), Some(false));
    }

    #[test]
    fn who_tells_nothing_has_the_address_that_it_is_called_at() {
        let internet = read(&[]);
        assert_eq!(internet.address.as_deref(), Some("192.0.2.9"));
        assert_eq!((internet.how, internet.up), (None, None));
    }

    #[test]
    fn tr098_has_connections_below_its_devices() {
        let wan = "InternetGatewayDevice.WANDevice.1";
        let names = [
            (format!("{wan}.WANCommonInterfaceConfig.PhysicalLinkStatus"), "Up"),
            (
                format!("{wan}.WANConnectionDevice.1.WANIPConnection.1.ExternalIPAddress"),
                "10.0.0.2",
            ),
            (format!("{wan}.WANConnectionDevice.1.WANIPConnection.1.ConnectionStatus"), "Pending"),
            (
                format!("{wan}.WANConnectionDevice.2.WANPPPConnection.1.ExternalIPAddress"),
                "203.0.113.8",
            ),
            (
                format!("{wan}.WANConnectionDevice.2.WANPPPConnection.1.ConnectionStatus"),
                "Connected",
            ),
        ];
        let all: Vec<(&str, &str)> =
            names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let internet = read(&all);
        assert_eq!(internet.address.as_deref(), Some("203.0.113.8"));
        assert_eq!((internet.how.as_deref(), internet.up), (Some("PPPoE"), Some(true)));
        let internet = read(&all[..3]);
        assert_eq!((internet.address.as_deref(), internet.up), (Some("10.0.0.2"), Some(false)));
    }
}
