//! What stands between devices and the store: sessions that take jobs in their order, and reports.

use chrono::TimeDelta;
use serde_json::json;

use super::store::{Job, TARGET};
use super::world::{Event, INTERVAL, OLD, World, seconds};
use crate::jobs::upgrade::{self, News, Progress, Report};

impl World {
    pub(super) fn session(&mut self, id: usize, boot: bool, ended: Option<usize>) {
        if !self.routers[id].is_on {
            return;
        }
        let (now, version) = (self.now, self.routers[id].version().to_owned());
        let facts = &mut self.store.facts[id];
        facts.last_inform = now;
        facts.version.clone_from(&version);
        if boot {
            facts.last_boot = Some(now);
            self.store.tell(id, now);
        }
        let of_it = |job: &Job| job.device == id && job.state == "waiting" && job.version.is_some();
        let waits: Vec<usize> =
            (0..self.store.jobs.len()).filter(|job| of_it(&self.store.jobs[*job])).collect();
        for job in waits {
            let transfer_ended = ended == Some(job);
            let version = Some(version.as_str());
            self.report(job, Report::Inform { version, booted: boot, transfer_ended });
        }
        self.deliver(id);
    }

    /// The device's jobs, in their order; the first open one blocks the rest.
    fn deliver(&mut self, id: usize) {
        let now = self.now;
        loop {
            let of_it = |job: &usize| {
                let job = &self.store.jobs[*job];
                job.device == id && job.is_open()
            };
            let open = (0..self.store.jobs.len()).filter(of_it);
            let head = open.min_by_key(|job| (self.store.jobs[*job].turn(now), *job));
            let Some(job) = head else { return };
            let head = &mut self.store.jobs[job];
            if head.state != "queued" {
                return;
            }
            if head.until <= now {
                head.state = "expired";
                self.store.tell_of(job, now);
                continue;
            }
            if head.not_before > now {
                let at = head.not_before + seconds(1);
                return self.at(at, Event::Session { id, boot: false, ended: None });
            }
            head.state = "running";
            head.attempts += 1;
            if let Some(version) = head.version.clone() {
                let router = &mut self.routers[id];
                let has = upgrade::is_same(&version, router.version());
                assert!(!has, "seed {}: device {id} is sent what it has", self.seed);
                assert!(!router.is_busy, "seed {}: device {id} is changed twice", self.seed);
                let direct = router.version() == OLD && version == TARGET;
                assert!(!direct, "seed {}: device {id} leaves a hop out", self.seed);
                router.is_busy = true;
            }
            return self.after(2, 20, Event::Answer(job));
        }
    }

    pub(super) fn answer(&mut self, job: usize) {
        let (now, id) = (self.now, self.store.jobs[job].device);
        if self.store.jobs[job].state != "running" {
            return;
        }
        let Some(version) = self.store.jobs[job].version.clone() else {
            if !self.routers[id].is_on || self.dice.one_in(20) {
                // The session was lost: the device comes again.
                self.store.jobs[job].state = "queued";
                return self.after(5, 20, Event::Session { id, boot: false, ended: None });
            }
            let facts = &mut self.store.facts[id];
            facts.sample = self.routers[id].sample(now);
            let read = &mut self.store.jobs[job];
            (read.state, read.ended_at) = ("done", Some(now));
            if self.dice.one_in(5) {
                // It left a part of it out.
                self.store.count("read in part");
            } else {
                self.store.facts[id].refreshed_at = Some(now);
            }
            self.store.tell_of(job, now);
            return self.deliver(id);
        };
        let late = self.dice.between(0, 120);
        let until = now + TimeDelta::hours(1);
        let accepted = &mut self.store.jobs[job];
        (accepted.state, accepted.until) = ("waiting", until);
        // What an earlier attempt ended with says nothing of this one.
        accepted.fault = None;
        self.store.tell_of(job, now);
        self.at(until + seconds(late), Event::Sweep(job));
        self.upgrade(id, job, &version);
    }

    pub(super) fn complete(&mut self, job: usize, fault: Option<u16>) {
        let (now, id) = (self.now, self.store.jobs[job].device);
        let Some(code) = fault else {
            if self.routers[id].is_on {
                self.report(job, Report::Complete);
                self.deliver(id);
            }
            return;
        };
        self.routers[id].is_busy = false;
        let again = self.dice.one_in(2);
        let refused = &mut self.store.jobs[job];
        if refused.state != "waiting" {
            return;
        }
        refused.fault = Some(code);
        if again && code == 9010 && refused.attempts < 2 {
            // `jobs::retry`: it is sent once more by the queue itself.
            let expires = now + TimeDelta::hours(3);
            (refused.state, refused.not_before, refused.until) =
                ("queued", now + seconds(60), expires);
            self.at(expires, Event::Sweep(job));
        } else {
            refused.state = "failed";
        }
        self.store.tell_of(job, now);
        self.deliver(id);
    }

    /// What `jobs::queue` does with a report of an upgrade.
    fn report(&mut self, job: usize, report: Report<'_>) {
        let now = self.now;
        let heard = &mut self.store.jobs[job];
        if !heard.is_open() {
            return self.store.count("reported late");
        }
        let expected = heard.version.clone().unwrap_or_default();
        let known = Progress::of(heard.result.as_ref());
        match upgrade::hear(&expected, &known, report) {
            News::Nothing => return,
            News::Further(progress) => heard.result = serde_json::to_value(progress).ok(),
            News::Done(version) => {
                heard.state = "done";
                heard.result = Some(json!({ "version": version }));
            }
            News::CameBack(version) => {
                heard.state = "failed";
                heard.result = Some(json!({ "version": version }));
            }
        }
        self.store.tell_of(job, now);
    }

    pub(super) fn sweep(&mut self, job: usize) {
        let (now, id) = (self.now, self.store.jobs[job].device);
        let swept = &mut self.store.jobs[job];
        let ended = match swept.state {
            "queued" => "expired",
            "waiting" => "failed",
            _ => return,
        };
        if swept.until <= now {
            swept.state = ended;
            self.store.tell_of(job, now);
            // The device is called for what is next in its line.
            self.after(5, INTERVAL, Event::Session { id, boot: false, ended: None });
        }
    }
}
