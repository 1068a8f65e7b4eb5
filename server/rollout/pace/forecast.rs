//! How long a wave takes, as an estimate. Pure.
//!
//! Owns that no work is reckoned with while a site is closed, nor more of it in a day than the pace lets.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::fleet::window::{Hours, reaches};
use crate::rollout::plan::{Blackout, Pace, after};

/// What is farther away is not looked for.
const FARTHEST: TimeDelta = TimeDelta::days(400);

/// When such work ends that is begun at `from` and goes on only while devices may be changed: within
/// `hours`, not on the days of `blackout` by the clock of `zone`, and no more than `a_day` in a day (UTC).
/// At most 400 days from its beginning.
pub fn finish(
    hours: &Hours,
    zone: Tz,
    blackout: &[Blackout],
    a_day: Option<TimeDelta>,
    from: DateTime<Utc>,
    work: TimeDelta,
) -> DateTime<Utc> {
    let last = after(from, FARTHEST);
    let (mut at, mut left) = (from, work);
    let (mut day, mut done) = (at.date_naive(), TimeDelta::zero());
    while left > TimeDelta::zero() && at < last {
        let Some(opens) = hours.next_open(at) else { return last };
        if opens > at {
            at = opens;
            continue;
        }
        let (tomorrow, midnight) = (next_day(zone, at), next_day(Tz::UTC, at));
        let today = at.with_timezone(&zone).date_naive();
        if blackout.iter().any(|b| (b.from..=b.to).contains(&today)) {
            at = tomorrow;
            continue;
        }
        if day != at.date_naive() {
            (day, done) = (at.date_naive(), TimeDelta::zero());
        }
        let room = a_day.map_or(left, |most| left.min(most - done));
        if room <= TimeDelta::zero() {
            at = midnight;
            continue;
        }
        let until = hours.closes(at).unwrap_or(last).min(tomorrow).min(midnight);
        let worked = room.min(until - at);
        (at, left, done) = (at + worked, left - worked, done + worked);
    }
    at.min(last)
}

/// When the clock of a zone next shows another date; sooner where it shows a midnight twice.
fn next_day(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let tomorrow = at.with_timezone(&zone).date_naive().succ_opt();
    let begins = tomorrow.and_then(|date| reaches(zone, date.and_time(NaiveTime::MIN)));
    begins.filter(|begins| *begins > at).unwrap_or_else(|| after(at, TimeDelta::hours(1)))
}

/// A device that is to be changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct One<'a> {
    /// Where it stands.
    pub site: Option<&'a str>,
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// The word of what it backs up.
    pub redundancy: Option<&'a str>,
    /// Minutes that its steps take, as an estimate.
    pub minutes: u64,
    /// What it downloads.
    pub bytes: u64,
}

/// What is to be done to some devices.
#[derive(Debug, Clone, Default)]
pub struct Load<'a> {
    /// How many.
    pub devices: u64,
    bytes: u64,
    /// Of the one that takes longest.
    minutes: u64,
    sites: HashMap<&'a str, u64>,
    uplinks: HashMap<Uuid, u64>,
    sets: HashMap<&'a str, u64>,
}

impl<'a> Load<'a> {
    /// With one more.
    pub fn add(&mut self, one: One<'a>) {
        self.devices += 1;
        self.bytes += one.bytes;
        self.minutes = self.minutes.max(one.minutes);
        if let Some(site) = one.site {
            *self.sites.entry(site).or_default() += 1;
        }
        if let Some(uplink) = one.uplink {
            *self.uplinks.entry(uplink).or_default() += 1;
        }
        if let Some(set) = one.redundancy {
            *self.sets.entry(set).or_default() += 1;
        }
    }

    /// Minutes that it takes at least at this pace, by day and night.
    pub fn minutes(&self, pace: &Pace) -> u64 {
        let others = self.devices.saturating_sub(1);
        let days = pace.per_day.map_or(0, |most| others / at_least_one(most));
        self.work(pace).max(days * 1_440)
    }

    /// When it ends that is begun at `from`: see [`finish`].
    pub fn finish(
        &self,
        pace: &Pace,
        hours: &Hours,
        zone: Tz,
        blackout: &[Blackout],
        from: DateTime<Utc>,
    ) -> DateTime<Utc> {
        if self.devices == 0 {
            return from;
        }
        let work = self.work(pace).saturating_mul(60);
        let daily = |most: u32| work.saturating_mul(u64::from(most)) / self.devices;
        let a_day = pace.per_day.map(|most| span(daily(most).max(1)));
        finish(hours, zone, blackout, a_day, from, span(work))
    }

    /// Minutes of work, whatever may be begun in a day.
    fn work(&self, pace: &Pace) -> u64 {
        let each = self.minutes.max(1);
        let turns = |devices: u64, limit: u32| devices.div_ceil(at_least_one(limit)) * each;
        let by_slots = turns(self.devices, pace.concurrent);
        let by_site = pace.per_site.map_or(0, |limit| turns(most(&self.sites), limit));
        let by_uplink = pace.per_uplink.map_or(0, |limit| turns(most(&self.uplinks), limit));
        // Never two of a set together.
        let by_set = turns(most(&self.sets), 1);
        let by_minute =
            pace.per_minute.map_or(0, |limit| self.devices.div_ceil(at_least_one(limit)) + each);
        let a_minute = |megabits: u32| at_least_one(megabits) * 1_000_000 / 8 * 60;
        let by_bytes = pace.megabits.map_or(0, |megabits| self.bytes.div_ceil(a_minute(megabits)));
        [by_slots, by_site, by_uplink, by_set, by_minute, by_bytes].into_iter().max().unwrap_or(0)
    }
}

/// The most that there are of one of these.
fn most<K>(counts: &HashMap<K, u64>) -> u64 {
    counts.values().copied().max().unwrap_or_default()
}

fn at_least_one(limit: u32) -> u64 {
    u64::from(limit).max(1)
}

/// So many seconds, as far as anything is looked for.
fn span(seconds: u64) -> TimeDelta {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    TimeDelta::seconds(seconds.min(FARTHEST.num_seconds()))
}

#[cfg(test)]
mod tests;
