#![expect(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;
use crate::jobs::machine::impossible;
use crate::rollout::fault::Class;
use crate::rollout::plan::{Checks, Plan};
use crate::rollout::reconcile::inverse::plan_back;

mod health;
mod kept;
mod total;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn upgrade(version: &str) -> Step {
    Step::Upgrade { version: version.to_owned(), packages: Vec::new(), bytes: 0 }
}

fn device(state: DeviceState, steps: Vec<Step>) -> Device {
    let active = state != DeviceState::Waiting;
    Device {
        state,
        steps,
        step: 0,
        attempts: 0,
        from_version: Some("7.12.1".to_owned()),
        started_at: active.then(|| at(0)),
        changed_at: None,
        deadline_at: active.then(|| at(24 * 60)),
        baseline: None,
        soak_until: None,
    }
}

/// A device that informed at this time, and runs this.
fn seen(minutes: i64, version: &str) -> Seen {
    Seen {
        running: true,
        listening_since: at(-10_000),
        job: None,
        version: Some(version.to_owned()),
        last_inform: at(minutes),
        inform_interval: Some(300),
        last_boot: None,
        refreshed_at: Some(at(-600)),
        sample: sample(),
        booter: None,
    }
}

fn sample() -> Sample {
    Sample {
        crash: Some("0001-01-01T00:00:00Z".to_owned()),
        wan_up: Some(true),
        ..Sample::default()
    }
}

fn job(state: &str) -> Option<JobSeen> {
    let (state, kind) = (state.to_owned(), "upgrade".to_owned());
    Some(JobSeen { state, kind, fault: None, note: None, result: None, ended_at: None })
}

fn faulted(code: u16) -> Option<JobSeen> {
    job("failed").map(|job| JobSeen { fault: Some(code), ..job })
}

fn with_job(seen: Seen, job: Option<JobSeen>) -> Seen {
    Seen { job, ..seen }
}

/// The device after this answer.
fn then(device: &Device, next: &Next) -> Device {
    Device {
        state: next.state,
        step: next.step,
        attempts: next.attempts,
        started_at: device.started_at.or(Some(at(0))),
        changed_at: next.changed_at,
        deadline_at: next.deadline_at,
        baseline: next.baseline.clone().or_else(|| device.baseline.clone()),
        ..device.clone()
    }
}

fn one_hop() -> Vec<Step> {
    vec![upgrade("7.16.1")]
}

#[test]
fn a_device_is_read_changed_and_read_again() {
    let plan = Plan::default();
    let waits = device(DeviceState::Waiting, one_hop());
    let next = begin(&waits, &seen(0, "7.12.1"), &plan, at(0));
    assert_eq!((next.state, next.work), (DeviceState::Due, Some(Work::Baseline)));
    assert_eq!(next.due_at, Some(at(24 * 60)));
    let due = then(&waits, &next);
    let read = Seen { refreshed_at: Some(at(1)), ..with_job(seen(1, "7.12.1"), job("done")) };
    let next = look(&due, &read, &plan, at(1));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(0))));
    assert_eq!(next.baseline, Some(sample()));
    let offered = then(&due, &next);
    let next = look(&offered, &with_job(seen(1, "7.12.1"), job("waiting")), &plan, at(2));
    assert_eq!((next.state, next.work), (DeviceState::Downloading, None));
    assert_eq!(next.deadline_at, Some(at(32)));
    let loads = then(&offered, &next);
    let has_it =
        job("waiting").map(|j| JobSeen { result: Some(json!({ "transferred": true })), ..j });
    let next = look(&loads, &with_job(seen(1, "7.12.1"), has_it), &plan, at(3));
    assert_eq!((next.state, next.deadline_at), (DeviceState::Rebooting, Some(at(32))));
    let restarts = then(&loads, &next);
    let next = look(&restarts, &with_job(seen(5, "7.16.1 (stable)"), job("done")), &plan, at(5));
    assert_eq!((next.state, next.work), (DeviceState::Verifying, Some(Work::Baseline)));
    // It may miss two informs until it is read.
    assert_eq!((next.changed_at, next.deadline_at), (Some(at(5)), Some(at(21))));
    let verifies = then(&restarts, &next);
    // What was read before the change says nothing.
    let next = look(&verifies, &with_job(seen(5, "7.16.1"), job("queued")), &plan, at(6));
    assert_eq!(next.state, DeviceState::Verifying);
    let read = Seen { refreshed_at: Some(at(7)), ..with_job(seen(7, "7.16.1"), job("done")) };
    let next = look(&verifies, &read, &plan, at(7));
    assert_eq!((next.state, next.finished), (DeviceState::Healthy, false));
    assert!(next.verdict.as_ref().is_some_and(|verdict| verdict.healthy));
    // The third inform from then on would be too late; there is a minute to spare.
    assert_eq!(next.due_at, Some(at(7 + 16) + TimeDelta::seconds(1)));
    let soaked = Device { soak_until: Some(at(20)), ..then(&verifies, &next) };
    let next = look(&soaked, &Seen { last_inform: at(19), ..read.clone() }, &plan, at(19));
    assert_eq!((next.state, next.due_at), (DeviceState::Healthy, Some(at(20))));
    let next = look(&soaked, &Seen { last_inform: at(19), ..read }, &plan, at(20));
    assert_eq!((next.state, next.finished, next.due_at), (DeviceState::Healthy, true, None));
}

#[test]
fn a_fresh_reading_is_baseline_enough_and_without_checks_none_is_needed() {
    let plan = Plan::default();
    let waits = device(DeviceState::Waiting, one_hop());
    let fresh = Seen { refreshed_at: Some(at(-60)), ..seen(0, "7.12.1") };
    let next = begin(&waits, &fresh, &plan, at(0));
    assert_eq!((next.state, next.baseline), (DeviceState::Offered, Some(sample())));
    let checks = Checks { crash: false, uptime: false, ..plan.checks.watched() };
    let blind = Plan { checks, ..plan.clone() };
    let next = begin(&waits, &seen(0, "7.12.1"), &blind, at(0));
    assert_eq!((next.state, next.baseline), (DeviceState::Offered, None));
    // Of a crash file it is enough that there is none; what was read long ago says nothing of it.
    let crash = Plan { checks: Checks { crash: true, ..checks }, ..plan.clone() };
    let next = begin(&waits, &seen(0, "7.12.1"), &crash, at(0));
    assert_eq!((next.state, next.baseline), (DeviceState::Offered, None));
    assert_eq!(begin(&waits, &fresh, &crash, at(0)).baseline, Some(sample()));
    let crashed = Sample { crash: Some("2026-11-22T10:00:00Z".to_owned()), ..sample() };
    let verifies = Device { changed_at: Some(at(5)), ..device(DeviceState::Verifying, one_hop()) };
    let read = Seen { refreshed_at: Some(at(7)), sample: crashed, ..seen(7, "7.16.1") };
    assert_eq!(look(&verifies, &read, &crash, at(7)).state, DeviceState::Healthy);
    let restarts = device(DeviceState::Rebooting, one_hop());
    let next = look(&restarts, &with_job(seen(5, "7.16.1"), job("done")), &blind, at(5));
    assert_eq!((next.state, next.work, next.changed_at), (DeviceState::Healthy, None, Some(at(5))));
}

#[test]
fn what_there_is_nothing_to_do_to_is_left_out_and_what_is_half_done_goes_on() {
    let plan = Plan::default();
    let hops = vec![upgrade("7.12.1"), upgrade("7.16.1"), Step::Routerboot, Step::Reboot];
    let waits =
        Device { from_version: Some("6.49.10".to_owned()), ..device(DeviceState::Waiting, hops) };
    let fresh = |version: &str| Seen { refreshed_at: Some(at(0)), ..seen(0, version) };
    for (runs, step) in [("6.49.10 (long-term)", 0), ("7.12.1", 1), ("7.16.1", 2)] {
        assert_eq!(
            begin(&waits, &fresh(runs), &plan, at(0)).work,
            Some(Work::Step(step)),
            "{runs}"
        );
    }
    let next = begin(&waits, &fresh("6.48"), &plan, at(0));
    assert_eq!((next.state, next.finished), (DeviceState::Skipped, true));
    assert!(next.reason.unwrap().contains("planned from 6.49.10"));
    let one = device(DeviceState::Waiting, one_hop());
    let next = begin(&one, &fresh("7.16.1"), &plan, at(0));
    assert_eq!(next.reason.as_deref(), Some("it runs 7.16.1 already"));
    let silent = Seen { version: None, ..fresh("") };
    assert_eq!(begin(&one, &silent, &plan, at(0)).state, DeviceState::Skipped);
    let paused = Seen { running: false, ..fresh("7.12.1") };
    let next = begin(&one, &paused, &plan, at(0));
    assert_eq!((next.state, next.work, next.finished), (DeviceState::Waiting, None, false));
}

#[test]
fn one_that_is_tried_again_and_runs_what_it_should_is_looked_at_anew() {
    let plan = Plan::default();
    // It failed on the version that it should run, as its line was down; what it was before stays known.
    let again = Device {
        started_at: Some(at(0)),
        baseline: Some(sample()),
        ..device(DeviceState::Waiting, one_hop())
    };
    let there = seen(60, "7.16.1 (stable)");
    let next = begin(&again, &there, &plan, at(60));
    assert_eq!((next.state, next.work), (DeviceState::Verifying, Some(Work::Baseline)));
    assert_eq!((next.changed_at, next.finished), (Some(at(60)), false));
    let verifies = then(&again, &next);
    assert_eq!(verifies.baseline, Some(sample()));
    let read = Seen { refreshed_at: Some(at(62)), ..seen(62, "7.16.1") };
    assert_eq!(look(&verifies, &read, &plan, at(62)).state, DeviceState::Healthy);
    let down = Sample { wan_up: Some(false), ..sample() };
    let late = verifies.deadline_at.unwrap();
    let next = look(&verifies, &Seen { sample: down, ..read }, &plan, late);
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::GiveUp)));
    // It came there while it was read before it was to be sent the same again.
    let due = device(DeviceState::Due, one_hop());
    let arrived = with_job(seen(60, "7.16.1"), job("done"));
    assert_eq!(look(&due, &arrived, &plan, at(60)).state, DeviceState::Verifying);
    // Nothing was ever ordered of this one: it is none of the rollout's doing.
    let first = Device { started_at: None, ..due };
    assert_eq!(look(&first, &arrived, &plan, at(60)).state, DeviceState::Skipped);
}

#[test]
fn a_device_that_cannot_be_read_before_is_not_changed() {
    let plan = Plan::default();
    let due = device(DeviceState::Due, one_hop());
    let base = || seen(0, "7.12.1");
    for (job_state, minutes, state, work) in [
        (Some("queued"), 1, DeviceState::Due, None),
        (Some("queued"), 24 * 60, DeviceState::Due, Some(Work::Withdraw)),
        (Some("cancelled"), 24 * 60, DeviceState::TimedOut, None),
        (Some("expired"), 24 * 60 - 1, DeviceState::TimedOut, None),
        (Some("failed"), 1, DeviceState::Skipped, None),
        (Some("cancelled"), 1, DeviceState::Skipped, None),
        (None, 24 * 60, DeviceState::TimedOut, None),
        (Some("done"), 1, DeviceState::Offered, Some(Work::Step(0))),
    ] {
        let seen = with_job(base(), job_state.and_then(job));
        let next = look(&due, &seen, &plan, at(minutes));
        assert_eq!((next.state, next.work), (state, work), "{job_state:?} at {minutes}");
    }
    let paused = Seen { running: false, ..with_job(base(), job("done")) };
    assert_eq!(look(&due, &paused, &plan, at(1)).state, DeviceState::Waiting);
}

#[test]
fn only_the_version_says_that_an_upgrade_is_done() {
    let plan = Plan::default();
    let loads = Device { deadline_at: Some(at(30)), ..device(DeviceState::Downloading, one_hop()) };
    for state in ["done", "waiting", "failed", "expired", "cancelled"] {
        let there = with_job(seen(5, "7.16.1"), job(state));
        assert_eq!(look(&loads, &there, &plan, at(5)).state, DeviceState::Verifying, "{state}");
    }
    // It is not sent what it has.
    let queued = with_job(seen(5, "7.16.1"), job("queued"));
    let next = look(&loads, &queued, &plan, at(5));
    assert_eq!((next.state, next.work), (DeviceState::Downloading, Some(Work::Withdraw)));
    // A job that is done is no version.
    let old = with_job(seen(5, "7.12.1"), job("done"));
    assert_eq!(look(&loads, &old, &plan, at(5)).state, DeviceState::Rebooting);
    let next = look(&loads, &old, &plan, at(30));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::GiveUp)));
    let expected =
        "it did not come back on 7.16.1 within 30 min; it runs 7.12.1, and informed 25 min ago";
    assert_eq!(next.reason.as_deref(), Some(expected));
}

#[test]
fn failures_are_tried_again_given_up_or_held() {
    let plan = Plan { retries: 1, ..Plan::default() };
    let loads = Device { deadline_at: Some(at(30)), ..device(DeviceState::Downloading, one_hop()) };
    let base = || seen(1, "7.12.1");
    let next = look(&loads, &with_job(base(), faulted(9010)), &plan, at(5));
    assert_eq!(
        (next.state, next.work, next.attempts),
        (DeviceState::Offered, Some(Work::Step(0)), 1)
    );
    assert_eq!((next.not_before, next.deadline_at), (Some(at(10)), Some(at(10 + 24 * 60))));
    let again = then(&loads, &next);
    let next = look(&again, &with_job(base(), faulted(9010)), &plan, at(20));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::Retry)));
    assert_eq!(next.reason.as_deref(), Some("the device refused: 9010 (file transfer failure)"));
    let next = look(&loads, &with_job(base(), faulted(9019)), &plan, at(5));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::Hold)));
    let came_back = job("failed").map(|job| JobSeen {
        note: Some("came back on 7.12.1 instead of 7.16.1".to_owned()),
        result: Some(json!({ "version": "7.12.1" })),
        ..job
    });
    let next = look(&loads, &with_job(base(), came_back), &plan, at(5));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::GiveUp)));
    assert_eq!(next.reason.as_deref(), Some("came back on 7.12.1 instead of 7.16.1"));
    // It was never sent: no other device can have it, either.
    let withdrawn = job("failed").map(|job| JobSeen {
        note: Some("7.16.1 was withdrawn".to_owned()),
        result: Some(impossible()),
        ..job
    });
    let offered = Device { state: DeviceState::Offered, ..loads.clone() };
    let next = look(&offered, &with_job(base(), withdrawn), &plan, at(5));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::Hold)));
    assert_eq!(next.reason.as_deref(), Some("7.16.1 was withdrawn"));
    // Nobody heard of it, and it has time left.
    let unheard = with_job(base(), job("failed"));
    assert_eq!(look(&loads, &unheard, &plan, at(29)).due_at, Some(at(30)));
    assert_eq!(look(&loads, &unheard, &plan, at(30)).state, DeviceState::Failed);
    // Nothing is tried again while the rollout does not run.
    let paused = Seen { running: false, ..with_job(base(), faulted(9010)) };
    let next = look(&loads, &paused, &plan, at(5));
    assert_eq!((next.state, next.attempts, next.work), (DeviceState::Waiting, 1, None));
}

#[test]
fn who_never_comes_for_the_order_is_not_called_sick() {
    let plan = Plan::default();
    let day = 24 * 60;
    let offered = device(DeviceState::Offered, one_hop());
    let queued = with_job(seen(0, "7.12.1"), job("queued"));
    assert_eq!(look(&offered, &queued, &plan, at(5)).due_at, Some(at(day)));
    assert_eq!(look(&offered, &queued, &plan, at(day)).work, Some(Work::Withdraw));
    let gone = |state| with_job(seen(0, "7.12.1"), job(state));
    for state in ["cancelled", "expired"] {
        assert_eq!(look(&offered, &gone(state), &plan, at(day)).state, DeviceState::TimedOut);
    }
    // Another node's clock is ahead.
    assert_eq!(look(&offered, &gone("expired"), &plan, at(day - 1)).state, DeviceState::TimedOut);
    let by_hand = look(&offered, &gone("cancelled"), &plan, at(5));
    assert_eq!(by_hand.state, DeviceState::Skipped);
    // In the middle of its change it is.
    let hops = vec![upgrade("7.12.1"), upgrade("7.16.1")];
    let second =
        Device { step: 1, deadline_at: Some(at(46)), ..device(DeviceState::Offered, hops) };
    assert_eq!(look(&second, &gone("expired"), &plan, at(46)).state, DeviceState::Failed);
}

#[test]
fn hops_follow_each_other_and_the_second_has_no_day() {
    let plan = Plan::default();
    let hops = vec![upgrade("7.12.1"), upgrade("7.16.1")];
    let first = Device { attempts: 1, ..device(DeviceState::Rebooting, hops) };
    let arrived = with_job(seen(9, "7.12.1"), job("done"));
    let next = look(&first, &arrived, &plan, at(10));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(1))));
    assert_eq!((next.attempts, next.deadline_at), (0, Some(at(10 + 30 + 16))));
    let unknown = Seen { inform_interval: None, ..arrived };
    assert_eq!(look(&first, &unknown, &plan, at(10)).deadline_at, Some(at(10 + 24 * 60)));
}

#[test]
fn muster_being_away_is_nobodys_fault() {
    let plan = Plan::default();
    let restarts =
        Device { deadline_at: Some(at(30)), ..device(DeviceState::Rebooting, one_hop()) };
    let back = |state| Seen { listening_since: at(100), ..with_job(seen(3, "7.12.1"), job(state)) };
    for state in ["waiting", "failed"] {
        let next = look(&restarts, &back(state), &plan, at(100));
        assert_eq!((next.state, next.due_at), (DeviceState::Rebooting, Some(at(130))), "{state}");
        assert_eq!(look(&restarts, &back(state), &plan, at(130)).state, DeviceState::Failed);
    }
    let next = look(&restarts, &back("expired"), &plan, at(100));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(0))));
    let well = Device { changed_at: Some(at(5)), ..device(DeviceState::Healthy, one_hop()) };
    let silent = Seen { listening_since: at(100), ..seen(6, "7.16.1") };
    assert_eq!(look(&well, &silent, &plan, at(101)).state, DeviceState::Healthy);
    assert_eq!(look(&well, &silent, &plan, at(117)).state, DeviceState::Failed);
}

#[test]
fn a_script_that_did_not_run_whole_is_seen() {
    let plan = Plan { retries: 1, ..Plan::default() };
    let steps = vec![Step::Template, Step::Report];
    let loads = device(DeviceState::Downloading, steps);
    let next = look(&loads, &with_job(seen(1, "7.16.1"), job("done")), &plan, at(2));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(1))));
    let refused = look(&loads, &with_job(seen(1, "7.16.1"), faulted(9019)), &plan, at(2));
    assert_eq!((refused.state, refused.class), (DeviceState::Failed, Some(Class::Hold)));

    let reports = Device { step: 1, ..loads };
    let of = |report: Value| {
        let told = |job| JobSeen { result: Some(json!({ "report": report })), ..job };
        look(&reports, &with_job(seen(3, "7.16.1"), job("done").map(told)), &plan, at(3))
    };
    assert_eq!(of(json!({ "done": true, "failed": [] })).state, DeviceState::Verifying);
    let next = of(json!({ "done": true, "failed": [{ "line": 3, "words": "" }] }));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::GiveUp)));
    assert!(next.reason.unwrap().contains("line 3"));
    for early in [json!(null), json!({ "done": false, "failed": [] })] {
        let next = of(early);
        assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(1))));
        let last = Device { attempts: 1, ..then(&reports, &next) };
        let silent = with_job(seen(9, "7.16.1"), job("done"));
        assert_eq!(look(&last, &silent, &plan, at(9)).state, DeviceState::Failed);
    }
}

#[test]
fn a_routerboot_that_did_not_take_is_seen() {
    let plan = Plan::default();
    let steps = vec![upgrade("7.16.1"), Step::Routerboot, Step::Reboot, Step::Inspect];
    let inspects = Device { step: 3, ..device(DeviceState::Downloading, steps) };
    let told = |current: Option<&str>, minutes| Seen {
        last_boot: Some(at(10)),
        booter: Some(Booter {
            current: current.map(str::to_owned),
            upgrade: current.map(|_| "7.16.1".to_owned()),
            learned_at: at(minutes),
        }),
        ..with_job(seen(12, "7.16.1"), job("done"))
    };
    let of = |seen: &Seen| look(&inspects, seen, &plan, at(12));
    assert_eq!(of(&told(Some("7.16.1"), 12)).state, DeviceState::Verifying);
    assert_eq!(of(&told(None, 12)).state, DeviceState::Verifying);
    let next = of(&told(Some("7.12.1"), 12));
    let expected = "its RouterBOOT is 7.12.1 still, instead of 7.16.1";
    assert_eq!((next.state, next.reason.as_deref()), (DeviceState::Failed, Some(expected)));
    // What it said before it restarted is of before.
    let next = of(&told(Some("7.16.1"), 9));
    assert_eq!((next.state, next.work), (DeviceState::Offered, Some(Work::Step(3))));
}
