//! How well a device is after its change, and as long as its wave is watched.

use chrono::{DateTime, TimeDelta, Utc};

use super::next::{Next, Work};
use super::{Device, Seen};
use crate::fleet::health::{Check, Looked, Verdict, allowed_silence, judge};
use crate::rollout::fault::Class;
use crate::rollout::plan::{Plan, after};
use crate::rollout::state::DeviceState;

/// A device that has just started may not have its line, nor its clients: it is read again after so
/// long.
const SETTLES: TimeDelta = TimeDelta::minutes(2);
/// How often one that is well is looked at, at least.
const WATCH: TimeDelta = TimeDelta::hours(1);
/// And at most.
const LEAST_WATCH: TimeDelta = TimeDelta::seconds(30);

/// It runs what it should: it is read, to be compared with what it was.
pub(super) fn changed(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let changed = Device {
        state: DeviceState::Verifying,
        changed_at: Some(now),
        deadline_at: Some(after(now, patience(seen, plan))),
        ..device.clone()
    };
    if !plan.checks.read() {
        return verifying(&changed, seen, plan, now);
    }
    Next { work: Some(Work::Baseline), ..Next::same(&changed) }
}

/// It is judged by what was read after the change. What may mend by itself has until the deadline to
/// do so; then what there is decides. Of one that could not be read nobody can say that it is well.
pub(super) fn verifying(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let changed_at = device.changed_at.unwrap_or(now);
    let read_at = read_at(seen, changed_at);
    let is_read = read_at.is_some();
    let sample = read_at.map(|at| (&seen.sample, at));
    let looked = Looked { sample, ..looked(device, seen, changed_at, now) };
    let verdict = judge(&plan.checks, device.baseline.as_ref(), &looked);
    let deadline = deadline(device, seen, plan, changed_at);
    if verdict.healthy && (is_read || !plan.checks.read()) {
        return well(device, seen, plan, verdict, now);
    }
    if deadline <= now || is_hopeless(&verdict, is_read) {
        let reason = match verdict.healthy {
            true => "it could not be read after the change".to_owned(),
            false => verdict.words(),
        };
        return Next { verdict: Some(verdict), ..Next::failed(device, Class::GiveUp, reason) };
    }
    let same = Next { due_at: Some(deadline), deadline_at: Some(deadline), ..Next::same(device) };
    let same = match is_read {
        true => Next { reason: Some(verdict.words()), verdict: Some(verdict), ..same },
        false => same,
    };
    let again = after(now, SETTLES);
    let reading = seen.job.as_ref().is_some_and(|job| job.kind == "refresh" && job.is_open());
    if reading || again >= deadline {
        return same;
    }
    Next { work: Some(Work::Baseline), not_before: Some(again), ..same }
}

/// What no time mends.
fn is_hopeless(verdict: &Verdict, is_read: bool) -> bool {
    let told = [Check::Crash, Check::Uptime].iter().any(|check| verdict.fails(*check));
    verdict.fails(Check::Version) || (is_read && told)
}

/// How long it may take until it is read: it has to inform for that.
fn patience(seen: &Seen, plan: &Plan) -> TimeDelta {
    let whole = plan.deadlines.verify();
    if !plan.checks.read() {
        return whole;
    }
    let may_miss = plan.checks.missed_informs.unwrap_or(2);
    whole.max(allowed_silence(seen.inform_interval, may_miss))
}

/// Until when it is waited for: one that was read has as long as the plan gives it to mend, even if
/// it could have taken longer to be read.
fn deadline(device: &Device, seen: &Seen, plan: &Plan, changed_at: DateTime<Utc>) -> DateTime<Utc> {
    let unread = seen.deadline(device.deadline_at, patience(seen, plan));
    if read_at(seen, changed_at).is_none() {
        return unread;
    }
    let since = restarted(seen, changed_at).unwrap_or(changed_at);
    unread.min(after(since.max(seen.listening_since), plan.deadlines.verify()))
}

/// When it was read after the change, and after it last started. A reading that the device let end
/// without a part of it is one, too.
fn read_at(seen: &Seen, changed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let since = restarted(seen, changed_at).unwrap_or(changed_at);
    let reading = seen.job.as_ref().filter(|job| job.kind == "refresh" && job.state == "done");
    let ended_at = reading.and_then(|job| job.ended_at);
    seen.refreshed_at.max(ended_at).filter(|at| *at > since)
}

/// When it last said that it had started, if that was after the change.
fn restarted(seen: &Seen, changed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    seen.last_boot.filter(|at| *at > changed_at)
}

/// Without what was read of it.
fn looked<'a>(
    device: &'a Device,
    seen: &'a Seen,
    changed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Looked<'a> {
    Looked {
        now,
        changed_at,
        expected: device.target(),
        version: seen.version.as_deref(),
        last_inform: seen.last_inform,
        inform_interval: seen.inform_interval,
        listening_since: seen.listening_since,
        last_boot: seen.last_boot,
        sample: None,
    }
}

/// It is well, and watched as long as its wave is.
fn well(device: &Device, seen: &Seen, plan: &Plan, verdict: Verdict, now: DateTime<Utc>) -> Next {
    let next = Next { verdict: Some(verdict), ..Next::same(device) };
    watched(next, device, seen, plan, now)
}

fn watched(next: Next, device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let finished = device.soak_until.is_some_and(|until| until <= now);
    let due_at = (!finished).then(|| watch_at(device, seen, plan, now));
    Next { state: DeviceState::Healthy, deadline_at: None, finished, due_at, ..next }
}

/// When a device that is well is looked at next: when it would have missed too many informs, and
/// when its wave was watched for long enough.
fn watch_at(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> DateTime<Utc> {
    let heard = seen.last_inform.max(seen.listening_since);
    let silent = plan.checks.missed_informs.map(|may_miss| {
        let silence = allowed_silence(seen.inform_interval, may_miss);
        after(heard, silence + TimeDelta::seconds(1))
    });
    let next = silent.unwrap_or(DateTime::<Utc>::MAX_UTC).min(after(now, WATCH));
    let next = next.max(after(now, LEAST_WATCH));
    device.soak_until.map_or(next, |until| until.min(next))
}

/// It was well. It may have crashed, restarted by itself, fallen silent, or gone back to what it ran
/// before. Whether a start is one is read first: devices tell of one again after a lost session.
pub(super) fn healthy(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let changed_at = device.changed_at.unwrap_or(now);
    let read_at = read_at(seen, changed_at);
    let checks = plan.checks.watched();
    if restarted(seen, changed_at).is_some() && read_at.is_none() && checks.read() {
        let deadline = Some(after(now, patience(seen, plan)));
        return Next {
            state: DeviceState::Verifying,
            due_at: deadline,
            deadline_at: deadline,
            reason: Some(
                "it restarted after it had been healthy: it is looked at again".to_owned(),
            ),
            work: Some(Work::Baseline),
            ..Next::same(device)
        };
    }
    let sample = read_at.map(|at| (&seen.sample, at));
    let looked = Looked { sample, ..looked(device, seen, changed_at, now) };
    let verdict = judge(&checks, device.baseline.as_ref(), &looked);
    if !verdict.healthy {
        let reason = format!("after it had been healthy: {}", verdict.words());
        return Next { verdict: Some(verdict), ..Next::failed(device, Class::GiveUp, reason) };
    }
    watched(Next::same(device), device, seen, plan, now)
}
