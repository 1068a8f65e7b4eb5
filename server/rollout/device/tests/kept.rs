//! The configuration of a device is kept before a script runs there.

use uuid::Uuid;

use super::{at, device, faulted, job, seen, then, with_job};
use crate::jobs::machine::{impossible, overtaken};
use crate::jobs::queue::NOT_WHOLE;
use crate::rollout::device::{Device, JobSeen, Seen, Step, Work, begin, look};
use crate::rollout::fault::Class;
use crate::rollout::plan::Plan;
use crate::rollout::state::DeviceState;

const DAY: i64 = 24 * 60;

fn plan() -> Plan {
    Plan { retries: 0, ..Plan::default() }
}

/// A device that is at keeping its configuration.
fn kept_first(state: DeviceState) -> Device {
    device(state, vec![Step::Backup, Step::Script { artifact_id: Uuid::nil() }])
}

/// One that was just read, with its job in this state.
fn with(state: &str) -> Seen {
    Seen { refreshed_at: Some(at(0)), ..with_job(seen(0, "7.16.1"), job(state)) }
}

#[test]
fn the_script_comes_after_it_and_nobody_is_sick_until_then() {
    let plan = plan();
    let next = begin(&kept_first(DeviceState::Waiting), &with("done"), &plan, at(0));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(0))));
    let sends = kept_first(DeviceState::Downloading);
    let next = look(&sends, &with("done"), &plan, at(1));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(1))));
    // As long as for its first order: nothing was changed.
    assert_eq!(next.deadline_at, Some(at(1 + DAY)));
    let offered = then(&sends, &next);
    for (state, minutes, becomes) in [
        ("expired", 1 + DAY, DeviceState::TimedOut),
        ("cancelled", 1 + DAY, DeviceState::TimedOut),
        ("cancelled", 5, DeviceState::Skipped),
        ("queued", 5, DeviceState::Offered),
    ] {
        let next = look(&offered, &with(state), &plan, at(minutes));
        assert_eq!(next.state, becomes, "{state} at {minutes}");
    }
    // Once it has the script, it is followed to its end.
    let runs = Device { state: DeviceState::Downloading, ..offered };
    let paused = Seen { running: false, ..with("done") };
    assert_eq!(look(&runs, &paused, &plan, at(5)).state, DeviceState::Verifying);
}

#[test]
fn what_changed_while_it_was_kept_is_seen_before_the_first_hop() {
    let hop = |version: &str| Step::Upgrade {
        version: version.to_owned(),
        packages: Vec::new(),
        bytes: 0,
    };
    let steps = vec![Step::Backup, hop("7.14.3"), hop("7.16.1"), Step::Routerboot];
    let keeps = Device { started_at: None, ..device(DeviceState::Downloading, steps) };
    let plan = plan();
    let runs = |version: &str| Seen { version: Some(version.to_owned()), ..with("done") };
    for (version, state, step) in [
        ("7.12.1", DeviceState::Offered, 1),
        ("7.14.3", DeviceState::Offered, 2),
        ("7.16.1", DeviceState::Offered, 3),
        // Nobody is sent down, nor from elsewhere than was planned.
        ("7.17", DeviceState::Skipped, 0),
        ("7.13.5", DeviceState::Skipped, 0),
    ] {
        let next = look(&keeps, &runs(version), &plan, at(1));
        assert_eq!((next.state, next.step), (state, step), "{version}");
        let paused = Seen { running: false, ..runs(version) };
        assert_eq!(look(&keeps, &paused, &plan, at(1)).state, DeviceState::Waiting, "{version}");
    }
    let steps = vec![Step::Backup, hop("7.16.1")];
    let alone = Device { started_at: None, ..device(DeviceState::Downloading, steps) };
    assert_eq!(look(&alone, &runs("7.16.1"), &plan, at(1)).state, DeviceState::Skipped);
    // One that came half the way before its turn is kept, too.
    let waits = Device { state: DeviceState::Waiting, ..keeps };
    let next = begin(&waits, &runs("7.14.3"), &plan, at(0));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(0))));
}

#[test]
fn what_changed_before_its_order_was_taken_is_seen_when_it_comes() {
    let hop = |version: &str| Step::Upgrade {
        version: version.to_owned(),
        packages: Vec::new(),
        bytes: 0,
    };
    let steps = vec![Step::Backup, hop("7.14.3"), hop("7.16.1"), Step::Routerboot];
    let first = Device { step: 1, ..device(DeviceState::Offered, steps) };
    let second = Device { step: 2, ..first.clone() };
    let not_sent = job("failed").map(|job| JobSeen { result: Some(overtaken()), ..job });
    let refused = with_job(with("failed"), not_sent);
    let runs = |version: &str| Seen { version: Some(version.to_owned()), ..refused.clone() };
    let plan = plan();
    for (offered, version, state, step) in [
        (&first, "7.17", DeviceState::Skipped, 1),
        (&first, "6.49.10", DeviceState::Skipped, 1),
        (&first, "7.16.1", DeviceState::Offered, 3),
        // In the middle of its change it has failed, and is no more reason to hold the others.
        (&second, "7.17", DeviceState::Failed, 2),
        (&second, "7.12.1", DeviceState::Failed, 2),
    ] {
        let next = look(offered, &runs(version), &plan, at(1));
        assert_eq!((next.state, next.step), (state, step), "{version}");
        assert!(next.class.is_none_or(|class| class == Class::GiveUp), "{version}");
        if state == DeviceState::Skipped {
            let why = next.reason.unwrap_or_default();
            assert!(why.contains("needs a rollout of its own"), "{why}");
        }
    }
    let last = Device { steps: first.steps[..3].to_vec(), ..first.clone() };
    assert_eq!(look(&last, &runs("7.16.1"), &plan, at(1)).state, DeviceState::Verifying);
    // Back where it was: the same once more, as far as the plan lets it.
    let again = Plan { retries: 1, ..plan.clone() };
    let next = look(&first, &runs("7.12.1"), &again, at(1));
    assert_eq!((next.state, next.step, next.attempts), (DeviceState::Offered, 1, 1));
    let paused = Seen { running: false, ..runs("7.16.1") };
    assert_eq!(look(&first, &paused, &plan, at(1)).state, DeviceState::Waiting);
}

#[test]
fn no_script_is_offered_while_nothing_may_begin() {
    let plan = Plan { retries: 1, ..plan() };
    let [sends, offered] = [DeviceState::Downloading, DeviceState::Offered].map(kept_first);
    let script = Device { step: 1, ..offered.clone() };
    let paused = |seen: Seen| Seen { running: false, listening_since: at(DAY), ..seen };
    for (device, seen) in [
        (&sends, with("done")),
        (&sends, with_job(with("failed"), faulted(9011))),
        (&offered, with("expired")),
        (&script, with("expired")),
        (&script, with_job(with("failed"), faulted(9010))),
    ] {
        let next = look(device, &paused(seen), &plan, at(DAY));
        assert_eq!((next.state, next.work), (DeviceState::Waiting, None), "{device:?}");
    }
}

#[test]
fn a_device_that_cannot_send_it_has_failed_by_itself() {
    let sends = Device { deadline_at: Some(at(30)), ..kept_first(DeviceState::Downloading) };
    let cannot = job("failed").map(|job| JobSeen { result: Some(impossible()), ..job });
    let part = job("failed").map(|job| JobSeen { note: Some(NOT_WHOLE.to_owned()), ..job });
    for (job, class) in [
        (faulted(9000), Class::GiveUp),
        (faulted(9011), Class::Retry),
        (faulted(9012), Class::GiveUp),
        (cannot, Class::GiveUp),
        (part, Class::Retry),
        (job("waiting"), Class::GiveUp),
        (job("expired"), Class::GiveUp),
    ] {
        let next = look(&sends, &with_job(with("failed"), job), &plan(), at(30));
        assert_eq!((next.state, next.class), (DeviceState::Failed, Some(class)));
        let why = next.reason.unwrap_or_default();
        assert!(why.starts_with("its configuration could not be kept first: "), "{why}");
    }
}
