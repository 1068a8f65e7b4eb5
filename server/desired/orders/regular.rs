//! What is done by the clock: reading what is wanted, keeping the configuration, other credentials.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{CHECK, CREDENTIALS, Decision, SCHEDULED, changes};
use crate::desired::KEY;
use crate::desired::differ::earlier;
use crate::desired::reconcile::Subject;
use crate::desired::script;
use crate::fleet::backup;
use crate::fleet::secret::is_secret;
use crate::jobs::queue::AFTER;
use crate::jobs::spec::JobSpec;

/// What is wanted is read so often unless somebody says otherwise.
const CHECK_HOURS: u32 = 24;

/// What is done by the clock: reading what is wanted, and keeping the configuration.
pub(super) fn regular(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let (effective, id) = (script::with_interval(subject), subject.facts.device_id);
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
            decision.order(JobSpec::Get { names }, CHECK);
        }
    }
    let hours = effective.backup.as_ref().map_or(0, |backup| backup.value.every_hours);
    let never = subject.row.backup_due_at.is_none() && subject.row.settled_at.is_none();
    let due = if never && hours > 0 { Some(now) } else { decision.row.backup_due_at };
    let kept = next(due, hours, id, now);
    decision.row.backup_due_at = kept.map(|(at, _)| at);
    let is_told = decision.row.differences.0.iter().any(|one| one.name == backup::CONFIGURATION);
    let is_changed_now = decision.jobs.iter().any(|(_, key)| changes(key));
    if let Some((_, true)) = kept {
        decision.keep_configuration(SCHEDULED);
    } else if decision.changed && (effective.backup.is_some() || is_told) && !is_changed_now {
        // What it is now is what is wanted, also where what was told is mended by now.
        decision.keep_configuration(AFTER);
    }
    let rotation = rotation(subject).map(|at| at.max(now + TimeDelta::hours(1)));
    let row = &mut decision.row;
    let regular = earlier(earlier(row.check_due_at, row.backup_due_at), rotation);
    row.due_at = earlier(row.due_at, regular);
}

/// When a device is to be given other credentials; `None` = never.
fn rotation(subject: &Subject) -> Option<DateTime<Utc>> {
    let wanted = subject.effective.rotate_credentials_days.as_ref();
    let days = wanted.filter(|days| days.enforce).map_or(0, |days| i64::from(days.value));
    let since = subject.facts.credentials_at.filter(|_| days > 0)?;
    if subject.facts.rotating != Some(true) {
        return Some(since + TimeDelta::days(days));
    }
    // Those that it was given and has not used yet are told to it again, unless it took them.
    let key = format!("{KEY}{CREDENTIALS}");
    let mut told = subject.jobs.iter().filter(|job| job.key == key && job.state == "done");
    (!told.any(|job| job.finished_at >= Some(since))).then_some(since)
}

/// It has had its credentials for as long as is wanted.
pub(super) fn is_old(subject: &Subject, now: DateTime<Utc>) -> bool {
    rotation(subject).is_some_and(|at| at <= now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_regular_is_spread_and_comes_again() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let at = |id: u128, due| next(due, 24, Uuid::from_u128(id << 96), now);
        assert_eq!(next(None, 0, Uuid::nil(), now), None);
        assert_eq!(at(0, Some(now)), Some((now + TimeDelta::days(1), true)));
        assert_eq!(
            at(0, Some(now + TimeDelta::hours(1))),
            Some((now + TimeDelta::hours(1), false))
        );
        // One that was wanted less often before.
        assert_eq!(at(0, Some(now + TimeDelta::days(9))), Some((now + TimeDelta::days(1), false)));
        assert_eq!(at(5_000, None), Some((now + TimeDelta::hours(12), false)));
    }
}
