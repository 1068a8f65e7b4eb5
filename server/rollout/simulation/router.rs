//! Devices, and what becomes of them when they are changed.

use chrono::{DateTime, TimeDelta, Utc};

use super::dice::Dice;
use super::store::TARGET;
use super::world::{BOOT, Event, World, seconds};
use crate::fleet::health::Sample;

/// What becomes of a device when it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Fine,
    /// Its line comes up minutes after it.
    SlowLine,
    /// It tells of its start more than once.
    Repeats,
    /// Its TransferComplete comes an hour late.
    Late,
    /// It reports a fault so many times.
    Refuses(u16, u32),
    /// It reports success, and runs what it ran.
    StaysOld,
    /// It takes the order and is never heard of again.
    Dark,
    /// Its line does not come up any more.
    LosesLine,
    /// It crashes so many minutes after the upgrade.
    Crashes(i64),
    /// It is never heard of again so many minutes after the upgrade.
    Dies(i64),
    /// It is switched off for some hours from the beginning on.
    Absent,
}

#[derive(Debug, Clone)]
pub(super) struct Router {
    pub(super) fate: Fate,
    /// When it crashed, or was heard of no more, after it had been upgraded.
    pub(super) sick_at: Option<DateTime<Utc>>,
    pub(super) crashed_at: Option<DateTime<Utc>>,
    pub(super) versions: Vec<(DateTime<Utc>, String)>,
    pub(super) is_on: bool,
    /// It has an upgrade in hand.
    pub(super) is_busy: bool,
    pub(super) started_at: DateTime<Utc>,
    /// Informs from then on.
    pub(super) up_since: DateTime<Utc>,
    pub(super) line_up_at: Option<DateTime<Utc>>,
    pub(super) refused: u32,
}

impl Router {
    pub(super) fn version(&self) -> &str {
        &self.versions.last().expect("it runs something from the beginning on").1
    }

    /// What it ran then.
    pub(super) fn version_when(&self, at: Option<DateTime<Utc>>) -> &str {
        let then = self.versions.iter().rev().find(|(from, _)| at.is_none_or(|at| *from <= at));
        then.map_or("nothing", |(_, version)| version)
    }

    pub(super) fn sample(&self, now: DateTime<Utc>) -> Sample {
        let never = || "0001-01-01T00:00:00Z".to_owned();
        Sample {
            at: now,
            crash: Some(self.crashed_at.map_or_else(never, |at| at.to_rfc3339())),
            uptime: Some((now - self.started_at).num_seconds()),
            wan_up: Some(self.line_up_at.is_some_and(|at| at <= now)),
            radios: Some(2),
            ..Sample::default()
        }
    }
}

pub(super) fn fate(dice: &mut Dice) -> Fate {
    match dice.below(20) {
        0 => Fate::SlowLine,
        1 | 2 => Fate::Repeats,
        3 => Fate::Late,
        4 => Fate::Refuses(9010, 1 + dice.below(3) as u32),
        5 => Fate::Refuses(dice.pick(&[9003, 9018, 9019]), 1),
        6 => Fate::StaysOld,
        7 => Fate::Dark,
        8 => Fate::LosesLine,
        9 => Fate::Crashes(dice.between(1, 240)),
        10 => Fate::Dies(dice.between(1, 240)),
        11 => Fate::Absent,
        _ => Fate::Fine,
    }
}

impl World {
    /// What a device does with an upgrade that it has taken.
    pub(super) fn upgrade(&mut self, id: usize, job: usize, version: &str) {
        let loads = self.dice.between(60, 300);
        let last = version == TARGET;
        let router = &mut self.routers[id];
        match router.fate {
            Fate::Refuses(code, times) if router.refused < times => {
                router.refused += 1;
                let fault = Some(code);
                self.at(self.now + seconds(loads), Event::Complete { job, fault });
            }
            Fate::Dark if last => self.at(self.now + seconds(loads), Event::Gone(id)),
            _ => {
                let reported = self.dice.one_in(3);
                if reported {
                    let complete = Event::Complete { job, fault: None };
                    self.at(self.now + seconds(loads - 20), complete);
                }
                let restart = Event::Restart { id, job: Some(job), reported };
                self.at(self.now + seconds(loads), restart);
            }
        }
    }

    pub(super) fn up(&mut self, id: usize, job: Option<usize>, reported: bool) {
        let now = self.now;
        let brought = job.and_then(|job| self.store.jobs[job].version.clone());
        let router = &mut self.routers[id];
        (router.is_on, router.is_busy) = (true, false);
        (router.up_since, router.started_at) = (now, now - seconds(20));
        let last = brought.as_deref() == Some(TARGET);
        if let Some(version) = brought.filter(|_| !(last && router.fate == Fate::StaysOld)) {
            router.versions.push((now, version));
        }
        let fate = router.fate;
        match fate {
            Fate::LosesLine if last => router.line_up_at = None,
            Fate::SlowLine if last => router.line_up_at = Some(now + seconds(180)),
            _ => {}
        }
        let ended = job.filter(|_| !reported);
        self.at(now, Event::Session { id, boot: true, ended });
        if let Some(job) = ended {
            let wait = if fate == Fate::Late { 3_600 } else { 2 };
            self.at(now + seconds(wait), Event::Complete { job, fault: None });
        }
        match fate {
            Fate::Crashes(minutes) if last => {
                self.at(now + TimeDelta::minutes(minutes), Event::Crash(id));
            }
            Fate::Dies(minutes) if last => {
                self.at(now + TimeDelta::minutes(minutes), Event::Gone(id));
            }
            _ => {}
        }
        if last && fate == Fate::Repeats {
            for _ in 0..self.dice.between(1, 3) {
                self.store.count("said twice");
                self.after(5, 300, Event::Session { id, boot: true, ended: None });
            }
        }
    }

    pub(super) fn crash(&mut self, id: usize) {
        self.switch_off(id);
        self.routers[id].crashed_at = Some(self.now);
        self.routers[id].sick_at = Some(self.now);
        let up = Event::Up { id, job: None, reported: true };
        self.at(self.now + BOOT, up);
    }
}
