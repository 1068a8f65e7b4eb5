//! An operator says what devices are to be: makes a profile, sees whom it reaches, binds it, and
//! watches a device get there, drift away and be put back; and fills in what a template asks for.

use serde_json::{Value, json};

use super::Net;
use super::stops::id;
use crate::harness::eventually;
use crate::harness::kit::device_path;

const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
/// What the device is to be called.
const NAME: &str = "Lighthouse";

#[tokio::test]
async fn a_device_gets_what_a_profile_wants_drifts_and_is_put_back() {
    let net = Net::start(2).await;
    let serial = net.fleet.serial(0);
    net.api.made("/api/v1/sites", json!({ "path": "eu" }), "site_id").await;
    let place = Some(json!({ "site": "eu" }));
    assert_eq!(net.api.call("PATCH", &device_path(&serial), place).await.0, 200);
    let browser = net.administrator().await;

    browser.open("/profiles/new").await;
    browser.fill("#name", "home").await;
    browser.fill("[name=parameter]", IDENTITY).await;
    browser.fill("[name=value]", NAME).await;
    browser.press("Make the profile").await;
    browser.sees("h1", "home").await;
    browser.sees("td", NAME).await;
    browser.sees("main", "It reaches 0 devices").await;
    browser.fill("#place", "eu").await;
    browser.sees(".found", "This reaches 1 device.").await;
    browser.press("Bind it").await;
    browser.sees("main", "It reaches 1 device").await;
    browser.sees("#sweeps td", "the profile home was bound at eu").await;

    let here = format!("/devices/{}/desired", id(&net, &serial).await);
    browser.open(&here).await;
    browser.sees("#desired td", "site eu, profile home").await;
    browser.sees("#desired .state", "as it is wanted").await;
    assert_eq!(net.value(&serial, IDENTITY).await, NAME, "the device itself");

    // It was written once; twice more it is put back, and then the device is left alone.
    for times in 2..4 {
        net.fleet.handle().change(0, IDENTITY, "by hand");
        let compare = format!("{}/desired/compare", device_path(&serial));
        assert_eq!(net.api.call("POST", &compare, None).await.0, 200);
        written(&net, &serial, times).await;
    }
    net.fleet.handle().change(0, IDENTITY, "by hand");
    browser.press("Compare now").await;
    browser.sees("#desired .state", "differs").await;
    browser.sees("#desired td", "the device has undone it 3 times").await;
    browser.open("/drift?state=drifted").await;
    browser.sees("#drift del", "by hand").await;
    browser.sees("#drift ins", NAME).await;
    browser.press(&serial).await;
    browser.press("Re-apply").await;
    browser.sees("#desired .state", "as it is wanted").await;
    assert_eq!(net.value(&serial, IDENTITY).await, NAME, "the device itself");

    // What it has can be accepted in place of that, and taken back.
    let watch = json!({ "enforce": false });
    let profile = profile(&net).await;
    assert_eq!(net.api.call("PATCH", &profile, Some(watch)).await.0, 200);
    net.fleet.handle().change(0, IDENTITY, "Beacon");
    browser.press("Compare now").await;
    browser.sees("#desired td", "only reported").await;
    browser.press("Accept").await;
    browser.sees("#desired .state", "as it is wanted").await;
    browser.open(&here).await;
    browser.sees(".choice", "Beacon").await;
    browser.press("Take it back").await;
    browser.sees("#desired td", "only reported").await;
    browser.press("Ignore").await;
    browser.sees("#desired .choice", IDENTITY).await;
    browser.sees("#desired .state", "as it is wanted").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn what_a_template_asks_for_is_a_form_and_its_secrets_stay_unseen() {
    let net = Net::start(1).await;
    let template = json!({
        "name": "guests",
        "body": "/interface/wifi/set [find default-name=wifi1] ssid={{ ssid }}\n",
        "variables": [
            { "name": "ssid", "type": "string", "min": 1, "max": 32, "label": "Name of the network",
              "section": "Wi-Fi", "required": true },
            { "name": "wifi_password", "type": "secret", "min": 8, "label": "Password",
              "section": "Wi-Fi" },
            { "name": "vlan", "type": "int", "min": 1, "max": 4094, "default": 7 },
        ],
    });
    net.api.made("/api/v1/templates", template, "template_id").await;
    let browser = net.administrator().await;

    browser.open("/profiles/new").await;
    browser.fill("#name", "guests").await;
    browser.choose("#template", "guests").await;
    browser.sees("#variables legend", "Wi-Fi").await;
    browser.fill("#var-ssid", "Attic guests").await;
    browser.fill("#var-wifi_password", "short").await;
    browser.press("Make the profile").await;
    browser.sees("#variables .error", "8 to").await;
    browser.fill("#var-wifi_password", "hunter2222").await;
    browser.press("Make the profile").await;
    browser.sees("h1", "guests").await;
    browser.sees("td", "Attic guests").await;
    browser.sees("td", "a secret").await;

    browser.press("Change it").await;
    browser.sees("#variables", "It has one").await;
    let shown = browser.run("return document.querySelector('#var-wifi_password').value").await;
    assert_eq!(shown, "", "it is not shown");
    browser.fill("#var-vlan", "12").await;
    browser.press("Save").await;
    browser.sees(".note", "It is saved").await;
    let stored = net.api.get(&profile(&net).await).await;
    let variables = json!({ "ssid": "Attic guests", "vlan": 12, "wifi_password": "********" });
    assert_eq!(stored["desired"]["variables"], variables);
    // The first answer to the form was one to a mistake.
    let said = browser.complaints().await;
    let said: Vec<&String> = said.iter().filter(|line| !line.contains("422")).collect();
    assert!(said.is_empty(), "{said:?}");
    browser.close().await;
}

/// Where the API has the only profile.
async fn profile(net: &Net) -> String {
    let profiles = net.api.get("/api/v1/profiles").await;
    format!("/api/v1/profiles/{}", profiles["items"][0]["profile_id"].as_str().unwrap())
}

/// Waits until so many jobs have written parameters of a device, and it is as it is wanted.
async fn written(net: &Net, serial: &str, times: usize) {
    let device = id(net, serial).await;
    let jobs = format!("/api/v1/jobs?device_id={device}&kind=set");
    let desired = format!("{}/desired", device_path(serial));
    eventually(&format!("it was written {times} times"), || async {
        let page = net.api.found(&jobs).await?;
        let done = |job: &&Value| job["state"] == "done";
        let count = page["items"].as_array()?.iter().filter(done).count();
        let state = net.api.found(&desired).await?;
        (count == times && state["state"] == "in_sync").then_some(())
    })
    .await;
}
