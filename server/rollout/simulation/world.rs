//! What happens, and when: to devices, to nodes, and to the rollout by people.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::dice::Dice;
use super::node::Node;
use super::router::{Fate, Router, fate};
use super::store::{Facts, Row, Store, TARGET};
use crate::fleet::window::{Day, Hours, Window};
use crate::rollout::assign;
use crate::rollout::device::{Device, Step};
use crate::rollout::gate::Counts;
use crate::rollout::pace::Bucket;
use crate::rollout::plan::{OnError, Plan};
use crate::rollout::state::{DeviceState, State};

/// How long a device takes to start.
pub(super) const BOOT: TimeDelta = TimeDelta::seconds(60);
pub(super) const OLD: &str = "6.49.10";
const HOP: &str = "7.12.1";
/// Seconds between the informs of a device.
pub(super) const INTERVAL: i64 = 300;
/// Where devices stand.
const SITES: [&str; 2] = ["eu.lv", "eu.ee"];

/// What happens at some time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A node goes on, if this is still its turn.
    Node(usize, u64),
    /// A session of a device; it says that it has started, and that a transfer has ended.
    Session {
        id: usize,
        boot: bool,
        ended: Option<usize>,
    },
    /// A job that a device has was accepted, or has been answered.
    Answer(usize),
    /// A transfer has ended, well or with a fault.
    Complete {
        job: usize,
        fault: Option<u16>,
    },
    /// A device restarts, with what the job brought.
    Restart {
        id: usize,
        job: Option<usize>,
        reported: bool,
    },
    /// It is there again.
    Up {
        id: usize,
        job: Option<usize>,
        reported: bool,
    },
    /// It is heard of no more.
    Gone(usize),
    Crash(usize),
    /// A job's time has passed.
    Sweep(usize),
    /// Somebody looks at the rollout.
    Person,
}

impl Event {
    fn happens_without_us(self) -> bool {
        matches!(self, Self::Restart { .. } | Self::Up { .. } | Self::Gone(_) | Self::Crash(_))
    }
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: DateTime<Utc>,
    pub(super) dice: Dice,
    /// For what not each world has, so that the others stay what they are.
    extra: Dice,
    pub(super) store: Store,
    pub(super) routers: Vec<Router>,
    pub(super) nodes: [Node; 2],
    began: DateTime<Utc>,
    /// Muster is away between these.
    away: (DateTime<Utc>, DateTime<Utc>),
    events: BTreeMap<(DateTime<Utc>, u64), Event>,
    made: u64,
}

pub(super) fn seconds(n: i64) -> TimeDelta {
    TimeDelta::seconds(n)
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan, mut dice: Dice, extra: Dice) -> Self {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + seconds(dice.between(0, 86_400));
        let total = dice.between(4, 12) as usize;
        let waves = assign::waves(&plan.waves, total, |_, _| false);
        let mut world = Self {
            seed,
            now,
            began: now,
            away: (now, now),
            store: empty(plan),
            routers: Vec::new(),
            nodes: [Node::default(), Node::default()],
            events: BTreeMap::new(),
            made: 0,
            dice,
            extra,
        };
        for (id, wave) in waves.iter().enumerate() {
            world.add(id, *wave as usize);
        }
        // A plan whose last wave takes nobody has one all the same.
        let last = assign::names(&world.store.plan.waves).len();
        world.store.waves.resize(last.max(world.store.waves.len()), Counts::default());
        let late = |router: &Router| matches!(router.fate, Fate::Crashes(_) | Fate::Dies(_));
        world.store.no_late_failures = !world.routers.iter().any(late);
        if world.dice.one_in(3) {
            let from = now + seconds(world.dice.between(60, 5 * 3_600));
            world.away = (from, from + seconds(world.dice.between(600, 5_400)));
        }
        if world.extra.one_in(4) {
            for site in SITES {
                let hours = hours(site, &mut world.extra);
                world.store.hours.insert(site.to_owned(), hours);
            }
        }
        for node in 0..2 {
            world.plan_node(node, 1);
        }
        if world.dice.one_in(2) {
            world.after(60, 6 * 3_600, Event::Person);
        }
        world
    }

    fn add(&mut self, id: usize, wave: usize) {
        let now = self.now;
        let old = self.dice.one_in(3);
        let version = if old { OLD } else { HOP };
        let fate = fate(&mut self.dice);
        let absent = fate == Fate::Absent;
        let started_at = now - TimeDelta::days(10);
        self.routers.push(Router {
            fate,
            sick_at: None,
            crashed_at: None,
            versions: vec![(started_at, version.to_owned())],
            is_on: !absent,
            is_busy: false,
            started_at,
            up_since: now - seconds(self.dice.between(1, INTERVAL)),
            line_up_at: Some(started_at),
            refused: 0,
        });
        if absent {
            let back = Event::Up { id, job: None, reported: true };
            self.after(600, 12 * 3_600, back);
        }
        let read_at = now - seconds(self.dice.between(60, 3 * 3_600));
        self.store.facts.push(Facts {
            version: version.to_owned(),
            last_inform: now - seconds(self.dice.between(1, INTERVAL)),
            last_boot: None,
            refreshed_at: self.dice.one_in(2).then_some(read_at),
            sample: self.routers[id].sample(read_at),
        });
        let step = |version: &str| Step::Upgrade {
            version: version.to_owned(),
            packages: Vec::new(),
            bytes: 0,
        };
        let steps = if old { vec![step(HOP), step(TARGET)] } else { vec![step(TARGET)] };
        let device = Device {
            state: DeviceState::Waiting,
            steps,
            step: 0,
            attempts: 0,
            from_version: Some(version.to_owned()),
            started_at: None,
            changed_at: None,
            deadline_at: None,
            baseline: None,
            soak_until: None,
        };
        let paired = self.dice.one_in(4);
        self.store.rows.push(Row {
            id,
            device,
            wave,
            position: id,
            site: self.dice.pick(&SITES).to_owned(),
            redundancy: paired.then(|| self.dice.pick(&["core", "edge"]).to_owned()),
            job: None,
            due_at: None,
            finished_at: None,
            forgiven: false,
        });
        let waves = self.store.waves.len().max(wave + 1);
        self.store.waves.resize(waves, Counts::default());
        self.store.waves[wave].total += 1;
        self.store.waves[wave].waiting += 1;
    }

    pub(super) fn days(&self) -> i64 {
        (self.now - self.began).num_days()
    }

    /// Whether Muster could hear at this time what had happened shortly before.
    pub(super) fn hears(&self, at: DateTime<Utc>) -> bool {
        let (from, to) = self.away;
        from == to || !(from - BOOT * 3..to + seconds(4 * INTERVAL)).contains(&at)
    }

    /// Since when Muster hears devices without a break.
    pub(super) fn listening_since(&self) -> DateTime<Utc> {
        let (from, to) = self.away;
        if from < to && self.now >= to { to } else { self.began - TimeDelta::days(30) }
    }

    pub(super) fn at(&mut self, at: DateTime<Utc>, event: Event) {
        self.made += 1;
        // What happens at one time happens in any order.
        let order = (self.dice.below(1 << 20) << 40) | self.made;
        self.events.insert((at, order), event);
    }

    pub(super) fn after(&mut self, least: i64, most: i64, event: Event) {
        let at = self.now + seconds(self.dice.between(least, most));
        self.at(at, event);
    }

    /// Lets a node go on in so many seconds; what it had planned before is forgotten.
    pub(super) fn plan_node(&mut self, node: usize, in_seconds: i64) {
        self.nodes[node].turn += 1;
        let event = Event::Node(node, self.nodes[node].turn);
        self.at(self.now + seconds(in_seconds), event);
    }

    /// What happens next happens.
    pub(super) fn step(&mut self) {
        let ((at, _), event) = self.events.pop_first().expect("nodes always plan their next turn");
        self.now = at;
        if (self.away.0..self.away.1).contains(&at) && !event.happens_without_us() {
            self.store.count("away");
            let back = (self.away.1 - at).num_seconds();
            return self.after(back + 1, back + INTERVAL, event);
        }
        match event {
            Event::Node(node, turn) if self.nodes[node].turn == turn => self.node(node),
            Event::Node(..) => {}
            Event::Session { id, boot, ended } => self.session(id, boot, ended),
            Event::Answer(job) => self.answer(job),
            Event::Complete { job, fault } => self.complete(job, fault),
            Event::Restart { id, job, reported } => {
                self.switch_off(id);
                self.at(self.now + BOOT, Event::Up { id, job, reported });
            }
            Event::Up { id, job, reported } => self.up(id, job, reported),
            Event::Gone(id) | Event::Crash(id) if self.is_cured(id) => {}
            Event::Gone(id) => {
                self.routers[id].sick_at = Some(self.now);
                self.switch_off(id);
            }
            Event::Crash(id) => self.crash(id),
            Event::Sweep(job) => self.sweep(job),
            Event::Person => self.person(),
        }
        self.call_devices();
        if std::mem::take(&mut self.store.woken) {
            for node in 0..2 {
                if self.nodes[node].is_resting() {
                    let soon = self.dice.between(1, 10);
                    self.plan_node(node, soon);
                }
            }
        }
    }

    /// Devices for which there is a new job are called, or come by themselves.
    fn call_devices(&mut self) {
        for job in std::mem::take(&mut self.store.made) {
            let (id, not_before, until) = {
                let job = &self.store.jobs[job];
                (job.device, job.not_before, job.until)
            };
            let fate = self.routers[id].fate;
            let called = matches!(fate, Fate::SlowLine | Fate::Repeats) || !self.dice.one_in(4);
            let wait =
                if called { self.dice.between(5, 60) } else { self.dice.between(60, INTERVAL) };
            let session = Event::Session { id, boot: false, ended: None };
            self.at(not_before + seconds(wait), session);
            let late = self.dice.between(0, 120);
            self.at(until + seconds(late), Event::Sweep(job));
        }
    }

    /// When a device informed last: also between what happens here.
    pub(super) fn hear(&mut self, id: usize) {
        let router = &self.routers[id];
        if !router.is_on || router.up_since > self.now {
            return;
        }
        let since = (self.now - router.up_since).num_seconds();
        let mut last = router.up_since + seconds(since / INTERVAL * INTERVAL);
        while (self.away.0..self.away.1).contains(&last) {
            last -= seconds(INTERVAL);
        }
        let facts = &mut self.store.facts[id];
        facts.last_inform = facts.last_inform.max(last);
    }

    pub(super) fn switch_off(&mut self, id: usize) {
        self.hear(id);
        self.routers[id].is_on = false;
    }

    /// Whether it was what a device ran that would have made it sick, and it does not any more.
    fn is_cured(&self, id: usize) -> bool {
        let router = &self.routers[id];
        matches!(router.fate, Fate::Crashes(_) | Fate::Dies(_)) && router.version() != TARGET
    }

    fn person(&mut self) {
        let may_go_back = self.store.plan.error.then == OnError::RollBack;
        match self.store.state {
            State::Paused if may_go_back && self.extra.one_in(3) => {
                self.store.turn_to(State::RollingBack);
            }
            State::Paused => {
                match self.dice.below(5) {
                    0 => return self.store.turn_to(State::Aborted),
                    1 | 2 => self.store.exclude(self.now),
                    // Whoever resumes has seen what failed, and may have some of it tried again.
                    _ => {
                        if !self.extra.one_in(3) {
                            self.store.retry();
                        }
                        self.store.forgive();
                    }
                }
                let to = self.store.resume_to;
                self.store.turn_to(to);
            }
            State::Running | State::Soaking if self.dice.one_in(6) => {
                self.store.turn_to(State::Aborted);
            }
            State::Running | State::Soaking => {
                self.store.count("paused by somebody");
                self.store.resume_to = self.store.state;
                self.store.turn_to(State::Paused);
                self.come_back();
            }
            _ => {}
        }
    }

    /// Somebody looks at a rollout that is paused.
    pub(super) fn come_back(&mut self) {
        self.after(300, 4 * 3_600, Event::Person);
    }
}

fn empty(plan: Plan) -> Store {
    Store {
        plan,
        state: State::Running,
        turn: 0,
        resume_to: State::Running,
        wave: 0,
        soak_until: None,
        lease: None,
        bucket: Bucket::default(),
        rows: Vec::new(),
        waves: Vec::new(),
        jobs: Vec::new(),
        facts: Vec::new(),
        made: Vec::new(),
        woken: false,
        tally: BTreeMap::new(),
        no_late_failures: false,
        hours: BTreeMap::new(),
        is_back: false,
    }
}

/// A few hours each day.
fn hours(site: &str, dice: &mut Dice) -> Hours {
    let from = format!("{:02}:00", dice.below(24));
    let window = Window {
        days: Day::ALL.to_vec(),
        from: from.parse().expect("a time of day"),
        minutes: dice.pick(&[60, 120, 300]),
    };
    Hours { site: Some(site.to_owned()), windows: vec![window], time_zone: Tz::Europe__Riga }
}
