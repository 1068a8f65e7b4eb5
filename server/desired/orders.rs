//! What is to be done about a device, and doing it.
//!
//! The order of things: what is known of the device, then its release, then its script, then single
//! parameters. Each may change what comes after it, so a device is compared again when the jobs of one
//! of them have ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::differ::{self, Difference, Seen, earlier};
use super::effective::{Layered, Source};
use super::reconcile::Subject;
use super::release::{self, Step};
use super::script::{self, Script};
use super::world::World;
use super::KEY;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::secret::is_secret;
use crate::fleet::{backup, credentials, learn};
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::desired::{self as store, OwnJob, Row};
use crate::store::{events, parameters::Document};

/// A device is new until it was as it should be, but no longer than this.
const NEW_FOR: TimeDelta = TimeDelta::days(1);
/// What is wanted is read so often unless somebody says otherwise.
const CHECK_HOURS: u32 = 24;
/// One whose script cannot be made is looked at again.
const BLOCKED_FOR: TimeDelta = TimeDelta::hours(1);
/// After a failure it is tried again; each further one doubles it.
const TRY_AGAIN: TimeDelta = TimeDelta::minutes(5);
const TRY_AGAIN_MOST: TimeDelta = TimeDelta::days(1);

/// Keys of the jobs that keep a configuration: by the clock, before a change, after one. Their ends
/// are those of `fleet::backup::Cause`.
const SCHEDULED: &str = "muster:backup";
const BEFORE: &str = "muster:before:backup:change";
const AFTER: &str = "muster:after:backup:change";

/// What comes of comparing a device.
pub(super) struct Decision {
    /// Its row as it is to be.
    pub row: Row,
    /// Jobs to make, in this order, each with its key.
    pub jobs: Vec<(JobSpec, String)>,
    /// Jobs that bring what is not wanted any more.
    pub cancel: Vec<Uuid>,
    /// What differs since it was compared last, although nobody wanted anything else.
    pub drifted: Vec<Difference>,
    /// Jobs of this kind have changed it since it was compared last.
    changed: bool,
    /// It is to be given other credentials.
    rotate: bool,
}

impl Decision {
    fn of(subject: &Subject, now: DateTime<Utc>) -> Self {
        let mut row = subject.row.clone();
        row.compared_at = Some(now);
        row.due_at = None;
        Self { row, jobs: Vec::new(), cancel: Vec::new(), drifted: Vec::new(), changed: false, rotate: false }
    }

    /// Nothing is to be written but when it is compared next.
    pub(super) fn changes_nothing(&self, was: &Row) -> bool {
        let Self { row, jobs, cancel, .. } = self;
        let mut same = was.clone();
        (same.due_at, same.compared_at) = (row.due_at, row.compared_at);
        jobs.is_empty() && cancel.is_empty() && !self.rotate && same == *row
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
    if facts.quarantined || effective.is_nothing() {
        let why = if facts.quarantined { "it is in quarantine" } else { "nothing is wanted of it" };
        decision.row.differences = Json(Vec::new());
        decision.row.drifted_at = None;
        return Ok(decision.ends("unmanaged", Some(why.to_owned())));
    }
    let script = script::wanted(app, world, subject).await?;
    let hash = intent(subject, script.as_ref());
    let is_changed = subject.row.effective_hash.as_deref() != Some(&hash);
    let open: Vec<&OwnJob> = subject.jobs.iter().filter(|job| is_open(job)).collect();
    if !open.is_empty() {
        let begun = |job: &&OwnJob| job.state != "queued" || job.attempts > 0;
        let unread = facts.document.is_none() || facts.refreshed_at.is_none();
        if !is_changed || unread || open.iter().any(begun) {
            return Ok(decision.ends("pending", Some("its jobs are under way".to_owned())));
        }
        let ours = open.iter().filter(|job| job.key.starts_with(KEY));
        decision.cancel = ours.map(|job| job.job_id).collect();
    }
    let Some(document) = facts.document.as_ref().filter(|_| facts.refreshed_at.is_some()) else {
        return Ok(unread(decision, subject, now));
    };
    if let Some(blocked) = failed(&mut decision, subject, now) {
        let again = backed_off(decision.row.attempts);
        decision.row.due_at = Some(now + again);
        return Ok(decision.ends("blocked", Some(blocked)));
    }
    decision.row.effective_hash = Some(hash);
    let before = std::mem::take(&mut decision.row.differences.0);
    // Told by whoever keeps configurations, and until they say otherwise.
    let is_ignored = |name: &str| subject.row.ignored.iter().any(|ignored| ignored == name);
    let kept = before.iter().filter(|one| one.name == backup::CONFIGURATION);
    let kept = kept.filter(|one| !is_ignored(&one.name));
    decision.row.differences.0.extend(kept.cloned());
    let mut blocked = None;
    if !self::release(&mut decision, world, subject, is_new(subject, now))
        && !configure(&mut decision, subject, script, &mut blocked)
    {
        compare(app, &mut decision, subject, document, now).await?;
        regular(&mut decision, subject, now);
        decision.rotate = is_old(subject, now) && decision.jobs.is_empty();
    }
    finish(&mut decision, &before, is_changed, blocked, now);
    Ok(decision)
}

/// Its state, and what is told of it.
fn finish(
    decision: &mut Decision,
    before: &[Difference],
    is_changed: bool,
    blocked: Option<String>,
    now: DateTime<Utc>,
) {
    let row = &mut decision.row;
    let was_settled = matches!(row.state.as_str(), "in_sync" | "drifted");
    if was_settled && !is_changed {
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
    if !mended && row.settled_at.is_none() {
        row.settled_at = Some(now);
    }
}

/// The first that it is told is what it is.
fn is_new(subject: &Subject, now: DateTime<Utc>) -> bool {
    let begun = subject.facts.begun_at;
    let is_unsettled = subject.row.settled_at.is_none_or(|settled| settled < begun);
    is_unsettled && begun + NEW_FOR > now
}

fn is_open(job: &OwnJob) -> bool {
    matches!(job.state.as_str(), "queued" | "running" | "waiting")
}

/// Nothing is known of its parameters: it is read first.
fn unread(mut decision: Decision, subject: &Subject, now: DateTime<Utc>) -> Decision {
    if let Some(why) = failed(&mut decision, subject, now) {
        decision.row.due_at = Some(now + backed_off(decision.row.attempts));
        return decision.ends("blocked", Some(format!("it could not be read: {why}")));
    }
    decision.order(JobSpec::Refresh { path: None }, "read");
    decision.ends("pending", Some("its parameters are read".to_owned()))
}

/// Why jobs of this kind failed since it was compared last, if they did. What the device refused by
/// name is remembered, so that the rest is tried without it.
fn failed(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) -> Option<String> {
    let since = subject.row.compared_at;
    let lately = |job: &&OwnJob| job.finished_at > since && queue::has_compared(&job.key);
    let mut why = None;
    for job in subject.jobs.iter().filter(lately) {
        match job.state.as_str() {
            "done" => {
                decision.row.attempts = 0;
                let changes = ["configure", "set", "upgrade"];
                let key = job.key.strip_prefix(KEY).unwrap_or_default();
                decision.changed |= changes.contains(&key);
            }
            "failed" | "expired" | "cancelled" => {
                if job.key == format!("{KEY}configure") {
                    decision.row.script_sha256 = None;
                }
                let refused = refused(job.fault.as_ref());
                let known = |name: &str| decision.row.undone.contains_key(name);
                if refused.iter().any(|(name, _)| known(name)) {
                    differ::refuse(&mut decision.row.undone.0, &refused, now);
                } else {
                    let said = job.note.clone().unwrap_or_else(|| job.state.clone());
                    why = Some(said);
                }
            }
            _ => {}
        }
    }
    if why.is_some() {
        decision.row.attempts += 1;
    }
    why
}

/// The parameters that a fault names, with what it says of each.
fn refused(fault: Option<&Value>) -> Vec<(String, String)> {
    let list = fault.and_then(|fault| fault["parameters"].as_array());
    let one = |p: &Value| {
        let text = p["text"].as_str().unwrap_or_default();
        let code = p["code"].as_u64().unwrap_or_default();
        Some((p["name"].as_str()?.to_owned(), format!("{code} {text}").trim().to_owned()))
    };
    list.into_iter().flatten().filter_map(one).collect()
}

fn backed_off(attempts: i32) -> TimeDelta {
    let doublings = attempts.clamp(1, 12) - 1;
    (TRY_AGAIN * (1 << doublings)).min(TRY_AGAIN_MOST)
}

/// The release; true = the rest waits for it.
fn release(decision: &mut Decision, world: &World, subject: &Subject, is_new: bool) -> bool {
    let Some(wanted) = &subject.effective.release else { return false };
    let name = "release";
    if subject.row.ignored.iter().any(|ignored| ignored == name) {
        return false;
    }
    match release::step(&subject.facts, &wanted.value, is_new, &world.catalogue) {
        Step::There => false,
        Step::Upgrade(_) if !wanted.enforce => {
            decision.differs(name, &wanted.from, only_told(&wanted.from), false);
            false
        }
        Step::Upgrade(spec) => {
            before_change(decision, subject);
            decision.order(spec, "upgrade");
            decision.differs(name, &wanted.from, wanted.from.words(), true);
            tell(decision, wanted, subject);
            true
        }
        Step::Tell(why) => {
            decision.differs(name, &wanted.from, why, false);
            tell(decision, wanted, subject);
            false
        }
    }
}

fn tell(decision: &mut Decision, wanted: &Layered<String>, subject: &Subject) {
    if let Some(difference) = decision.row.differences.0.last_mut() {
        difference.wanted = Some(wanted.value.clone());
        difference.seen.clone_from(&subject.facts.version);
    }
}

fn only_told(from: &Source) -> String {
    format!("{}; only told", from.words())
}

/// The script; true = the rest waits for it.
fn configure(
    decision: &mut Decision,
    subject: &Subject,
    script: Option<(Source, bool, Script)>,
    blocked: &mut Option<String>,
) -> bool {
    let Some((from, enforce, script)) = script else { return false };
    let name = "template";
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
    decision.differs(name, &from, from.words(), true);
    before_change(decision, subject);
    let row = &mut decision.row;
    row.script_sha256 = Some(ready.hash.clone());
    row.script_template = Some(ready.template_id);
    row.script_version = Some(ready.version);
    row.script_at = row.compared_at;
    row.script_report = None;
    let tag = ready.tag();
    decision.order(ready.job(&subject.facts), "configure");
    if subject.facts.manufacturer.eq_ignore_ascii_case("mikrotik") {
        let log = JobSpec::Upload { file: UploadFile::Log };
        decision.jobs.push((log, format!("{}{tag}", queue::APPLY_LOG)));
    }
    decision.order(JobSpec::Refresh { path: None }, "read");
    true
}

/// Its configuration is kept before Muster changes it, where that is wanted.
fn before_change(decision: &mut Decision, subject: &Subject) {
    if subject.effective.backup.as_ref().is_some_and(|backup| backup.value.before_changes) {
        decision.keep_configuration(BEFORE);
    }
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
        is_new: is_new(subject, now),
        memory: &decision.row.undone,
    };
    let compared = differ::parameters(&effective, seen, now);
    decision.row.differences.0.extend(compared.differences);
    decision.row.undone = Json(compared.memory);
    decision.row.due_at = compared.again_at;
    if !compared.set.is_empty() {
        decision.order(JobSpec::Set { parameters: compared.set }, "set");
    }
    Ok(())
}

/// What is done by the clock: reading what is wanted, and keeping the configuration.
fn regular(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let (effective, id) = (&subject.effective, subject.facts.device_id);
    let hours = effective.check_every_hours.as_ref().map_or(CHECK_HOURS, |hours| hours.value);
    let hours = if effective.parameters.is_empty() { 0 } else { hours };
    let checked = next(decision.row.check_due_at, hours, id, now);
    decision.row.check_due_at = checked.map(|(at, _)| at);
    if let Some((_, true)) = checked {
        let known = subject.facts.document.as_ref();
        let is_there = |name: &&String| {
            !is_secret(name) && known.is_some_and(|document| document.contains_key(*name))
        };
        let names: Vec<String> = effective.parameters.keys().filter(is_there).cloned().collect();
        if !names.is_empty() && decision.jobs.is_empty() {
            decision.order(JobSpec::Get { names }, "check");
        }
    }
    let hours = effective.backup.as_ref().map_or(0, |backup| backup.value.every_hours);
    let never = subject.row.backup_due_at.is_none() && subject.row.settled_at.is_none();
    let due = if never && hours > 0 { Some(now) } else { decision.row.backup_due_at };
    let kept = next(due, hours, id, now);
    decision.row.backup_due_at = kept.map(|(at, _)| at);
    if let Some((_, true)) = kept {
        decision.keep_configuration(SCHEDULED);
    } else if decision.changed && effective.backup.is_some() && decision.jobs.is_empty() {
        // What it is now is what is wanted.
        decision.keep_configuration(AFTER);
    }
    let row = &mut decision.row;
    row.due_at = earlier(row.due_at, earlier(row.check_due_at, row.backup_due_at));
}

/// It has had its credentials for as long as is wanted.
fn is_old(subject: &Subject, now: DateTime<Utc>) -> bool {
    let wanted = subject.effective.rotate_credentials_days.as_ref();
    let days = wanted.filter(|days| days.enforce).map_or(0, |days| i64::from(days.value));
    let since = subject.facts.credentials_at;
    days > 0 && since.is_some_and(|since| since + TimeDelta::days(days) <= now)
}

/// When something regular is due next, and whether it is due now; `None` = never. Devices are spread
/// over the whole time between two.
fn next(
    due: Option<DateTime<Utc>>,
    hours: u32,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, bool)> {
    if hours == 0 {
        return None;
    }
    let every = TimeDelta::hours(i64::from(hours));
    match due {
        Some(due) if due <= now => Some((now + every, true)),
        Some(due) => Some((due.min(now + every), false)),
        None => {
            let share = i64::from(device_id.as_fields().0 % 10_000);
            Some((now + every * i32::try_from(share).unwrap_or(0) / 10_000, false))
        }
    }
}

/// Of all that is wanted of it, to see whether that has changed.
fn intent(subject: &Subject, script: Option<&(Source, bool, Script)>) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(&subject.effective).unwrap_or_default());
    if let Some((_, _, Script::Ready(ready))) = script {
        hasher.update(&ready.hash);
    }
    hasher.finalize().to_vec()
}

/// Does it, in one transaction with the device's row locked; true = there are jobs.
pub(super) async fn carry_out(
    conn: &mut PgConnection,
    app: &App,
    subject: &Subject,
    mut decision: Decision,
    wake: bool,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let id = subject.facts.device_id;
    if !decision.drifted.is_empty() {
        // Before it is mended.
        let detail = json!({ "differences": decision.drifted });
        events::append(conn, id, "drifted", None, &detail, now).await?;
    }
    for job in &decision.cancel {
        match queue::cancel(conn, id, *job, "muster", now).await {
            // It began, or ended, a moment ago.
            Ok(_) | Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // Only while it is here: it could not be woken for them.
    if decision.rotate && !wake && credentials::rotate(conn, &app.keys, id, now).await? {
        decision.order(JobSpec::Credentials, "credentials");
    }
    let ordered = !decision.jobs.is_empty();
    let last = decision.jobs.len().saturating_sub(1);
    for (at, (spec, key)) in std::mem::take(&mut decision.jobs).into_iter().enumerate() {
        let configures = matches!(spec, JobSpec::Configure { .. });
        let order = Order {
            idempotency_key: Some(key),
            wake: wake && at == last,
            ..Order::own(id, spec, "")
        };
        let (job, _) = queue::create(conn, &app.keys, order, now).await?;
        if configures {
            decision.row.script_job = Some(job.job_id);
        }
    }
    store::put(conn, &decision.row, subject.row.due_at).await?;
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_regular_is_spread_and_comes_again() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let at = |id: u128, due| next(due, 24, Uuid::from_u128(id << 96), now);
        assert_eq!(next(None, 0, Uuid::nil(), now), None);
        assert_eq!(at(0, Some(now)), Some((now + TimeDelta::days(1), true)));
        assert_eq!(at(0, Some(now + TimeDelta::hours(1))), Some((now + TimeDelta::hours(1), false)));
        // One that was wanted less often before.
        assert_eq!(at(0, Some(now + TimeDelta::days(9))), Some((now + TimeDelta::days(1), false)));
        assert_eq!(at(5_000, None), Some((now + TimeDelta::hours(12), false)));
    }

    #[test]
    fn each_failure_is_waited_for_longer_but_never_more_than_a_day() {
        assert_eq!(backed_off(1), TimeDelta::minutes(5));
        assert_eq!(backed_off(3), TimeDelta::minutes(20));
        assert_eq!(backed_off(i32::MAX), TimeDelta::days(1));
    }

    #[test]
    fn a_fault_names_what_was_refused() {
        let fault = json!({ "code": 9003, "text": "x", "parameters": [
            { "name": "Device.A", "code": 9008, "text": "not writable" } ] });
        assert_eq!(refused(Some(&fault)), [("Device.A".to_owned(), "9008 not writable".to_owned())]);
        assert!(refused(None).is_empty());
    }
}
