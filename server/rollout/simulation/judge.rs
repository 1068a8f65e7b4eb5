//! What is done to a rollout as a whole: by its gate, by its pace, and by people. Each of them is one
//! transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::{Row, Store};
use crate::rollout::device::begin;
use crate::rollout::gate::{Counts, Decision, decide};
use crate::rollout::pace::{self, Active, Candidate};
use crate::rollout::plan::OnError;
use crate::rollout::state::{DeviceState, State};

impl Store {
    /// Looks at the wave under way, and begins devices where they may.
    pub(super) fn judge(&mut self, now: DateTime<Utc>, listening: DateTime<Utc>) {
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
            Decision::Fail { .. } => {
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
        let candidate = |row: &Row| Candidate {
            device_id: Uuid::from_u128(row.id as u128),
            site: Some(row.site.clone()),
            uplink: None,
            redundancy: row.redundancy.clone(),
        };
        let active: Vec<&Row> =
            self.rows.iter().filter(|row| row.device.state.is_active()).collect();
        let mut sites: BTreeMap<Option<String>, i64> = BTreeMap::new();
        for row in &active {
            *sites.entry(Some(row.site.clone())).or_default() += 1;
        }
        let pairs = active.iter().filter_map(|row| row.redundancy.clone());
        let devices = active.iter().map(|row| Uuid::from_u128(row.id as u128));
        let busy = Active::new(sites, [], pairs, devices);
        let room = pace::room(&self.plan.pace, &self.bucket, active.len() as u64, now);
        let mut waiting: Vec<&Row> = self.rows.iter().collect();
        waiting.retain(|row| row.wave == self.wave && row.device.state == DeviceState::Waiting);
        waiting.sort_by_key(|row| row.position);
        let candidates: Vec<Candidate> = waiting.into_iter().map(candidate).collect();
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
    }

    /// Takes back what no device has taken: it waits again, or is left out.
    pub(super) fn call_back(&mut self, now: DateTime<Utc>) {
        let aborted = self.state == State::Aborted;
        for id in 0..self.rows.len() {
            let row = &self.rows[id];
            let (state, wave) = (row.device.state, row.wave);
            let untaken = row
                .job
                .is_none_or(|job| self.jobs[job].state == "queued" && self.jobs[job].attempts == 0);
            let offered = matches!(state, DeviceState::Due | DeviceState::Offered);
            let calls = offered && row.device.step == 0 && untaken;
            if !(calls || aborted && state == DeviceState::Waiting) {
                continue;
            }
            if calls {
                self.count("called back");
            }
            if let Some(job) = self.rows[id].job.take().filter(|_| calls) {
                self.jobs[job].state = "cancelled";
            }
            let to = if aborted { DeviceState::Skipped } else { DeviceState::Waiting };
            self.shift(wave, state, to);
            let row = &mut self.rows[id];
            row.device.state = to;
            row.device.started_at = None;
            row.device.deadline_at = None;
            row.device.attempts = 0;
            row.due_at = None;
            row.finished_at = aborted.then_some(now);
        }
    }

    /// Leaves out what failed in this wave.
    pub(super) fn exclude(&mut self, now: DateTime<Utc>) {
        for id in 0..self.rows.len() {
            let (state, wave) = (self.rows[id].device.state, self.rows[id].wave);
            let bad = matches!(state, DeviceState::Failed | DeviceState::TimedOut);
            if bad && wave == self.wave {
                self.shift(wave, state, DeviceState::Skipped);
                let row = &mut self.rows[id];
                row.device.state = DeviceState::Skipped;
                row.finished_at = Some(now);
            }
        }
        let counts = &mut self.waves[self.wave];
        counts.forgiven = counts.forgiven.min(counts.failed + counts.timed_out);
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
