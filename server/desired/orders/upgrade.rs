//! The release of a device that is new, and when it may be brought there: only within the maintenance
//! windows of its site. What else a new device is to be does not wait for them.

use chrono::{DateTime, TimeDelta, Utc};

use super::newness::is_new;
use super::{Decision, RELEASE, UPGRADE, only_told};
use crate::desired::differ::earlier;
use crate::desired::effective::Layered;
use crate::desired::reconcile::Subject;
use crate::desired::release::{self, Step};
use crate::desired::world::World;

/// The release; true = the rest waits for it.
pub(super) fn release(
    decision: &mut Decision,
    world: &World,
    subject: &Subject,
    now: DateTime<Utc>,
) -> bool {
    let Some(wanted) = &subject.effective.release else { return false };
    let name = RELEASE;
    if subject.row.ignored.iter().any(|ignored| ignored == name) {
        return false;
    }
    match release::step(&subject.facts, &wanted.value, is_new(subject), &world.catalogue) {
        Step::There => false,
        Step::Upgrade(_) if !wanted.enforce => {
            decision.differs(name, &wanted.from, only_told(&wanted.from), false);
            false
        }
        Step::Upgrade(spec) => {
            if let Some((until, why)) = closed(world, subject, now) {
                decision.differs(name, &wanted.from, why, false);
                tell(decision, wanted, subject);
                decision.row.due_at = earlier(decision.row.due_at, Some(until));
                return false;
            }
            decision.order(spec, UPGRADE);
            decision.differs(name, &wanted.from, wanted.from.words(), true);
            tell(decision, wanted, subject);
            // Who has not taken it when the window closes does not get it any more, to the second.
            let hours = world.hours(subject.facts.site.as_deref());
            decision.until = hours.and_then(|hours| hours.closes(now));
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

/// Until when the windows of its site keep a device from being upgraded, and why, in words; `None` = it
/// may be now.
pub(super) fn closed(
    world: &World,
    subject: &Subject,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, String)> {
    let hours = world.hours(subject.facts.site.as_deref())?;
    if hours.is_open(now) {
        return None;
    }
    let until = hours.next_open(now).unwrap_or(now + TimeDelta::days(1));
    let whose = hours.site.as_deref().unwrap_or("its site");
    let local = until.with_timezone(&hours.time_zone).format("%Y-%m-%d %H:%M %Z");
    Some((until, format!("waits for the maintenance window of {whose}: {local}")))
}
