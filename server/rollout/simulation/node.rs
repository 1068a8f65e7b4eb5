//! A node: what the reconciler does, one statement at a time. Anything may happen between two of
//! them, also that there is no second one.

use chrono::TimeDelta;

use super::store::Row;
use super::world::World;
use crate::rollout::device::{Next, look};
use crate::rollout::state::{DeviceState, State};

/// How long a lease lasts.
const LEASE: TimeDelta = TimeDelta::seconds(60);

#[derive(Debug, Default)]
pub(super) struct Node {
    at: At,
    /// Which of the turns that were planned for it is the last one.
    pub(super) turn: u64,
}

impl Node {
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.at, At::Rest)
    }
}

/// What it does next. What it knows is of some time ago.
#[derive(Debug, Default)]
enum At {
    #[default]
    Rest,
    Look,
    Write {
        was: Box<Row>,
        next: Box<Next>,
        /// The rollout's turn when it was read.
        turn: u64,
    },
    Judge,
}

impl World {
    /// One statement of a node.
    pub(super) fn node(&mut self, node: usize) {
        if self.dice.one_in(60) {
            self.store.count("killed");
            self.nodes[node].at = At::Rest;
            let start = self.dice.between(5, 120);
            return self.plan_node(node, start);
        }
        // Most statements follow at once; some nodes stall for longer than their lease lasts.
        let mut wait = if self.dice.one_in(50) { 90 } else { self.dice.between(0, 2) };
        let at = std::mem::take(&mut self.nodes[node].at);
        self.nodes[node].at = match at {
            At::Rest => match self.store.lease {
                Some((other, until)) if other != node && until > self.now => {
                    wait = (until - self.now).num_seconds() + 1;
                    At::Rest
                }
                _ => {
                    self.store.lease = Some((node, self.now + LEASE));
                    At::Look
                }
            },
            At::Look => self.look_at_one(),
            At::Write { was, next, turn } => {
                // Whoever holds the rollout's row sees none of its turns: all or nothing.
                if self.store.turn == turn {
                    self.store.write(&was, &next, self.now);
                } else {
                    self.store.count("written too late");
                }
                At::Look
            }
            At::Judge => {
                self.judge(node);
                let next = self.store.next_due(self.now);
                wait = (next - self.now).num_seconds().max(1) + self.dice.between(0, 2);
                At::Rest
            }
        };
        self.plan_node(node, wait);
    }

    /// Reads one of the devices that are due; none is left, then the wave is judged.
    fn look_at_one(&mut self) -> At {
        let now = self.now;
        let is_due = |row: &Row| {
            row.device.state != DeviceState::Waiting && row.due_at.is_some_and(|due| due <= now)
        };
        let due: Vec<usize> =
            self.store.rows.iter().filter(|row| is_due(row)).map(|row| row.id).collect();
        if due.is_empty() {
            return At::Judge;
        }
        let id = self.dice.pick(&due);
        self.hear(id);
        let listening = self.listening_since();
        let was = Box::new(self.store.rows[id].clone());
        let (device, seen) = self.store.read(id, listening);
        let next = Box::new(look(&device, &seen, &self.store.plan, now));
        At::Write { was, next, turn: self.store.turn }
    }

    fn judge(&mut self, node: usize) {
        if self.store.lease.is_none_or(|(by, until)| by != node || until <= self.now) {
            self.store.count("lease lost");
            return;
        }
        self.store.lease = None;
        let state = self.store.state;
        match state {
            State::Running | State::Soaking => {
                for id in 0..self.routers.len() {
                    self.hear(id);
                }
                let listening = self.listening_since();
                self.store.judge(self.now, listening);
                if self.store.state == State::Paused {
                    self.come_back();
                }
            }
            State::Paused | State::Aborted => self.store.call_back(self.now),
            State::RollingBack if self.store.wind_down(self.now) => {
                self.store.check_counts(self.seed);
                self.store.take_back(self.now);
            }
            _ => {}
        }
    }
}
