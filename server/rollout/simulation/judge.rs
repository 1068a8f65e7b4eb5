//! What is done to a rollout as a whole: by its gate, by its pace, and by people. Each of them is one
//! transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::{Row, Store};
use crate::rollout::device::{Device, Step, begin};
use crate::rollout::gate::{Counts, Decision, decide};
use crate::rollout::pace::{self, Active, Beside, Bucket, Candidate, Sick};
use crate::rollout::plan::OnError;
use crate::rollout::reconcile::inverse::plan_back;
use crate::rollout::state::{DeviceState, State};

impl Store {
    /// Looks at the wave under way, and begins devices where they may.
    pub(super) fn judge(&mut self, now: DateTime<Utc>, listening: DateTime<Utc>) {
        self.close_doors(now);
        let wave = self.wave;
        let failed = |row: &&Row| row.wave == wave && row.device.state == DeviceState::Failed;
        let hold = |row: &&Row| failed(row) && !row.forgiven;
        let held = self.rows.iter().filter(hold).filter(|row| self.blames(row)).count() as u64;
        let counts = Counts { held, ..self.waves[wave] };
        let last = wave + 1 == self.waves.len();
        let soak = self.soak_until;
        let (decision, verdict) = decide(&self.plan, wave, &counts, soak, true, last, now);
        assert!(!verdict.words.is_empty());
        match decision {
            Decision::Go => {
                assert_eq!(self.state, State::Running, "devices wait in a wave that has ended");
                self.begin(now, listening);
            }
            Decision::Wait { .. } => {}
            Decision::Soak { until } => {
                self.count("soaked");
                self.soak_until = Some(until);
                self.turn_to(State::Soaking);
                for row in self.rows.iter_mut().filter(|row| row.wave == wave) {
                    row.due_at = row.due_at.map(|due| due.min(until));
                }
            }
            Decision::Next | Decision::Complete => {
                self.rest(now);
                if decision == Decision::Complete {
                    self.turn_to(State::Completed);
                } else {
                    if self.state == State::Soaking {
                        self.turn_to(State::Running);
                    }
                    self.soak_until = None;
                    self.wave += 1;
                    self.woken = true;
                }
            }
            Decision::Fail { then: OnError::Abort } => self.turn_to(State::Aborted),
            Decision::Fail { then: OnError::RollBack } => self.turn_to(State::RollingBack),
            Decision::Fail { then: OnError::Pause } => {
                self.count("paused by the gate");
                self.resume_to = self.state;
                self.turn_to(State::Paused);
            }
            Decision::Approve => panic!("nobody asked for an approval"),
        }
    }

    fn blames(&self, row: &Row) -> bool {
        row.job.and_then(|job| self.jobs[job].fault) == Some(9019)
    }

    /// Looks at the healthy devices of the wave no more.
    fn rest(&mut self, now: DateTime<Utc>) {
        for row in self.rows.iter_mut().filter(|row| row.wave == self.wave) {
            if row.device.state == DeviceState::Healthy && row.due_at.take().is_some() {
                row.finished_at = Some(now);
            }
        }
    }

    fn begin(&mut self, now: DateTime<Utc>, listening: DateTime<Utc>) {
        let candidates = self.candidates(now);
        let active: Vec<&Row> =
            self.rows.iter().filter(|row| row.device.state.is_active()).collect();
        let mut sites: BTreeMap<Option<String>, i64> = BTreeMap::new();
        for row in &active {
            *sites.entry(Some(row.site.clone())).or_default() += 1;
        }
        let pairs = active.iter().filter_map(|row| row.redundancy.clone());
        let devices = active.iter().map(|row| uuid(row.id));
        let busy = Active::new(sites, [], pairs, devices);
        let room = pace::room(&self.plan.pace, &self.bucket, active.len() as u64, now);
        let chosen = pace::pick(&candidates, &self.plan.pace, &busy, room);
        pace::take(&mut self.bucket, chosen.len() as u64, now);
        for device in chosen {
            let id = device.as_u128() as usize;
            let (device, seen) = self.read(id, listening);
            let next = begin(&device, &seen, &self.plan, now);
            let was = self.rows[id].clone();
            assert!(self.write(&was, &next, now), "it was read in this very transaction");
            self.check_pace(id);
        }
    }

    /// The waiting devices of the wave whose sites are open, and whose partners are well. Those beside
    /// whom somebody is sick for too long are left out.
    fn candidates(&mut self, now: DateTime<Utc>) -> Vec<Candidate> {
        let sick: Vec<Sick> = self.rows.iter().filter_map(sick).collect();
        let waits = |row: &&Row| row.wave == self.wave && row.device.state == DeviceState::Waiting;
        let mut waiting: Vec<Row> = self.rows.iter().filter(waits).cloned().collect();
        waiting.sort_by_key(|row| row.position);
        let patience = self.plan.deadlines.offer();
        let mut may = Vec::new();
        for row in waiting {
            if !self.is_open(&row.site, now) {
                self.count("put off by a window");
                continue;
            }
            let one = Candidate {
                device_id: uuid(row.id),
                site: Some(row.site.clone()),
                uplink: None,
                redundancy: row.redundancy.clone(),
            };
            let begun = row.device.started_at.is_some();
            match pace::beside(&one, begun, &sick, patience, now) {
                None => may.push(one),
                Some(Beside::Waits(_)) => self.count("waits beside a sick one"),
                Some(Beside::LeftOut(_)) => {
                    self.count("left out beside a sick one");
                    self.leave_out(row.id, now);
                }
            }
        }
        may
    }

    fn leave_out(&mut self, id: usize, now: DateTime<Utc>) {
        let (state, wave) = (self.rows[id].device.state, self.rows[id].wave);
        self.shift(wave, state, DeviceState::Skipped);
        let row = &mut self.rows[id];
        row.device.state = DeviceState::Skipped;
        row.due_at = None;
        row.finished_at = Some(now);
    }

    /// What limits the pace holds for a device that was just begun, and all that are under way.
    fn check_pace(&self, id: usize) {
        let begun = &self.rows[id];
        if !begun.device.state.is_active() {
            return;
        }
        let under_way = || self.rows.iter().filter(|row| row.device.state.is_active());
        assert!(under_way().count() <= self.plan.pace.concurrent as usize, "too many at a time");
        let at_site = under_way().filter(|row| row.site == begun.site).count();
        assert!(self.plan.pace.per_site.is_none_or(|most| at_site <= most as usize));
        let pairs = under_way().filter(|row| row.redundancy == begun.redundancy).count();
        assert!(begun.redundancy.is_none() || pairs == 1, "two that back each other up");
        let ended = |row: &Row| sick(row).is_some_and(|sick| sick.ended_at.is_some());
        let beside = |row: &Row| row.redundancy == begun.redundancy && ended(row);
        let alone = begun.redundancy.is_some() && self.rows.iter().any(beside);
        assert!(!alone, "it may be all that its partner leaves");
    }

    /// Takes back what no device has taken: it waits again, or is left out.
    pub(super) fn call_back(&mut self, now: DateTime<Utc>) {
        let ended = self.state != State::Paused;
        for id in 0..self.rows.len() {
            if self.is_untaken(id) {
                self.count("called back");
                self.give_back(id);
            }
            if ended && self.rows[id].device.state == DeviceState::Waiting {
                self.leave_out(id, now);
            }
        }
    }

    /// Takes back what no device has taken where nothing may be changed by now.
    fn close_doors(&mut self, now: DateTime<Utc>) {
        for id in 0..self.rows.len() {
            if self.is_untaken(id) && !self.is_open(&self.rows[id].site, now) {
                self.count("called back at closing");
                self.give_back(id);
            }
        }
    }

    /// Whether a device has an order of its first step that is not with it, as `pick::not_taken` finds them:
    /// one that it had taken before, and that was lost or refused, is one of these.
    fn is_untaken(&self, id: usize) -> bool {
        let Row { device, job, .. } = &self.rows[id];
        let untaken = job.is_none_or(|job| self.jobs[job].state == "queued");
        let offered = matches!(device.state, DeviceState::Due | DeviceState::Offered);
        offered && device.step == 0 && device.changed_at.is_none() && untaken
    }

    /// It waits again. As `wind_down::back`: that it was begun stays known where it may have been changed, by
    /// this order or by one before it.
    fn give_back(&mut self, id: usize) {
        let (state, wave) = (self.rows[id].device.state, self.rows[id].wave);
        let began = self.rows[id].device.started_at;
        let mut started_at = None;
        if let Some(job) = self.rows[id].job.take() {
            let order = &mut self.jobs[job];
            order.state = "cancelled";
            let was_taken = order.version.is_some() && order.attempts > 0;
            started_at = began.filter(|at| was_taken || *at < order.made_at);
        }
        self.shift(wave, state, DeviceState::Waiting);
        let row = &mut self.rows[id];
        row.device.state = DeviceState::Waiting;
        row.device.started_at = started_at;
        row.device.deadline_at = None;
        row.device.attempts = 0;
        row.due_at = None;
        row.finished_at = None;
    }

    /// Nothing of it begins any more, and nobody is watched; true = nothing is in flight.
    pub(super) fn wind_down(&mut self, now: DateTime<Utc>) -> bool {
        self.call_back(now);
        for row in &mut self.rows {
            if row.device.state == DeviceState::Healthy && row.due_at.take().is_some() {
                row.finished_at = Some(now);
            }
        }
        !self.rows.iter().any(|row| row.device.state.is_active())
    }

    /// The rollout that takes it back takes its place: one wave of the devices that were begun, each
    /// back to what it ran.
    pub(super) fn take_back(&mut self, now: DateTime<Utc>) {
        self.count("taken back");
        let mut counts = Counts { total: self.rows.len() as u64, ..Counts::default() };
        for row in &mut self.rows {
            let device = &row.device;
            let had = device.from_version.clone().expect("it ran something");
            let runs = self.facts[row.id].version.clone();
            let goes = device.started_at.is_some() && runs != had;
            let state = if goes { DeviceState::Waiting } else { DeviceState::Skipped };
            *(if goes { &mut counts.waiting } else { &mut counts.skipped }) += 1;
            row.device = Device {
                state,
                steps: vec![Step::Upgrade { version: had, packages: Vec::new(), bytes: 0 }],
                step: 0,
                attempts: 0,
                from_version: Some(runs),
                started_at: None,
                changed_at: None,
                deadline_at: None,
                baseline: None,
                soak_until: None,
            };
            (row.wave, row.job, row.due_at, row.forgiven) = (0, None, None, false);
            row.finished_at = (!goes).then_some(now);
        }
        self.plan = plan_back(&self.plan, false);
        self.hours.clear();
        (self.waves, self.wave, self.soak_until) = (vec![counts], 0, None);
        (self.state, self.resume_to) = (State::Running, State::Running);
        self.bucket = Bucket::default();
        (self.is_back, self.no_late_failures, self.woken) = (true, false, true);
        self.turn += 1;
    }

    /// Leaves out what failed in this wave.
    pub(super) fn exclude(&mut self, now: DateTime<Utc>) {
        for id in 0..self.rows.len() {
            let (state, wave) = (self.rows[id].device.state, self.rows[id].wave);
            let bad = matches!(state, DeviceState::Failed | DeviceState::TimedOut);
            if bad && wave == self.wave {
                self.leave_out(id, now);
            }
        }
        let counts = &mut self.waves[self.wave];
        counts.forgiven = counts.forgiven.min(counts.failed + counts.timed_out);
    }

    /// Has those of this wave wait for another turn that failed although they run what they should.
    pub(super) fn retry(&mut self) {
        for id in 0..self.rows.len() {
            let row = &self.rows[id];
            let (state, wave) = (row.device.state, row.wave);
            if state != DeviceState::Failed || wave != self.wave || !self.has_arrived(id) {
                continue;
            }
            self.shift(wave, state, DeviceState::Waiting);
            let row = &mut self.rows[id];
            row.device.state = DeviceState::Waiting;
            (row.device.step, row.device.attempts) = (0, 0);
            (row.device.changed_at, row.device.deadline_at) = (None, None);
            (row.job, row.due_at, row.finished_at, row.forgiven) = (None, None, None, false);
            // A wave that was watched is watched anew after them.
            (self.resume_to, self.soak_until) = (State::Running, None);
        }
    }

    /// Takes what failed in this wave for seen.
    pub(super) fn forgive(&mut self) {
        let counts = &mut self.waves[self.wave];
        counts.forgiven = counts.failed + counts.timed_out;
        for row in self.rows.iter_mut().filter(|row| row.wave == self.wave) {
            row.forgiven |= row.device.state == DeviceState::Failed;
        }
    }
}

fn uuid(id: usize) -> Uuid {
    Uuid::from_u128(id as u128)
}

/// A device that did not come to a good end, and is not left out.
fn sick(row: &Row) -> Option<Sick> {
    let state = row.device.state;
    let ended = matches!(state, DeviceState::Failed | DeviceState::TimedOut);
    let again = state == DeviceState::Waiting && row.device.started_at.is_some();
    let redundancy = row.redundancy.clone().filter(|_| ended || again)?;
    Some(Sick {
        device_id: uuid(row.id),
        serial: row.id.to_string(),
        redundancy,
        failed: state == DeviceState::Failed,
        ended_at: row.finished_at.filter(|_| ended),
    })
}
