//! Who is expected: what it is from first contact on, and how it proves who it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{READS, admitted_at, lab, visit};
use crate::acs::{events, finish};
use crate::harness::Muster;
use crate::harness::cpe::{Cpe, Reply, inform};
use crate::harness::kit::{Api, device_path};

/// Nobody is let in but who is expected.
const SHUT: (&str, &str) = ("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine");
/// Devices are asked who they are, in the simplest way.
const ASKED: (&str, &str) = ("MUSTER_ACS__OFFER_BASIC", "always");

/// Informs with this user name and password.
async fn come_as(muster: &Muster, serial: &str, login: (&str, &str)) -> (Cpe, Reply) {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", login.0, login.1)));
    let headers = [("Content-Type", "text/xml"), ("Authorization", basic.as_str())];
    let message = inform(serial, &["0 BOOTSTRAP", "1 BOOT"]);
    let reply = cpe.post_with(message.as_bytes(), &headers).await;
    (cpe, reply)
}

#[tokio::test]
async fn a_device_is_what_its_claim_says_from_first_contact_on() {
    let (mut muster, api) = lab("quarantine").await;
    api.make_sites(&["eu"]).await;
    api.make("/api/v1/profiles", json!({ "name": "home" })).await;
    let body = json!({
        "serial": "expected1", "site": "eu", "profile": "home", "tags": ["pilot"], "model": "hEX",
        "customer": "4711", "variables": { "wifi_password": "hunter22", "wifi_name": "Attic" },
        "factory_password": "hunter33",
    });
    let made = api.make("/api/v1/claims", body.clone()).await;
    assert!(!made.to_string().contains("hunter"), "{made}");
    let (status, problem) = api.call("POST", "/api/v1/claims", Some(body)).await;
    assert_eq!(status, 409, "{problem}");
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());
    let patch = json!({ "customer": "4712", "factory_password": "********" });
    let (status, changed) = api.call("PATCH", &path, Some(patch)).await;
    assert_eq!((status, &changed["customer"]), (200, &json!("4712")), "{changed}");
    assert_eq!(changed["factory_password"], "********");

    // In any case of letters.
    let asked = visit(&muster, "EXPECTED1").await;
    assert!(asked.contains(&"SetParameterValues"), "it is told its credentials: {asked:?}");
    let device = api.get(&device_path("EXPECTED1")).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["pilot"])));
    assert_eq!((&device["customer"], &device["quarantined_at"]), (&json!("4712"), &Value::Null));
    let found = api.get("/api/v1/devices?q=customer%3D4712%20and%20not%20quarantined").await;
    assert_eq!(found["items"][0]["serial"], "EXPECTED1");
    let taken = api.get(&path).await;
    assert_eq!((&taken["state"], &taken["device_id"]), (&json!("taken"), &device["device_id"]));
    let told = events(&mut muster, "EXPECTED1", "claim.taken").await;
    assert_eq!(told.len(), 1);
    assert!(told[0]["detail"]["warning"].as_str().unwrap().contains("hEX"), "{told:?}");
    let (profile, variables): (Option<String>, Value) = sqlx::query_as(
        "select p.name, d.variables from device_desired d left join profiles p using (profile_id)",
    )
    .fetch_one(&muster.pool)
    .await
    .unwrap();
    assert_eq!((profile.as_deref(), &variables["wifi_name"]), (Some("home"), &json!("Attic")));
    assert!(variables["wifi_password"].is_object(), "sealed: {variables}");

    let (status, problem) = api.call("PATCH", &path, Some(json!({ "site": null }))).await;
    assert_eq!(status, 409, "{problem}");
    // It is open again when the device is gone.
    assert_eq!(api.call("DELETE", &device_path("EXPECTED1"), None).await.0, 204);
    assert_eq!(api.get(&path).await["state"], "open");
    visit(&muster, "EXPECTED1").await;
    assert_eq!(api.get(&path).await["state"], "taken");
    let (status, shown) = api.call("POST", &format!("{path}/credential"), None).await;
    assert_eq!((status, &shown["factory_password"]), (200, &json!("hunter33")), "{shown}");
    assert!(!muster.log().contains("hunter"), "a password is in the log");
}

#[tokio::test]
async fn who_is_let_in_because_all_are_is_not_new_and_who_is_expected_is() {
    let (muster, api) = lab("accept").await;
    api.make("/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    visit(&muster, "EXPECTED").await;
    visit(&muster, "ANYBODY").await;
    assert!(admitted_at(&muster, "EXPECTED").await.is_some());
    assert_eq!(admitted_at(&muster, "ANYBODY").await, None);
}

#[tokio::test]
async fn who_lies_about_its_serial_number_does_not_get_a_claim_with_its_own_credential() {
    let mut muster = Muster::start(&[SHUT, ASKED]).await;
    let api = Api::of(&mut muster);
    api.make_sites(&["eu"]).await;
    let (user, password) = muster.enrolment();
    let enrolment = (user.as_str(), password.as_str());
    let body = json!({ "serial": "PRECIOUS", "site": "eu", "own_credential": true,
                       "variables": { "ppp_password": "hunter2" } });
    let made = api.make("/api/v1/claims", body).await;
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());

    // It knows what every new device knows, and the serial number from somebody's box.
    let (mut cpe, reply) = come_as(&muster, "PRECIOUS", enrolment).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = finish(&mut cpe).await;
    assert!(asked.iter().all(|method| READS.contains(method)), "{asked:?}");
    let liar = api.get(&device_path("PRECIOUS")).await;
    assert!(liar["quarantined_at"].is_string() && liar["site"].is_null(), "{liar}");
    let refused = api.get(&path).await;
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["refused"].as_str().unwrap().contains("credential"), "{refused}");

    let (status, shown) = api.call("POST", &format!("{path}/credential"), None).await;
    assert_eq!(status, 200, "{shown}");
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    let (user, password) = (text("username"), text("password"));
    let wrong = format!("{password}x");
    assert_eq!(come_as(&muster, "PRECIOUS", (&user, &wrong)).await.1.status, 401);
    // The credential is good for its own claim, and for no other serial number.
    let (mut cpe, reply) = come_as(&muster, "THIEF", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    finish(&mut cpe).await;
    let thief = api.get(&device_path("THIEF")).await;
    assert!(thief["quarantine_reason"].as_str().unwrap().contains("PRECIOUS"), "{thief}");
    assert_eq!(api.get(&path).await["state"], "refused");

    let (mut cpe, reply) = come_as(&muster, "PRECIOUS", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = finish(&mut cpe).await;
    assert!(asked.contains(&"SetParameterValues"), "it gets its own: {asked:?}");
    let device = api.get(&device_path("PRECIOUS")).await;
    assert_eq!((&device["site"], &device["auth"]), (&json!("eu"), &json!("claim")));
    assert_eq!(api.get(&path).await["state"], "taken");
    // It has not used its own credential yet: nobody else is it all the same.
    assert_eq!(come_as(&muster, "PRECIOUS", enrolment).await.1.status, 401);
    let (_cpe, reply) = come_as(&muster, "PRECIOUS", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!muster.log().contains(&password), "a password is in the log");
}
