//! What is around a device: whose it is, its networks, what is connected to it, how busy it is.
//!
//! Pure, and all of it from the device's identity: a device has the same surroundings in every run
//! and after every factory reset, and shares no address with another. Owns no rule of the data
//! model; which rows there can be is the catalogue's.

use std::net::Ipv4Addr;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::model::Model;
use crate::profile::Identity;
use crate::script::names;

const HOSTS: &str = "Device.Hosts.Host.";
/// Rows of the catalogue's list of hosts.
const HOST_ROWS: [u32; 5] = [153, 167, 170, 201, 216];
/// Rows of the catalogue's lists of associated devices, by access point.
const ASSOCIATED_ROWS: [[u32; 2]; 2] = [[167, 171], [168, 172]];
/// Interfaces below this number are ports.
const FIRST_NETWORK: u32 = 16;
/// 100.64.0.10: the fleet's first address of those that providers share out (RFC 6598).
const FIRST_ADDRESS: u32 = 0x6440_000A;
/// As many of them are used, short of the gateway at their end.
const ADDRESSES: u32 = 0x3F_0000;
/// dBm; what the radios of the catalogue hear when nobody talks.
const NOISE: i32 = -105;
/// dB that a weakened device hears less.
const LOSS: i32 = 25;
/// Keep the draws of what is around a device, and of its load, apart from all others.
const STREAM: u64 = 0x0040_05E0_1D00_0001;
const LOAD_STREAM: u64 = 0x0040_05E0_1D00_0002;

const FAMILIES: [&str; 20] = [
    "Andersson",
    "Becker",
    "B\u{113}rzi\u{146}\u{161}",
    "Carlsen",
    "Dubois",
    "Evans",
    "Fischer",
    "Greco",
    "Hansen",
    "Ivanova",
    "Jansons",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nguyen",
    "Ozols",
    "Petersen",
    "Rossi",
    "Silva",
    "Weber",
];
const PLACES: [&str; 8] =
    ["tower", "office", "school", "hotel", "depot", "clinic", "library", "mill"];
const PEOPLE: [&str; 12] = [
    "Anna", "Boris", "Clara", "David", "Elza", "Felix", "Greta", "Hugo", "Ilze", "Janis", "Karin",
    "Lucas",
];
/// What comes by Wi-Fi: its name, and the first half of its hardware address.
const BY_AIR: [(&str, &str); 8] = [
    ("{who}s-iPhone", "3C:22:FB"),
    ("{who}s-MacBook", "F0:18:98"),
    ("{who}s-iPad", "A4:83:E7"),
    ("{who}s-Galaxy", "8C:79:F5"),
    ("Pixel-8", "F4:F5:D8"),
    ("LAPTOP-{code}", "8C:8D:28"),
    ("Chromecast", "54:60:09"),
    ("thermostat-{code}", "24:0A:C4"),
];
/// What comes by cable, likewise.
const BY_CABLE: [(&str, &str); 6] = [
    ("DESKTOP-{code}", "2C:F0:5D"),
    ("nas", "00:11:32"),
    ("printer-{code}", "3C:2A:F4"),
    ("PlayStation-5", "BC:33:29"),
    ("tv-{code}", "A8:23:FE"),
    ("raspberrypi", "B8:27:EB"),
];

/// How well a host is heard.
struct Reception {
    /// dBm, from the weakest to the loudest.
    signal: (i32, i32),
    /// Percent.
    quality: u32,
    /// At 2.4 and at 5 GHz, as RouterOS writes them.
    rates: [&'static str; 2],
}

/// From the best to the worst; no two have a signal in common.
const RECEPTIONS: [Reception; 4] = [
    Reception {
        signal: (-53, -42),
        quality: 97,
        rates: ["144.4Mbps-20MHz/2S/SGI", "866.6Mbps-80MHz/2S/SGI"],
    },
    Reception { signal: (-66, -57), quality: 88, rates: ["130Mbps-20MHz/2S", "585Mbps-80MHz/2S"] },
    Reception { signal: (-74, -69), quality: 71, rates: ["65Mbps-20MHz/1S", "351Mbps-80MHz/2S"] },
    Reception {
        signal: (-86, -78),
        quality: 46,
        rates: ["19.5Mbps-20MHz/1S", "87.7Mbps-80MHz/1S"],
    },
];

/// What is connected to a device.
struct Host {
    name: String,
    mac: String,
    way: Way,
}

/// How it is connected.
enum Way {
    /// By the access point of this number, and so well: a position in [`RECEPTIONS`].
    Air(u32, usize),
    /// By the port of this number.
    Cable(u32),
}

/// How much a device has to do, before what changes from one moment to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Burden {
    /// Percent of the processor.
    pub(crate) processor: u32,
    /// Percent of the memory that nothing needs.
    pub(crate) free: u32,
}

impl Burden {
    /// That of this device: one in eight has much to do, and one in twelve is short of memory.
    pub(crate) fn of(identity: &Identity) -> Self {
        let mut rng = draws(identity, LOAD_STREAM);
        let (busy, short) = (rng.random_range(0..8_u32) == 0, rng.random_range(0..12_u32) == 0);
        Self {
            processor: if busy { rng.random_range(55..90) } else { rng.random_range(1..30) },
            free: if short { rng.random_range(3..9) } else { rng.random_range(15..70) },
        }
    }
}

/// Puts what is around the device into its data model, as its factory state.
pub(crate) fn furnish(model: &mut Model, identity: &Identity) {
    let mut rng = draws(identity, STREAM);
    let family = pick(&mut rng, &FAMILIES);
    let place = pick(&mut rng, &PLACES);
    let digits = &identity.serial[8..];
    let name = if identity.profile().radios > 0 { family.to_lowercase() } else { place.to_owned() };
    model.preset(names::IDENTITY, &format!("{name}-{digits}"));
    put_uplink(model, identity, &mut rng);
    put_networks(model, identity, &format!("{family}-{digits}"), &mut rng);
    let hosts = hosts(identity, &mut rng);
    put_hosts(model, identity, &hosts);
    put_associated(model, identity, &hosts, &mut rng);
}

fn draws(identity: &Identity, stream: u64) -> SmallRng {
    let serial = u64::from_str_radix(&identity.serial, 16).unwrap_or(0);
    SmallRng::seed_from_u64(serial ^ stream)
}

fn pick(rng: &mut SmallRng, list: &[&'static str]) -> &'static str {
    list[rng.random_range(0..list.len())]
}

/// Its addresses on the provider's side.
fn put_uplink(model: &mut Model, identity: &Identity, rng: &mut SmallRng) {
    let number = identity.number();
    let address = Ipv4Addr::from(FIRST_ADDRESS + number % ADDRESSES).to_string();
    model.preset(names::WAN_ADDRESS, &address);
    model.preset("Device.IP.Interface.1.IPv4Address.3.IPAddress", &address);
    let modem = [
        ("IMEI", format!("35693803{:07}", number % 10_000_000)),
        ("RSSI", rng.random_range(-85..-55_i32).to_string()),
        ("X_MIKROTIK_RSRP", rng.random_range(-112..-84_i32).to_string()),
        ("X_MIKROTIK_SINR", rng.random_range(2..24_i32).to_string()),
        ("USIM.IMSI", format!("24701{number:010}")),
        ("USIM.ICCID", format!("8937101{number:013}")),
    ];
    for (name, value) in modem {
        model.preset(&format!("Device.Cellular.Interface.1.{name}"), &value);
    }
}

/// Two networks: one on each radio, or one for guests on the only radio.
fn put_networks(model: &mut Model, identity: &Identity, name: &str, rng: &mut SmallRng) {
    let radios = identity.profile().radios;
    let second = if radios > 1 { "5G" } else { "Guest" };
    for (number, name) in [(1_u32, name.to_owned()), (2, format!("{name}-{second}"))] {
        let mac = identity.mac(FIRST_NETWORK + number);
        let radio = format!("Device.WiFi.Radio.{}.", number.min(radios));
        for (cell, value) in
            [("SSID", &name), ("BSSID", &mac), ("MACAddress", &mac), ("LowerLayers", &radio)]
        {
            model.preset(&format!("Device.WiFi.SSID.{number}.{cell}"), value);
        }
    }
    let channels = [pick(rng, &["1", "6", "11"]), pick(rng, &["36", "44", "52", "100", "149"])];
    for (radio, channel) in (1..).zip(channels) {
        model.preset(&format!("Device.WiFi.Radio.{radio}.Channel"), channel);
    }
}

/// What is connected to a device: 3 to 5 in all, with Wi-Fi 2 to 4 of them by each of its networks
/// in turn.
fn hosts(identity: &Identity, rng: &mut SmallRng) -> Vec<Host> {
    let profile = identity.profile();
    // The first port is the provider's.
    let lan = profile.ports - 1;
    let (by_air, by_cable): (u32, u32) = match (profile.radios, lan) {
        (0, _) => (0, rng.random_range(3..=5)),
        (_, 0) => (rng.random_range(3..=4), 0),
        (_, _) => {
            let by_air: u32 = rng.random_range(2..=4);
            (by_air, rng.random_range(1..=5 - by_air))
        }
    };
    let (mut air, mut cable) = (BY_AIR, BY_CABLE);
    air.shuffle(rng);
    cable.shuffle(rng);
    let (network, reception) = (rng.random_range(0..2_u32), rng.random_range(0..4_u32));
    let mut list = Vec::new();
    for (n, kind) in (0..by_air).zip(air) {
        let heard = (reception + n) % 4;
        let way = Way::Air(1 + (network + n) % 2, heard as usize);
        list.push(host(identity, n, kind, way, rng));
    }
    for (n, kind) in (0..by_cable).zip(cable) {
        list.push(host(identity, by_air + n, kind, Way::Cable(2 + n % lan), rng));
    }
    list
}

/// The `n`-th host of a device, with a hardware address that no other has in fleets below 2^21.
fn host(
    identity: &Identity,
    n: u32,
    (name, maker): (&str, &str),
    way: Way,
    rng: &mut SmallRng,
) -> Host {
    // An odd factor makes each number below 2^24 another one.
    let low = identity.number().wrapping_mul(8).wrapping_add(n).wrapping_mul(0x9E_3779);
    let [_, x, y, z] = low.to_be_bytes();
    let code = format!("{:06X}", rng.random_range(0..0x100_0000_u32));
    Host {
        name: name.replace("{who}", pick(rng, &PEOPLE)).replace("{code}", &code),
        mac: format!("{maker}:{x:02X}:{y:02X}:{z:02X}"),
        way,
    }
}

/// The row of an access point's list that its `n`-th host has: hosts come to the two in turn.
fn associated(access_point: u32, n: usize) -> String {
    let rows = ASSOCIATED_ROWS[access_point as usize - 1];
    format!("{}{}.", associated_table(access_point), rows[n / 2])
}

fn associated_table(access_point: u32) -> String {
    format!("Device.WiFi.AccessPoint.{access_point}.AssociatedDevice.")
}

fn put_hosts(model: &mut Model, identity: &Identity, hosts: &[Host]) {
    let radios = identity.profile().radios;
    for (n, (row, host)) in HOST_ROWS.into_iter().zip(hosts).enumerate() {
        let (layer, association) = match host.way {
            Way::Air(network, _) => {
                let radio = network.min(radios);
                (format!("Device.WiFi.Radio.{radio}."), associated(network, n))
            }
            Way::Cable(port) => (format!("Device.Ethernet.Interface.{port}."), String::new()),
        };
        // RouterOS hands out its addresses from the last one down.
        let address = format!("192.168.88.{}", 254 - n);
        for (cell, value) in [
            ("HostName", &host.name),
            ("PhysAddress", &host.mac),
            ("IPAddress", &address),
            ("Layer1Interface", &layer),
            ("AssociatedDevice", &association),
        ] {
            model.preset(&format!("{HOSTS}{row}.{cell}"), value);
        }
    }
    for row in &HOST_ROWS[hosts.len()..] {
        model.take_out(HOSTS, *row);
    }
}

fn put_associated(model: &mut Model, identity: &Identity, hosts: &[Host], rng: &mut SmallRng) {
    let mut used = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let Way::Air(network, heard) = host.way else { continue };
        let Reception { signal: (weak, loud), quality, rates } = RECEPTIONS[heard];
        let band = network.min(identity.profile().radios) as usize - 1;
        let signal: i32 = rng.random_range(weak..=loud);
        // What it sends itself arrives a little worse.
        let up = RECEPTIONS[(heard + 1).min(RECEPTIONS.len() - 1)].rates[band];
        let (sent, received) =
            (rng.random_range(20_000_000..4_000_000_000_u64), rng.random_range(0..400_000_000_u64));
        let row = associated(network, n);
        for (cell, value) in [
            ("MACAddress", host.mac.clone()),
            ("SignalStrength", signal.to_string()),
            ("Stats.BytesSent", sent.to_string()),
            ("Stats.BytesReceived", received.to_string()),
            ("Stats.PacketsSent", (sent / 1_100).to_string()),
            ("Stats.PacketsReceived", (received / 300).to_string()),
            ("X_MIKROTIK_Stats.TxCCQ", quality.to_string()),
            ("X_MIKROTIK_Stats.RxCCQ", (quality - rng.random_range(0..9_u32)).to_string()),
            ("X_MIKROTIK_Stats.SignalToNoise", (signal - NOISE).to_string()),
            ("X_MIKROTIK_Stats.TxRate", rates[band].to_owned()),
            ("X_MIKROTIK_Stats.RxRate", up.to_owned()),
        ] {
            model.preset(&format!("{row}{cell}"), &value);
        }
        used.push(row);
    }
    for access_point in [1, 2] {
        let table = associated_table(access_point);
        for row in model.rows(&table) {
            if !used.contains(&format!("{table}{row}.")) {
                model.take_out(&table, row);
            }
        }
    }
}

/// What a device that is [`cut_off`] or [`weaken`]ed has otherwise, as beginnings of names.
pub(crate) const SYMPTOMS: [&str; 6] = [
    "Device.Ethernet.Interface.1.Status",
    "Device.Ethernet.Link.1.Status",
    "Device.IP.Interface.1.",
    "Device.DHCPv4.Client.1.",
    "Device.WiFi.AccessPoint.1.AssociatedDevice",
    "Device.WiFi.AccessPoint.2.AssociatedDevice",
];

/// Its way to the Internet is down; it still has the address that it was lent.
pub(crate) fn cut_off(model: &mut Model) {
    for layer in ["Ethernet.Interface.1", "Ethernet.Link.1", "IP.Interface.1"] {
        model.put(&format!("Device.{layer}.Status"), "Down");
    }
    model.put("Device.DHCPv4.Client.1.DHCPStatus", "Selecting");
}

/// Each network keeps one of its clients, and hears that badly.
pub(crate) fn weaken(model: &mut Model) {
    for access_point in [1, 2] {
        let table = associated_table(access_point);
        let mut rows = model.rows(&table).into_iter();
        if let Some(row) = rows.next() {
            let name = format!("{table}{row}.SignalStrength");
            let signal: i32 = model.value(&name).parse().unwrap_or(NOISE);
            model.put(&name, &(signal - LOSS).max(NOISE).to_string());
        }
        for row in rows {
            model.take_out(&table, row);
        }
    }
}

#[cfg(test)]
mod tests;
