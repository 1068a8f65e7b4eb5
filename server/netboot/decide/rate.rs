//! How many boards that nobody named are served a minute. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use muster_netboot::mac::Mac;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Boards that were served because any board is, within the last minute.
#[derive(Debug, Default)]
pub struct Rate(VecDeque<(Mac, DateTime<Utc>)>);

impl Rate {
    /// Whether so many others were served within a minute that this one may not be.
    pub fn is_spent(&mut self, mac: Mac, most: u32, now: DateTime<Utc>) -> bool {
        while self.0.front().is_some_and(|(_, at)| *at <= now - MINUTE) {
            self.0.pop_front();
        }
        // One that is asked about again is no other.
        let known = self.0.iter().any(|(other, _)| *other == mac);
        !known && self.0.len() >= usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// This one is served, if it may be.
    pub fn take(&mut self, mac: Mac, most: u32, now: DateTime<Utc>) -> bool {
        if self.is_spent(mac, most, now) {
            return false;
        }
        if !self.0.iter().any(|(other, _)| *other == mac) {
            self.0.push_back((mac, now));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_boards_that_nobody_named_only_so_many_a_minute_are_served() {
        let (mut rate, start) = (Rate::default(), DateTime::UNIX_EPOCH);
        let mac = |n: u8| Mac([2, 0, 0, 0, 0, n]);
        for n in 0..3 {
            assert!(!rate.is_spent(mac(n), 3, start));
            assert!(rate.take(mac(n), 3, start));
        }
        assert!(rate.is_spent(mac(9), 3, start + TimeDelta::seconds(59)));
        assert!(!rate.take(mac(9), 3, start + TimeDelta::seconds(59)));
        // Who is served asks again, and takes no other's place.
        assert!(!rate.is_spent(mac(1), 3, start));
        assert!(rate.take(mac(1), 3, start));
        assert!(!rate.is_spent(mac(9), 4, start));
        assert!(!rate.is_spent(mac(9), 3, start + MINUTE));
    }
}
