//! Claims by address: found once the address is read, and by nobody but whom they name.

use muster_cwmp::encode::request_name;
use muster_cwmp::rpc::Request;
use serde_json::{Value, json};

use super::{admitted_at, come, lab, visit};
use crate::acs::{NAME, answer, call, values};
use crate::harness::Muster;
use crate::harness::cpe::{Cpe, envelope};
use crate::harness::kit::device_path;

/// A port of the device that [`play`] plays.
const PORT: &str = "Device.Ethernet.Interface.1.MACAddress";

/// Plays a device whose port has this address, to the session's end; gives what it was asked.
async fn play(cpe: &mut Cpe, mac: &str) -> Vec<&'static str> {
    let mut asked = Vec::new();
    let mut reply = cpe.empty().await;
    while reply.status == 200 {
        let request = call(&reply);
        asked.push(request_name(&request));
        let text = match &request {
            Request::GetParameterValues(_) => values(&[(PORT, mac), (NAME, "")]),
            Request::GetParameterNames(_) => names(),
            other => answer(other),
        };
        reply = cpe.post(&text).await;
    }
    assert_eq!(reply.status, 204, "{reply:?}");
    asked
}

fn names() -> String {
    let interface = "Device.Ethernet.Interface.";
    let all =
        ["Device.", "Device.Ethernet.", interface, "Device.Ethernet.Interface.1.", PORT, NAME];
    let entry = |name: &str| {
        format!(
            "<ParameterInfoStruct><Name>{name}</Name><Writable>0</Writable></ParameterInfoStruct>"
        )
    };
    let entries: String = all.into_iter().map(entry).collect();
    envelope(&format!(
        "<cwmp:GetParameterNamesResponse><ParameterList>{entries}</ParameterList>\
         </cwmp:GetParameterNamesResponse>"
    ))
}

#[tokio::test]
async fn a_claim_by_address_is_found_when_the_address_is_read() {
    let (muster, api) = lab("quarantine").await;
    api.make_sites(&["eu"]).await;
    api.make("/api/v1/claims", json!({ "mac": "e48d.8c00.0007", "site": "eu" })).await;
    let (mut cpe, reply) = come(&muster, "NAMELESS").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = play(&mut cpe, "E4:8D:8C:00:00:07").await;
    let told = asked.iter().position(|method| *method == "SetParameterValues");
    let read = asked.iter().position(|method| *method == "GetParameterValues");
    assert!(read.is_some() && told > read, "in the same session, after it was read: {asked:?}");
    let device = api.get(&device_path("NAMELESS")).await;
    assert_eq!((&device["site"], &device["quarantined_at"]), (&json!("eu"), &Value::Null));

    let (mut cpe, _) = come(&muster, "ANOTHER").await;
    play(&mut cpe, "E4:8D:8C:00:00:08").await;
    assert!(api.get(&device_path("ANOTHER")).await["quarantined_at"].is_string());
}

#[tokio::test]
async fn who_is_in_takes_no_claim_by_address_but_from_somebody_who_may_give_it() {
    let (muster, api) = lab("quarantine").await;
    api.make_sites(&["eu"]).await;
    let us = api.make("/api/v1/sites", json!({ "path": "us" })).await;
    let rule = json!({ "name": "rest", "selector": "manufacturer = MikroTik", "site": "us" });
    api.make("/api/v1/accept-rules", rule).await;
    let body = json!({ "mac": "e48d.8c00.0007", "site": "eu", "customer": "4711" });
    let made = api.make("/api/v1/claims", body).await;
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());

    let (mut cpe, reply) = come(&muster, "GREEDY").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    play(&mut cpe, "E4:8D:8C:00:00:07").await;
    let device = api.get(&device_path("GREEDY")).await;
    assert_eq!((&device["site"], &device["customer"]), (&json!("us"), &Value::Null));
    let refused = api.get(&path).await;
    assert_eq!(refused["state"], "refused", "{refused}");
    let why = "the device GREEDY, which is in already, has this address: accept it by hand";
    assert_eq!(refused["refused"], why);
    let since = admitted_at(&muster, "GREEDY").await;
    assert!(since.is_some(), "by a rule");

    // To operate where the device stands is not enough.
    let token = json!({ "name": "us", "scopes": ["operate"], "site_id": us["site_id"] });
    let token = api.make("/api/v1/tokens", token).await;
    let accept = format!("{}/accept", device_path("GREEDY"));
    let there = api.with_token(token["token"].as_str().unwrap());
    assert_eq!(there.call("POST", &accept, Some(json!({}))).await.0, 403);
    assert_eq!(api.get(&path).await["state"], "refused");
    let (status, device) = api.call("POST", &accept, Some(json!({}))).await;
    assert_eq!(status, 200, "{device}");
    assert_eq!((&device["site"], &device["customer"]), (&json!("eu"), &json!("4711")));
    assert_eq!(api.get(&path).await["state"], "taken");
    assert_eq!(admitted_at(&muster, "GREEDY").await, since, "it is no new device by that");
    assert_eq!(api.call("POST", &accept, Some(json!({}))).await.0, 409);
}

#[tokio::test]
async fn only_who_is_named_is_looked_at_again() {
    let (muster, api) = lab("quarantine").await;
    for serial in ["ONE", "OTHER"] {
        visit(&muster, serial).await;
    }
    for (serial, mac) in [("PORT7", "E4:8D:8C:00:00:07"), ("PORT8", "E4:8D:8C:00:00:08")] {
        let (mut cpe, _) = come(&muster, serial).await;
        play(&mut cpe, mac).await;
    }
    for (claim, named) in [
        (json!({ "serial": "one" }), vec!["ONE"]),
        // With a serial number it is for no other device.
        (json!({ "serial": "NOBODY", "mac": "e48d.8c00.0008" }), vec!["ONE"]),
        (json!({ "mac": "e48d.8c00.0007" }), vec!["ONE", "PORT7"]),
    ] {
        api.make("/api/v1/claims", claim).await;
        assert_eq!(looked_at_again(&muster).await, named);
    }
    api.make("/api/v1/accept-rules", json!({ "name": "lab", "selector": "serial = X" })).await;
    assert_eq!(looked_at_again(&muster).await, ["ONE", "OTHER", "PORT7", "PORT8"]);
}

/// Devices whose next Inform is news whatever it says.
async fn looked_at_again(muster: &Muster) -> Vec<String> {
    sqlx::query_scalar(
        "select f.serial from devices d join device_facts f using (device_id)
         where d.inform_hash = '' order by f.serial",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap()
}
