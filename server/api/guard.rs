//! How many wrong tokens an address may try.
//!
//! Owns a bounded map in memory, nothing else. A token that was good is never held back: behind a
//! reverse proxy all callers share one address, and one of them with an old token must not lock out
//! the others.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Wrong tokens of one address in one window.
const MAX_WRONG: u32 = 20;
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Addresses remembered at once.
const MAX_ADDRESSES: usize = 10_000;

/// The guard of one router.
#[derive(Debug, Default)]
pub(super) struct Guard(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    wrong: HashMap<IpAddr, Wrong>,
    /// Ids of tokens that were good and not wrong since; at most as many as there are tokens.
    good: HashSet<Uuid>,
}

#[derive(Debug)]
struct Wrong {
    since: DateTime<Utc>,
    count: u32,
}

impl Guard {
    /// Seconds for which this address may not try this token; `None` = it may.
    pub(super) fn blocked(
        &self,
        address: IpAddr,
        token_id: Uuid,
        now: DateTime<Utc>,
    ) -> Option<u32> {
        let seen = self.lock();
        let wrong = seen.wrong.get(&network(address))?;
        let left = wrong.since + WINDOW - now;
        if wrong.count < MAX_WRONG || left <= TimeDelta::zero() || seen.good.contains(&token_id) {
            return None;
        }
        u32::try_from(left.num_seconds() + 1).ok()
    }

    /// Counts a wrong token; true = from now on the address is blocked.
    pub(super) fn wrong(&self, address: IpAddr, token_id: Uuid, now: DateTime<Utc>) -> bool {
        let mut seen = self.lock();
        seen.good.remove(&token_id);
        if seen.wrong.len() >= MAX_ADDRESSES {
            seen.wrong.retain(|_, wrong| now - wrong.since < WINDOW);
        }
        if seen.wrong.len() >= MAX_ADDRESSES {
            // Better to forget than to grow, or to refuse everybody: a secret cannot be guessed.
            seen.wrong.clear();
        }
        let wrong = seen.wrong.entry(network(address)).or_insert(Wrong { since: now, count: 0 });
        if now - wrong.since >= WINDOW {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count += 1;
        wrong.count == MAX_WRONG
    }

    /// Notes a good token.
    pub(super) fn right(&self, token_id: Uuid) {
        self.lock().good.insert(token_id);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One IPv4 address, or the /64 that one IPv6 host has for itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits((v6.to_bits() >> 64) << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Uuid = Uuid::from_u128(1);
    const GOOD: Uuid = Uuid::from_u128(2);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn an_address_is_blocked_for_the_rest_of_its_window_and_a_good_token_never() {
        let guard = Guard::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        guard.right(GOOD);
        for n in 1..=MAX_WRONG {
            assert_eq!(guard.blocked(address, BAD, at(10)), None);
            assert_eq!(guard.wrong(address, BAD, at(10)), n == MAX_WRONG);
        }
        assert_eq!(guard.blocked(address, BAD, at(20)), Some(51));
        assert_eq!(guard.blocked(address, GOOD, at(20)), None);
        assert_eq!(guard.blocked(IpAddr::from([192, 0, 2, 2]), BAD, at(20)), None);
        assert_eq!(guard.blocked(address, BAD, at(70)), None);
        assert!(!guard.wrong(address, BAD, at(70)), "a new window");
    }

    #[test]
    fn a_host_does_not_escape_by_changing_its_ipv6_address() {
        let guard = Guard::default();
        for n in 0..MAX_WRONG {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(n));
            guard.wrong(address.into(), BAD, at(0));
        }
        let next = Ipv6Addr::from_bits((0x2001_0db8 << 96) | 0xffff);
        assert!(guard.blocked(next.into(), BAD, at(1)).is_some());
    }

    #[test]
    fn the_map_is_bounded() {
        let guard = Guard::default();
        for n in 0..u32::try_from(MAX_ADDRESSES).expect("a small number") + 5 {
            guard.wrong(IpAddr::from(n.to_be_bytes()), BAD, at(0));
        }
        assert!(guard.lock().wrong.len() <= MAX_ADDRESSES);
    }
}
