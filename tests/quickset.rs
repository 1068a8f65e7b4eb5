//! The modes of Quick Set on simulated boards: what they make of one, whatever it was before.

use muster::fleet::template::builtin::ALL;
use muster::fleet::template::resolve;
use muster::fleet::variables::Variables;
use muster::render::context::DeviceContext;
use muster::render::engine::{Engine, Refusal};
use muster_routeros::apply::{self, Report};
use muster_sim::desk::{Desk, Radios};
use serde_json::{Map, Value, json};

/// A mode, and what is said of it beside [`values`].
type Wanted = (&'static str, Value);

const TAG: &str = "t1";
/// What stays behind switched off or as it came, and nobody looks at.
const LEFT: [&str; 6] = [
    "/interface l2tp-server server set default-profile=default-encryption enabled=no ",
    "/interface wifi cap ",
    "/interface wifi capsman ",
    "/interface wifi datapath ",
    "/interface wireless cap ",
    "/ip cloud ",
];

/// Values that are enough for each mode, and more.
fn values(mode: &str, more: &Value) -> Variables {
    let mut all = Map::new();
    if mode != "cap" && mode != "bootstrap" {
        all.insert("wifi_name".to_owned(), json!("home"));
        all.insert("wifi_password".to_owned(), json!("hunter2222"));
    }
    if mode == "home-ap-dual" {
        all.insert("wifi_5ghz_name".to_owned(), json!("fast"));
        all.insert("wifi_5ghz_password".to_owned(), json!("hunter3333"));
    }
    all.extend(more.as_object().unwrap().clone());
    Variables(all.into_iter().collect())
}

fn rendered(mode: &str, more: &Value) -> Result<String, Refusal> {
    let template = ALL.iter().find(|template| template.name == mode).unwrap();
    let values = resolve(&template.variables, &values(mode, more)).unwrap();
    let context = DeviceContext::sample().with(&values, "enrol");
    Engine::new().render(&template.body, &context)
}

/// What the board says of a mode, and its log.
fn told(desk: &mut Desk, (mode, more): &Wanted) -> (Report, String) {
    let script = apply::wrap(&rendered(mode, more).unwrap(), TAG, None);
    assert!(!script.contains("script failed"), "{mode}: what fails keeps the rest from being done");
    let typed = desk.run(&script);
    let log: String = typed.log.iter().map(|line| format!("00:00:01 {line}\n")).collect();
    (apply::report(&log, TAG).unwrap(), log)
}

/// A mode that must not fail.
fn play(desk: &mut Desk, wanted: &Wanted) {
    let (report, log) = told(desk, wanted);
    assert!(report.done && report.failed.is_empty(), "{wanted:?}: {log}");
}

/// The lines of an export, each with its menu.
fn lines(export: &str) -> Vec<String> {
    let joined = export.replace(" \\\n    ", " ");
    let mut menu = "";
    let mut lines = Vec::new();
    for line in joined.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('/') {
            menu = line;
        } else {
            lines.push(format!("{menu} {line}"));
        }
    }
    lines
}

/// What a board is, however it came to be that.
fn state(desk: &mut Desk) -> Vec<String> {
    let mut lines = lines(&desk.export());
    lines.retain(|line| !LEFT.iter().any(|menu| line.starts_with(menu)));
    // Whether a port was always in the bridge or came back into it.
    lines.iter_mut().for_each(|line| *line = line.replace("comment=defconf", "comment=quickset"));
    lines.sort();
    lines
}

fn has(desk: &mut Desk, line: &str) -> bool {
    lines(&desk.export()).iter().any(|known| known == line)
}

fn all() -> Value {
    json!({
        "guest_name": "guests", "guest_password": "hunter4444", "country": "Latvia",
        "vpn_access": true, "vpn_password": "hunter5555", "upnp": true, "frequency": 5180,
        "channel_width": "20mhz", "dns_servers": ["192.0.2.53"],
    })
}

fn fixed() -> Value {
    json!({
        "address_acquisition": "static", "wan_address": "192.0.2.10/24", "wan_gateway": "192.0.2.1",
        "dns_servers": ["192.0.2.53"],
    })
}

fn static_without_names() -> Value {
    let mut more = fixed();
    more["dns_servers"] = json!([]);
    more
}

fn dialled() -> Value {
    json!({ "address_acquisition": "pppoe", "pppoe_user": "me", "pppoe_password": "them" })
}

fn modes() -> Vec<Wanted> {
    vec![
        ("home-ap", json!({})),
        ("home-ap", all()),
        ("home-ap", dialled()),
        ("home-ap", fixed()),
        ("home-ap", json!({ "lan_address": "10.1.0.1/16", "wan_interface": "ether2" })),
        ("home-ap", json!({ "firewall": false, "bridge_ports": false, "dhcp_server": false })),
        ("home-ap-dual", json!({})),
        ("home-mesh", json!({ "country": "Latvia" })),
        ("wisp-ap", json!({ "frequency": 2437, "hide_name": true })),
        ("wisp-ap", json!({ "configuration": "bridge" })),
        ("cpe", json!({})),
        ("cpe", json!({ "configuration": "bridge" })),
        ("ptp-bridge-ap", json!({ "channel_width": "20/40/80mhz" })),
        ("ptp-bridge-cpe", fixed()),
        ("cap", json!({})),
        ("cap", json!({ "caps_man_addresses": ["192.0.2.2"] })),
    ]
}

#[test]
fn each_mode_may_run_again_and_changes_nothing_then() {
    for radios in [Radios::Wifi, Radios::Wireless, Radios::None] {
        for wanted in modes() {
            if radios == Radios::None && wanted == ("cpe", json!({})) {
                continue;
            }
            let mut desk = Desk::new(radios);
            play(&mut desk, &wanted);
            let first = desk.export();
            play(&mut desk, &wanted);
            assert_eq!(desk.export(), first, "{radios:?} {wanted:?}");
        }
    }
}

#[test]
fn what_a_board_is_does_not_depend_on_what_it_was() {
    let home = || ("home-ap", json!({ "country": "Latvia" }));
    let pairs = [
        (("home-ap", all()), ("home-ap", json!({ "country": "Latvia", "upnp": true }))),
        (("home-ap", fixed()), home()),
        (("home-ap", dialled()), home()),
        (("home-ap", json!({ "firewall": false, "wan_interface": "ether2" })), home()),
        (("home-ap-dual", json!({})), home()),
        (("home-mesh", json!({})), home()),
        (("cap", json!({})), home()),
        (("cpe", json!({})), home()),
        (("ptp-bridge-ap", json!({ "frequency": 2437 })), home()),
        (("wisp-ap", json!({ "hide_name": true, "frequency": 5180 })), ("wisp-ap", json!({}))),
        (("home-ap", json!({ "frequency": 5180 })), ("home-mesh", json!({}))),
        (("home-ap", json!({ "guest_name": "g", "guest_password": "hunter4444" })), home()),
        (("cap", fixed()), ("cap", json!({}))),
    ];
    for radios in [Radios::Wifi, Radios::Wireless] {
        for (before, after) in &pairs {
            let mut fresh = Desk::new(radios);
            play(&mut fresh, after);
            let mut used = Desk::new(radios);
            play(&mut used, before);
            play(&mut used, after);
            let (used, fresh) = (state(&mut used), state(&mut fresh));
            assert_eq!(used, fresh, "{radios:?}: {before:?}, then {after:?}");
        }
    }
}

#[test]
fn the_port_to_the_internet_is_found_or_nothing_of_it_is_touched() {
    let mut desk = Desk::new(Radios::Wifi);
    desk.run("/interface ethernet set ether1 name=uplink");
    play(&mut desk, &("home-ap", json!({})));
    let member = "/interface list member add comment=quickset interface=uplink list=WAN";
    assert!(has(&mut desk, member));
    let bridged = |desk: &mut Desk| -> Vec<String> {
        let mut all = lines(&desk.export());
        all.retain(|line| line.starts_with("/interface bridge port"));
        all
    };
    assert!(bridged(&mut desk).iter().all(|port| !port.ends_with("=uplink")));

    // Nor where it is something on which nothing can be made.
    let begin = "/interface bonding add name=bond1 slaves=ether1,ether2\n\
         /interface vlan add name=office vlan-id=10 interface=bridge";
    for (wrong, words) in [
        ("ether9", "no port to the Internet: ether9"),
        ("bridge", "and not bridge"),
        ("bond1", "and not bond1"),
        ("office", "and not bridge"),
        ("ether1", "and not ether1"),
    ] {
        for mode in ["home-ap", "cpe"] {
            let mut desk = Desk::new(Radios::Wifi);
            assert_eq!(desk.run(begin).error, None);
            let mut before = state(&mut desk);
            let (report, log) = told(&mut desk, &(mode, json!({ "wan_interface": wrong })));
            assert!(report.done && !report.failed.is_empty(), "{log}");
            assert_eq!(log.matches(words).count(), 1, "{log}");
            let mut after = state(&mut desk);
            // Whence the ACS calls may be known whatever becomes of the rest.
            before.retain(|line| !line.contains("muster-acs"));
            after.retain(|line| !line.contains("muster-acs"));
            assert_eq!(after, before, "{mode} {wrong}");
        }
    }

    // The radio of a CPE, whatever drives it.
    for (radios, radio) in [(Radios::Wifi, "wifi1"), (Radios::Wireless, "wlan1")] {
        let mut desk = Desk::new(radios);
        play(&mut desk, &("cpe", json!({ "wan_interface": "" })));
        let member = format!("interface={radio} list=WAN");
        assert!(lines(&desk.export()).iter().any(|line| line.ends_with(&member)), "{radio}");
        assert!(bridged(&mut desk).iter().all(|port| !port.contains(radio)));
    }
}

#[test]
fn what_carries_the_way_to_the_internet_is_no_port_of_the_local_network() {
    let mut desk = Desk::new(Radios::None);
    let typed = desk.run("/interface vlan add name=uplink vlan-id=35 interface=ether2");
    assert_eq!(typed.error, None);
    for mut more in [json!({}), dialled()] {
        more["wan_interface"] = json!("uplink");
        play(&mut desk, &("home-ap", more));
        let all = lines(&desk.export());
        let is_bridged = |name: &str| {
            let port = format!("interface={name}");
            all.iter().any(|l| l.starts_with("/interface bridge port") && l.ends_with(&port))
        };
        assert!(!is_bridged("ether2") && !is_bridged("uplink") && is_bridged("ether1"), "{all:#?}");
    }
}

#[test]
fn a_port_of_the_local_network_that_becomes_that_to_the_internet_is_open_to_nobody() {
    // As boards with one port come.
    let begin = "/interface bridge port remove [find]\n/ip dhcp-client remove [find]\n\
         /ip address set [find] interface=ether1\n/ip dhcp-server set [find] interface=ether1\n\
         /interface list member set [find where list=LAN] interface=ether1\n\
         /interface list member remove [find where list=WAN]\n/interface bridge remove [find]";
    let mut desk = Desk::new(Radios::Wifi);
    assert_eq!(desk.run(begin).error, None);
    play(&mut desk, &("wisp-ap", json!({})));
    let all = lines(&desk.export());
    let mut bound = all.iter().filter(|line| line.contains("interface=ether1"));
    assert!(bound.clone().all(|line| !line.contains("list=LAN")), "{all:#?}");
    assert!(bound.clone().all(|line| !line.starts_with("/ip address ")), "{all:#?}");
    let server = bound.find(|line| line.starts_with("/ip dhcp-server "));
    assert!(server.is_some_and(|line| line.contains("disabled=yes")), "{all:#?}");

    // And where the port becomes one of the bridge, it has nothing of its own any more.
    let mut desk = Desk::new(Radios::Wifi);
    assert_eq!(desk.run(begin).error, None);
    play(&mut desk, &("cpe", json!({})));
    let all = lines(&desk.export());
    let own = all.iter().filter(|line| line.contains("address=192.168.88.1/24"));
    let own: Vec<&String> = own.collect();
    assert!(own.len() == 1 && own[0].contains("interface=bridge"), "{own:?}");
}

#[test]
fn what_others_have_made_stays() {
    let mut desk = Desk::new(Radios::Wifi);
    let theirs = "/interface l2tp-server server set default-profile=default enabled=yes";
    assert_eq!(desk.run(theirs).error, None);
    let lte = "/interface lte add name=lte1\n\
         /interface list member add interface=lte1 list=WAN comment=defconf";
    let has_modem = desk.run(lte).error.is_none();
    play(&mut desk, &("home-ap", json!({})));
    let all = lines(&desk.export());
    let server = all.iter().find(|line| line.starts_with("/interface l2tp-server server "));
    assert!(server.is_some_and(|line| line.contains("enabled=yes")), "{all:#?}");
    assert!(!has_modem || all.iter().any(|line| line.contains("interface=lte1 list=WAN")));
}

#[test]
fn what_the_bootstrap_lets_in_is_all_that_a_bridge_lets_in() {
    for mode in ["cap", "ptp-bridge-cpe"] {
        let mut desk = Desk::new(Radios::Wifi);
        let bootstrap = rendered("bootstrap", &json!({ "acs_password": "secret" })).unwrap();
        assert_eq!(desk.run(&bootstrap).error, None);
        play(&mut desk, &(mode, json!({})));
        let all = lines(&desk.export());
        let drops: Vec<&String> = all
            .iter()
            .filter(|line| line.contains("action=drop chain=input comment=\"muster: others\""))
            .collect();
        assert_eq!(drops.len(), 2, "{all:#?}");
        assert!(drops.iter().all(|line| line.ends_with("in-interface=bridge")), "{drops:?}");
        // As a router the board has them where the Internet is, not where its people are.
        play(&mut desk, &("home-ap", json!({ "firewall": false })));
        let all = lines(&desk.export());
        let is_drop = |line: &&String| line.contains("comment=\"muster: others\"");
        assert!(all.iter().filter(is_drop).all(|line| line.ends_with("in-interface=ether1")));
        assert_eq!(all.iter().filter(is_drop).count(), 2, "{all:#?}");
    }
}

#[test]
fn a_router_whose_firewall_is_taken_away_is_open_to_nobody() {
    for more in [json!({}), dialled()] {
        let out = if more == json!({}) { "ether1" } else { "pppoe-out1" };
        let mut desk = Desk::new(Radios::Wifi);
        play(&mut desk, &("home-ap", more.clone()));
        let mut without = more;
        without["firewall"] = json!(false);
        play(&mut desk, &("home-ap", without.clone()));
        let first = desk.export();
        let all = lines(&first);
        let dropped = |line: &&String| {
            line.contains("action=drop chain=input comment=\"muster: others\"")
                && line.ends_with(&format!("in-interface={out}"))
        };
        assert_eq!(all.iter().filter(dropped).count(), 2, "{all:#?}");
        assert!(all.iter().all(|line| !line.contains("\"quickset: in")), "{all:#?}");
        play(&mut desk, &("home-ap", without));
        assert_eq!(desk.export(), first);
    }
}

#[test]
fn ports_of_another_bridge_come_with_the_address_that_the_board_has_there() {
    for mode in ["cap", "ptp-bridge-ap"] {
        let mut desk = Desk::new(Radios::Wifi);
        let typed = desk.run(
            "/interface bridge port remove [find]\n/ip dhcp-client remove [find]\n\
             /interface bridge add name=bridgeLocal\n\
             :foreach i in=[/interface ethernet find] do={\n\
                 /interface bridge port add bridge=bridgeLocal \
                     interface=[/interface ethernet get $i name]\n}\n\
             /interface bonding add name=bond1 slaves=sfp1,sfp2\n\
             /interface bridge port add bridge=bridgeLocal interface=bond1\n\
             /ip address add address=10.9.9.9/24 interface=bridgeLocal\n\
             /ip address add address=10.9.8.9/24 interface=wifi1\n\
             /ip dhcp-client add interface=bridgeLocal comment=defconf\n\
             /interface vlan add name=office vlan-id=10 interface=bridgeLocal\n\
             /ip dhcp-client add interface=office",
        );
        assert_eq!(typed.error, None);
        play(&mut desk, &(mode, json!({})));
        let all = lines(&desk.export());
        assert!(all.iter().all(|line| !line.contains("bridge=bridgeLocal")), "{all:#?}");
        // A network that is connected twice leads nowhere half of the time.
        let is_left = |line: &String| line.contains("10.9.9.9") || line.contains("10.9.8.9");
        assert!(!all.iter().any(is_left), "{all:#?}");
        for client in [
            "add comment=defconf disabled=yes interface=bridgeLocal",
            "add interface=office",
            "add comment=quickset interface=bridge use-peer-dns=yes",
        ] {
            assert!(has(&mut desk, &format!("/ip dhcp-client {client}")), "{mode} {client}");
        }
        let bond = "/interface bridge port add bridge=bridge interface=bond1";
        assert!(has(&mut desk, bond), "{mode}: {all:#?}");
        let office = "/interface vlan add interface=bridge name=office vlan-id=10";
        assert!(has(&mut desk, office), "{mode}");
    }
}

#[test]
fn radios_that_cannot_be_set_are_told_and_a_board_without_any_is_not_at_fault() {
    let mut desk = Desk::new(Radios::Wifiwave2);
    let (report, log) = told(&mut desk, &("home-ap", json!({})));
    assert!(report.failures().is_some() && log.contains("RouterOS 7.13"), "{log}");
    let nat = lines(&desk.export());
    assert!(nat.iter().any(|line| line.contains("quickset: NAT")), "the rest is done: {nat:#?}");
}

#[test]
fn guests_have_the_internet_and_a_frequency_is_one_band_s() {
    let mut desk = Desk::new(Radios::Wifi);
    play(&mut desk, &("home-ap", all()));
    let all = lines(&desk.export());
    let at = |words: &str| {
        let is_it = |line: &String| line.starts_with("/ip firewall") && line.contains(words);
        let found = all.iter().position(is_it);
        found.unwrap_or_else(|| panic!("{words}: {all:#?}"))
    };
    assert!(at("in, names") < at("in, guests") && at("in, guests") < at("in, others"));
    assert!(at("in, itself") < at("in, others") && at("in, VPN") < at("in, others"));
    assert!(at("through, to IPsec") < at("fasttrack-connection"));
    assert!(at("fasttrack-connection") < at("through, answers"));
    assert!(at("through, guests") < at("through, others"));
    let radio = |name: &str| {
        let handle = format!("/interface wifi set [ find default-name={name} ] ");
        all.iter().find(|line| line.starts_with(&handle)).unwrap()
    };
    assert!(radio("wifi2").contains("channel.frequency=5180"));
    assert!(!radio("wifi1").contains("channel.frequency"));
    let guests = |part: &str| all.iter().filter(|line| line.contains(part)).count();
    assert_eq!((guests("name=guest-wifi"), guests("new-packet-mark=quickset-guests")), (2, 2));
}

#[test]
fn what_is_needed_together_is_asked_for_by_name() {
    let words = |mode: &str, more: Value| match rendered(mode, &more) {
        Err(Refusal::Mistake(words)) => words,
        other => panic!("{mode} {more}: {other:?}"),
    };
    for (more, part) in [
        (json!({ "address_acquisition": "pppoe", "pppoe_user": "me" }), "`pppoe_password`"),
        (json!({ "address_acquisition": "static" }), "`wan_gateway`"),
        (static_without_names(), "`dns_servers`"),
        (json!({ "guest_name": "g" }), "`guest_password`"),
        (json!({ "vpn_access": true }), "`vpn_password`"),
        (json!({ "lan_address": "192.168.88.0/24" }), "`lan_address`"),
        (json!({ "lan_address": "2001:db8::1/64" }), "`lan_address`"),
        (json!({ "dhcp_first": "192.0.2.1", "dhcp_last": "192.0.2.2" }), "`dhcp_first`"),
        (json!({ "dhcp_first": "192.168.88.9", "dhcp_last": "192.168.88.8" }), "comes before"),
        (json!({ "lan_address": "10.0.0.1/29" }), "`dhcp_first`"),
    ] {
        assert!(words("home-ap", more).contains(part), "{part}");
    }
    for mode in ["wisp-ap", "cpe"] {
        let mut more = dialled();
        more["configuration"] = json!("bridge");
        assert!(words(mode, more).contains("a bridge has no PPPoE"), "{mode}");
    }
    assert!(words("cap", json!({ "address_acquisition": "static" })).contains("`wan_address`"));
}
