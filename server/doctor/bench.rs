//! The interfaces on which boards are served, and the ports that this takes.

use std::net::Ipv4Addr;

use super::{Finding, muster_runs};
use crate::config::Config;
use crate::netboot::socket::{self, BOOTP, Link, NETINSTALL, TFTP};

const SUBJECT: &str = "bench";

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let bench = &config.bench;
    if bench.interfaces.is_empty() {
        return Vec::new();
    }
    let held = muster_runs(config).await;
    let mut findings = Vec::new();
    for interface in &bench.interfaces {
        match socket::link(interface) {
            Ok(link) => {
                findings.extend(range(interface, &link, bench.range()));
                findings.push(ports(interface, link.address.addr(), held));
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

/// Whether the ports can be opened; Muster itself has them where it runs, and shares them with nobody
/// else.
fn ports(interface: &str, address: Ipv4Addr, held: bool) -> Finding {
    let any = Ipv4Addr::UNSPECIFIED;
    for (at, port) in [(any, BOOTP), (address, TFTP), (any, NETINSTALL)] {
        if let Err(e) = socket::open(interface, at, port) {
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
