//! What is connected to a device, and how well: what its access points say, and its list of hosts,
//! put together by their hardware addresses. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::seen::Seen;
use super::wifi::Network;

/// So many are told at most.
const MOST: usize = 100;

/// Something that is connected to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Client {
    /// As it calls itself.
    pub name: Option<String>,
    /// Its hardware address.
    #[schema(example = "5C:1D:D9:00:00:A7")]
    pub mac: String,
    /// Its IP address.
    pub address: Option<String>,
    /// How it is connected.
    pub medium: Medium,
    /// By which of the device's networks.
    pub network: Option<String>,
    /// How well the device hears it.
    pub signal: Option<Signal>,
    /// The same in dBm.
    pub signal_dbm: Option<i32>,
    /// Towards it, in kbit/s, as last sent.
    pub down_kbps: Option<u32>,
    /// From it, in kbit/s, as last received.
    pub up_kbps: Option<u32>,
}

/// How something is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// By Wi-Fi.
    Wifi,
    /// By cable.
    Cable,
    /// The device does not tell.
    Unknown,
}

/// How well a device hears a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Below -75 dBm: it will break off.
    Weak,
    /// From -75 dBm: slow at times.
    Fair,
    /// From -67 dBm: good for calls and films.
    Good,
    /// From -55 dBm.
    Excellent,
}

impl Signal {
    /// By its strength in dBm.
    pub fn of(dbm: i32) -> Self {
        match dbm {
            -55.. => Self::Excellent,
            -67.. => Self::Good,
            -75.. => Self::Fair,
            ..-75 => Self::Weak,
        }
    }
}

/// What is connected: by Wi-Fi first, in order of names.
pub(super) fn clients(seen: &Seen, networks: &[Network]) -> Vec<Client> {
    let mut found: BTreeMap<String, Client> = BTreeMap::new();
    for client in networks.iter().flat_map(|network| associated(seen, network)) {
        found.entry(client.mac.clone()).or_insert(client);
    }
    for host in host_tables(seen).iter().flat_map(|table| hosts(seen, table)) {
        match found.get_mut(&host.client.mac) {
            Some(client) => {
                client.name = client.name.take().or(host.client.name);
                client.address = client.address.take().or(host.client.address);
            }
            None if host.here => drop(found.insert(host.client.mac.clone(), host.client)),
            None => {}
        }
    }
    let mut list: Vec<Client> = found.into_values().collect();
    let called = |client: &Client| client.name.as_ref().map(|name| name.to_lowercase());
    list.sort_by_cached_key(|client| (client.medium, client.name.is_none(), called(client)));
    list.truncate(MOST);
    list
}

/// Those that an access point has.
fn associated(seen: &Seen, network: &Network) -> Vec<Client> {
    let table = format!("{}AssociatedDevice.", network.access_point);
    let client = |row: u32| {
        let object = format!("{table}{row}.");
        let text = |name: &str| seen.text(&format!("{object}{name}"));
        // TR-098 has longer names.
        let mac = text("MACAddress").or_else(|| text("AssociatedDeviceMACAddress"))?;
        if seen.flag(&format!("{object}Active")) == Some(false) {
            return None;
        }
        // Nothing that is heard is louder than this, and 0 stands for what is not known.
        let dbm: Option<i32> = seen.number(&format!("{object}SignalStrength"));
        let dbm = dbm.filter(|dbm| *dbm < 0);
        // Of the access point: what it sends goes down.
        let rate = |standard: &str, routeros: &str| {
            let number: Option<u32> = seen.number(&format!("{object}{standard}"));
            number.filter(|rate| *rate > 0).or_else(|| kbps(text(routeros)?))
        };
        Some(Client {
            name: None,
            mac: canonical(mac),
            address: text("AssociatedDeviceIPAddress").map(str::to_owned),
            medium: Medium::Wifi,
            network: Some(network.network.clone()),
            signal: dbm.map(Signal::of),
            signal_dbm: dbm,
            down_kbps: rate("LastDataDownlinkRate", "X_MIKROTIK_Stats.TxRate"),
            up_kbps: rate("LastDataUplinkRate", "X_MIKROTIK_Stats.RxRate"),
        })
    };
    seen.rows(&table).into_iter().filter_map(client).collect()
}

/// A row of a list of hosts.
struct Host {
    client: Client,
    /// It is not only remembered.
    here: bool,
}

/// The lists of hosts that the device's data model has.
fn host_tables(seen: &Seen) -> Vec<String> {
    let lans = "InternetGatewayDevice.LANDevice.";
    let of_lans = seen.rows(lans).into_iter().map(|lan| format!("{lans}{lan}.Hosts.Host."));
    std::iter::once("Device.Hosts.Host.".to_owned()).chain(of_lans).collect()
}

fn hosts(seen: &Seen, table: &str) -> Vec<Host> {
    let host = |row: u32| {
        let object = format!("{table}{row}.");
        let text = |name: &str| seen.text(&format!("{object}{name}"));
        let mac = text("PhysAddress").or_else(|| text("MACAddress"))?;
        // The last layer that it came by, in the words of either data model.
        let layer = ["Layer1Interface", "InterfaceType", "Layer2Interface"];
        let layer = layer.into_iter().find_map(text).unwrap_or_default();
        let client = Client {
            name: text("HostName").map(str::to_owned),
            mac: canonical(mac),
            address: text("IPAddress").map(str::to_owned),
            medium: medium(layer),
            network: None,
            signal: None,
            signal_dbm: None,
            down_kbps: None,
            up_kbps: None,
        };
        Some(Host { client, here: seen.flag(&format!("{object}Active")) != Some(false) })
    };
    seen.rows(table).into_iter().filter_map(host).collect()
}

fn medium(layer: &str) -> Medium {
    if ["WiFi", "802.11", "WLAN"].iter().any(|word| layer.contains(word)) {
        Medium::Wifi
    } else if layer.contains("Ethernet") {
        Medium::Cable
    } else {
        Medium::Unknown
    }
}

/// A hardware address as all write it but some devices.
fn canonical(mac: &str) -> String {
    mac.to_ascii_uppercase().replace('-', ":")
}

/// A rate as RouterOS tells it: `144.4Mbps-20MHz/2S/SGI`.
fn kbps(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].get(..4)?;
    let factor = match unit {
        "Gbps" => 1e6,
        "Mbps" => 1e3,
        "kbps" => 1.0,
        _ => return None,
    };
    let rate = (number * factor).round();
    // Truncation is meant: it is whole, and within bounds.
    (1.0..=1e9).contains(&rate).then_some(rate as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::support::seen::sample;
    use crate::service::support::wifi::networks;

    fn read(parameters: &[(&str, &str)]) -> Vec<Client> {
        let (document, counters) = sample(parameters);
        let seen = Seen::new(document, counters, &[]);
        clients(&seen, &networks(&seen))
    }

    const ROUTEROS: &[(&str, &str)] = &[
        ("Device.WiFi.SSID.3.SSID", "Attic"),
        ("Device.WiFi.AccessPoint.12.SSIDReference", "Device.WiFi.SSID.3."),
        ("Device.WiFi.AccessPoint.12.AssociatedDevice.167.MACAddress", "5c:1d:d9:00:00:a7"),
        ("Device.WiFi.AccessPoint.12.AssociatedDevice.167.SignalStrength", "-61"),
        (
            "Device.WiFi.AccessPoint.12.AssociatedDevice.167.X_MIKROTIK_Stats.TxRate",
            "144.4Mbps-20MHz/2S/SGI",
        ),
        ("Device.Hosts.Host.153.PhysAddress", "5C:1D:D9:00:00:A7"),
        ("Device.Hosts.Host.153.HostName", "phone"),
        ("Device.Hosts.Host.153.IPAddress", "192.168.88.254"),
        ("Device.Hosts.Host.167.PhysAddress", "5C-1D-D9-00-00-02"),
        ("Device.Hosts.Host.167.HostName", "Desk"),
        ("Device.Hosts.Host.167.Layer1Interface", "Device.Ethernet.Interface.2."),
        ("Device.Hosts.Host.201.PhysAddress", "5C:1D:D9:00:00:03"),
        ("Device.Hosts.Host.201.HostName", "left yesterday"),
        ("Device.Hosts.Host.201.Active", "0"),
    ];

    #[test]
    fn what_an_access_point_and_the_list_of_hosts_say_is_one_client() {
        let list = read(ROUTEROS);
        let [phone, desk] = &list[..] else { panic!("{list:?}") };
        assert_eq!(phone.name.as_deref(), Some("phone"));
        assert_eq!(phone.mac, "5C:1D:D9:00:00:A7");
        assert_eq!(phone.address.as_deref(), Some("192.168.88.254"));
        assert_eq!((phone.medium, phone.network.as_deref()), (Medium::Wifi, Some("3")));
        assert_eq!((phone.signal, phone.signal_dbm), (Some(Signal::Good), Some(-61)));
        assert_eq!((phone.down_kbps, phone.up_kbps), (Some(144_400), None));
        assert_eq!((desk.medium, desk.mac.as_str()), (Medium::Cable, "5C:1D:D9:00:00:02"));
        assert_eq!((desk.signal, desk.network.as_deref()), (None, None));
    }

    #[test]
    fn tr181_as_others_have_it() {
        let point = "Device.WiFi.AccessPoint.1.AssociatedDevice";
        let names = [
            ("Device.WiFi.SSID.1.SSID".to_owned(), "Attic"),
            ("Device.WiFi.AccessPoint.1.SSIDReference".to_owned(), "Device.WiFi.SSID.1"),
            (format!("{point}.1.MACAddress"), "00:00:5E:00:53:01"),
            (format!("{point}.1.SignalStrength"), "-80"),
            (format!("{point}.1.LastDataDownlinkRate"), "65000"),
            (format!("{point}.1.LastDataUplinkRate"), "0"),
            (format!("{point}.2.MACAddress"), "00:00:5E:00:53:02"),
            (format!("{point}.2.Active"), "false"),
        ];
        let all: Vec<(&str, &str)> =
            names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let list = read(&all);
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0].signal, Some(Signal::Weak));
        assert_eq!((list[0].down_kbps, list[0].up_kbps), (Some(65_000), None));
    }

    #[test]
    fn tr098_has_them_below_its_lan() {
        let lan = "InternetGatewayDevice.LANDevice.1";
        let names = [
            (format!("{lan}.WLANConfiguration.1.SSID"), "Cellar"),
            (
                format!("{lan}.WLANConfiguration.1.AssociatedDevice.1.AssociatedDeviceMACAddress"),
                "00:00:5e:00:53:01",
            ),
            (format!("{lan}.Hosts.Host.1.MACAddress"), "00:00:5E:00:53:01"),
            (format!("{lan}.Hosts.Host.1.HostName"), "tablet"),
            (format!("{lan}.Hosts.Host.1.Active"), "1"),
            (format!("{lan}.Hosts.Host.2.MACAddress"), "00:00:5E:00:53:02"),
            (format!("{lan}.Hosts.Host.2.InterfaceType"), "Ethernet"),
        ];
        let all: Vec<(&str, &str)> =
            names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let list = read(&all);
        let [tablet, other] = &list[..] else { panic!("{list:?}") };
        assert_eq!(tablet.name.as_deref(), Some("tablet"));
        assert_eq!((tablet.medium, tablet.network.as_deref()), (Medium::Wifi, Some("1-1")));
        assert_eq!((other.medium, other.name.as_deref()), (Medium::Cable, None));
    }

    #[test]
    fn signals_have_words() {
        for (dbm, signal) in [
            (-30, Signal::Excellent),
            (-55, Signal::Excellent),
            (-56, Signal::Good),
            (-67, Signal::Good),
            (-75, Signal::Fair),
            (-76, Signal::Weak),
            (-200, Signal::Weak),
        ] {
            assert_eq!(Signal::of(dbm), signal, "{dbm}");
        }
    }

    #[test]
    fn rates_are_read_as_routeros_writes_them() {
        for (text, expected) in [
            ("144.4Mbps-20MHz/2S/SGI", Some(144_400)),
            ("6Mbps", Some(6_000)),
            ("1.2Gbps", Some(1_200_000)),
            ("54", None),
            ("Mbps", None),
            ("", None),
            ("0Mbps", None),
            ("9999999999Gbps", None),
            ("6Mb\u{101}s", None),
        ] {
            assert_eq!(kbps(text), expected, "{text}");
        }
    }
}
