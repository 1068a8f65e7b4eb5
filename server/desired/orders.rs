//! What is to be done about a device; `carry_out` does it. `hear`: what became of what was done before.
//! `newness`: who is new. `upgrade`: the release. `before`: what is kept before a change. `regular`: what
//! is done by the clock.
//!
//! The order of things: what is known of the device, then its release, then its script, then single
//! parameters. Each may change what comes after it, so a device is compared again when the jobs of one
//! of them have ended.

mod before;
mod carry_out;
mod hear;
mod newness;
mod regular;
mod upgrade;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use before::before_change;
pub(super) use carry_out::carry_out;
use hear::{changes, hear};
use regular::{is_old, regular};

use super::KEY;
use super::differ::{self, Difference, Seen, earlier};
use super::effective::Source;
use super::reconcile::Subject;
use super::script::{self, Script};
use super::world::World;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::identity::is_routeros;
use crate::fleet::secret::is_secret;
use crate::fleet::{backup, learn};
use crate::jobs::queue;
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::desired::{OwnJob, Row};
use crate::store::parameters::Document;

/// Ends of the keys of the jobs that are made here.
const READ: &str = "read";
const CHECK: &str = "check";
const UPGRADE: &str = "upgrade";
const CONFIGURE: &str = "configure";
const SET: &str = "set";
const CREDENTIALS: &str = "credentials";
/// What differences are called that are of no single parameter.
const RELEASE: &str = "release";
const TEMPLATE: &str = "template";
/// A device that a rollout is at is looked at again.
const IN_ROLLOUT: TimeDelta = TimeDelta::minutes(5);
/// One whose script cannot be made is looked at again.
const BLOCKED_FOR: TimeDelta = TimeDelta::hours(1);

/// Keys of the jobs that keep a configuration: by the clock; before a change that is called back where
/// that fails, and before one that is made all the same; after a change. Their ends are those of
/// `fleet::backup::Cause`.
const SCHEDULED: &str = "muster:backup";
const BEFORE: &str = "muster:before:backup:change";
const AHEAD: &str = "muster:ahead:backup:change";

/// What comes of comparing a device.
pub(super) struct Decision {
    /// Its row as it is to be.
    pub row: Row,
    /// Jobs to make, in this order, each with its key.
    pub jobs: Vec<(JobSpec, String)>,
    /// When the upgrade among them is given up; `None` = it may wait as long as any job.
    until: Option<DateTime<Utc>>,
    /// Jobs that bring what is not wanted any more.
    pub cancel: Vec<Uuid>,
    /// What differs since it was compared last, although nobody wanted anything else.
    pub drifted: Vec<Difference>,
    /// Jobs of this kind have changed it since it was compared last.
    changed: bool,
    /// It is to be given other credentials.
    rotate: bool,
    was_compared_at: Option<DateTime<Utc>>,
}

impl Decision {
    fn of(subject: &Subject, now: DateTime<Utc>) -> Self {
        let mut row = subject.row.clone();
        row.compared_at = Some(now);
        row.due_at = None;
        Self {
            row,
            jobs: Vec::new(),
            until: None,
            cancel: Vec::new(),
            drifted: Vec::new(),
            changed: false,
            rotate: false,
            was_compared_at: subject.row.compared_at,
        }
    }

    /// Nothing is to be written but when it is compared next.
    pub(super) fn changes_nothing(&self, was: &Row) -> bool {
        let Self { row, jobs, cancel, .. } = self;
        let mut same = was.clone();
        (same.due_at, same.compared_at) = (row.due_at, row.compared_at);
        jobs.is_empty() && cancel.is_empty() && !self.rotate && same == *row
    }

    /// Nothing has changed but when it is compared next.
    fn stays(mut self) -> Self {
        self.row.compared_at = self.was_compared_at;
        self
    }

    /// Something is under way: whoever ends it has it compared.
    fn pends(mut self, words: String) -> Self {
        self.row.compared_at = self.was_compared_at;
        self.ends("pending", Some(words))
    }

    /// Calls back what nobody has taken, as it is not wanted any more, or not like that.
    fn call_back(&mut self, open: &[&OwnJob]) {
        for job in open.iter().filter(|job| job.state == "queued" && job.attempts == 0) {
            if !job.key.starts_with(KEY) && !job.key.starts_with(queue::APPLY_LOG) {
                continue;
            }
            self.cancel.push(job.job_id);
            self.row.heard.0.insert(job.key.clone(), job.job_id);
            if job.key == format!("{KEY}{CONFIGURE}") {
                self.row.script_sha256 = None;
            }
        }
    }

    fn ends(mut self, state: &str, reason: Option<String>) -> Self {
        state.clone_into(&mut self.row.state);
        self.row.reason = reason;
        self
    }

    fn order(&mut self, spec: JobSpec, key: &str) {
        self.jobs.push((spec, format!("{KEY}{key}")));
    }

    fn keep_configuration(&mut self, key: &str) {
        let file = UploadFile::Configuration;
        self.jobs.push((JobSpec::Upload { file }, key.to_owned()));
    }

    fn differs(&mut self, name: &str, from: &Source, words: String, mended: bool) {
        self.row.differences.0.push(Difference {
            name: name.to_owned(),
            wanted: None,
            seen: None,
            words,
            mended,
            layer: from.layer.words(),
        });
    }
}

/// Decides.
pub(super) async fn decide(
    app: &App,
    world: &Arc<World>,
    subject: &Subject,
    now: DateTime<Utc>,
) -> Result<Decision, Error> {
    let (facts, effective) = (&subject.facts, &subject.effective);
    let mut decision = Decision::of(subject, now);
    let open = |job: &&OwnJob| matches!(job.state.as_str(), "queued" | "running" | "waiting");
    let open: Vec<&OwnJob> = subject.jobs.iter().filter(open).collect();
    if facts.quarantined || effective.is_nothing() {
        let why = if facts.quarantined { "it is in quarantine" } else { "nothing is wanted of it" };
        decision.call_back(&open);
        decision.row.differences = Json(Vec::new());
        decision.row.drifted_at = None;
        decision.row.effective_hash = None;
        if !facts.quarantined {
            newness::unwanted(&mut decision, subject, now);
        }
        return Ok(decision.ends("unmanaged", Some(why.to_owned())));
    }
    if facts.in_rollout {
        // Its health is being judged: nobody else changes it.
        decision.row.due_at = Some(now + IN_ROLLOUT);
        return Ok(decision.stays());
    }
    let script = script::wanted(app, world, subject).await?;
    let hash = intent(app, subject, script.as_ref());
    let is_changed = subject.row.effective_hash.as_deref() != Some(&hash);
    let is_begun =
        awaits_log(&open) || open.iter().any(|job| job.state != "queued" || job.attempts > 0);
    let upgrades = open.iter().any(|job| job.key == format!("{KEY}{UPGRADE}"));
    let is_late = upgrades && upgrade::closed(world, subject, now).is_some();
    if is_begun || !(open.is_empty() || is_changed || is_late) {
        // Whoever ends them has it compared.
        let is_changing = open.iter().any(|job| changes(&job.key));
        let words = "its jobs are under way".to_owned();
        return Ok(if is_changing { decision.pends(words) } else { decision.stays() });
    }
    decision.call_back(&open);
    hear(&mut decision, subject, now);
    let row = &mut decision.row;
    if is_changed {
        (row.attempts, row.blocked_until) = (0, None);
    }
    if let Some(until) = row.blocked_until.filter(|until| *until > now) {
        row.due_at = Some(until);
        row.state = "blocked".to_owned();
        return Ok(decision);
    }
    let document = facts.document.as_ref().filter(|_| facts.refreshed_at.is_some());
    let Some(document) = document else {
        decision.order(JobSpec::Refresh { path: None }, READ);
        return Ok(decision.ends("pending", Some("its parameters are read".to_owned())));
    };
    decision.row.effective_hash = Some(hash);
    let before = std::mem::take(&mut decision.row.differences.0);
    // Told by whoever keeps configurations, and until they say otherwise.
    let is_ignored = |name: &str| subject.row.ignored.iter().any(|ignored| ignored == name);
    let kept = before.iter().filter(|one| one.name == backup::CONFIGURATION);
    decision.row.differences.0.extend(kept.filter(|one| !is_ignored(&one.name)).cloned());
    let mut blocked = None;
    if !upgrade::release(&mut decision, world, subject, now)
        && !configure(&mut decision, subject, script, &mut blocked)
    {
        compare(app, &mut decision, subject, document, now).await?;
        regular(&mut decision, subject, now);
        decision.rotate = is_old(subject, now) && decision.jobs.is_empty();
    }
    before_change(app, &mut decision, subject).await?;
    finish(&mut decision, subject, &before, is_changed, blocked, now);
    Ok(decision)
}

/// Whether the script of a device has ended, and its log is yet to say how: until then nobody knows what
/// it is, and whoever called the log back would send the script again.
fn awaits_log(open: &[&OwnJob]) -> bool {
    let configure = format!("{KEY}{CONFIGURE}");
    open.iter().any(|job| job.key.starts_with(queue::APPLY_LOG))
        && !open.iter().any(|job| job.key == configure)
}

/// Its state, and what is told of it.
fn finish(
    decision: &mut Decision,
    subject: &Subject,
    before: &[Difference],
    is_changed: bool,
    blocked: Option<String>,
    now: DateTime<Utc>,
) {
    let row = &mut decision.row;
    if row.settled_at.is_some() && !is_changed && !decision.changed {
        let known = |one: &&Difference| !before.iter().any(|known| known.name == one.name);
        decision.drifted = row.differences.iter().filter(known).cloned().collect();
    }
    let mended = row.differences.iter().any(|one| one.mended);
    let state = match () {
        () if mended => "pending",
        () if blocked.is_some() => "blocked",
        () if !row.differences.is_empty() => "drifted",
        () => "in_sync",
    };
    state.clone_into(&mut row.state);
    if blocked.is_some() {
        // What it lacks may be given by something that says nothing here.
        row.due_at = earlier(row.due_at, Some(now + BLOCKED_FOR));
    }
    row.reason = blocked;
    row.drifted_at = match row.differences.is_empty() {
        true => None,
        false => Some(row.drifted_at.unwrap_or(now)),
    };
    if matches!(state, "in_sync" | "drifted") {
        newness::settle(decision, subject, now);
    }
}

fn only_told(from: &Source) -> String {
    format!("{}; only reported", from.words())
}

/// The script; true = the rest waits for it.
fn configure(
    decision: &mut Decision,
    subject: &Subject,
    script: Option<(Source, bool, Script)>,
    blocked: &mut Option<String>,
) -> bool {
    let Some((from, enforce, script)) = script else { return false };
    let name = TEMPLATE;
    if subject.row.ignored.iter().any(|ignored| ignored == name) {
        return false;
    }
    let Script::Ready(ready) = script else {
        let Script::Cannot(why) = script else { return false };
        decision.differs(name, &from, why.clone(), false);
        *blocked = Some(why);
        return false;
    };
    if decision.row.script_sha256.as_deref() == Some(&ready.hash) {
        if let Some(why) = script::failures(decision.row.script_report.as_ref()) {
            decision.differs(name, &from, why, false);
        }
        return false;
    }
    if !enforce {
        decision.differs(name, &from, only_told(&from), false);
        return false;
    }
    let words = match script::can_rescue(&subject.facts) {
        Ok(()) => from.words(),
        Err(why) => {
            format!("{}; if it cuts the device off, that is not undone: {why}", from.words())
        }
    };
    decision.differs(name, &from, words, true);
    let row = &mut decision.row;
    row.script_sha256 = Some(ready.hash.clone());
    row.script_template = Some(ready.template_id);
    row.script_version = Some(ready.version);
    row.script_at = row.compared_at;
    row.script_report = None;
    let tag = ready.tag();
    decision.order(ready.job(&subject.facts), CONFIGURE);
    if is_routeros(&subject.facts.manufacturer) {
        let log = JobSpec::Upload { file: UploadFile::Log };
        decision.jobs.push((log, format!("{}{tag}", queue::APPLY_LOG)));
    }
    decision.order(JobSpec::Refresh { path: None }, READ);
    true
}

/// The single parameters.
async fn compare(
    app: &App,
    decision: &mut Decision,
    subject: &Subject,
    document: &Document,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let effective = script::with_interval(subject);
    let mut secrets = BTreeMap::new();
    if effective.parameters.keys().any(|name| is_secret(name)) {
        let mut conn = app.pool.acquire().await?;
        let id = subject.facts.device_id;
        for name in effective.parameters.keys().filter(|name| is_secret(name)) {
            if let Some(value) = learn::known_secret(&mut conn, &app.keys, id, name).await? {
                secrets.insert(name.clone(), value);
            }
        }
    }
    let seen = Seen {
        document,
        secrets: &secrets,
        ignored: &subject.row.ignored,
        is_new: newness::takes_once(subject, now),
        memory: &decision.row.undone,
        key: &app.keys.derive("desired values"),
    };
    let compared = differ::parameters(&effective, seen, now);
    decision.row.differences.0.extend(compared.differences);
    decision.row.undone = Json(compared.memory);
    decision.row.due_at = earlier(decision.row.due_at, compared.again_at);
    if !compared.set.is_empty() {
        decision.order(JobSpec::Set { parameters: compared.set }, SET);
    }
    Ok(())
}

/// Of all that is wanted of it, to see whether that has changed.
fn intent(app: &App, subject: &Subject, script: Option<&(Source, bool, Script)>) -> Vec<u8> {
    let wanted = (&subject.effective, &subject.row.ignored);
    let mut bytes = serde_json::to_vec(&wanted).unwrap_or_default();
    if let Some((_, _, Script::Ready(ready))) = script {
        bytes.extend(&ready.hash);
    }
    differ::keyed(&app.keys.derive("desired state"), &bytes).to_vec()
}
