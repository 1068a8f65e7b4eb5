//! What was changed by hand on a device is not taken for a part of what Muster changes after it: what the
//! device has is kept before a parameter is written, too.
//!
//! The device is played here: it has a parameter and a configuration, and sends that when it is asked.

use muster_cwmp::rpc::{ParameterInfo, Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};

use crate::harness::kit::{Api, device_path, raw_device};
use crate::harness::talk::{Talk, begun, transferred};
use crate::harness::{Muster, eventually};

const SERIAL: &str = "HAND1";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
/// Its name server as it was, as somebody changed it, and as it is after an order.
const WAS: &str = "9.9.9.9";
const BY_HAND: &str = "1.1.1.1";
const IS: &str = "8.8.8.8";

struct Device {
    muster: Muster,
    api: Api,
    profile: String,
}

impl Device {
    /// One of which something is wanted, and whose configuration is accepted.
    async fn start() -> Self {
        let (muster, api) = raw_device(SERIAL).await;
        let body = json!({ "name": "home", "desired": { "check_every_hours": 0 } });
        let profile = api.make_at("/api/v1/profiles", body).await;
        api.send("PUT", &format!("{profile}/bindings"), json!({ "fleet": true })).await;
        let device = Self { muster, api, profile };
        eventually("something is wanted of it", || async {
            device.comes(None).await;
            (device.desired().await["state"] == "in_sync").then_some(())
        })
        .await;
        assert!(device.backup(WAS).await, "it is the first");
        device
    }

    async fn desired(&self) -> Value {
        let path = format!("{}/desired", device_path(SERIAL));
        self.api.found(&path).await.unwrap_or_default()
    }

    async fn is_drift(&self) -> bool {
        let desired = self.desired().await;
        let mut all = desired["differences"].as_array().unwrap().iter();
        all.any(|one| one["name"] == "configuration")
    }

    /// Has it send its configuration; whether that is the accepted one then.
    async fn backup(&self, dns: &str) -> bool {
        let path = format!("{}/backups", device_path(SERIAL));
        let (status, taken) = self.api.call("POST", &path, None).await;
        assert_eq!(status, 201, "{taken}");
        assert_eq!(self.comes(Some(dns)).await, ["upload"]);
        self.api.get(&path).await["items"][0]["accepted"] == true
    }

    /// Orders another value by hand.
    async fn set(&self, more: Value) {
        let parameters = json!([{ "name": CODE, "value": "attic" }]);
        let mut job = json!({ "kind": "set", "parameters": parameters });
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.api.queue(SERIAL, job).await;
    }

    /// It comes until it has nothing to report; gives what it was asked to send and to set. Without a
    /// name server it cannot send its configuration.
    async fn comes(&self, dns: Option<&str>) -> Vec<&'static str> {
        self.comes_with(dns, dns).await
    }

    /// The same, with another name server once it was set.
    async fn comes_with(&self, mut dns: Option<&str>, then: Option<&str>) -> Vec<&'static str> {
        let (mut asked, mut key) = (Vec::new(), None::<String>);
        loop {
            let mut events = vec!["2 PERIODIC".to_owned()];
            let told: Vec<Request> = key.iter().map(|key| transferred(key, 0)).collect();
            if let Some(key) = key.take() {
                events.extend(["7 TRANSFER COMPLETE".to_owned(), format!("M Upload|{key}")]);
            }
            let events: Vec<&str> = events.iter().map(String::as_str).collect();
            let mut talk = Talk::reporting(self.muster.cwmp, SERIAL, &events, told).await;
            while let Some(request) = talk.request.clone() {
                match request {
                    Request::Upload(call) => {
                        asked.push("upload");
                        let Some(dns) = dns else {
                            talk.fault(9000).await;
                            continue;
                        };
                        self.send(&call.url, dns).await;
                        key = Some(call.command_key);
                        talk.answer(Response::Upload(begun())).await;
                    }
                    Request::SetParameterValues(_) => {
                        asked.push("set");
                        dns = then;
                        talk.answer(Response::SetParameterValues(Status::Applied)).await;
                    }
                    Request::GetParameterNames(_) => {
                        let info = ParameterInfo { name: CODE.to_owned(), writable: true };
                        talk.answer(Response::GetParameterNames(vec![info])).await;
                    }
                    Request::GetParameterValues(_) => {
                        let values = vec![ParameterValue::string(CODE, "attic")];
                        talk.answer(Response::GetParameterValues(values)).await;
                    }
                    other => panic!("it was asked for {other:?}"),
                }
            }
            if key.is_none() {
                return asked;
            }
        }
    }

    /// Has Muster write a parameter by itself; gives what the device was asked for.
    async fn is_written(&self, dns: &str, then: &str) -> Vec<&'static str> {
        let parameters = json!({ CODE: { "value": "attic" } });
        let desired = json!({ "check_every_hours": 0, "parameters": parameters });
        self.api.send("PATCH", &self.profile, json!({ "desired": desired })).await;
        eventually("it is written", || async {
            let asked = self.comes_with(Some(dns), Some(then)).await;
            (!asked.is_empty()).then_some(asked)
        })
        .await
    }

    async fn send(&self, url: &str, dns: &str) {
        let path = url.splitn(4, '/').nth(3).unwrap();
        let export =
            format!("# 2026-11-22 02:00:00 by RouterOS 7.16.1\n/ip dns\nset servers={dns}\n");
        let put = self.muster.http().put(format!("http://{}/{path}", self.muster.cwmp));
        assert_eq!(put.body(export).send().await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_change_by_hand_is_seen_before_a_parameter_is_written() {
    let device = Device::start().await;
    device.set(json!({})).await;
    assert_eq!(device.comes(Some(BY_HAND)).await, ["upload", "set"]);
    assert!(device.is_drift().await);
    assert!(!device.backup(IS).await, "it has both");
    assert!(device.is_drift().await);
}

#[tokio::test]
async fn what_a_parameter_changed_is_accepted_where_nothing_else_was() {
    let device = Device::start().await;
    device.set(json!({})).await;
    assert_eq!(device.comes(Some(WAS)).await, ["upload", "set"]);
    assert!(device.backup(IS).await);
    assert!(!device.is_drift().await);
}

#[tokio::test]
async fn a_parameter_is_written_where_nothing_could_be_kept_and_nothing_is_accepted_for_it() {
    let device = Device::start().await;
    device.set(json!({})).await;
    assert_eq!(device.comes(None).await, ["upload", "set"]);
    assert!(!device.backup(IS).await, "nobody knows what of it was ordered");
    assert!(device.is_drift().await);
}

#[tokio::test]
async fn who_wants_no_backup_has_the_next_one_accepted() {
    let device = Device::start().await;
    device.set(json!({ "backup": false })).await;
    assert_eq!(device.comes(Some(BY_HAND)).await, ["set"]);
    assert!(device.backup(IS).await);
}

#[tokio::test]
async fn a_change_by_hand_is_seen_before_muster_writes_a_parameter_by_itself() {
    let device = Device::start().await;
    assert_eq!(device.is_written(BY_HAND, BY_HAND).await[..2], ["upload", "set"]);
    eventually("it has both", || async {
        device.comes(Some(BY_HAND)).await;
        device.is_drift().await.then_some(())
    })
    .await;
    assert!(!device.backup(IS).await);
}

#[tokio::test]
async fn what_was_changed_by_hand_and_is_mended_is_no_drift_any_more() {
    let device = Device::start().await;
    assert_eq!(device.is_written(BY_HAND, WAS).await[..2], ["upload", "set"]);
    eventually("it is as it was", || async {
        device.comes(Some(WAS)).await;
        (!device.is_drift().await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn muster_waits_with_a_parameter_while_nothing_can_be_kept() {
    let device = Device::start().await;
    let parameters = json!({ CODE: { "value": "attic" } });
    let desired = json!({ "check_every_hours": 0, "parameters": parameters });
    device.api.send("PATCH", &device.profile, json!({ "desired": desired })).await;
    let asked = eventually("it is asked for its configuration", || async {
        let asked = device.comes(None).await;
        (!asked.is_empty()).then_some(asked)
    })
    .await;
    assert_eq!(asked, ["upload"]);
    let why = eventually("it is said why", || async {
        device.comes(None).await;
        device.desired().await["reason"].as_str().map(str::to_owned)
    })
    .await;
    assert!(why.contains("could not be kept first"), "{why}");
    assert!(!device.is_drift().await);
}

#[tokio::test]
async fn what_a_device_had_while_nothing_was_wanted_is_nobody_s_intent() {
    let (muster, api) = raw_device(SERIAL).await;
    let body = json!({ "name": "home", "desired": { "check_every_hours": 0 } });
    let profile = api.make_at("/api/v1/profiles", body).await;
    let device = Device { muster, api, profile };
    assert!(device.backup(WAS).await, "it is the first");
    let bindings = format!("{}/bindings", device.profile);
    device.api.send("PUT", &bindings, json!({ "fleet": true })).await;
    assert_eq!(device.is_written(BY_HAND, IS).await, ["set"]);
    assert!(!device.is_drift().await);
    assert!(device.backup(IS).await);
}
