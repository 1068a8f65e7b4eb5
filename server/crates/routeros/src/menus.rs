//! The menus of RouterOS 6 and 7, and the commands in them.
//!
//! Owns what is known by name. It is no whole list: packages bring menus of their own and each
//! release adds some, so what is not here below a menu that is may still be right.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::LazyLock;

/// Each line: a menu, a colon, and the menus right below it. The first one has the root's.
const TABLE: &str = "\
: app caps-man certificate console container disk dude file interface iot ip ipv6 log lora lcd \
metarouter mpls openflow partitions port ppp queue radius routing safe-mode snmp socks special-login \
store system task terminal tool tr069-client user user-manager zerotier
app: settings
caps-man: aaa access-list actual-interface-configuration channel configuration datapath interface \
manager provisioning radio rates registration-table remote-cap security
caps-man/manager: interface
certificate: builtin crl scep-server settings
certificate/scep-server: otp ra requests
certificate/scep-server/ra: otp
console: inspect settings
container: config envs log mounts
disk: btrfs settings
disk/btrfs: filesystem subvolume transfer
dude: agent chart-line data-source device device-type link link-type map notification outage \
probe ros server service settings
file: rsync-daemon sync
interface: 6to4 bonding bridge detect-internet dot1x dummy eoip eoipv6 ethernet gre gre6 ipip \
ipipv6 l2tp-client l2tp-ether l2tp-server list loopback lte macsec macvlan mesh ovpn-client \
ovpn-server ppp-client ppp-server pppoe-client pppoe-server pptp-client pptp-server sstp-client \
sstp-server traffic-eng veth virtual-ethernet vlan vpls vrrp vxlan w60g wifi wifiwave2 wireguard \
wireless
interface/bridge: calea filter host mdb mlag msti nat port port-controller port-extender settings \
vlan
interface/bridge/port: mst-override
interface/bridge/port-controller: device port
interface/bridge/vlan: mvrp
interface/detect-internet: state
interface/dot1x: client server
interface/dot1x/server: active state
interface/ethernet: poe switch
interface/ethernet/poe: settings
interface/ethernet/switch: acl egress-vlan-tag egress-vlan-translation host ingress-port-policer \
ingress-vlan-translation l3hw-settings mac-based-vlan multicast-fdb one2one-vlan-switching \
policer port port-isolation port-leakage protocol-based-vlan qos qos-group qos-map-vlan \
reserved-fdb rule shaper trunk unicast-fdb vlan
interface/ethernet/switch/l3hw-settings: advanced monitor
interface/ethernet/switch/qos: map port profile settings tx-manager
interface/ethernet/switch/qos/map: ip vlan
interface/l2tp-server: server
interface/list: member
interface/lte: apn esim firmware-upgrade profile settings
interface/macsec: profile
interface/mesh: fdb port
interface/ovpn-server: server
interface/pppoe-server: server
interface/pptp-server: server
interface/sstp-server: server
interface/vpls: bgp-vpls cisco-bgp-vpls
interface/vxlan: fdb vteps
interface/w60g: peer station
interface/wifi: aaa access-list actual-configuration cap capsman channel configuration datapath \
device interworking network provisioning radio registration-table security \
security-multi-passphrase settings steering
interface/wifi/cap: interfaces
interface/wifi/capsman: interfaces remote-cap
interface/wifi/radio: settings
interface/wifi/security: multi-passphrase
interface/wifi/steering: neighbor-group
interface/wifiwave2: aaa access-list actual-configuration cap capsman channel configuration \
datapath interworking provisioning radio registration-table security steering
interface/wifiwave2/capsman: remote-cap
interface/wireguard: peers
interface/wireless: access-list align cap channels connect-list info interworking-profiles \
manual-tx-power-table nstreme nstreme-dual registration-table security-profiles setup-repeater \
sniffer snooper wds
interface/wireless/sniffer: packet
iot: bluetooth gpio lora modbus mqtt
iot/bluetooth: advertisers decode-rules peripheral-devices scanners whitelist
iot/bluetooth/advertisers: ad-structures
iot/bluetooth/scanners: advertisements
iot/gpio: analog digital
iot/lora: channels devices joineui netid servers traffic
iot/lora/traffic: filter options
iot/modbus: security-rules slaves
iot/mqtt: brokers subscriptions
iot/mqtt/subscriptions: recv
ip: accounting address arp cloud dhcp-client dhcp-relay dhcp-server dns firewall hotspot ipsec \
kid-control media nat-pmp neighbor nexthop packing pool proxy reverse-proxy route service \
settings smb socks socksify ssh stp tftp traffic-flow upnp vrf
ip/accounting: snapshot uncounted web-access
ip/cloud: advanced back-to-home-file back-to-home-files back-to-home-user back-to-home-users
ip/cloud/back-to-home-file: settings
ip/dhcp-client: option
ip/dhcp-server: alert config lease matcher network option option-set vendor-class-id
ip/dhcp-server/option: sets
ip/dns: adlist cache forwarders static
ip/dns/cache: all
ip/firewall: address-list calea connection filter layer7-protocol mangle nat raw service-port
ip/firewall/connection: tracking
ip/hotspot: active cookie host ip-binding profile service-port user walled-garden
ip/hotspot/user: profile
ip/hotspot/walled-garden: ip
ip/ipsec: active-peers identity installed-sa key mode-config peer policy profile proposal \
remote-peers settings statistics user
ip/ipsec/key: psk qkd rsa
ip/ipsec/peer: profile
ip/ipsec/policy: group
ip/ipsec/user: settings
ip/kid-control: device
ip/media: settings
ip/nat-pmp: interfaces
ip/neighbor: discovery discovery-settings
ip/pool: used
ip/proxy: access cache cache-contents connections direct inserts lookups refreshes
ip/route: cache check nexthop rule vrf
ip/service: webserver
ip/smb: shares users
ip/socks: access connections users
ip/tftp: settings
ip/traffic-flow: ipfix target
ip/upnp: interfaces
ipv6: address dhcp-client dhcp-relay dhcp-server firewall nat-pmp nd neighbor nexthop pool route \
settings
ipv6/dhcp-client: option
ipv6/dhcp-relay: option routes
ipv6/dhcp-server: binding option option-set
ipv6/dhcp-server/option: sets
ipv6/firewall: address-list connection filter mangle nat raw service-port
ipv6/nd: prefix proxy
ipv6/nd/prefix: default
ipv6/pool: used
ipv6/route: check rule
lcd: interface pin screen
lora: channels joineui netid servers traffic
metarouter: interface
mpls: forwarding-table interface ldp local-bindings mangle remote-bindings settings traffic-eng
mpls/ldp: accept-filter advertise-filter interface local-mapping neighbor remote-mapping
mpls/traffic-eng: interface path path-state resv-state tunnel
openflow: flow port
partitions: part
port: firmware remote-access
ppp: aaa active l2tp-secret profile secret
queue: interface simple tree type
radius: incoming
routing: bfd bgp fantasy filter gmp id igmp-proxy isis mme nexthop ospf ospf-v3 pim pimsm \
prefix-lists reinstall-static rip ripng route rpki rule settings stats table
routing/bfd: configuration interface neighbor session
routing/bgp: advertisements aggregate connection evpn instance network peer session template vpls \
vpn vpnv4-route
routing/bgp/instance: vrf
routing/filter: chain community-ext-list community-large-list community-list num-list rule \
select-chain select-rule
routing/igmp-proxy: interface mfc
routing/isis: instance interface interface-template lsp neighbor
routing/mme: interface network originators
routing/ospf: area area-border-router as-border-router instance interface interface-template lsa \
nbma-neighbor neighbor network route sham-link static-neighbor virtual-link
routing/ospf/area: range
routing/ospf-v3: area instance interface lsa nbma-neighbor neighbor route virtual-link
routing/ospf-v3/area: range
routing/pim: bsr-candidates bsr-rp-candidates igmp-interface-template interface join mrib \
neighbor rp rp-candidates uib-g uib-sg
routing/pimsm: bsr gmp igmp-interface-template instance interface-template neighbor static-rp \
uib-g uib-sg
routing/pimsm/bsr: candidate rp-candidate
routing/rip: instance interface interface-template key keys neighbor network route \
static-neighbor
routing/ripng: interface neighbor network route
routing/route: rule
routing/rpki: session
routing/stats: memory origin pfc process step
snmp: community
socks: access connections users
store: disk
system: backup clock console default-configuration device-mode gps hardware health history \
identity leds license logging note ntp package ptp regulatory reset-configuration-scripts resource \
routerboard scheduler script swos upgrade ups watchdog
system/backup: cloud
system/clock: manual
system/console: screen
system/default-configuration: caps-mode-script custom-script script
system/health: settings
system/leds: settings
system/logging: action
system/ntp: client key monitor-peers server
system/ntp/client: servers
system/package: local-update update
system/package/local-update: mirror refresh update-package-source
system/ptp: port status
system/resource: cpu hardware irq pci usb
system/resource/hardware: usb-settings
system/resource/irq: rps
system/resource/usb: settings
system/routerboard: mode-button reset-button settings usb wps-button
system/script: environment job
system/swos: password
system/upgrade: mirror upgrade-package-source
task:
tool: bandwidth-server calea e-mail graphing mac-server netinstall netwatch profile-settings \
romon sms sniffer speed-test-settings traffic-generator traffic-monitor user-manager
tool/graphing: interface queue resource
tool/mac-server: mac-winbox ping sessions
tool/romon: port
tool/sms: inbox
tool/sniffer: connection host packet protocol
tool/traffic-generator: packet-template port raw-packet-template stats stream
tool/traffic-generator/stats: latency-distribution stream
tool/user-manager: customer database history log payment profile router session user
tool/user-manager/profile: limitation profile-limitation
user: aaa active group settings ssh-keys
user/ssh-keys: private
user-manager: advanced attribute database limitation payment profile profile-limitation router \
session user
user-manager/user: group
zerotier: controller interface peer
zerotier/controller: member
";

/// Commands, in whichever menu: what a word after a menu may be when it is no menu.
const COMMANDS: &str = "\
activate add add-scep align apply-changes ask at-chat bandwidth-test beep blink cable-test cancel \
check-for-updates check-installation check-status clear comment connect convert copy create \
create-certificate-request cuu debug delay delete disable disconnect discover dns-update do \
downgrade download download-file edit eject-drive el enable enable-ssl-certificate environment \
error esim-provision execute exit expire-password export export-certificate export-host-key fetch \
find firmware-upgrade flood-ping flush for force-update foreach format format-drive \
frequency-monitor frequency-scan generate-key get get-value global hash-password if import \
import-host-key info inkey inspect install ip-scan issued-revoke kill kill-connections led len \
list load local log login mac-scan mac-telnet make-static make-supout.rif monitor monitor-traffic \
mount move nothing nullify onerror parse password pick ping ping-speed power-cycle print profile \
provision put quit read reboot redo reg-info regenerate-host-key release remove remove-file renew \
repair reprovision request reset reset-alert reset-configuration reset-counters \
reset-counters-all reset-html reset-mac-address reset-tr069-config resolve resume retry return \
revoke run save save-environment scan scep-enroll send send-reconfigure send-trap send-wol set \
setup shell show-capabilities show-capsman show-client-config shutdown sign \
sign-certificate-request sniff snmp-get snmp-walk spectral-history spectral-scan speed-test ssh \
ssh-exec start stop style sup-output sync take telnet terminal test time toarray tobool tocrlf \
toid toip toip6 tonum torch tostr totime traceroute tracert typeof undo uninstall unmount unroll \
unset update update-firmware upgrade upload upload-file usb-power-reset warning wg-import while \
wol wps-accept wps-client wps-push-button
";

static MENUS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut menus = BTreeSet::new();
    for line in TABLE.lines() {
        let (parent, children) = line.split_once(':').expect("each line has a colon");
        let above = if parent.is_empty() { String::new() } else { format!("/{parent}") };
        menus.extend(children.split_whitespace().map(|child| format!("{above}/{child}")));
    }
    menus
});

static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| COMMANDS.split_whitespace().collect());

/// Whether this is the path of a menu that is known, such as `/ip/firewall/filter`; `/` is the root.
pub fn is_menu(path: &str) -> bool {
    path == "/" || MENUS.contains(path)
}

/// The menus whose names begin with the last step of this path, and that stand where it does.
fn begun(path: &str) -> impl Iterator<Item = &'static str> {
    let from: (Bound<&str>, Bound<&str>) = (Bound::Included(path), Bound::Unbounded);
    MENUS
        .range::<str, _>(from)
        .map(String::as_str)
        .take_while(move |menu| menu.starts_with(path))
        .filter(move |menu| !menu[path.len()..].contains('/'))
}

/// The path with what is short in it written in full: `/int/bri` is `/interface/bridge`. RouterOS takes
/// the beginning of a name for the only one that begins so. None where no menu is meant, or which one
/// is not certain.
pub fn in_full(path: &str) -> Option<String> {
    let mut full = String::new();
    for step in path.split('/').filter(|step| !step.is_empty()) {
        let below = format!("{full}/{step}");
        full = if is_menu(&below) {
            below
        } else {
            let mut begun = begun(&below);
            begun.next().filter(|_| begun.next().is_none())?.to_owned()
        };
    }
    Some(if full.is_empty() { "/".to_owned() } else { full })
}

/// Whether menus of the root begin with this, as `/int` or `/c`.
pub fn begins_menu(path: &str) -> bool {
    begun(path).next().is_some()
}

/// Whether this is the command, or is short for it. What is a command itself is short for none.
pub fn is_short_for(word: &str, command: &str) -> bool {
    word == command || (!word.is_empty() && command.starts_with(word) && !is_command(word))
}

/// Whether this is a command of some menu, or of all: `add`, `print`, `reset-configuration`.
pub fn is_command(word: &str) -> bool {
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn menus_of_both_generations_are_known() {
        for menu in [
            "/",
            "/ip/address",
            "/ip/firewall/filter",
            "/interface/wireless/security-profiles",
            "/interface/wifi/security",
            "/interface/ethernet/switch/vlan",
            "/system/identity",
            "/tr069-client",
            "/routing/bgp/connection",
            "/routing/ospf-v3/area/range",
            "/tool/mac-server/mac-winbox",
            "/safe-mode",
            "/ip/socksify",
            "/interface/bridge/vlan/mvrp",
            "/certificate/scep-server/requests",
            "/system/resource/hardware/usb-settings",
        ] {
            assert!(is_menu(menu), "{menu}");
        }
        let others =
            ["", "ip", "/tr069", "/tr069/client", "/ip/adress", "/ip/", "//ip", "/system/ssh-exec"];
        for other in others {
            assert!(!is_menu(other), "{other}");
        }
    }

    #[test]
    fn every_menu_stands_below_one_that_is_known() {
        for line in TABLE.lines() {
            let (parent, _) = line.split_once(':').expect("a colon");
            assert!(is_menu(&format!("/{parent}")), "{parent}");
        }
    }

    #[test]
    fn commands_are_known() {
        for word in ["add", "set", "remove", "find", "reset-configuration", "fetch", "reboot"] {
            assert!(is_command(word), "{word}");
        }
        for word in ["warning", "wg-import", "ssh-exec", "enable-ssl-certificate", "tocrlf"] {
            assert!(is_command(word), "{word}");
        }
        assert!(!is_command("address"));
    }

    #[test]
    fn what_is_short_is_known_where_it_means_one_thing() {
        for (short, full) in [
            ("/int/bri", Some("/interface/bridge")),
            ("/ip/fire/fil", Some("/ip/firewall/filter")),
            ("/fil", Some("/file")),
            // What is a name itself is not short for another.
            ("/ip", Some("/ip")),
            ("/user/act", Some("/user/active")),
            ("/", Some("/")),
            ("/c", None),
            ("/ip/nope", None),
            ("/new/thing", None),
        ] {
            assert_eq!(in_full(short).as_deref(), full, "{short}");
        }
        assert!(begins_menu("/c") && !begins_menu("/nope"));
        assert!(is_short_for("rem", "remove") && is_short_for("set", "set"));
        assert!(!is_short_for("reset", "reset-configuration") && !is_short_for("", "set"));
    }
}
