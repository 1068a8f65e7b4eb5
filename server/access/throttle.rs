//! How often somebody may be wrong: tokens by address; log-ins by address and by login, or by the
//! browser where it has been right before; codes and passwords of who is in already, by user.
//!
//! Owns bounded maps in memory of one node, nothing else. What strangers do wrong never counts
//! against a browser that is known ([`super::known`]): behind a reverse proxy all callers share one
//! address, and nobody may lock an administrator out by guessing at the password.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::login::CHALLENGE;

/// Keys remembered at once, and those who were right.
const MAX: usize = 10_000;
/// How often a [`Tally`] is told at most.
const QUIET: TimeDelta = TimeDelta::minutes(1);

/// How many mistakes cost nothing, and what those beyond cost.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Mistakes that cost nothing.
    pub free: u32,
    /// The wait after the first one beyond; each further one doubles it.
    pub first: TimeDelta,
    /// The longest wait.
    pub longest: TimeDelta,
    /// After this time since the first mistake all are forgotten, if they cost nothing yet.
    pub window: TimeDelta,
    /// After this time since the first mistake all are forgotten.
    pub memory: TimeDelta,
}

impl Rule {
    fn delay(self, count: u32) -> TimeDelta {
        let beyond = count.saturating_sub(self.free + 1);
        (self.first * (1_i32 << beyond.min(16))).min(self.longest)
    }

    fn is_over(self, wrong: &Wrong, now: DateTime<Utc>) -> bool {
        let kept = if wrong.count > self.free { self.memory } else { self.window };
        now - wrong.since >= kept
    }

    /// Seconds that are left to wait.
    fn left(self, wrong: &Wrong, now: DateTime<Utc>) -> Option<u32> {
        if wrong.count <= self.free {
            return None;
        }
        let until = (wrong.last + self.delay(wrong.count)).min(wrong.since + self.memory);
        let left = until - now;
        if left <= TimeDelta::zero() {
            return None;
        }
        u32::try_from(left.num_seconds() + 1).ok()
    }
}

/// Counts mistakes by `K`.
#[derive(Debug)]
pub struct Throttle<K> {
    rule: Rule,
    seen: Mutex<HashMap<K, Wrong>>,
}

#[derive(Debug)]
struct Wrong {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
    count: u32,
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    /// Nobody was wrong yet.
    pub fn new(rule: Rule) -> Self {
        Self { rule, seen: Mutex::new(HashMap::new()) }
    }

    /// Seconds for which nobody may try at `key`; `None` = they may.
    pub fn blocked(&self, key: &K, now: DateTime<Utc>) -> Option<u32> {
        self.rule.left(self.lock().get(key)?, now)
    }

    /// Counts a mistake; true = from now on the key is blocked.
    pub fn wrong(&self, key: K, now: DateTime<Utc>) -> bool {
        count(&mut self.lock(), self.rule, key, now) == self.rule.free + 1
    }

    /// Asks and counts in one: what can be guessed is wrong until [`Throttle::take_back`], so that
    /// many guesses at once are no way around.
    ///
    /// # Errors
    /// Seconds for which there may be no attempt; it is not counted.
    pub fn attempt(&self, key: K, now: DateTime<Utc>) -> Result<(), u32> {
        let mut seen = self.lock();
        if let Some(seconds) = seen.get(&key).and_then(|wrong| self.rule.left(wrong, now)) {
            return Err(seconds);
        }
        count(&mut seen, self.rule, key, now);
        Ok(())
    }

    /// Takes back an attempt that was right, or was not looked at.
    pub fn take_back(&self, key: &K) {
        let mut seen = self.lock();
        if let Some(wrong) = seen.get_mut(key) {
            wrong.count = wrong.count.saturating_sub(1);
        }
    }

    /// Forgets all mistakes: where only who is right can be meant by the key.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Wrong>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a mistake; gives how many there are now.
fn count<K: Eq + Hash + Clone>(
    seen: &mut HashMap<K, Wrong>,
    rule: Rule,
    key: K,
    now: DateTime<Utc>,
) -> u32 {
    if seen.len() >= MAX && !seen.contains_key(&key) {
        make_room(seen, rule, now);
    }
    let fresh = || Wrong { since: now, last: now, count: 0 };
    let wrong = seen.entry(key).or_insert_with(fresh);
    if rule.is_over(wrong, now) {
        *wrong = fresh();
    }
    wrong.last = now;
    wrong.count = wrong.count.saturating_add(1);
    wrong.count
}

/// Better to forget one than to grow, or to refuse everybody: the oldest, and of those that are held
/// back only when there are no others, so that a flood of new keys frees none of them.
fn make_room<K: Eq + Hash + Clone>(seen: &mut HashMap<K, Wrong>, rule: Rule, now: DateTime<Utc>) {
    seen.retain(|_, wrong| !rule.is_over(wrong, now));
    if seen.len() < MAX {
        return;
    }
    let oldest = seen.iter().min_by_key(|(_, wrong)| (wrong.count > rule.free, wrong.last));
    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
        seen.remove(&oldest);
    }
}

/// All that is counted on this node.
#[derive(Debug)]
pub struct Attempts {
    /// API tokens.
    pub tokens: Tokens,
    /// Passwords at the log-in.
    pub logins: Logins,
    /// Codes of the second factor, by user. Nobody is exempt: who gets as far as a code has the
    /// password.
    pub codes: Throttle<Uuid>,
    /// Passwords that one's own account asks for, by user: only who has a session gets as far.
    pub proofs: Throttle<Uuid>,
    /// Log-ins that failed and were nobody's.
    pub strangers: Tally,
}

impl Default for Attempts {
    fn default() -> Self {
        let minute = TimeDelta::minutes(1);
        let codes = Rule {
            free: 4,
            // So a challenge that was answered wrong too often is void when the next may be.
            first: CHALLENGE,
            longest: minute * 60,
            window: minute * 15,
            memory: TimeDelta::days(1),
        };
        Self {
            tokens: Tokens::default(),
            logins: Logins::default(),
            codes: Throttle::new(codes),
            proofs: Throttle::new(passwords()),
            strangers: Tally::default(),
        }
    }
}

/// What guessing at one password costs.
fn passwords() -> Rule {
    let (second, hour) = (TimeDelta::seconds(1), TimeDelta::hours(1));
    Rule { free: 5, first: second * 2, longest: second * 300, window: hour, memory: hour }
}

/// Wrong API tokens, by address. A token that was right, and not wrong since, is not held back by
/// others' mistakes.
#[derive(Debug)]
pub struct Tokens {
    by_address: Throttle<IpAddr>,
    good: Mutex<HashSet<Uuid>>,
}

impl Default for Tokens {
    fn default() -> Self {
        let minute = TimeDelta::minutes(1);
        // The secret cannot be guessed: this only keeps a broken program from being a load.
        let rule =
            Rule { free: 19, first: minute, longest: minute, window: minute, memory: minute };
        Self { by_address: Throttle::new(rule), good: Mutex::default() }
    }
}

impl Tokens {
    /// Seconds for which this token may not be tried from there; `None` = it may.
    pub fn blocked(&self, from: &IpAddr, token_id: &Uuid, now: DateTime<Utc>) -> Option<u32> {
        let seconds = self.by_address.blocked(from, now)?;
        (!self.good().contains(token_id)).then_some(seconds)
    }

    /// Counts a mistake; true = from now on the address is blocked.
    pub fn wrong(&self, from: IpAddr, token_id: &Uuid, now: DateTime<Utc>) -> bool {
        self.good().remove(token_id);
        self.by_address.wrong(from, now)
    }

    /// Notes one that was right.
    pub fn right(&self, token_id: Uuid) {
        let mut good = self.good();
        if good.len() >= MAX {
            good.clear();
        }
        good.insert(token_id);
    }

    fn good(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts to log in: of a browser that is known by itself alone, of all others by address and by
/// login.
#[derive(Debug)]
pub struct Logins {
    by_address: Throttle<IpAddr>,
    /// By the /48 that one IPv6 customer may have.
    by_prefix: Throttle<Ipv6Addr>,
    by_login: Throttle<String>,
    by_browser: Throttle<Uuid>,
}

impl Default for Logins {
    fn default() -> Self {
        let (second, hour) = (TimeDelta::seconds(1), TimeDelta::hours(1));
        // A whole office may be behind one address.
        let address =
            Rule { free: 30, first: second, longest: second * 60, window: hour, memory: hour };
        Self {
            by_address: Throttle::new(address),
            by_prefix: Throttle::new(Rule { free: 120, ..address }),
            by_login: Throttle::new(passwords()),
            by_browser: Throttle::new(passwords()),
        }
    }
}

impl Logins {
    /// Asks whether this login may be tried from this address, or by this browser that is known for
    /// it, and counts it.
    ///
    /// # Errors
    /// Seconds to wait; it is not counted.
    pub fn attempt(
        &self,
        login: &str,
        from: IpAddr,
        browser: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), u32> {
        if let Some(browser) = browser {
            return self.by_browser.attempt(browser, now);
        }
        let near = network(from);
        self.by_address.attempt(near, now)?;
        if let Some(prefix) = prefix(from) {
            let counted = self.by_prefix.attempt(prefix, now);
            counted.inspect_err(|_| self.by_address.take_back(&near))?;
        }
        self.by_login.attempt(key(login), now).inspect_err(|_| self.take_back_address(from))
    }

    /// The attempt was right.
    pub fn proved(&self, login: &str, from: IpAddr, browser: Option<Uuid>) {
        match browser {
            Some(browser) => self.by_browser.forget(&browser),
            None => self.take_back(login, from, None),
        }
    }

    /// Takes back an attempt that was not looked at.
    pub fn take_back(&self, login: &str, from: IpAddr, browser: Option<Uuid>) {
        match browser {
            Some(browser) => self.by_browser.take_back(&browser),
            None => {
                self.by_login.take_back(&key(login));
                self.take_back_address(from);
            }
        }
    }

    fn take_back_address(&self, from: IpAddr) {
        self.by_address.take_back(&network(from));
        if let Some(prefix) = prefix(from) {
            self.by_prefix.take_back(&prefix);
        }
    }
}

/// A login as it is counted. What is longer is nobody's, and is kept in memory all the same.
fn key(login: &str) -> String {
    login.chars().take(64).collect::<String>().to_lowercase()
}

/// One IPv4 address, or the /64 that one IPv6 host has for itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => masked(v6, 64).into(),
        v4 => v4,
    }
}

/// The /48 of an IPv6 address.
fn prefix(address: IpAddr) -> Option<Ipv6Addr> {
    match address.to_canonical() {
        IpAddr::V6(v6) => Some(masked(v6, 48)),
        IpAddr::V4(_) => None,
    }
}

fn masked(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits)))
}

/// How often something happened that is worth a line a minute and no more.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    at: Option<DateTime<Utc>>,
    since: u64,
}

impl Tally {
    /// Counts one. Gives how many there were since they were last told, where they are to be told
    /// now.
    pub fn tell(&self, now: DateTime<Utc>) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.since += 1;
        if told.at.is_some_and(|at| now - at < QUIET) {
            return None;
        }
        told.at = Some(now);
        Some(std::mem::take(&mut told.since))
    }
}

#[cfg(test)]
mod tests;
