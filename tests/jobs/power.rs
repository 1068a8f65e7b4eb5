//! Jobs whose proof is the device's next inform: reboot, factory reset, scheduled inform, waking.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::eventually;
use crate::harness::kit::{Lab, device_path};

#[tokio::test]
async fn a_reboot_is_closed_by_its_event() {
    let lab = Lab::start().await;
    let before = lab.device().await;
    let job = lab.run(json!({ "kind": "reboot" })).await;
    assert_eq!(job["result"]["event"], "M Reboot", "{job}");
    assert_eq!(job["attempts"], 1);
    assert_eq!(lab.fleet.handle().stats().boots, 2);
    let after = lab.api.ready(&lab.serial).await;
    assert_ne!(after["last_boot"], before["last_boot"]);
    assert_ne!(after["refreshed_at"], before["refreshed_at"], "a boot is followed by a read");
}

#[tokio::test]
async fn a_factory_reset_lets_its_device_enrol_again() {
    let lab = Lab::with(&[], |_| {}).await;
    lab.run(json!({ "kind": "connection_request" })).await;
    assert_eq!(lab.device().await["auth"], "device");
    let code = "Device.DeviceInfo.ProvisioningCode";
    let parameters = json!([{ "name": code, "value": "before" }]);
    lab.run(json!({ "kind": "set", "parameters": parameters })).await;

    let job = lab.run(json!({ "kind": "factory_reset" })).await;
    assert_eq!(job["result"]["event"], "0 BOOTSTRAP", "{job}");
    lab.api.ready(&lab.serial).await;
    assert_eq!(lab.value(code).await, "", "back to the factory's");
    assert_eq!(lab.device().await["auth"], "device", "with new credentials of its own");
    let events = lab.api.events(&lab.serial).await;
    assert_eq!(events.iter().filter(|e| *e == "bootstrap").count(), 2);
}

#[tokio::test]
async fn a_scheduled_inform_comes() {
    let lab = Lab::start().await;
    let job = lab.run(json!({ "kind": "schedule_inform", "delay_seconds": 1 })).await;
    assert_eq!(job["result"]["event"], "M ScheduleInform", "{job}");
}

#[tokio::test]
async fn a_connection_request_wakes_the_device_at_once() {
    let lab = Lab::start().await;
    let job = lab.run(json!({ "kind": "connection_request" })).await;
    assert_eq!(job["result"]["woken"], true);
    let path = format!("{}/wake", device_path(&lab.serial));
    let (status, job) = lab.api.call("POST", &path, None).await;
    assert_eq!(status, 201, "{job}");
    lab.api.done(job["job_id"].as_str().unwrap()).await;
    assert_eq!(lab.device().await["events"], json!(["6 CONNECTION REQUEST"]));
    assert_eq!(lab.device().await["connection_request"], json!(null));
    assert!(lab.fleet.handle().stats().connection_requests >= 2);

    let started = Instant::now();
    let parameters = json!([{ "name": "Device.DeviceInfo.ProvisioningCode", "value": "now" }]);
    lab.run(json!({ "kind": "set", "parameters": parameters })).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn why_a_device_does_not_wake_is_shown() {
    let mut lab = Lab::start().await;
    lab.fleet.finish().await;
    let id = lab.order(json!({ "kind": "connection_request" })).await;
    let request = eventually("the failure is noted", || async {
        let request = lab.device().await["connection_request"].clone();
        request["last_error"].is_string().then_some(request)
    })
    .await;
    assert!(request["next_try"].as_str() > request["asked_at"].as_str(), "{request}");
    assert_eq!(lab.api.job(&id).await["state"], "queued", "its own next inform may still do it");
    assert!(lab.muster.stop());
}
