//! How many devices may begin now, and which. Pure.
//!
//! Owns that a limit is never passed: what is asked for is begun only as far as all of them let it.
//!
//! - [`forecast`]: how long it takes.

pub mod forecast;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plan::{Pace, after};
use crate::fleet::health::span;

/// How many were begun in the minute and in the day (UTC) in which one was begun last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// Minutes since 1970.
    pub minute: i64,
    /// Begun in it.
    pub in_minute: u64,
    /// Days since 1970.
    pub day: i64,
    /// Begun in it.
    pub in_day: u64,
}

impl Bucket {
    /// What of it counts at this time. Another node's clock may be a little ahead: then its minute
    /// is this one.
    fn at(&self, now: DateTime<Utc>) -> Self {
        let (minute, day) = (now.timestamp().div_euclid(60), now.timestamp().div_euclid(86_400));
        let same = |kept: i64, now: i64| (now..=now + 1).contains(&kept);
        let in_minute = if same(self.minute, minute) { self.in_minute } else { 0 };
        let in_day = if same(self.day, day) { self.in_day } else { 0 };
        let kept = |kept: i64, now: i64| if same(kept, now) { kept } else { now };
        Self { minute: kept(self.minute, minute), in_minute, day: kept(self.day, day), in_day }
    }
}

/// How many more may begin now, with so many under way.
pub fn room(pace: &Pace, bucket: &Bucket, active: u64, now: DateTime<Utc>) -> u64 {
    let used = bucket.at(now);
    let left = |limit: Option<u32>, used: u64| {
        limit.map_or(u64::MAX, |limit| u64::from(limit).saturating_sub(used))
    };
    let concurrent = u64::from(pace.concurrent).saturating_sub(active);
    concurrent.min(left(pace.per_minute, used.in_minute)).min(left(pace.per_day, used.in_day))
}

/// Notes that so many were begun.
pub fn take(bucket: &mut Bucket, begun: u64, now: DateTime<Utc>) {
    let used = bucket.at(now);
    *bucket = Bucket {
        in_minute: used.in_minute.saturating_add(begun),
        in_day: used.in_day.saturating_add(begun),
        ..used
    };
}

/// A device that may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Whose.
    pub device_id: Uuid,
    /// Where it stands.
    pub site: Option<String>,
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// Devices with the same word back each other up.
    pub redundancy: Option<String>,
}

/// A device that did not come to a good end, and that nobody has left out: who backs it up may be all
/// that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sick {
    /// Whose.
    pub device_id: Uuid,
    /// For people.
    pub serial: String,
    /// The word of what it backs up.
    pub redundancy: String,
    /// It failed; else it did not come in time, or was given back to be tried again.
    pub failed: bool,
    /// When it came to its end; `None` = it is to be tried again.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What becomes of a device whose partner is sick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// It waits, and why.
    Waits(String),
    /// It is left out, and why: nobody has said what is to become of its partner.
    LeftOut(String),
}

/// Whether a device waits for one that it backs up: while that one is not well, it is not touched.
/// Whoever has been `begun` itself is half changed, and waits only for one that has come to its end:
/// two that are tried again would wait for each other. `patience` is how long somebody has to try the
/// sick one again, or to leave it out. `None` = it waits for nobody.
pub fn beside(
    one: &Candidate,
    begun: bool,
    sick: &[Sick],
    patience: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Beside> {
    let set = one.redundancy.as_ref()?;
    let holds = |of: &&Sick| {
        of.redundancy == *set && of.device_id != one.device_id && (of.ended_at.is_some() || !begun)
    };
    // The one that was sick last keeps it longest.
    let partner = sick.iter().filter(holds).max_by_key(|of| of.ended_at.unwrap_or(now))?;
    let serial = &partner.serial;
    let what = match (partner.ended_at, partner.failed) {
        (None, _) => "is to be tried again first",
        (Some(_), true) => "failed",
        (Some(_), false) => "did not come in time",
    };
    match partner.ended_at {
        Some(ended) if after(ended, patience) <= now => {
            let time = span(patience);
            let why = format!(
                "its partner {serial} {what}, and was neither tried again nor left out within {time}"
            );
            Some(Beside::LeftOut(why))
        }
        _ => Some(Beside::Waits(format!("its partner {serial} {what}"))),
    }
}

/// What is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Active {
    by_site: HashMap<String, u64>,
    by_uplink: HashMap<Uuid, u64>,
    redundancy: HashSet<String>,
    devices: HashSet<Uuid>,
}

impl Active {
    /// From counts by site and by uplink, which add up where one has several, the redundancy sets of
    /// which one is under way, and the devices that are.
    pub fn new(
        sites: impl IntoIterator<Item = (Option<String>, i64)>,
        uplinks: impl IntoIterator<Item = (Uuid, i64)>,
        redundancy: impl IntoIterator<Item = String>,
        devices: impl IntoIterator<Item = Uuid>,
    ) -> Self {
        let sites = sites.into_iter().filter_map(|(site, devices)| Some((site?, devices)));
        Self {
            by_site: sums(sites),
            by_uplink: sums(uplinks),
            redundancy: redundancy.into_iter().collect(),
            devices: devices.into_iter().collect(),
        }
    }

    /// Whether this one may begin beside what is under way.
    fn lets(&self, one: &Candidate, pace: &Pace) -> bool {
        let below = |limit: Option<u32>, used: Option<&u64>| {
            limit.is_none_or(|limit| used.copied().unwrap_or_default() < u64::from(limit))
        };
        let site = one.site.as_ref();
        let uplink = one.uplink.as_ref();
        site.is_none_or(|site| below(pace.per_site, self.by_site.get(site)))
            && uplink.is_none_or(|id| below(pace.per_uplink, self.by_uplink.get(id)))
            && one.redundancy.as_ref().is_none_or(|set| !self.redundancy.contains(set))
            // What restarts takes the line from those behind it.
            && self.by_uplink.get(&one.device_id).is_none_or(|behind| *behind == 0)
            && uplink.is_none_or(|id| !self.devices.contains(id))
    }

    fn add(&mut self, one: &Candidate) {
        if let Some(site) = &one.site {
            *self.by_site.entry(site.clone()).or_default() += 1;
        }
        if let Some(uplink) = one.uplink {
            *self.by_uplink.entry(uplink).or_default() += 1;
        }
        self.redundancy.extend(one.redundancy.clone());
        self.devices.insert(one.device_id);
    }
}

/// What there is of each: several groups may have counts of the same one.
fn sums<K: Eq + Hash>(groups: impl IntoIterator<Item = (K, i64)>) -> HashMap<K, u64> {
    let mut sums = HashMap::new();
    for (of, devices) in groups {
        let sum: &mut u64 = sums.entry(of).or_default();
        *sum = sum.saturating_add(u64::try_from(devices).unwrap_or_default());
    }
    sums
}

/// Those that begin now, in the order of the candidates: at most `room`, no more at a site or behind
/// an uplink than the pace lets, no two that back each other up, and none together with what it
/// reaches the network through.
pub fn pick(candidates: &[Candidate], pace: &Pace, active: &Active, room: u64) -> Vec<Uuid> {
    let mut active = active.clone();
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let mut chosen = Vec::new();
    for one in candidates {
        if chosen.len() >= room {
            break;
        }
        if active.lets(one, pace) {
            active.add(one);
            chosen.push(one.device_id);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000 * 86_400 + seconds)
    }

    fn device(id: u128) -> Candidate {
        Candidate { device_id: Uuid::from_u128(id), site: None, uplink: None, redundancy: None }
    }

    #[test]
    fn minutes_and_days_fill_up_and_begin_anew() {
        let pace =
            Pace { per_minute: Some(10), per_day: Some(25), concurrent: 100, ..Pace::default() };
        let mut bucket = Bucket::default();
        assert_eq!(room(&pace, &bucket, 0, at(0)), 10);
        take(&mut bucket, 10, at(0));
        assert_eq!(room(&pace, &bucket, 10, at(59)), 0);
        assert_eq!(room(&pace, &bucket, 10, at(60)), 10);
        take(&mut bucket, 10, at(60));
        // A node whose clock is behind is still in this minute.
        assert_eq!(room(&pace, &bucket, 20, at(59)), 0);
        assert_eq!(room(&pace, &bucket, 20, at(180)), 5);
        take(&mut bucket, 5, at(180));
        assert_eq!(room(&pace, &bucket, 25, at(86_399)), 0);
        assert_eq!(room(&pace, &bucket, 25, at(86_400)), 10);
        assert_eq!(room(&pace, &bucket, 95, at(86_400)), 5);
        assert_eq!(room(&pace, &bucket, 200, at(86_400)), 0);
        let none = Pace { concurrent: 7, ..Pace::default() };
        assert_eq!(room(&none, &bucket, 3, at(0)), 4);
    }

    #[test]
    fn a_device_and_what_it_hangs_on_are_not_under_way_together() {
        let pace = Pace::default();
        let leaf = Candidate { uplink: Some(Uuid::from_u128(9)), ..device(1) };
        let both = [leaf.clone(), device(9)];
        assert_eq!(pick(&both, &pace, &Active::default(), 9), [Uuid::from_u128(1)]);
        let turned = [device(9), leaf];
        assert_eq!(pick(&turned, &pace, &Active::default(), 9), [Uuid::from_u128(9)]);
        let behind = Active::new([], [(Uuid::from_u128(9), 1)], [], []);
        assert!(pick(&[device(9)], &pace, &behind, 9).is_empty());
        let [leaf, _] = both;
        let restarts = Active::new([], [], [], [Uuid::from_u128(9)]);
        assert!(pick(&[leaf], &pace, &restarts, 9).is_empty());
    }

    #[test]
    fn sites_and_sets_count_what_is_under_way_already() {
        let pace = Pace { per_site: Some(2), ..Pace::default() };
        let at_riga = |id| Candidate { site: Some("eu.lv.riga".to_owned()), ..device(id) };
        let pair = |id| Candidate { redundancy: Some("core".to_owned()), ..device(id) };
        let sites = [(Some("eu.lv.riga".to_owned()), 1), (None, 50)];
        let active = Active::new(sites, [], ["edge".to_owned()], []);
        let list = [at_riga(1), at_riga(2), pair(3), pair(4), device(5)];
        let chosen = pick(&list, &pace, &active, 9);
        assert_eq!(chosen, [1, 3, 5].map(Uuid::from_u128));
        let edge = Candidate { redundancy: Some("edge".to_owned()), ..device(6) };
        assert!(pick(&[edge], &pace, &active, 9).is_empty());
    }

    fn sick(id: u128, ended: Option<i64>) -> Sick {
        Sick {
            device_id: Uuid::from_u128(id),
            serial: format!("S{id}"),
            redundancy: "core".to_owned(),
            failed: true,
            ended_at: ended.map(at),
        }
    }

    #[test]
    fn who_backs_up_a_sick_device_waits_for_it() {
        let pair = |id| Candidate { redundancy: Some("core".to_owned()), ..device(id) };
        let day = TimeDelta::hours(24);
        let held = |one: &Candidate, begun, sick: &[Sick], now| beside(one, begun, sick, day, now);
        let waits = |why: &str| Some(Beside::Waits(why.to_owned()));
        let failed = [sick(1, Some(0))];
        assert_eq!(held(&pair(2), false, &failed, at(60)), waits("its partner S1 failed"));
        assert_eq!(held(&pair(2), true, &failed, at(60)), waits("its partner S1 failed"));
        // Nobody else does: not itself, nor who backs up others, or nobody.
        let edge = Candidate { redundancy: Some("edge".to_owned()), ..device(3) };
        for other in [pair(1), edge, device(4)] {
            assert_eq!(held(&other, false, &failed, at(60)), None, "{other:?}");
        }
        assert_eq!(held(&pair(2), false, &[], at(60)), None);
        let late = [Sick { failed: false, ..sick(1, Some(0)) }];
        let why = "its partner S1 did not come in time";
        assert_eq!(held(&pair(2), false, &late, at(60)), waits(why));
    }

    #[test]
    fn nobody_waits_for_ever_beside_a_sick_device() {
        let pair = |id| Candidate { redundancy: Some("core".to_owned()), ..device(id) };
        let day = TimeDelta::hours(24);
        let left_out = |sick: &[Sick], now| {
            matches!(beside(&pair(3), false, sick, day, now), Some(Beside::LeftOut(_)))
        };
        let one = [sick(1, Some(0))];
        assert!(!left_out(&one, at(86_399)) && left_out(&one, at(86_400)));
        // As long as there is one for which it may wait.
        let two = [sick(1, Some(0)), sick(2, Some(3_600))];
        assert!(!left_out(&two, at(86_400)) && left_out(&two, at(90_000)));
        let again = [sick(1, Some(0)), sick(2, None)];
        assert!(!left_out(&again, at(900_000)));
        // Two that are tried again do not wait for each other.
        let both = [sick(1, None), sick(2, None)];
        assert_eq!(beside(&pair(1), true, &both, day, at(0)), None);
        let why = beside(&pair(3), false, &both, day, at(0));
        assert_eq!(
            why,
            Some(Beside::Waits("its partner S2 is to be tried again first".to_owned()))
        );
    }

    #[test]
    fn counts_of_several_groups_add_up() {
        let pace = Pace { per_site: Some(3), per_uplink: Some(3), ..Pace::default() };
        let riga = || Some("eu.lv.riga".to_owned());
        let at_riga = Candidate { site: riga(), ..device(1) };
        let behind = Candidate { uplink: Some(Uuid::from_u128(9)), ..device(2) };
        for (last, chosen) in [(0, vec![1, 2]), (1, vec![])] {
            let sites = [(riga(), 2), (None, 50), (riga(), last)];
            let uplinks = [(Uuid::from_u128(9), 2), (Uuid::from_u128(9), last)];
            let active = Active::new(sites, uplinks, [], []);
            let chosen: Vec<Uuid> = chosen.into_iter().map(Uuid::from_u128).collect();
            assert_eq!(pick(&[at_riga.clone(), behind.clone()], &pace, &active, 9), chosen);
        }
    }

    fn any_candidate() -> impl Strategy<Value = (Option<u8>, Option<u8>, Option<u8>)> {
        let few = || prop::option::of(0_u8..5);
        (few(), few(), few())
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_and_nobody_waits_for_nothing(
            devices in prop::collection::vec(any_candidate(), 0..40),
            per_site in prop::option::of(0_u32..4),
            per_uplink in prop::option::of(0_u32..4),
            room in 0_u64..30,
        ) {
            let pace = Pace { per_site, per_uplink, ..Pace::default() };
            let list: Vec<Candidate> = devices.iter().enumerate().map(|(i, (site, uplink, set))| {
                Candidate {
                    device_id: Uuid::from_u128(i as u128),
                    site: site.map(|site| format!("s{site}")),
                    uplink: uplink.map(|uplink| Uuid::from_u128(u128::from(uplink) * 7)),
                    redundancy: set.map(|set| format!("r{set}")),
                }
            }).collect();
            let chosen = pick(&list, &pace, &Active::default(), room);
            prop_assert!(chosen.len() as u64 <= room);
            let taken: Vec<&Candidate> =
                list.iter().filter(|one| chosen.contains(&one.device_id)).collect();
            let mut active = Active::default();
            for one in &taken {
                prop_assert!(active.lets(one, &pace), "{one:?}");
                active.add(one);
            }
            if (chosen.len() as u64) < room {
                let left = list.iter().filter(|one| !chosen.contains(&one.device_id));
                for one in left {
                    prop_assert!(!active.lets(one, &pace), "{one:?} could have begun");
                }
            }
            for (i, one) in taken.iter().enumerate() {
                for other in &taken[i + 1..] {
                    prop_assert!(one.redundancy.is_none() || one.redundancy != other.redundancy);
                    prop_assert_ne!(one.uplink, Some(other.device_id));
                    prop_assert_ne!(other.uplink, Some(one.device_id));
                }
            }
            if let Some(most) = per_site {
                for site in 0..5 {
                    let site = Some(format!("s{site}"));
                    let there = taken.iter().filter(|one| one.site == site).count();
                    prop_assert!(there <= most as usize);
                }
            }
        }
    }
}
