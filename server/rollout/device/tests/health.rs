//! How a device is after its change: what mends in time, what does not, and what is not known.

use super::*;

#[test]
fn what_may_mend_has_until_the_deadline_and_a_crash_has_not() {
    let plan = Plan::default();
    let verifies = Device {
        changed_at: Some(at(5)),
        deadline_at: Some(at(20)),
        baseline: Some(sample()),
        ..device(DeviceState::Verifying, one_hop())
    };
    let read = |sample: Sample, kind: &str, state: &str| Seen {
        refreshed_at: Some(at(7)),
        sample,
        ..with_job(seen(7, "7.16.1"), job(state).map(|j| JobSeen { kind: kind.to_owned(), ..j }))
    };
    let down = || Sample { wan_up: Some(false), ..sample() };
    let next = look(&verifies, &read(down(), "refresh", "done"), &plan, at(7));
    assert_eq!((next.state, next.work), (DeviceState::Verifying, Some(Work::Baseline)));
    assert_eq!((next.not_before, next.due_at), (Some(at(9)), Some(at(20))));
    assert!(next.reason.unwrap().contains("Internet is down"));
    // It is being read already, or there is no time left for it.
    assert_eq!(look(&verifies, &read(down(), "refresh", "queued"), &plan, at(8)).work, None);
    assert_eq!(look(&verifies, &read(down(), "refresh", "done"), &plan, at(19)).work, None);
    let next = look(&verifies, &read(down(), "refresh", "done"), &plan, at(20));
    assert_eq!((next.state, next.finished), (DeviceState::Failed, true));
    assert_eq!(next.reason.as_deref(), Some("its way to the Internet is down, and was up"));
    let crashed = Sample { crash: Some("2026-11-22T10:00:00Z".to_owned()), ..sample() };
    let next = look(&verifies, &read(crashed, "refresh", "done"), &plan, at(7));
    assert_eq!(next.state, DeviceState::Failed);
    let back = look(&verifies, &seen(7, "7.12.1"), &plan, at(7));
    assert_eq!(back.reason.as_deref(), Some("runs 7.12.1 instead of 7.16.1"));
    assert_eq!(look(&verifies, &seen(3, "7.16.1"), &plan, at(20)).state, DeviceState::Failed);
}

#[test]
fn a_device_that_is_not_read_after_the_change_is_not_called_well() {
    let plan = Plan::default();
    let restarts = device(DeviceState::Rebooting, one_hop());
    let hourly = |minutes| Seen { inform_interval: Some(3_600), ..seen(minutes, "7.16.1") };
    let next = look(&restarts, &with_job(hourly(5), job("done")), &plan, at(5));
    // One that informs every hour has its chance: it may miss two.
    assert_eq!(next.deadline_at, Some(at(5 + 181)));
    let verifies = Device { baseline: Some(sample()), ..then(&restarts, &next) };
    let next = look(&verifies, &hourly(125), &plan, at(185));
    assert_eq!(next.state, DeviceState::Verifying);
    let next = look(&verifies, &hourly(125), &plan, at(186));
    assert_eq!((next.state, next.class), (DeviceState::Failed, Some(Class::GiveUp)));
    assert_eq!(next.reason.as_deref(), Some("it could not be read after the change"));
    // A reading that left a part out is one, if it is of after the change.
    let read = |minutes| {
        let refresh =
            |job| JobSeen { kind: "refresh".to_owned(), ended_at: Some(at(minutes)), ..job };
        with_job(hourly(125), job("done").map(refresh))
    };
    assert_eq!(look(&verifies, &read(125), &plan, at(125)).state, DeviceState::Healthy);
    assert_eq!(look(&verifies, &read(4), &plan, at(125)).state, DeviceState::Verifying);
    // Once it is read, it has no longer to mend than the plan says.
    let down = Sample { wan_up: Some(false), ..sample() };
    let down = |minutes| Seen { sample: down.clone(), ..read(minutes) };
    assert_eq!(look(&verifies, &down(7), &plan, at(19)).due_at, Some(at(20)));
    assert_eq!(look(&verifies, &down(7), &plan, at(20)).state, DeviceState::Failed);
}

#[test]
fn a_healthy_device_may_still_get_sick() {
    let plan = Plan::default();
    let well = Device {
        changed_at: Some(at(5)),
        deadline_at: None,
        baseline: Some(sample()),
        ..device(DeviceState::Healthy, one_hop())
    };
    let base = || Seen { refreshed_at: Some(at(7)), ..seen(15, "7.16.1") };
    assert_eq!(look(&well, &base(), &plan, at(16)).state, DeviceState::Healthy);
    let next = look(&well, &Seen { version: Some("7.12.1".to_owned()), ..base() }, &plan, at(16));
    let expected = "after it had been healthy: runs 7.12.1 instead of 7.16.1";
    assert_eq!((next.state, next.reason.as_deref()), (DeviceState::Failed, Some(expected)));
    // It says that it has started: that is read first.
    let booted = Seen { last_boot: Some(at(15)), ..base() };
    let next = look(&well, &booted, &plan, at(15));
    assert_eq!((next.state, next.work), (DeviceState::Verifying, Some(Work::Baseline)));
    let again = then(&well, &next);
    assert_eq!(again.changed_at, Some(at(5)));
    let read = |uptime| Seen {
        refreshed_at: Some(at(17)),
        sample: Sample { uptime: Some(uptime), ..sample() },
        ..booted.clone()
    };
    assert_eq!(look(&again, &read(13 * 60), &plan, at(17)).state, DeviceState::Healthy);
    let next = look(&again, &read(2 * 60), &plan, at(17));
    assert_eq!(next.state, DeviceState::Failed);
    assert!(next.reason.unwrap().contains("restarted by itself"));
    // Who cannot be asked is believed.
    assert_eq!(look(&again, &booted, &plan, at(31)).state, DeviceState::Failed);
    // What people do at night is not the change's fault.
    let quiet = Seen { sample: Sample { wan_up: Some(false), ..sample() }, ..base() };
    assert_eq!(look(&well, &quiet, &plan, at(16)).state, DeviceState::Healthy);
}

#[test]
fn who_crashed_of_what_is_taken_back_is_well_once_it_is_back() {
    let plan = plan_back(&Plan::default(), false);
    let verifies = Device {
        from_version: Some("7.16.1".to_owned()),
        changed_at: Some(at(5)),
        deadline_at: Some(at(20)),
        baseline: Some(sample()),
        ..device(DeviceState::Verifying, vec![upgrade("7.12.1")])
    };
    let crash = Sample { crash: Some(at(4).to_rfc3339()), uptime: Some(60), ..sample() };
    let read = Seen { refreshed_at: Some(at(6)), sample: crash, ..seen(6, "7.12.1") };
    let next = look(&verifies, &read, &plan, at(6));
    assert_eq!((next.state, next.reason), (DeviceState::Healthy, None));
    // It crashes of what it went back to.
    let again = Seen {
        last_boot: Some(at(9)),
        refreshed_at: Some(at(10)),
        ..Seen { sample: read.sample.clone(), ..seen(10, "7.12.1") }
    };
    let next = look(&verifies, &again, &plan, at(10));
    assert_eq!(next.state, DeviceState::Failed);
    assert!(next.reason.unwrap().contains("restarted by itself"));
}
