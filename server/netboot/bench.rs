//! A bench of this node, by its interface, and who else answers boards there.

use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Of the ids of benches.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_4265_8e63_6820_6f66_2061);
/// Other servers that are kept in mind.
const MAX_OTHERS: usize = 16;
/// For how long.
const OTHERS_FOR: TimeDelta = TimeDelta::hours(1);

/// An interface on which boards are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Which.
    pub bench_id: Uuid,
    /// The name of this host.
    pub host: String,
    /// As Linux calls the interface.
    pub interface: String,
}

impl Bench {
    /// The one on this interface of a host: the same after a restart.
    pub fn of(host: &str, interface: &str) -> Self {
        Self {
            bench_id: Uuid::new_v5(&NAMESPACE, format!("{host}/{interface}").as_bytes()),
            host: host.to_owned(),
            interface: interface.to_owned(),
        }
    }
}

/// The name of this host.
pub fn host() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "node".to_owned())
}

/// Another server of BOOTP or DHCP on the segment. Of two servers a board believes whoever is faster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OtherBootServer)]
pub struct Other {
    /// Its address.
    #[schema(value_type = String)]
    pub address: Ipv4Addr,
    /// It speaks DHCP.
    pub dhcp: bool,
    /// How often it was heard.
    pub times: u32,
    /// When it was heard last.
    pub heard_at: DateTime<Utc>,
}

/// Those that were heard within an hour.
#[derive(Debug, Clone, Default)]
pub struct Others(Vec<Other>);

impl Others {
    /// One was heard.
    pub fn note(&mut self, address: Ipv4Addr, dhcp: bool, now: DateTime<Utc>) {
        self.0.retain(|other| other.heard_at > now - OTHERS_FOR);
        if let Some(known) = self.0.iter_mut().find(|other| other.address == address) {
            known.dhcp |= dhcp;
            known.times = known.times.saturating_add(1);
            known.heard_at = now;
        } else if self.0.len() < MAX_OTHERS {
            self.0.push(Other { address, dhcp, times: 1, heard_at: now });
        }
    }

    /// Those that were heard within an hour, by address.
    pub fn heard(&self, now: DateTime<Utc>) -> Vec<Other> {
        let fresh = self.0.iter().filter(|other| other.heard_at > now - OTHERS_FOR);
        let mut heard: Vec<Other> = fresh.cloned().collect();
        heard.sort_by_key(|other| other.address);
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_is_the_same_after_a_restart_and_no_other() {
        assert_eq!(Bench::of("a", "eth1"), Bench::of("a", "eth1"));
        assert_ne!(Bench::of("a", "eth1").bench_id, Bench::of("a", "eth2").bench_id);
        assert_ne!(Bench::of("a", "eth1").bench_id, Bench::of("b", "eth1").bench_id);
    }

    #[test]
    fn other_servers_are_told_for_an_hour_and_never_too_many() {
        let (mut others, start) = (Others::default(), DateTime::UNIX_EPOCH);
        let address = |n: u32| Ipv4Addr::from(0x0a00_0000 + n);
        others.note(address(2), false, start);
        others.note(address(1), false, start);
        others.note(address(2), true, start + TimeDelta::minutes(30));
        let heard = others.heard(start + TimeDelta::minutes(40));
        assert_eq!(heard.iter().map(|o| o.address).collect::<Vec<_>>(), [address(1), address(2)]);
        assert_eq!((heard[1].times, heard[1].dhcp, heard[0].dhcp), (2, true, false));
        assert_eq!(others.heard(start + TimeDelta::minutes(70)).len(), 1);
        for n in 0..100 {
            others.note(address(n), false, start);
        }
        assert_eq!(others.heard(start).len(), MAX_OTHERS);
    }
}
