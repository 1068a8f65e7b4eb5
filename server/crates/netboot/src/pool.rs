//! The addresses that boards borrow while they are served.
//!
//! A board keeps its address as long as it uses it and [`HOLD`] beyond, and one that was told for how long
//! it has it keeps it for so long. Nothing is kept over a restart: a board asks anew.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::mac::Mac;

/// How long an address stays a board's after its last use.
pub const HOLD: Duration = Duration::from_secs(60);
/// Most addresses of one pool.
pub const MAX_ADDRESSES: usize = 1024;

/// The addresses of one bench.
#[derive(Debug, Clone)]
pub struct Pool {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    address: Ipv4Addr,
    /// Whose it is or last was, and until when nobody else gets it.
    lent: Option<(Mac, Duration)>,
}

impl Pool {
    /// The addresses of the server's network, from the one behind its own on and around; or of them those
    /// from the first to the last that is given, both included. Never the server's own, nor those of the
    /// network itself and of all in it. `prefix`: bits of the network, 0..=32.
    pub fn new(server: Ipv4Addr, prefix: u8, range: Option<(Ipv4Addr, Ipv4Addr)>) -> Self {
        let own = u32::from(server);
        let hosts = u32::MAX.checked_shr(prefix.min(32).into()).unwrap_or(0);
        let network = own & !hosts;
        let size = u64::from(hosts) + 1;
        let behind = u64::from(own - network) + 1;
        // A network of two addresses has none of its own and none of all (RFC 3021).
        let reserved = |host: u32| hosts > 1 && (host == 0 || host == hosts);
        let (from, steps) = match range {
            None => (behind, size),
            Some((first, last)) => {
                let first = u64::from(u32::from(first).max(network));
                let last = u64::from(u32::from(last).min(network + hosts));
                (first - u64::from(network), (last + 1).saturating_sub(first))
            }
        };
        let slots = (0..steps)
            .map(|step| u32::try_from((from + step) % size).expect("a host of the network"))
            .filter(|host| !reserved(*host) && network + host != own)
            .map(|host| Ipv4Addr::from(network + host))
            .take(MAX_ADDRESSES)
            .map(|address| Slot { address, lent: None })
            .collect();
        Self { slots }
    }

    /// The address of a board, which uses it now: the one that it has or last had, else one that nobody
    /// had, else the one that was let go first. None: all are in use.
    pub fn take(&mut self, mac: Mac, now: Duration) -> Option<Ipv4Addr> {
        let own = self.slots.iter().position(|slot| slot.lent.is_some_and(|(who, _)| who == mac));
        let at = own.or_else(|| self.free(now))?;
        let slot = self.slots.get_mut(at)?;
        let until = slot.lent.filter(|(who, _)| *who == mac).map_or(now, |(_, until)| until);
        slot.lent = Some((mac, until.max(now + HOLD)));
        Some(slot.address)
    }

    /// The board was told that its address is its own for so long; [`HOLD`] at least. Nothing where it has
    /// none.
    pub fn lease(&mut self, mac: Mac, lease: Duration, now: Duration) {
        let until = now + lease.max(HOLD);
        for (who, held) in self.slots.iter_mut().filter_map(|slot| slot.lent.as_mut()) {
            if *who == mac {
                *held = until;
            }
        }
    }

    /// The board needs its address no more.
    pub fn release(&mut self, mac: Mac) {
        for slot in &mut self.slots {
            slot.lent = slot.lent.filter(|(who, _)| *who != mac);
        }
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn free(&self, now: Duration) -> Option<usize> {
        let unused = self.slots.iter().position(|slot| slot.lent.is_none());
        unused.or_else(|| {
            let lent = |(at, slot): (usize, &Slot)| slot.lent.map(|(_, until)| (until, at));
            let (until, at) = self.slots.iter().enumerate().filter_map(lent).min()?;
            (until <= now).then_some(at)
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 10);

    fn mac(n: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, n])
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn all(pool: &Pool) -> Vec<Ipv4Addr> {
        pool.slots.iter().map(|slot| slot.address).collect()
    }

    #[test]
    fn a_network_lends_all_but_what_is_taken() {
        let addresses = all(&Pool::new(SERVER, 24, None));
        assert_eq!(addresses.len(), 253);
        assert_eq!(addresses[0], Ipv4Addr::new(192, 168, 88, 11));
        assert_eq!(addresses.last(), Some(&Ipv4Addr::new(192, 168, 88, 9)));
        for never in [SERVER, Ipv4Addr::new(192, 168, 88, 0), Ipv4Addr::new(192, 168, 88, 255)] {
            assert!(!addresses.contains(&never), "{never}");
        }
    }

    #[test]
    fn small_and_large_networks() {
        assert!(Pool::new(SERVER, 32, None).is_empty());
        assert_eq!(all(&Pool::new(SERVER, 31, None)), [Ipv4Addr::new(192, 168, 88, 11)]);
        assert_eq!(Pool::new(SERVER, 30, None).len(), 1);
        for prefix in [0, 1, 8, 16, 20] {
            let pool = Pool::new(SERVER, prefix, None);
            assert_eq!(pool.len(), MAX_ADDRESSES, "{prefix}");
        }
        // The last bit of a number that is no prefix.
        assert!(Pool::new(SERVER, 200, None).is_empty());
    }

    #[test]
    fn a_range_lends_what_of_it_is_in_the_network() {
        let range = |first: u8, last: u8| {
            let address = |n| Ipv4Addr::new(192, 168, 88, n);
            all(&Pool::new(SERVER, 24, Some((address(first), address(last)))))
        };
        assert_eq!(range(100, 102), [100, 101, 102].map(|n| Ipv4Addr::new(192, 168, 88, n)));
        assert_eq!(range(9, 11), [9, 11].map(|n| Ipv4Addr::new(192, 168, 88, n)));
        assert_eq!(range(254, 255), [Ipv4Addr::new(192, 168, 88, 254)]);
        assert!(range(20, 10).is_empty());
        let elsewhere = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 9));
        assert!(Pool::new(SERVER, 24, Some(elsewhere)).is_empty());
    }

    #[test]
    fn a_board_keeps_its_address_while_it_is_held() {
        let mut pool = Pool::new(SERVER, 30, None);
        let address = pool.take(mac(1), seconds(0));
        assert_eq!(address, Some(Ipv4Addr::new(192, 168, 88, 9)));
        assert_eq!(pool.take(mac(1), seconds(59)), address);
        // Used again, so held from then on.
        assert_eq!(pool.take(mac(2), seconds(118)), None);
        assert_eq!(pool.take(mac(2), seconds(119)), address);
        assert_eq!(pool.take(mac(1), seconds(120)), None);
        pool.release(mac(2));
        assert_eq!(pool.take(mac(1), seconds(120)), address);
    }

    #[test]
    fn who_was_told_for_how_long_it_has_its_address_has_it_for_so_long() {
        let mut pool = Pool::new(SERVER, 30, None);
        let address = pool.take(mac(1), seconds(0));
        pool.lease(mac(1), seconds(600), seconds(10));
        // Neither its next use nor another board's lease makes that shorter.
        assert_eq!(pool.take(mac(1), seconds(20)), address);
        pool.lease(mac(2), seconds(1), seconds(30));
        assert_eq!(pool.take(mac(2), seconds(609)), None);
        assert_eq!(pool.take(mac(2), seconds(610)), address);
        // A lease is never shorter than any other use.
        pool.lease(mac(2), seconds(1), seconds(620));
        assert_eq!(pool.take(mac(1), seconds(679)), None);
        assert_eq!(pool.take(mac(1), seconds(680)), address);
    }

    #[test]
    fn a_board_gets_its_old_address_back_where_nobody_has_it() {
        let mut pool = Pool::new(SERVER, 24, None);
        let first = pool.take(mac(1), seconds(0)).unwrap();
        let second = pool.take(mac(2), seconds(1)).unwrap();
        assert_ne!(first, second);
        assert_eq!(pool.take(mac(1), seconds(10_000)), Some(first));
    }

    proptest! {
        #[test]
        fn no_two_boards_have_one_address(
            prefix in 24..=32_u8,
            takes in proptest::collection::vec((0..40_u8, 0..30_u64, any::<bool>()), 0..200),
        ) {
            let mut pool = Pool::new(SERVER, prefix, None);
            let mut now = 0;
            let mut held: Vec<(u8, Ipv4Addr, u64)> = Vec::new();
            for (board, pause, leaves) in takes {
                now += pause;
                held.retain(|(other, _, used)| *other != board && now - used < 60);
                if let Some(address) = pool.take(mac(board), seconds(now)) {
                    prop_assert_ne!(address, SERVER);
                    prop_assert!(held.iter().all(|(_, other, _)| *other != address));
                    held.push((board, address, now));
                } else {
                    let theirs: BTreeSet<_> = held.iter().map(|(_, address, _)| address).collect();
                    prop_assert_eq!(theirs.len(), pool.len());
                }
                if leaves {
                    pool.release(mac(board));
                    held.retain(|(other, _, _)| *other != board);
                }
            }
        }
    }
}
