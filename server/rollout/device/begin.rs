//! A device whose turn has come.

use chrono::{DateTime, Utc};

use super::next::{Next, Work, offer_time};
use super::{Device, Seen, Step, verify};
use crate::jobs::upgrade::is_same;
use crate::rollout::plan::{Plan, after};
use crate::rollout::state::DeviceState;

/// Begins a device: its baseline is read, or its first order made. One for which there is nothing to
/// do any more, or whose way was planned from elsewhere, is left out.
pub fn begin(device: &Device, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> Next {
    if device.state != DeviceState::Waiting || !seen.running {
        return Next::same(device);
    }
    let step = match first(device, seen) {
        Ok(step) => step,
        Err(nothing) => return not_begun(device, seen, nothing, plan, now),
    };
    if must_read(device, step, seen, plan, now) {
        let deadline = Some(after(now, plan.deadlines.offer()));
        return Next {
            state: DeviceState::Due,
            step,
            due_at: deadline,
            deadline_at: deadline,
            changed_at: None,
            work: Some(Work::Baseline),
            ..Next::same(device)
        };
    }
    offer(device, step, seen, plan, now)
}

/// Orders the first step, with what is known of the device as its baseline.
pub(super) fn offer(
    device: &Device,
    step: usize,
    seen: &Seen,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Next {
    // A crash file that was read long ago may not be the last one before the change.
    let known = plan.checks.compare() || (plan.checks.crash && is_fresh(seen, plan, now));
    let baseline = known && !keeps_baseline(device, step);
    Next {
        baseline: baseline.then(|| seen.sample.clone()),
        ..Next::offered(device, step, device.attempts, offer_time(device, step, seen, plan), now)
    }
}

/// Why there is no step to begin with.
pub(super) enum Nothing {
    /// It runs what it should already.
    Reached(String),
    /// Any other reason.
    Other(String),
}

/// What becomes of a device without a step to begin with: it is left out. One that was given a step before
/// and runs what it should is looked at, compared with what it was before that: it is to be tried again
/// because it was not well, and whether it is now still counts for its wave.
pub(super) fn not_begun(
    device: &Device,
    seen: &Seen,
    nothing: Nothing,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Next {
    match nothing {
        Nothing::Reached(_) if device.started_at.is_some() => {
            verify::changed(device, seen, plan, now)
        }
        Nothing::Reached(why) | Nothing::Other(why) => {
            Next::ended(device, DeviceState::Skipped, why)
        }
    }
}

/// The step to begin with: behind the version that it runs, if that is on its way; but first of all what it
/// has is kept, unless that was done before it was given a step.
pub(super) fn first(device: &Device, seen: &Seen) -> Result<usize, Nothing> {
    let step = way(device, seen)?;
    let is_kept = device.steps.first() != Some(&Step::Backup) || device.started_at.is_some();
    Ok(if is_kept { step } else { 0 })
}

/// The step behind the version that it runs, if that is on its way; else the first one.
pub(super) fn way(device: &Device, seen: &Seen) -> Result<usize, Nothing> {
    if device.steps.is_empty() {
        return Err(Nothing::Other("there is nothing to do to it".to_owned()));
    }
    if device.target().is_none() {
        return Ok(0);
    }
    let Some(runs) = seen.version.as_deref() else {
        return Err(Nothing::Other("it never said which version it runs".to_owned()));
    };
    let reached = |step: &Step| step.version().is_some_and(|version| is_same(version, runs));
    if let Some(at) = device.steps.iter().rposition(reached) {
        let next = at + 1;
        return if next < device.steps.len() {
            Ok(next)
        } else {
            Err(Nothing::Reached(format!("it runs {runs} already")))
        };
    }
    match &device.from_version {
        Some(from) if !is_same(from, runs) => Err(Nothing::Other(format!(
            "it runs {runs} now, and its way was planned from {from}: it needs a rollout of its own"
        ))),
        Some(_) | None => Ok(0),
    }
}

/// Whether it must be read before it is changed.
fn must_read(device: &Device, step: usize, seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> bool {
    plan.checks.compare() && !keeps_baseline(device, step) && !is_fresh(seen, plan, now)
}

/// Of a device that is half changed, what it is now says nothing of how it was before.
fn keeps_baseline(device: &Device, step: usize) -> bool {
    step > 0 && device.baseline.is_some()
}

/// Whether what was read of it is young enough for a baseline.
pub(super) fn is_fresh(seen: &Seen, plan: &Plan, now: DateTime<Utc>) -> bool {
    seen.refreshed_at.is_some_and(|at| after(at, plan.deadlines.baseline()) >= now)
}
