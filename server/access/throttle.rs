//! How often somebody may be wrong: tokens by address, log-ins by address and by login.
//!
//! Owns bounded maps in memory of one node, nothing else. Whoever was right before is not held
//! back by others' mistakes: behind a reverse proxy all callers share one address, and nobody may
//! lock an administrator out by guessing at the password.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Keys remembered at once, and those who were right.
const MAX: usize = 10_000;

/// How many mistakes cost nothing, and what those beyond cost.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Mistakes that cost nothing.
    pub free: u32,
    /// The wait after the first one beyond; each further one doubles it.
    pub first: TimeDelta,
    /// The longest wait.
    pub longest: TimeDelta,
    /// After this time since the first mistake all are forgotten.
    pub window: TimeDelta,
}

impl Rule {
    fn delay(self, count: u32) -> TimeDelta {
        let beyond = count.saturating_sub(self.free + 1);
        (self.first * (1_i32 << beyond.min(16))).min(self.longest)
    }
}

/// Counts mistakes by `K`; `W` is who is never held back once they were right.
#[derive(Debug)]
pub struct Throttle<K, W> {
    rule: Rule,
    seen: Mutex<Seen<K, W>>,
}

#[derive(Debug)]
struct Seen<K, W> {
    wrong: HashMap<K, Wrong>,
    /// Who was right and not wrong since.
    good: HashSet<W>,
}

#[derive(Debug)]
struct Wrong {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
    count: u32,
}

impl<K: Eq + Hash, W: Eq + Hash> Throttle<K, W> {
    /// Nobody was wrong yet.
    pub fn new(rule: Rule) -> Self {
        Self { rule, seen: Mutex::new(Seen { wrong: HashMap::new(), good: HashSet::new() }) }
    }

    /// Seconds for which `who` may not try at `key`; `None` = they may.
    pub fn blocked(&self, key: &K, who: &W, now: DateTime<Utc>) -> Option<u32> {
        self.lock().blocked(self.rule, key, who, now)
    }

    /// Counts a mistake; true = from now on the key is blocked.
    pub fn wrong(&self, key: K, who: &W, now: DateTime<Utc>) -> bool {
        self.lock().count(self.rule, key, who, now) == self.rule.free + 1
    }

    /// Notes who was right.
    pub fn right(&self, who: W) {
        self.lock().note(who);
    }

    /// Asks and counts in one: what can be guessed is wrong until [`Throttle::proved`] takes it
    /// back, so that many guesses at once are no way around.
    ///
    /// # Errors
    /// Seconds for which there may be no attempt; it is not counted.
    pub fn attempt(&self, key: K, who: &W, now: DateTime<Utc>) -> Result<(), u32> {
        let mut seen = self.lock();
        if let Some(seconds) = seen.blocked(self.rule, &key, who, now) {
            return Err(seconds);
        }
        seen.count(self.rule, key, who, now);
        Ok(())
    }

    /// Takes an attempt back that was right.
    pub fn proved(&self, key: &K, who: W) {
        let mut seen = self.lock();
        if let Some(wrong) = seen.wrong.get_mut(key) {
            wrong.count = wrong.count.saturating_sub(1);
        }
        seen.note(who);
    }

    fn lock(&self) -> MutexGuard<'_, Seen<K, W>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, W: Eq + Hash> Seen<K, W> {
    fn blocked(&self, rule: Rule, key: &K, who: &W, now: DateTime<Utc>) -> Option<u32> {
        let wrong = self.wrong.get(key)?;
        if wrong.count <= rule.free || self.good.contains(who) {
            return None;
        }
        let until = (wrong.last + rule.delay(wrong.count)).min(wrong.since + rule.window);
        let left = until - now;
        if left <= TimeDelta::zero() {
            return None;
        }
        u32::try_from(left.num_seconds() + 1).ok()
    }

    /// Counts a mistake; gives how many there are now.
    fn count(&mut self, rule: Rule, key: K, who: &W, now: DateTime<Utc>) -> u32 {
        self.good.remove(who);
        if self.wrong.len() >= MAX {
            self.wrong.retain(|_, wrong| now - wrong.since < rule.window);
        }
        if self.wrong.len() >= MAX {
            // Better to forget than to grow, or to refuse everybody.
            self.wrong.clear();
        }
        let fresh = || Wrong { since: now, last: now, count: 0 };
        let wrong = self.wrong.entry(key).or_insert_with(fresh);
        if now - wrong.since >= rule.window {
            *wrong = fresh();
        }
        wrong.last = now;
        wrong.count = wrong.count.saturating_add(1);
        wrong.count
    }

    fn note(&mut self, who: W) {
        if self.good.len() >= MAX {
            self.good.clear();
        }
        self.good.insert(who);
    }
}

/// All that is counted on this node.
#[derive(Debug)]
pub struct Attempts {
    /// API tokens: by address; their ids.
    pub tokens: Throttle<IpAddr, Uuid>,
    /// Passwords and codes.
    pub logins: Logins,
}

impl Default for Attempts {
    fn default() -> Self {
        let minute = TimeDelta::minutes(1);
        // The secret cannot be guessed: this only keeps a broken program from being a load.
        let tokens = Rule { free: 19, first: minute, longest: minute, window: minute };
        Self { tokens: Throttle::new(tokens), logins: Logins::default() }
    }
}

/// Attempts to log in, by address and by login.
#[derive(Debug)]
pub struct Logins {
    by_address: Throttle<IpAddr, Origin>,
    by_login: Throttle<String, Origin>,
}

/// A login, and the network that it is tried from.
type Origin = (String, IpAddr);

impl Default for Logins {
    fn default() -> Self {
        let (second, hour) = (TimeDelta::seconds(1), TimeDelta::hours(1));
        // A whole office may be behind one address.
        let address = Rule { free: 30, first: second, longest: second * 60, window: hour };
        let login = Rule { free: 5, first: second * 2, longest: second * 300, window: hour };
        Self { by_address: Throttle::new(address), by_login: Throttle::new(login) }
    }
}

impl Logins {
    /// Asks whether this login may be tried from this address, and counts it.
    ///
    /// # Errors
    /// Seconds to wait.
    pub fn attempt(&self, login: &str, from: IpAddr, now: DateTime<Utc>) -> Result<(), u32> {
        let who = origin(login, from);
        self.by_address.attempt(who.1, &who, now)?;
        self.by_login.attempt(who.0.clone(), &who, now)
    }

    /// The attempt was right.
    pub fn proved(&self, login: &str, from: IpAddr) {
        let who = origin(login, from);
        self.by_address.proved(&who.1, who.clone());
        self.by_login.proved(&who.0, who.clone());
    }
}

fn origin(login: &str, from: IpAddr) -> Origin {
    // What is longer is nobody's login, and is kept in memory all the same.
    let login: String = login.chars().take(64).collect();
    (login.to_lowercase(), network(from))
}

/// One IPv4 address, or the /64 that one IPv6 host has for itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits((v6.to_bits() >> 64) << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BAD: Uuid = Uuid::from_u128(1);
    const GOOD: Uuid = Uuid::from_u128(2);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn an_address_is_blocked_for_the_rest_of_its_window_and_a_good_token_never() {
        let tokens = Attempts::default().tokens;
        let address = IpAddr::from([192, 0, 2, 1]);
        tokens.right(GOOD);
        for n in 1..=20 {
            assert_eq!(tokens.blocked(&address, &BAD, at(10)), None);
            assert_eq!(tokens.wrong(address, &BAD, at(10)), n == 20);
        }
        assert_eq!(tokens.blocked(&address, &BAD, at(20)), Some(51));
        assert_eq!(tokens.blocked(&address, &GOOD, at(20)), None);
        assert_eq!(tokens.blocked(&IpAddr::from([192, 0, 2, 2]), &BAD, at(20)), None);
        assert_eq!(tokens.blocked(&address, &BAD, at(70)), None);
        assert!(!tokens.wrong(address, &BAD, at(70)), "a new window");
    }

    #[test]
    fn a_host_does_not_escape_by_changing_its_ipv6_address() {
        let near = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n));
        assert_eq!(network(near(1)), network(near(0xffff)));
        assert_ne!(network(near(1)), network(near(1 << 64)));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn guessing_at_one_login_takes_longer_and_longer() {
        let logins = Logins::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for n in 0..14_u8 {
            // From another address each time.
            let from = IpAddr::from([192, 0, 2, n]);
            if let Err(seconds) = logins.attempt("Ann", from, now) {
                waits.push(seconds);
                now += TimeDelta::seconds(seconds.into());
                logins.attempt("ann", from, now).unwrap();
            }
        }
        assert_eq!(waits, [3, 5, 9, 17, 33, 65, 129, 257], "2, 4, 8 ... seconds, rounded up");
        assert!(logins.attempt("bob", IpAddr::from([192, 0, 2, 1]), now).is_ok());
    }

    #[test]
    fn who_was_right_from_there_is_not_locked_out_by_others() {
        let logins = Logins::default();
        let (home, away) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([198, 51, 100, 1]));
        logins.attempt("ann", home, at(0)).unwrap();
        logins.proved("ann", home);
        for _ in 0..6 {
            logins.attempt("ann", away, at(1)).unwrap();
        }
        assert!(logins.attempt("ann", away, at(1)).is_err());
        assert!(logins.attempt("ann", home, at(1)).is_ok());
        assert!(logins.attempt("ann", home, at(1)).is_err(), "one attempt was free, not more");
    }

    #[test]
    fn one_address_cannot_try_all_logins() {
        let logins = Logins::default();
        let from = IpAddr::from([192, 0, 2, 1]);
        let tried = (0..100).filter(|n| logins.attempt(&format!("u{n}"), from, at(0)).is_ok());
        assert_eq!(tried.count(), 31);
        assert!(logins.attempt("u200", from, at(3600)).is_ok(), "a new window");
    }

    #[test]
    fn the_maps_are_bounded() {
        let tokens = Attempts::default().tokens;
        for n in 0..u32::try_from(MAX).unwrap() + 5 {
            tokens.wrong(IpAddr::from(n.to_be_bytes()), &BAD, at(0));
            tokens.right(Uuid::from_u128(n.into()));
        }
        assert!(tokens.lock().wrong.len() <= MAX);
        assert!(tokens.lock().good.len() <= MAX);
    }
}
