//! Desired state: layers, what a change of it reaches, drift and what people say to it, secrets.

use serde_json::{Value, json};

use crate::harness::cpe::{inform, meet};
use crate::harness::kit::{Api, Fleet, Lab, device_path};
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster, eventually};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

/// Makes a profile that wants these values; gives where it is.
async fn profile(api: &Api, name: &str, parameters: &[(&str, &str)]) -> String {
    let wanted = |(n, v): &(&str, &str)| ((*n).to_owned(), json!({ "value": v }));
    let parameters: serde_json::Map<String, Value> = parameters.iter().map(wanted).collect();
    let body = json!({ "name": name, "desired": { "parameters": parameters } });
    api.make_at("/api/v1/profiles", body).await
}

async fn bind(api: &Api, profile: &str, place: Value) -> Value {
    api.send("PUT", &format!("{profile}/bindings"), place).await
}

fn desired_path(serial: &str) -> String {
    format!("{}/desired", device_path(serial))
}

/// Orders something of a device's desired state.
async fn say(api: &Api, serial: &str, what: &str, names: &[&str]) -> Value {
    let path = format!("{}/{what}", desired_path(serial));
    let body = (!names.is_empty()).then(|| json!({ "names": names }));
    let (status, answer) = api.call("POST", &path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// What is wanted of a device, once that is so.
async fn once(api: &Api, serial: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = desired_path(serial);
    eventually(&format!("{serial}: {what}"), || async {
        api.found(&path).await.filter(|desired| is_so(desired))
    })
    .await
}

async fn in_state(api: &Api, serial: &str, state: &str) -> Value {
    once(api, serial, state, |desired| desired["state"] == state).await
}

/// The value that is wanted of a parameter, and which layer says so.
fn wanted(desired: &Value, name: &str) -> (String, String) {
    let of = &desired["effective"]["parameters"][name];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&of["value"]["value"]), text(&of["from"]["layer"]))
}

/// The jobs of a device of this kind, newest first.
async fn jobs(api: &Api, serial: &str, kind: &str) -> Vec<Value> {
    let device = api.get(&device_path(serial)).await;
    let id = device["device_id"].as_str().unwrap().to_owned();
    let page = api.get(&format!("/api/v1/jobs?device_id={id}&kind={kind}&limit=1000")).await;
    page["items"].as_array().unwrap().clone()
}

/// Waits until so many jobs have written parameters of a device, all of them well.
async fn written(api: &Api, serial: &str, times: usize) {
    eventually(&format!("{serial} was written {times} times"), || async {
        let sets = jobs(api, serial, "set").await;
        let done = sets.iter().filter(|job| job["state"] == "done").count();
        assert!(sets.len() <= times, "{sets:?}");
        (done == times).then_some(())
    })
    .await;
}

async fn known(api: &Api, serial: &str, name: &str) -> String {
    api.known(serial, name).await.first().map(|(_, value)| value.clone()).unwrap_or_default()
}

#[tokio::test]
async fn the_nearer_layer_wins_and_says_who_it_is() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(muster.cwmp, &inform("L1", &["2 PERIODIC"])).await;
    api.make_at("/api/v1/sites", json!({ "path": "eu" })).await;
    api.make_at("/api/v1/sites", json!({ "path": "eu.lv", "variables": { "dns": "9.9.9.9" } }))
        .await;
    let group = api.make_at("/api/v1/groups", json!({ "name": "vip" })).await;
    let member = format!("{group}/devices/serial:L1");
    assert_eq!(api.call("PUT", &member, None).await.0, 204);
    api.send("PATCH", &device_path("L1"), json!({ "site": "eu.lv" })).await;

    let layers = [
        ("everyone", json!({ "fleet": true }), "fleet"),
        ("europe", json!({ "site": "eu" }), "site"),
        ("latvia", json!({ "site": "eu.lv" }), "site"),
        ("friends", json!({ "group": "vip" }), "group"),
    ];
    for (name, place, layer) in layers {
        let made = profile(&api, name, &[(CODE, name)]).await;
        bind(&api, &made, place).await;
        let desired = api.get(&desired_path("L1")).await;
        assert_eq!(wanted(&desired, CODE), (name.to_owned(), layer.to_owned()), "{desired}");
        assert_eq!(desired["effective"]["parameters"][CODE]["from"]["profile"], name);
    }
    profile(&api, "alone", &[(CODE, "alone")]).await;
    let desired = api.send("PATCH", &desired_path("L1"), json!({ "profile": "alone" })).await;
    assert_eq!(wanted(&desired, CODE), ("alone".to_owned(), "device".to_owned()));
    let own =
        json!({ "overrides": { CODE: { "value": "own" } }, "variables": { "dns": "1.1.1.1" } });
    let desired = api.send("PATCH", &desired_path("L1"), own).await;
    assert_eq!(wanted(&desired, CODE), ("own".to_owned(), "device".to_owned()));
    let dns = &desired["effective"]["variables"]["dns"];
    assert_eq!((&dns["value"], &dns["from"]["layer"]), (&json!("1.1.1.1"), &json!("device")));

    let back =
        json!({ "profile": null, "overrides": { CODE: null }, "variables": { "dns": null } });
    let desired = api.send("PATCH", &desired_path("L1"), back).await;
    assert_eq!(wanted(&desired, CODE), ("friends".to_owned(), "group".to_owned()));
    let dns = &desired["effective"]["variables"]["dns"];
    assert_eq!((&dns["value"], &dns["from"]["site"]), (&json!("9.9.9.9"), &json!("eu.lv")));

    let unknown = json!({ "profile": "nobody" });
    assert_eq!(api.refused("PATCH", &desired_path("L1"), Some(unknown)).await.0, 422);
    let bad = json!({ "overrides": { CODE: { "value": "1", "variable": "x" } } });
    assert_eq!(api.refused("PATCH", &desired_path("L1"), Some(bad)).await.0, 422);
}

#[tokio::test]
async fn of_two_profiles_in_one_place_the_higher_rank_wins() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(muster.cwmp, &inform("R1", &["2 PERIODIC"])).await;
    let first = profile(&api, "a", &[(CODE, "a")]).await;
    let second = profile(&api, "b", &[(CODE, "b")]).await;
    bind(&api, &first, json!({ "fleet": true })).await;
    bind(&api, &second, json!({ "fleet": true })).await;
    let value = async || wanted(&api.get(&desired_path("R1")).await, CODE).0;
    assert_eq!(value().await, "b", "the later name");
    let view = bind(&api, &first, json!({ "fleet": true, "rank": 1 })).await;
    assert_eq!(view["bindings"], json!([{ "fleet": true, "rank": 1 }]));
    assert_eq!(value().await, "a");
    let unbind = format!("{first}/bindings?fleet=true");
    for _ in 0..2 {
        assert_eq!(api.call("DELETE", &unbind, None).await.0, 204);
    }
    assert_eq!(value().await, "b");
    for body in [json!({}), json!({ "fleet": true, "site": "eu" }), json!({ "site": "gone" })] {
        let path = format!("{first}/bindings");
        assert_eq!(api.refused("PUT", &path, Some(body)).await.0, 422);
    }
}

#[tokio::test]
async fn a_change_reaches_exactly_its_devices_and_sends_nothing_where_nothing_differs() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let fleet = Fleet::start(&muster, 3, |_| {}).await;
    let serials = [fleet.serial(0), fleet.serial(1), fleet.serial(2)];
    for (path, site) in [("eu", None), ("eu.lv", Some(0..2)), ("us", Some(2..3))] {
        api.make_at("/api/v1/sites", json!({ "path": path })).await;
        for serial in &serials[site.unwrap_or(0..0)] {
            api.ready(serial).await;
            api.send("PATCH", &device_path(serial), json!({ "site": path })).await;
        }
    }
    let home = profile(&api, "home", &[(CODE, "gold")]).await;
    bind(&api, &home, json!({ "site": "eu" })).await;
    let impact = api.get(&format!("{home}/impact")).await;
    assert_eq!(impact, json!({ "devices": 2, "themselves": 0 }));
    for serial in &serials[..2] {
        written(&api, serial, 1).await;
        in_state(&api, serial, "in_sync").await;
        assert_eq!(known(&api, serial, CODE).await, "gold");
    }
    let change = json!({ "desired": { "parameters": { CODE: { "value": "silver" } } } });
    api.send("PATCH", &home, change).await;
    for serial in &serials[..2] {
        written(&api, serial, 2).await;
        assert_eq!(known(&api, serial, CODE).await, "silver");
    }
    let sweeps = eventually("the sweep has ended", || async {
        let sweeps = api.get("/api/v1/sweeps").await;
        (sweeps["items"][0]["state"] == "done").then_some(sweeps)
    })
    .await;
    let newest = &sweeps["items"][0];
    assert_eq!(newest["reason"], "the profile home was changed");
    assert_eq!((&newest["seen"], &newest["selector"]), (&json!(2), &json!("site under eu")));

    // Something else is wanted that they have already: nobody is asked anything.
    let all = async || {
        let page = api.get("/api/v1/jobs?limit=1000").await;
        page["items"].as_array().unwrap().len()
    };
    let before = all().await;
    let same = json!({ "desired": { "parameters": {
        CODE: { "value": "SILVER", "tolerance": { "is": "any_case" } } } } });
    api.send("PATCH", &home, same).await;
    eventually("the second sweep has ended", || async {
        let sweeps = api.get("/api/v1/sweeps").await;
        let newest = &sweeps["items"][0];
        let is_third = sweeps["items"].as_array()?.len() == 3;
        (is_third && newest["state"] == "done").then_some(())
    })
    .await;
    assert_eq!(all().await, before);
    assert!(jobs(&api, &serials[2], "set").await.is_empty());
    let ended = format!("/api/v1/sweeps/{}", newest["sweep_id"].as_str().unwrap());
    assert_eq!(api.refused("PATCH", &ended, Some(json!({ "state": "paused" }))).await.0, 409);
}

#[tokio::test]
async fn a_variable_of_a_site_reaches_its_devices() {
    let lab = Lab::start().await;
    let body = json!({ "path": "eu", "variables": { "code": "one", "ppp_password": "hunter22" } });
    let site = lab.api.make_at("/api/v1/sites", body).await;
    lab.api.send("PATCH", &device_path(&lab.serial), json!({ "site": "eu" })).await;
    let desired = json!({ "parameters": { CODE: { "variable": "code" } } });
    let body = json!({ "name": "by variable", "desired": desired });
    let made = lab.api.make_at("/api/v1/profiles", body).await;
    bind(&lab.api, &made, json!({ "site": "eu" })).await;
    written(&lab.api, &lab.serial, 1).await;
    assert_eq!(lab.value(CODE).await, "one");
    let view = lab.api.send("PATCH", &site, json!({ "variables": { "code": "two" } })).await;
    assert_eq!(view["variables"], json!({ "code": "two", "ppp_password": "********" }));
    written(&lab.api, &lab.serial, 2).await;
    assert_eq!(lab.value(CODE).await, "two");
    assert!(!lab.muster.whole_database().await.contains("hunter22"));
    // The mask leaves it as it is, and is nothing of its own.
    let back = json!({ "variables": view["variables"] });
    let view = lab.api.send("PATCH", &site, back).await;
    assert_eq!(view["variables"]["ppp_password"], "********");
    let other = json!({ "variables": { "other_password": "********" } });
    assert_eq!(lab.api.refused("PATCH", &site, Some(other)).await.0, 422);
}

#[tokio::test]
async fn drift_is_recorded_before_it_is_mended_and_a_stubborn_device_is_left_alone() {
    let lab = Lab::start().await;
    let (api, serial) = (&lab.api, lab.serial.as_str());
    let name = known(api, serial, IDENTITY).await;
    let made = profile(api, "names", &[(IDENTITY, &name)]).await;
    bind(api, &made, json!({ "fleet": true })).await;
    in_state(api, serial, "in_sync").await;
    assert!(jobs(api, serial, "set").await.is_empty(), "it is called so already");

    for times in 1..=3 {
        lab.fleet.handle().change(0, IDENTITY, "by hand");
        say(api, serial, "compare", &[]).await;
        written(api, serial, times).await;
        eventually("it is called as it should be", || async {
            (known(api, serial, IDENTITY).await == name).then_some(())
        })
        .await;
    }
    let events = api.get(&format!("{}/events?limit=1000", device_path(serial))).await;
    let events = events["items"].as_array().unwrap();
    let sets = jobs(api, serial, "set").await;
    let first = &sets.last().unwrap()["job_id"];
    // The newest come first.
    let drifted = events.iter().rposition(|event| event["kind"] == "drifted").unwrap();
    let ordered = events.iter().rposition(|event| event["job_id"] == *first).unwrap();
    assert!(drifted > ordered, "{events:?}");
    let told = &events[drifted]["detail"]["differences"][0];
    assert_eq!((&told["name"], &told["seen"]), (&json!(IDENTITY), &json!("by hand")));

    lab.fleet.handle().change(0, IDENTITY, "by hand");
    say(api, serial, "compare", &[]).await;
    let desired = in_state(api, serial, "drifted").await;
    let words = desired["differences"][0]["words"].as_str().unwrap();
    assert!(words.contains("undone it 3 times"), "{words}");
    assert!(!desired["due_at"].is_null(), "it is tried again");
    assert_eq!(jobs(api, serial, "set").await.len(), 3);

    say(api, serial, "reapply", &[]).await;
    written(api, serial, 4).await;
    in_state(api, serial, "in_sync").await;
    assert_eq!(known(api, serial, IDENTITY).await, name);
}

#[tokio::test]
async fn what_is_only_told_is_sent_to_nobody_and_is_ignored_or_accepted() {
    let lab = Lab::start().await;
    let (api, serial) = (&lab.api, lab.serial.as_str());
    let has = known(api, serial, IDENTITY).await;
    let wanted_values = json!({ CODE: { "value": "gold" }, IDENTITY: { "value": "another" } });
    let body =
        json!({ "name": "watch", "enforce": false, "desired": { "parameters": wanted_values } });
    let made = api.make_at("/api/v1/profiles", body).await;
    bind(api, &made, json!({ "fleet": true })).await;
    let desired = in_state(api, serial, "drifted").await;
    let differences = desired["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 2, "{desired}");
    for difference in differences {
        assert_eq!(difference["mended"], false);
        assert!(difference["words"].as_str().unwrap().contains("only reported"), "{difference}");
    }
    let drift = api.get(&format!("/api/v1/drift?name={CODE}")).await;
    assert_eq!(drift["items"][0]["serial"], serial);
    let none = api.get("/api/v1/drift?name=template").await;
    assert_eq!(none["items"], json!([]));
    assert_eq!(api.get("/api/v1/drift/count").await["states"]["drifted"], 1);
    assert_eq!(api.refused("GET", "/api/v1/drift?state=in_sync", None).await.0, 422);

    say(api, serial, "ignore", &[CODE]).await;
    let desired =
        once(api, serial, "one is ignored", |d| d["differences"].as_array().unwrap().len() == 1)
            .await;
    assert_eq!(desired["wants"]["ignored"], json!([CODE]));
    assert_eq!(desired["differences"][0]["name"], IDENTITY);
    let accept = format!("{}/accept", desired_path(serial));
    let (status, _, why) = api.refused("POST", &accept, Some(json!({ "names": [CODE] }))).await;
    assert!(status == 409 && why.contains("does not differ"), "{why}");
    say(api, serial, "accept", &[IDENTITY]).await;
    let desired = in_state(api, serial, "in_sync").await;
    assert_eq!(wanted(&desired, IDENTITY), (has, "device".to_owned()));
    assert!(jobs(api, serial, "set").await.is_empty());

    let heed = json!({ "ignored": [], "overrides": { IDENTITY: null } });
    api.send("PATCH", &desired_path(serial), heed).await;
    in_state(api, serial, "drifted").await;
    api.send("PATCH", &made, json!({ "enforce": true })).await;
    written(api, serial, 1).await;
    assert_eq!(lab.value(CODE).await, "gold");
    assert_eq!(lab.value(IDENTITY).await, "another");
}

#[tokio::test]
async fn secrets_are_set_and_shown_to_nobody() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let fleet = Fleet::start(&muster, 8, |_| {}).await;
    let mut with_wifi = None;
    for index in 0..8 {
        let serial = fleet.serial(index);
        api.ready(&serial).await;
        if !api.known(&serial, PASSPHRASE).await.is_empty() {
            with_wifi = Some(serial);
            break;
        }
    }
    let serial = with_wifi.expect("some of the fleet have Wi-Fi");
    let body = json!({ "name": "secret", "desired": {
        "parameters": { PASSPHRASE: { "value": "hunter2-passphrase" } },
        "variables": { "pppoe_password": "hunter2-variable" },
    } });
    let made = api.make_at("/api/v1/profiles", body).await;
    let view = api.get(&made).await;
    assert_eq!(view["desired"]["parameters"][PASSPHRASE]["value"], "********");
    assert_eq!(view["desired"]["variables"]["pppoe_password"], "********");
    let own = json!({ "profile": "secret", "variables": { "own_password": "hunter2-own" } });
    let desired = api.send("PATCH", &desired_path(&serial), own).await;
    assert_eq!(desired["wants"]["variables"]["own_password"], "********");
    written(&api, &serial, 1).await;
    in_state(&api, &serial, "in_sync").await;
    assert_eq!(api.get(&format!("{made}/impact")).await["themselves"], 1);
    // What comes back masked changes nothing: not for the profile, not for the device.
    let back = json!({ "desired": view["desired"], "description": "masked" });
    api.send("PATCH", &made, back).await;
    api.send(
        "PATCH",
        &desired_path(&serial),
        json!({ "variables": desired["wants"]["variables"] }),
    )
    .await;
    say(&api, &serial, "compare", &[]).await;
    in_state(&api, &serial, "in_sync").await;
    let reveal = format!("{}/reveal", device_path(&serial));
    let told = api.send("POST", &reveal, json!({ "name": PASSPHRASE })).await;
    assert_eq!(told["value"], "hunter2-passphrase", "the device took it");

    let mut shown = String::new();
    for path in [
        made.clone(),
        "/api/v1/profiles".to_owned(),
        desired_path(&serial),
        format!("{}/events?limit=1000", device_path(&serial)),
        "/api/v1/jobs?limit=1000".to_owned(),
        "/api/v1/audit?limit=1000".to_owned(),
        "/api/v1/drift".to_owned(),
    ] {
        shown.push_str(&api.get(&path).await.to_string());
    }
    assert!(!shown.contains("hunter2"), "a secret is shown");
    assert!(!muster.whole_database().await.contains("hunter2"), "a secret is stored in clear");
    assert!(!muster.log().contains("hunter2"), "a secret is logged");
    assert_eq!(jobs(&api, &serial, "set").await.len(), 1);
}

#[tokio::test]
async fn what_is_in_use_stays() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(muster.cwmp, &inform("U1", &["2 PERIODIC"])).await;
    let site = api.make_at("/api/v1/sites", json!({ "path": "eu" })).await;
    let group = api.make_at("/api/v1/groups", json!({ "name": "vip" })).await;
    let made = profile(&api, "home", &[(CODE, "gold")]).await;
    let taken = Some(json!({ "name": "home" }));
    assert_eq!(api.refused("POST", "/api/v1/profiles", taken).await.0, 409);
    for (thing, place, query) in [
        (&site, json!({ "site": "eu" }), "site=eu"),
        (&group, json!({ "group": "vip" }), "group=vip"),
    ] {
        bind(&api, &made, place).await;
        let (status, _, why) = api.refused("DELETE", thing, None).await;
        assert!(status == 409 && why.contains("`home`"), "{why}");
        let (status, _, why) = api.refused("DELETE", &made, None).await;
        assert!(status == 409 && why.contains("1 binding"), "{why}");
        let unbind = format!("{made}/bindings?{query}");
        assert_eq!(api.call("DELETE", &unbind, None).await.0, 204);
        assert_eq!(api.call("DELETE", thing, None).await.0, 204);
    }
    api.send("PATCH", &desired_path("U1"), json!({ "profile": "home" })).await;
    let (status, _, why) = api.refused("DELETE", &made, None).await;
    assert!(status == 409 && why.contains("1 device"), "{why}");
    api.send("PATCH", &desired_path("U1"), json!({ "profile": null })).await;
    assert_eq!(api.call("DELETE", &made, None).await.0, 204);
    assert_eq!(api.refused("GET", &made, None).await.0, 404);
    let template = json!({ "name": "x", "desired": {
        "template": { "template_id": "0193f6a1-0000-7000-8000-000000000002" } } });
    let (status, _, why) = api.refused("POST", "/api/v1/profiles", Some(template)).await;
    assert!(status == 422 && why.contains("no template"), "{why}");
}

#[tokio::test]
async fn of_two_who_say_its_variables_at_once_the_second_is_told_to_look_again() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(muster.cwmp, &inform("V1", &["2 PERIODIC"])).await;
    let device = api.get(&device_path("V1")).await;
    let page = format!("/devices/{}/desired", device["device_id"].as_str().unwrap());
    let form = format!("{page}/variables");
    let mut ann = Session::opened(&muster, ADMIN).await;
    let mut ben = ann.copy();
    let seen = ann.get(&page).await.input("seen");
    assert_eq!(ben.get(&page).await.input("seen"), seen);
    let first = [("seen", seen.as_str()), ("others", r#"{ "dns": "192.0.2.1" }"#)];
    let first = ann.post(&form, &first).await;
    assert_eq!(first.status, 303, "{first:?}");
    let second = [("seen", seen.as_str()), ("others", r#"{ "attic_vlan": 7 }"#)];
    let second = ben.post(&form, &second).await;
    assert_eq!(second.status, 422, "{second:?}");
    assert!(second.body.contains("changed it meanwhile"), "{}", second.body);
    assert!(second.body.contains("attic_vlan"), "what was typed stays: {}", second.body);
    let wants = api.get(&desired_path("V1")).await["wants"].clone();
    assert_eq!(wants["variables"], json!({ "dns": "192.0.2.1" }));
    // Who has looked again is heard.
    let seen = ben.get(&page).await.input("seen");
    let third = [("seen", seen.as_str()), ("others", "")];
    assert_eq!(ben.post(&form, &third).await.status, 303);
    assert_eq!(api.get(&desired_path("V1")).await["wants"]["variables"], json!({}));
}
