//! Which devices are new, and which are given what is given once.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Decision, RELEASE};
use crate::desired::reconcile::Subject;

/// For so long after a reset a device is given once more what is given once.
const RESET_FOR: TimeDelta = TimeDelta::days(1);
/// A device of which nothing was wanted for so long after it was let in is in use as it is.
const UNWANTED_FOR: TimeDelta = TimeDelta::days(1);

/// It was let in, and was not yet all that is wanted of it since, however long that takes. A device
/// that only bootstraps is not new: RouterOS does so, too, when its ACS has another name.
pub(super) fn is_new(subject: &Subject) -> bool {
    let admitted = subject.facts.admitted_at;
    admitted.is_some() && not_since(admitted, subject.row.first_settled_at)
}

/// Whether it is given what is given once: it is new or was reset, and has not been settled since. A
/// release that it waits for must not keep its customer's own values from it.
pub(super) fn takes_once(subject: &Subject, now: DateTime<Utc>) -> bool {
    let was_reset = subject.row.reset_at.is_some_and(|reset| reset + RESET_FOR > now);
    (is_new(subject) || was_reset) && not_since(subject.facts.admitted_at, subject.row.settled_at)
}

/// Notes that a device is as it is to be, or is only told to differ.
pub(super) fn settle(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let row = &mut decision.row;
    if not_since(subject.facts.admitted_at, row.settled_at) {
        row.settled_at = Some(now);
    }
    // A release that cannot be had yet, or waits for its window, is still to be brought there; what is
    // only told is not.
    let enforced = subject.effective.release.as_ref().is_some_and(|release| release.enforce);
    let lacks = enforced && row.differences.iter().any(|one| one.name == RELEASE);
    if is_new(subject) && !lacks {
        row.first_settled_at = Some(now);
    }
}

/// Notes that nothing is wanted of a device: what is wanted of it much later finds it in use.
pub(super) fn unwanted(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let Some(admitted) = subject.facts.admitted_at.filter(|_| is_new(subject)) else { return };
    let end = admitted + UNWANTED_FOR;
    match end > now {
        true => decision.row.due_at = Some(end),
        false => decision.row.first_settled_at = Some(now),
    }
}

/// Whether it was never settled, or only before it was let in last.
fn not_since(admitted: Option<DateTime<Utc>>, settled: Option<DateTime<Utc>>) -> bool {
    settled.is_none_or(|settled| admitted.is_some_and(|admitted| settled < admitted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_settled_before_it_was_let_in_does_not_count() {
        let at = |hours| Some(DateTime::UNIX_EPOCH + TimeDelta::hours(hours));
        assert!(not_since(at(2), None) && not_since(None, None) && not_since(at(2), at(1)));
        assert!(!not_since(at(2), at(2)) && !not_since(at(2), at(3)) && !not_since(None, at(1)));
    }
}
