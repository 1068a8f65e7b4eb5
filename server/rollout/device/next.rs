//! Answers: what becomes of a device.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Device, Seen};
use crate::fleet::health::{Sample, Verdict, allowed_silence};
use crate::rollout::fault::Class;
use crate::rollout::plan::{Plan, after};
use crate::rollout::state::DeviceState;

/// When there is nothing to wait for but an order that is being cancelled, or a session that ends.
const SOON: TimeDelta = TimeDelta::seconds(60);

/// A job that an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Read all parameters: before the change, and after it, perhaps more than once.
    Baseline,
    /// The step of this number.
    Step(usize),
    /// Cancel the job that it has, if no session has it yet. The answer comes with no change of its
    /// state: the next look sees what became of the job.
    Withdraw,
}

/// What becomes of a device. What is `None` among `verdict` and `baseline` stays as it is stored; all
/// else is stored as it is here.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// Where it is.
    pub state: DeviceState,
    /// The step that it is at.
    pub step: usize,
    /// How often that has failed.
    pub attempts: u32,
    /// When it is looked at next; `None` = it waits for its turn, or nobody looks any more.
    pub due_at: Option<DateTime<Utc>>,
    /// Until when it may be in this state. The job expires then.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// The job is not to run before; `None` = at once.
    pub not_before: Option<DateTime<Utc>>,
    /// It has come to its end, and nobody looks any more.
    pub finished: bool,
    /// Why, in words.
    pub reason: Option<String>,
    /// Of which kind its failure is.
    pub class: Option<Class>,
    /// How well it is.
    pub verdict: Option<Verdict>,
    /// How well it was before.
    pub baseline: Option<Sample>,
    /// The job to be made, with this change, in one transaction.
    pub work: Option<Work>,
}

impl Next {
    /// As it is, looked at again at its deadline.
    pub(super) fn same(device: &Device) -> Self {
        Self {
            state: device.state,
            step: device.step,
            attempts: device.attempts,
            due_at: device.deadline_at,
            deadline_at: device.deadline_at,
            changed_at: device.changed_at,
            not_before: None,
            finished: false,
            reason: None,
            class: None,
            verdict: None,
            baseline: None,
            work: None,
        }
    }

    /// As it is, looked at again in a moment.
    pub(super) fn soon(device: &Device, now: DateTime<Utc>) -> Self {
        Self { due_at: Some(after(now, SOON)), ..Self::same(device) }
    }

    /// As it is, with the order that it has not taken called back.
    pub(super) fn withdrawn(device: &Device, now: DateTime<Utc>) -> Self {
        Self { work: Some(Work::Withdraw), ..Self::soon(device, now) }
    }

    /// It has come to its end.
    pub(super) fn ended(device: &Device, state: DeviceState, reason: impl Into<String>) -> Self {
        Self {
            state,
            due_at: None,
            deadline_at: None,
            finished: true,
            reason: Some(reason.into()),
            ..Self::same(device)
        }
    }

    /// It is left out, before it was begun.
    pub(crate) fn left_out(device: &Device, reason: &str) -> Self {
        Self::ended(device, DeviceState::Skipped, reason)
    }

    /// It failed.
    pub(super) fn failed(device: &Device, class: Class, reason: impl Into<String>) -> Self {
        Self { class: Some(class), ..Self::ended(device, DeviceState::Failed, reason) }
    }

    /// What it was to be given cannot be made.
    pub(crate) fn not_made(device: &Device, class: Class, reason: &str) -> Self {
        Self::failed(device, class, reason)
    }

    /// It waits for its turn again: nothing was changed, and nothing may begin now.
    pub(super) fn waiting(device: &Device) -> Self {
        let reason = "nothing could be begun when its order was due".to_owned();
        Self {
            state: DeviceState::Waiting,
            due_at: None,
            deadline_at: None,
            reason: Some(reason),
            ..Self::same(device)
        }
    }

    /// A step is ordered of it, to be taken within this time.
    pub(super) fn offered(
        device: &Device,
        step: usize,
        attempts: u32,
        within: TimeDelta,
        from: DateTime<Utc>,
    ) -> Self {
        let deadline = Some(after(from, within));
        Self {
            state: DeviceState::Offered,
            step,
            attempts,
            due_at: deadline,
            deadline_at: deadline,
            changed_at: None,
            work: Some(Work::Step(step)),
            ..Self::same(device)
        }
    }
}

/// How long a device may take to take the order of this step. One that is in the middle of its change
/// was just here: it has as long as it takes to restart and to inform as often as it may miss it, as far
/// as it is known how often it does.
pub(super) fn offer_time(device: &Device, step: usize, seen: &Seen, plan: &Plan) -> TimeDelta {
    let whole = plan.deadlines.offer();
    match (device.is_untouched(step), seen.inform_interval) {
        (true, _) | (false, None) => whole,
        (false, interval) => {
            let silence = allowed_silence(interval, plan.checks.missed_informs.unwrap_or(2));
            whole.min(plan.deadlines.back() + silence)
        }
    }
}
