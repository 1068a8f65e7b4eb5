//! What PostgreSQL has: the rollout, its devices and waves, jobs, and what devices said. Each method
//! that changes something is one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Tally;
use crate::fleet::health::Sample;
use crate::fleet::window::Hours;
use crate::rollout::device::{Device, JobSeen, Next, Seen, Step, Work};
use crate::rollout::gate::Counts;
use crate::rollout::pace::{self, Bucket};
use crate::rollout::plan::Plan;
use crate::rollout::state::{DeviceState, State};

pub(super) const TARGET: &str = "7.16.1";

/// A device of the rollout.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: usize,
    pub(super) device: Device,
    pub(super) wave: usize,
    pub(super) position: usize,
    pub(super) site: String,
    pub(super) redundancy: Option<String>,
    pub(super) job: Option<usize>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    /// Somebody has seen that it failed.
    pub(super) forgiven: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) device: usize,
    /// The version that it brings; `None` = it reads the device.
    pub(super) version: Option<String>,
    pub(super) state: &'static str,
    pub(super) made_at: DateTime<Utc>,
    pub(super) not_before: DateTime<Utc>,
    /// While it is queued; then until when its report is waited for.
    pub(super) until: DateTime<Utc>,
    pub(super) attempts: u32,
    pub(super) fault: Option<u16>,
    pub(super) result: Option<Value>,
    /// Of one that read the device.
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Job {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, "queued" | "running" | "waiting")
    }

    /// Its place in the line, as `store::jobs::head` orders it: what was begun, then what may run, then
    /// what is put off from the start.
    pub(super) fn turn(&self, now: DateTime<Utc>) -> (u8, Option<DateTime<Utc>>) {
        match self.state {
            "queued" if self.attempts == 0 && self.not_before > now => (2, Some(self.not_before)),
            "queued" if self.attempts == 0 => (1, None),
            _ => (0, None),
        }
    }
}

/// What a device said of itself.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) last_inform: DateTime<Utc>,
    pub(super) last_boot: Option<DateTime<Utc>>,
    pub(super) refreshed_at: Option<DateTime<Utc>>,
    pub(super) sample: Sample,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) plan: Plan,
    pub(super) state: State,
    /// How often that has changed: who holds the rollout's row sees none of it.
    pub(super) turn: u64,
    pub(super) resume_to: State,
    pub(super) wave: usize,
    pub(super) soak_until: Option<DateTime<Utc>>,
    pub(super) lease: Option<(usize, DateTime<Utc>)>,
    pub(super) bucket: Bucket,
    pub(super) rows: Vec<Row>,
    pub(super) waves: Vec<Counts>,
    pub(super) jobs: Vec<Job>,
    pub(super) facts: Vec<Facts>,
    /// Jobs that were made, and whose devices are to be called.
    pub(super) made: Vec<usize>,
    /// Something is to be looked at.
    pub(super) woken: bool,
    pub(super) tally: Tally,
    /// Devices can fail only while they are under way.
    pub(super) no_late_failures: bool,
    /// When devices may be begun, by site; at any time where nothing is said.
    pub(super) hours: BTreeMap<String, Hours>,
    /// It takes back what was rolled out before.
    pub(super) is_back: bool,
}

impl Store {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(super) fn turn_to(&mut self, state: State) {
        assert!(self.state.can(state), "{:?} to {state:?}", self.state);
        self.state = state;
        self.turn += 1;
        self.woken = true;
    }

    /// Whether nothing happens any more.
    pub(super) fn is_over(&self) -> bool {
        self.state.is_final() && self.rows.iter().all(|row| row.device.state.is_final())
    }

    /// Whether devices may be begun at this site.
    pub(super) fn is_open(&self, site: &str, now: DateTime<Utc>) -> bool {
        self.hours.get(site).is_none_or(|hours| hours.is_open(now))
    }

    /// Whether a device says that it runs what it should in the end.
    pub(super) fn has_arrived(&self, id: usize) -> bool {
        let target = self.rows[id].device.steps.last().and_then(Step::version);
        target == Some(self.facts[id].version.as_str())
    }

    /// There is news of a device.
    pub(super) fn tell(&mut self, id: usize, now: DateTime<Utc>) {
        let row = &mut self.rows[id];
        let healthy = row.device.state == DeviceState::Healthy && row.due_at.is_some();
        if row.device.state.is_active() || healthy {
            row.due_at = Some(now);
            self.woken = true;
        }
    }

    /// A job came further, or ended.
    pub(super) fn tell_of(&mut self, job: usize, now: DateTime<Utc>) {
        let id = self.jobs[job].device;
        if self.rows[id].job == Some(job) {
            self.rows[id].due_at = Some(now);
            self.woken = true;
        }
    }

    /// A row as the rules see it.
    pub(super) fn read(&self, id: usize, listening_since: DateTime<Utc>) -> (Device, Seen) {
        let (row, facts) = (&self.rows[id], &self.facts[id]);
        let soak_until = self.soak_until.filter(|_| row.wave == self.wave);
        let device = Device { soak_until, ..row.device.clone() };
        let job = row.job.map(|job| &self.jobs[job]).map(|job| JobSeen {
            state: job.state.to_owned(),
            kind: if job.version.is_some() { "upgrade" } else { "refresh" }.to_owned(),
            fault: job.fault,
            note: None,
            result: job.result.clone(),
            ended_at: job.ended_at,
        });
        let seen = Seen {
            running: matches!(self.state, State::Running | State::Soaking),
            listening_since,
            job,
            version: Some(facts.version.clone()),
            last_inform: facts.last_inform,
            inform_interval: Some(300),
            last_boot: facts.last_boot,
            refreshed_at: facts.refreshed_at,
            sample: facts.sample.clone(),
            booter: None,
        };
        (device, seen)
    }

    /// Changes a device that is as it was seen, with the counts of its wave and its job.
    pub(super) fn write(&mut self, was: &Row, next: &Next, now: DateTime<Utc>) -> bool {
        let row = &self.rows[was.id];
        let due_now = row.due_at;
        let same = row.device.state == was.device.state
            && row.device.step == was.device.step
            && row.device.attempts == was.device.attempts
            && row.job == was.job
            // Its wave has passed since: nobody looks at it any more. The row lock sees to that.
            && (due_now.is_some() || was.due_at.is_none());
        if !same {
            self.count("written too late");
            return false;
        }
        let begins = match was.device.state {
            DeviceState::Waiting => next.state.is_active(),
            DeviceState::Due => next.state == DeviceState::Offered,
            _ => false,
        };
        assert!(!begins || self.state == State::Running, "it begins while {:?}", self.state);
        if next.attempts > was.device.attempts {
            self.count("tried again");
        }
        if was.device.state == DeviceState::Healthy && next.state == DeviceState::Failed {
            self.count("sick after it was healthy");
        }
        if was.device.state == DeviceState::Healthy && next.state == DeviceState::Verifying {
            self.count("looked at again after a start");
        }
        if next.work == Some(Work::Step(1)) {
            self.count("second hop");
        }
        let again = was.device.state == DeviceState::Waiting && was.device.started_at.is_some();
        if again && self.has_arrived(was.id) {
            assert_eq!(next.state, DeviceState::Verifying, "it is left out, and counts no more");
            self.count("looked at anew by order");
        }
        // What happened since it was read is looked at next.
        let news = due_now != was.due_at;
        let due_at = if news { due_now } else { next.due_at };
        if news {
            self.count("news while it was looked at");
        }
        self.shift(was.wave, was.device.state, next.state);
        let job = self.order(was, next, now);
        // Begun is what was given a step: to read it changes nothing.
        let given = matches!(next.work, Some(Work::Step(_)));
        let row = &mut self.rows[was.id];
        row.device = Device {
            state: next.state,
            step: next.step,
            attempts: next.attempts,
            started_at: row.device.started_at.or_else(|| given.then_some(now)),
            changed_at: next.changed_at,
            deadline_at: next.deadline_at,
            baseline: next.baseline.clone().or_else(|| row.device.baseline.take()),
            ..row.device.clone()
        };
        row.job = job;
        row.due_at = due_at;
        row.finished_at = next.finished.then_some(now);
        let watched = row.device.state == DeviceState::Healthy && row.finished_at.is_none();
        let left = (row.device.state.is_active() || watched) && row.due_at.is_none();
        assert!(!left, "nobody looks at it any more: {row:?}");
        self.check_errors(was.wave);
        true
    }

    /// The job that an answer asks for; the one that the device has, if it asks for none.
    fn order(&mut self, was: &Row, next: &Next, now: DateTime<Utc>) -> Option<usize> {
        let version = match next.work {
            None => return was.job,
            Some(Work::Withdraw) => {
                if let Some(job) = was.job.filter(|job| self.jobs[*job].state == "queued") {
                    self.jobs[job].state = "cancelled";
                    self.count("withdrawn");
                }
                return was.job;
            }
            Some(Work::Baseline) => None,
            Some(Work::Step(step)) => was.device.steps[step].version().map(str::to_owned),
        };
        let not_before = next.not_before.unwrap_or(now);
        let until = next.deadline_at.expect("who is given a job has a deadline");
        assert!(until > not_before, "a job that can never run: {next:?}");
        self.jobs.push(Job {
            device: was.id,
            version,
            state: "queued",
            made_at: now,
            not_before,
            until,
            attempts: 0,
            fault: None,
            result: None,
            ended_at: None,
        });
        let job = self.jobs.len() - 1;
        self.made.push(job);
        Some(job)
    }

    pub(super) fn shift(&mut self, wave: usize, from: DeviceState, to: DeviceState) {
        let counts = &mut self.waves[wave];
        *count_of(counts, from) -= 1;
        *count_of(counts, to) += 1;
    }

    /// The error condition stops a wave before more fail than were under way.
    fn check_errors(&self, wave: usize) {
        let counts = &self.waves[wave];
        let Some(most) = self.plan.error.count.filter(|_| self.no_late_failures) else { return };
        let unseen = (counts.failed + counts.timed_out).saturating_sub(counts.forgiven);
        let sick = counts.failed.min(unseen);
        let bound = u64::from(most) - 1 + u64::from(self.plan.pace.concurrent);
        assert!(sick <= bound, "{sick} devices failed, {bound} at most may: {counts:?}");
    }

    /// Compares the counts of all waves with their devices.
    pub(super) fn check_counts(&self, seed: u64) {
        for (wave, kept) in self.waves.iter().enumerate() {
            let mut counted = Counts { forgiven: kept.forgiven, ..Counts::default() };
            for row in self.rows.iter().filter(|row| row.wave == wave) {
                counted.total += 1;
                *count_of(&mut counted, row.device.state) += 1;
            }
            assert_eq!(*kept, counted, "seed {seed}, wave {wave}");
        }
    }

    /// When something is to be done next, as far as it is known.
    pub(super) fn next_due(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let rows = self.rows.iter().filter(|row| row.device.state != DeviceState::Waiting);
        let due = rows.filter_map(|row| row.due_at).min();
        let counts = &self.waves[self.wave];
        let under_way = counts.active + counts.verifying;
        // What else holds devices back ends with something that happens.
        let begins = self.state == State::Running
            && counts.waiting > 0
            && under_way < u64::from(self.plan.pace.concurrent)
            && pace::room(&self.plan.pace, &self.bucket, under_way, now) == 0;
        let begin_at = begins.then(|| now + TimeDelta::seconds(45));
        let soak = self.soak_until.filter(|_| self.state == State::Soaking);
        // Doors open and close without a word.
        let doors = (!self.hours.is_empty()).then(|| now + TimeDelta::minutes(10));
        let soonest = [due, begin_at, soak, doors].into_iter().flatten().min();
        soonest.unwrap_or(now + TimeDelta::hours(1)).min(now + TimeDelta::hours(1))
    }
}

fn count_of(counts: &mut Counts, state: DeviceState) -> &mut u64 {
    match state {
        DeviceState::Waiting => &mut counts.waiting,
        DeviceState::Due
        | DeviceState::Offered
        | DeviceState::Downloading
        | DeviceState::Rebooting => &mut counts.active,
        DeviceState::Verifying => &mut counts.verifying,
        DeviceState::Healthy => &mut counts.healthy,
        DeviceState::Failed => &mut counts.failed,
        DeviceState::Skipped => &mut counts.skipped,
        DeviceState::TimedOut => &mut counts.timed_out,
    }
}
