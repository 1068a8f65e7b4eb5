//! The interfaces on which boards are served, and the ports that this takes.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use super::{Finding, muster_runs};
use crate::config::Config;
use crate::netboot::socket::{self, BOOTP, Link, NETINSTALL, REPLIES, TFTP};

const SUBJECT: &str = "bench";
/// The routes of IPv4 as Linux tells them.
const ROUTES: &str = "/proc/net/route";

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let bench = &config.bench;
    if bench.interfaces.is_empty() {
        return Vec::new();
    }
    let held = muster_runs(config).await;
    // Where they are not to be read nothing is said of them.
    let routes = tokio::fs::read_to_string(ROUTES).await.unwrap_or_default();
    let mut findings = Vec::new();
    for interface in &bench.interfaces {
        match socket::link(interface) {
            Ok(link) => {
                findings.extend(range(interface, &link, bench.range()));
                findings.push(ports(interface, link.address.addr(), held));
                findings.extend(replies(interface));
                findings.extend(uplink(interface, &routes));
            }
            Err(why) => findings.push(Finding::error(
                SUBJECT,
                why,
                "`ip address` shows the interfaces; bench.interfaces names those that are used.",
            )),
        }
    }
    if config.acs.public_url.is_none() {
        findings.push(Finding::warning(
            SUBJECT,
            "acs.public_url is not set, so scripts cannot tell boards where to go".to_owned(),
            "Set it, or give the templates of the bench an `acs_url`.",
        ));
    }
    findings
}

/// Whether there is an address to lend.
fn range(interface: &str, link: &Link, range: Option<(Ipv4Addr, Ipv4Addr)>) -> Option<Finding> {
    let network = link.address.trunc();
    let (first, last) = range?;
    if network.contains(&first) && network.contains(&last) {
        return None;
    }
    Some(Finding::error(
        SUBJECT,
        format!(
            "bench.first to bench.last, {first} to {last}, is not within {network} on {interface}"
        ),
        "Name addresses of the network of the interface, or none: then all of it is used.",
    ))
}

/// Whether the ports can be opened. Where Muster runs it may have them itself, while a bench is armed; who
/// else has one then is said by the bench.
fn ports(interface: &str, address: Ipv4Addr, held: bool) -> Finding {
    let any = Ipv4Addr::UNSPECIFIED;
    for (at, port, shared) in [(any, BOOTP, true), (address, TFTP, false), (any, NETINSTALL, false)]
    {
        if let Err(e) = socket::open(interface, at, port, shared)
            && !(held && e.kind() == ErrorKind::AddrInUse)
        {
            return Finding::error(
                SUBJECT,
                format!("{interface}: {}", socket::words(port, &e)),
                "deploy/README.md has the lines for the systemd unit.",
            );
        }
    }
    let running = if held { ", and Muster is running" } else { "" };
    Finding::ok(SUBJECT, format!("{interface} at {address} can serve boards{running}"))
}

/// Whether answers of others are heard.
fn replies(interface: &str) -> Option<Finding> {
    let error = socket::open(interface, Ipv4Addr::UNSPECIFIED, REPLIES, true).err()?;
    Some(Finding::warning(
        SUBJECT,
        format!(
            "{interface}: {}. Without that port, another server of BOOTP or DHCP that answers boards is \
             noticed only where a client names it",
            socket::words(REPLIES, &error)
        ),
        "Let no DHCP client run on the interface of a bench: its address is a fixed one.",
    ))
}

/// Whether this is how the host reaches everybody else.
fn uplink(interface: &str, routes: &str) -> Option<Finding> {
    has_default_route(interface, routes).then(|| {
        Finding::warning(
            SUBJECT,
            format!(
                "the default route goes by {interface}: it looks like the uplink of this host, and not \
                 like a bench with nothing on it but boards"
            ),
            "Name an interface of its own in bench.interfaces: whatever asks there may be answered.",
        )
    })
}

/// As [`ROUTES`] has it: interface, destination, gateway, flags, three numbers, mask.
fn has_default_route(interface: &str, routes: &str) -> bool {
    routes.lines().any(|line| {
        let mut fields = line.split_whitespace();
        let (name, destination) = (fields.next(), fields.next());
        name == Some(interface)
            && destination == Some("00000000")
            && fields.nth(5) == Some("00000000")
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use muster_netboot::mac::Mac;

    use super::*;
    use crate::doctor::Severity;

    #[tokio::test]
    async fn an_interface_that_there_is_not_is_an_error_and_no_bench_is_none() {
        let mut config = Config::default();
        assert!(check(&config).await.is_empty());
        config.bench.interfaces = vec!["no-such-if0".to_owned()];
        let dir = tempfile::tempdir().unwrap();
        dir.path().clone_into(&mut config.data_dir);
        let findings = check(&config).await;
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].message.contains("no-such-if0"), "{findings:?}");
        // Without an address of Muster a script leads nowhere.
        assert_eq!(findings[1].severity, Severity::Warning);
    }

    #[test]
    fn the_uplink_is_no_bench() {
        let routes = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth1\t0058A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth2\t00000000\t0158A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0
";
        assert!(has_default_route("eth0", routes));
        for other in ["eth1", "eth2", "eth", "Iface", ""] {
            assert!(!has_default_route(other, routes), "{other}");
        }
        assert_eq!(uplink("eth0", routes).unwrap().severity, Severity::Warning);
        assert_eq!(uplink("eth1", routes), None);
    }

    #[test]
    fn addresses_that_are_lent_are_of_the_network() {
        let link = Link { index: 1, mac: Mac::ZERO, address: "192.168.88.1/24".parse().unwrap() };
        let of = |first: &str, last: &str| {
            range("eth1", &link, Some((first.parse().unwrap(), last.parse().unwrap())))
        };
        assert_eq!(of("192.168.88.10", "192.168.88.20"), None);
        assert!(of("192.168.88.250", "192.168.89.1").unwrap().message.contains("192.168.88.0/24"));
        assert_eq!(range("eth1", &link, None), None);
    }
}
