//! Rollouts of scripts and parameters, and what paces them.

use serde_json::json;

use super::lab::{Range, quick};
use crate::harness::kit::device_path;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

#[tokio::test]
async fn parameters_are_written_and_taken_back() {
    let range = Range::start(6, |options| options.seed = 7).await;
    let mut had = Vec::new();
    for index in 0..6 {
        let serial = range.fleet.serial(index);
        had.push((serial.clone(), range.api.known(&serial, CODE).await[0].1.clone()));
    }
    let change = json!({ "kind": "parameters", "parameters": [{ "name": CODE, "value": "gold" }] });
    let plan = quick(json!({ "percent": null, "count": null, "then": "pause" }));
    let id = range.begin(change, plan).await;
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
        let change = json!({ "uplink": format!("serial:{}", serial(uplink)) });
        let path = device_path(&serial(device));
        let (status, told) = range.api.call("PATCH", &path, Some(change)).await;
        assert_eq!(status, 200, "{told}");
    }
    for device in [3, 4, 5] {
        let path = device_path(&serial(device));
        let change = json!({ "redundancy": "core" });
        let (status, told) = range.api.call("PATCH", &path, Some(change)).await;
        assert_eq!(status, 200, "{told}");
    }
    let change = json!({ "kind": "parameters", "parameters": [{ "name": CODE, "value": "gold" }] });
    let mut plan = quick(json!({ "percent": null, "count": null, "then": "pause" }));
    plan["order"] = json!("topology");
    plan["waves"] = json!([{ "take": "rest" }]);
    let id = range.begin(change, plan).await;
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
