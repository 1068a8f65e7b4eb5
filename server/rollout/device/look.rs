//! A device that is under way or watched.

use chrono::{DateTime, TimeDelta, Utc};
use muster_routeros::apply::{RESTARTED, Report};

use super::begin::{Nothing, first, is_fresh, not_begun, offer, way};
use super::next::{Next, offer_time};
use super::{Device, Seen, Step, verify};
use crate::fleet::health::span;
use crate::jobs::machine::{is_impossible, is_overtaken};
use crate::jobs::queue::NOT_WHOLE;
use crate::jobs::upgrade::{Progress, is_same};
use crate::rollout::fault::{self, Class};
use crate::rollout::plan::{Plan, after};
use crate::rollout::state::DeviceState;

/// How long a device is left alone after a failure that may pass; doubled with each.
const BACK_OFF: TimeDelta = TimeDelta::minutes(5);
/// But no longer than so many times that.
const MOST_BACK_OFFS: i32 = 12;

/// How far the clocks of nodes may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// What becomes of a device, from what is seen of it now.
pub fn look(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    match device.state {
        DeviceState::Due => due(device, seen, plan, now),
        DeviceState::Offered | DeviceState::Downloading | DeviceState::Rebooting => {
            under_way(device, seen, plan, now)
        }
        DeviceState::Verifying => verify::verifying(device, seen, plan, now),
        DeviceState::Healthy => verify::healthy(device, seen, plan, now),
        DeviceState::Waiting => Next { due_at: None, ..Next::same(device) },
        DeviceState::Failed | DeviceState::Skipped | DeviceState::TimedOut => {
            Next { due_at: None, finished: true, ..Next::same(device) }
        }
    }
}

/// Its baseline is being read. One that cannot be read is not changed: nobody could say afterwards
/// whether it is as well as before.
fn due(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let state = seen.job_state();
    if state == Some("done") || is_fresh(seen, plan, now) {
        if !seen.running {
            return Next::waiting(device);
        }
        // It may run something else since it was begun.
        return match first(device, seen) {
            Ok(step) => offer(device, step, seen, plan, now),
            Err(nothing) => not_begun(device, seen, nothing, plan, now),
        };
    }
    let late = is_late(device, seen, plan, now);
    let note = seen.job.as_ref().and_then(|job| job.note.as_deref()).unwrap_or("no reason given");
    match state {
        Some("failed") => {
            let why = format!("it could not be read before the change: {note}");
            Next::ended(device, DeviceState::Skipped, why)
        }
        Some("cancelled") if !late => {
            let why = format!("it was not read before the change: {note}");
            Next::ended(device, DeviceState::Skipped, why)
        }
        // Muster was away for longer than the order was good for.
        Some("expired") if !is_expired(device, seen, plan, now) => Next::waiting(device),
        Some("queued") if late => Next::withdrawn(device, now),
        Some("running" | "waiting") if late => Next::soon(device, now),
        _ if late || state == Some("expired") => {
            let why = format!("it did not come to be read within {}", span(plan.deadlines.offer()));
            Next::ended(device, DeviceState::TimedOut, why)
        }
        _ => until_deadline(device, seen, plan),
    }
}

/// A step was ordered of it.
fn under_way(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let Some(step) = device.steps.get(device.step) else {
        return verify::changed(device, seen, plan, now);
    };
    // What it runs is what counts, whatever its job says.
    if step.version().is_some_and(|version| seen.runs(version)) {
        return match seen.job_state() {
            // Nobody is sent what they have.
            Some("queued") => Next::withdrawn(device, now),
            Some("running") => Next::soon(device, now),
            _ => done(device, seen, plan, now),
        };
    }
    match seen.job_state() {
        Some("done") => match step {
            Step::Upgrade { .. } => open(device, step, seen, plan, now),
            Step::Inspect => inspected(device, seen, plan, now),
            Step::Report => reported(device, seen, plan, now),
            Step::Backup
            | Step::Script { .. }
            | Step::Template
            | Step::Parameters
            | Step::Routerboot
            | Step::Reboot => done(device, seen, plan, now),
        },
        Some("failed") => failed(device, step, seen, plan, now),
        Some("expired") => expired(device, step, seen, plan, now),
        Some("cancelled") => cancelled(device, step, seen, plan, now),
        _ => open(device, step, seen, plan, now),
    }
}

/// The step is done: the next one, or a look at how well it is. Where only its configuration was kept, its
/// change is yet to begin: if it may, and from where it stands by now.
fn done(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let mut from = device.step.saturating_add(1);
    if device.steps.get(device.step) == Some(&Step::Backup) {
        if !seen.running {
            return Next::waiting(device);
        }
        match way(device, seen) {
            Ok(step) => from = from.max(step),
            Err(nothing) => return not_begun(device, seen, nothing, plan, now),
        }
    }
    let mut left = device.steps.iter().enumerate().skip(from);
    let has = |step: &Step| step.version().is_some_and(|version| seen.runs(version));
    match left.find(|(_, step)| !has(step)) {
        Some((next, _)) => {
            let within = offer_time(device, next, seen, plan);
            Next::offered(device, next, 0, within, now)
        }
        None => verify::changed(device, seen, plan, now),
    }
}

/// The job goes on, or has ended without the version that proves it.
fn open(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let state = match seen.job_state() {
        Some("queued") => DeviceState::Offered,
        Some("running") => DeviceState::Downloading,
        Some("waiting") if restarts(device, step, seen) => DeviceState::Rebooting,
        Some("waiting") => DeviceState::Downloading,
        Some("done") => DeviceState::Rebooting,
        _ => device.state,
    };
    let (was_offered, is_offered) =
        (device.state == DeviceState::Offered, state == DeviceState::Offered);
    if was_offered != is_offered {
        // It has taken the order, or gave it back to be tried again.
        let within =
            if is_offered { time_to_take(device, seen, plan) } else { plan.deadlines.back() };
        let deadline = Some(after(now, within));
        return Next { state, due_at: deadline, deadline_at: deadline, ..Next::same(device) };
    }
    if !is_late(device, seen, plan, now) {
        return Next { state, ..until_deadline(device, seen, plan) };
    }
    match seen.job_state() {
        Some("queued") => Next::withdrawn(device, now),
        _ => late(device, step, seen, plan, now),
    }
}

/// Whether what is awaited of it is that it comes back.
fn restarts(device: &Device, step: &Step, seen: &Seen) -> bool {
    let result = seen.job.as_ref().and_then(|job| job.result.as_ref());
    match step {
        Step::Reboot => true,
        Step::Upgrade { .. } => {
            device.state == DeviceState::Rebooting || Progress::of(result).transferred
        }
        Step::Backup
        | Step::Script { .. }
        | Step::Template
        | Step::Report
        | Step::Parameters
        | Step::Routerboot
        | Step::Inspect => false,
    }
}

/// Its time has passed, and nothing is left that could change it.
fn late(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    if is_first_offer(device) {
        let time = span(plan.deadlines.offer());
        let why = format!("it did not come for its order within {time}");
        return Next::ended(device, DeviceState::TimedOut, why);
    }
    let (time, heard) = (span(plan.deadlines.back()), span(now - seen.last_inform));
    let runs = seen.version.as_deref().unwrap_or("nobody knows what");
    let what = step.words();
    let why = match device.state {
        DeviceState::Offered => {
            format!("it did not come to {what}; it runs {runs}, and informed {heard} ago")
        }
        _ => format!("it did not {what} within {time}; it runs {runs}, and informed {heard} ago"),
    };
    Next::failed(device, Class::GiveUp, because(step, why))
}

/// Why it failed at this step. Without its configuration it is not changed.
fn because(step: &Step, why: String) -> String {
    match step {
        Step::Backup => format!("its configuration could not be kept first: {why}"),
        _ => why,
    }
}

/// Its job failed: again after a while, or no more.
fn failed(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let job = seen.job.as_ref();
    let code = job.and_then(|job| job.fault);
    if *step == Step::Backup {
        return not_kept(device, step, seen, plan, now);
    }
    let result = job.and_then(|job| job.result.as_ref());
    if is_overtaken(result) {
        let reason = fault::words(None, job.and_then(|job| job.note.as_deref()));
        return overtaken(device, reason, seen, plan, now);
    }
    if is_impossible(result) {
        // What could not be sent to this one cannot be sent to the others.
        let reason = fault::words(None, job.and_then(|job| job.note.as_deref()));
        return Next::failed(device, Class::Hold, reason);
    }
    if step.version().is_some() && code.is_none() && !came_back(seen) {
        // Nobody heard of it in time, which may be our own fault: its version is waited for.
        let taken = Device { state: DeviceState::Rebooting, ..device.clone() };
        if device.state == DeviceState::Offered {
            let deadline = Some(after(now, plan.deadlines.back()));
            return Next { due_at: deadline, deadline_at: deadline, ..Next::same(&taken) };
        }
        return match is_late(device, seen, plan, now) {
            true => late(&taken, step, seen, plan, now),
            false => until_deadline(&taken, seen, plan),
        };
    }
    let reason = fault::words(code, job.and_then(|job| job.note.as_deref()));
    again(device, fault::class(code), reason, seen, plan, now)
}

/// It was brought elsewhere before it took its order: it goes on from there if that is further on its way, and
/// is otherwise left as it is.
fn overtaken(
    device: &Device,
    reason: String,
    seen: &Seen,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Next {
    let is_untouched = device.is_untouched(device.step);
    match way(device, seen) {
        Ok(_) if is_untouched && !seen.running => Next::waiting(device),
        Ok(step) if step > device.step => {
            let within = offer_time(device, step, seen, plan);
            Next::offered(device, step, 0, within, now)
        }
        // Where it was when it was ordered, again.
        Ok(_) if is_untouched => again(device, Class::Retry, reason, seen, plan, now),
        Ok(_) => Next::failed(device, Class::GiveUp, reason),
        Err(Nothing::Other(why)) if !is_untouched => Next::failed(device, Class::GiveUp, why),
        Err(nothing) => not_begun(device, seen, nothing, plan, now),
    }
}

/// It could not send its configuration. However it failed, that says nothing of what was to come after it.
fn not_kept(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let job = seen.job.as_ref();
    let code = job.and_then(|job| job.fault);
    // What a busy board has left out it mostly sends the next time.
    let is_part = job.and_then(|job| job.note.as_deref()) == Some(NOT_WHOLE);
    let class = match fault::class(code) {
        _ if is_part => Class::Retry,
        Class::Hold => Class::GiveUp,
        own => own,
    };
    let why = fault::words(code, job.and_then(|job| job.note.as_deref()));
    again(device, class, because(step, why), seen, plan, now)
}

/// Whether its job ended because it came back on another version.
fn came_back(seen: &Seen) -> bool {
    let result = seen.job.as_ref().and_then(|job| job.result.as_ref());
    result.is_some_and(|result| result["version"].is_string())
}

/// The same step again, as far as its class and the plan let it.
fn again(
    device: &Device,
    class: Class,
    reason: String,
    seen: &Seen,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Next {
    if class != Class::Retry || device.attempts >= plan.retries {
        return Next::failed(device, class, reason);
    }
    let attempts = device.attempts.saturating_add(1);
    if device.is_untouched(device.step) && !seen.running {
        // Nothing of it was changed, and nothing may begin.
        return Next { attempts, ..Next::waiting(device) };
    }
    let factor = 1_i32 << device.attempts.min(10);
    let from = after(now, BACK_OFF * factor.min(MOST_BACK_OFFS));
    let within = time_to_take(device, seen, plan);
    Next {
        not_before: Some(from),
        reason: Some(format!("tried again in {}: {reason}", span(from - now))),
        ..Next::offered(device, device.step, attempts, within, from)
    }
}

/// Nobody took the order as long as it was good.
fn expired(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    if is_expired(device, seen, plan, now) {
        return late(device, step, seen, plan, now);
    }
    // Muster was away for longer than the order was good for.
    if device.is_untouched(device.step) && !seen.running {
        return Next::waiting(device);
    }
    let within = time_to_take(device, seen, plan);
    Next::offered(device, device.step, device.attempts, within, now)
}

/// Its job was cancelled: by us, because its time had passed, or by somebody.
fn cancelled(device: &Device, step: &Step, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let note = seen.job.as_ref().and_then(|job| job.note.as_deref()).unwrap_or("nobody said why");
    if device.state == DeviceState::Offered && is_late(device, seen, plan, now) {
        return late(device, step, seen, plan, now);
    }
    let why = format!("its order was cancelled: {note}");
    match is_first_offer(device) {
        true => Next::ended(device, DeviceState::Skipped, why),
        false => Next::failed(device, Class::GiveUp, why),
    }
}

/// It told what is installed: after a RouterBOOT was written, that is the one that runs.
fn inspected(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let mut before = device.steps.iter().take(device.step);
    if !before.any(|step| *step == Step::Routerboot) {
        return done(device, seen, plan, now);
    }
    let since = device.started_at.max(seen.last_boot);
    let told = seen.booter.as_ref().filter(|booter| since.is_none_or(|at| booter.learned_at > at));
    let Some(booter) = told else {
        let why = "it did not tell which RouterBOOT it runs".to_owned();
        return again(device, Class::Retry, why, seen, plan, now);
    };
    match (&booter.current, &booter.upgrade) {
        (Some(runs), Some(brings)) if !is_same(brings, runs) => {
            let why = format!("its RouterBOOT is {runs} still, instead of {brings}");
            Next::failed(device, Class::GiveUp, why)
        }
        // Boards without one tell none.
        (Some(_), Some(_)) | (None, _) | (_, None) => done(device, seen, plan, now),
    }
}

/// It sent its log: what that says of the script decides. A board that undoes a script by itself restarts,
/// and its log is gone with what it did.
fn reported(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    let result = seen.job.as_ref().and_then(|job| job.result.as_ref());
    let report = result.map(|result| result["report"].clone());
    let report = report.and_then(|report| serde_json::from_value::<Report>(report).ok());
    let Some(report) = report else {
        return again(device, Class::Retry, RESTARTED.to_owned(), seen, plan, now);
    };
    match report.failures() {
        None => done(device, seen, plan, now),
        // It may still be at it.
        Some(why) if report.failed.is_empty() => again(device, Class::Retry, why, seen, plan, now),
        Some(why) => Next::failed(device, Class::GiveUp, why),
    }
}

/// Whether nothing at all was done to it yet.
fn is_first_offer(device: &Device) -> bool {
    device.is_untouched(device.step) && device.state == DeviceState::Offered
}

/// How long it may take to take the order of the step that it is at.
fn time_to_take(device: &Device, seen: &Seen, plan: &Plan) -> TimeDelta {
    offer_time(device, device.step, seen, plan)
}

/// When its deadline has come, also for a device that could not reach us.
fn deadline(device: &Device, seen: &Seen, plan: &Plan) -> DateTime<Utc> {
    seen.deadline(device.deadline_at, plan.deadlines.back())
}

fn is_late(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> bool {
    deadline(device, seen, plan) <= now
}

/// The same for an order that has expired: by a clock that may be ahead of this one.
fn is_expired(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> bool {
    is_late(device, seen, plan, after(now, SKEW))
}

/// As it is, until its deadline comes.
fn until_deadline(device: &Device, seen: &Seen, plan: &Plan) -> Next {
    Next { due_at: Some(deadline(device, seen, plan)), ..Next::same(device) }
}
