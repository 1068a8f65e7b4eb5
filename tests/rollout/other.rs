//! Rollouts of scripts and parameters, and what paces them.

use muster_sim::profile::Identity;
use muster_sim::sickness::{Ailment, Sickness};
use serde_json::json;

use super::lab::{CODE, Range, at_once, gold, place, quick, release, serials, unlimited};
use crate::harness::eventually;

#[tokio::test]
async fn parameters_are_written_and_taken_back() {
    let range = Range::start(6, |options| options.seed = 7).await;
    let mut had = Vec::new();
    for index in 0..6 {
        let serial = range.fleet.serial(index);
        had.push((serial.clone(), range.api.known(&serial, CODE).await[0].1.clone()));
    }
    let id = range.begin(gold(), quick(unlimited())).await;
    range.until(&id, "completed").await;
    for (serial, _) in &had {
        assert_eq!(range.api.known(serial, CODE).await[0].1, "gold");
    }
    range.order(&id, "roll-back", json!({ "reason": "silver it is" })).await;
    range.until(&id, "rolled_back").await;
    for (serial, value) in &had {
        assert_eq!(&range.api.known(serial, CODE).await[0].1, value, "{serial}");
    }
}

#[tokio::test]
async fn the_farthest_go_first_and_those_that_back_each_other_up_never_together() {
    let range = Range::start(6, |options| options.seed = 7).await;
    let serial = |i: u32| range.fleet.serial(i);
    // 0 is reached through 1, that through 2; 3, 4 and 5 back each other up.
    for (device, uplink) in [(0, 1), (1, 2)] {
        place(&range, device, json!({ "uplink": format!("serial:{}", serial(uplink)) })).await;
    }
    for device in [3, 4, 5] {
        place(&range, device, json!({ "redundancy": "core" })).await;
    }
    let mut plan = at_once();
    plan["order"] = json!("topology");
    let id = range.begin(gold(), plan).await;
    range.until(&id, "completed").await;
    let healthy = range.in_state(&id, "healthy").await;
    let times = |i: u32| {
        let device = healthy.iter().find(|d| d["serial"] == serial(i)).unwrap();
        let at = |field: &str| {
            device[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
        };
        (at("started_at"), at("changed_at"))
    };
    assert!(times(0).1 <= times(1).0 && times(1).1 <= times(2).0, "{healthy:#?}");
    let mut together: Vec<_> = [3, 4, 5].map(times).into();
    together.sort();
    assert!(together.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{together:?}");
}

#[tokio::test]
async fn who_backs_up_a_failed_device_waits_until_somebody_says_what_becomes_of_it() {
    let sickness: Sickness = "stuck=50%".parse().unwrap();
    let fits = |seed: &u64| {
        let old = (0..3).all(|i| Identity::derive(*seed, i).version != "7.16.1");
        let well = (1..3).all(|i| sickness.of(*seed, i) == Ailment::None);
        old && well && sickness.of(*seed, 0) == Ailment::Stuck
    };
    let seed = (1_u64..).find(fits).unwrap();
    let range = Range::start(3, |options| {
        options.sickness = "stuck=50%".parse().unwrap();
        options.seed = seed;
    })
    .await;
    let serial = |i: u32| range.fleet.serial(i);
    for device in [0, 1] {
        place(&range, device, json!({ "redundancy": "core" })).await;
    }
    // The wave of the one that fails is good all the same: its gate holds nobody.
    let mut plan = quick(unlimited());
    plan["success"] = json!({ "percent": 0.0, "minimum": 0 });
    let canary = format!("serial:{}", serial(0));
    plan["waves"] = json!([{ "take": { "devices": [canary] } }, { "take": "rest" }]);
    let id = range.begin(release(), plan).await;
    let names = async |state: &str| serials(&range.in_state(&id, state).await);
    eventually("whom nobody backs up is upgraded", || async {
        (names("healthy").await == [serial(2)]).then_some(())
    })
    .await;
    assert_eq!(names("failed").await, [serial(0)]);
    let waiting = eventually("it says for whom it waits", || async {
        let waiting = range.in_state(&id, "waiting").await;
        waiting.iter().any(|device| !device["reason"].is_null()).then_some(waiting)
    })
    .await;
    let why = format!("its partner {} failed", serial(0));
    assert_eq!((waiting.len(), &waiting[0]["reason"]), (1, &json!(why)), "{waiting:#?}");
    assert_eq!(waiting[0]["serial"], json!(serial(1)));
    assert_eq!(range.rollout(&id).await["state"], "running");

    let body = json!({ "device": canary, "reason": "it is exchanged tomorrow" });
    range.order(&id, "exclude", body).await;
    range.until(&id, "completed").await;
    let mut upgraded = [serial(1), serial(2)];
    upgraded.sort();
    assert_eq!(names("healthy").await, upgraded);
    range.counts_hold(&id).await;
}
