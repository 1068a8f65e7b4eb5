//! One job, and one change, on many devices: on those that were seen, and on no others.

use serde_json::{Value, json};

use super::fleet;
use crate::harness::kit::{device_path, texts};
use crate::harness::session::{ADMIN, Session};

#[tokio::test]
async fn a_bulk_job_reaches_exactly_those_that_were_seen() {
    let devices = [("B1", "6.49.10"), ("B2", "6.49.10"), ("B3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    let body = |expected: u64| {
        json!({ "selector": "version < 7", "expected": expected, "wake": false,
                "job": { "kind": "reboot", "idempotency_key": "m-17" } })
    };
    let bulk = "/api/v1/jobs/bulk";
    for wrong in [1, 3] {
        let (status, _, why) = api.refused("POST", bulk, Some(body(wrong))).await;
        assert_eq!(status, 409);
        assert!(why.contains(&format!("2 devices match, not {wrong}")), "{why}");
    }
    let none = api.get("/api/v1/jobs?kind=reboot").await;
    assert_eq!(none["items"], json!([]), "nothing was done");

    let answer = api.call("POST", bulk, Some(body(2))).await;
    assert_eq!(answer, (200, json!({ "created": 2, "skipped": 0 })));
    let answer = api.call("POST", bulk, Some(body(2))).await;
    assert_eq!(answer, (200, json!({ "created": 0, "skipped": 2 })), "they have it");
    for (serial, jobs) in [("B1", 1), ("B2", 1), ("B3", 0)] {
        let list = api.get(&format!("/api/v1/jobs?kind=reboot&device_id=serial:{serial}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), jobs, "{serial}");
        if jobs > 0 {
            assert_eq!(list["items"][0]["created_by"], "test");
            assert_eq!(list["items"][0]["state"], "queued");
        }
    }

    let reboot = json!({ "kind": "reboot" });
    for (selector, job, expected, pointer) in [
        ("online", reboot.clone(), json!(0), "/expected"),
        ("online", reboot.clone(), json!(10_001), "/expected"),
        ("online", reboot.clone(), json!("3"), "/expected"),
        ("onlien", reboot.clone(), json!(3), "/selector"),
        ("online", json!({ "kind": "get", "names": [] }), json!(3), "/job/names"),
        ("online", json!({ "kind": "reboot", "wake": true }), json!(3), "/job/wake"),
        ("online", json!({ "kind": "reboot", "wait": 1 }), json!(3), "/job/wait"),
    ] {
        let body = json!({ "selector": selector, "job": job, "expected": expected });
        let (status, place, why) = api.refused("POST", bulk, Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer), "{why}");
    }
}

#[tokio::test]
async fn a_change_reaches_exactly_those_that_were_seen() {
    let devices = [("M1", "6.49.10"), ("M2", "6.49.10"), ("M3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    api.make_sites(&["eu", "eu.lv"]).await;
    let group = api.make_at("/api/v1/groups", json!({ "name": "old" })).await;
    let group_id = group.rsplit('/').next().unwrap();
    let path = "/api/v1/devices/bulk";
    let tag = json!({ "kind": "add_tags", "tags": ["pilot", "x"] });
    let body = |change: &Value, expected: u64| {
        json!({ "selector": "version < 7", "expected": expected,
                "change": change })
    };
    for wrong in [1, 3] {
        let (status, _, why) = api.refused("POST", path, Some(body(&tag, wrong))).await;
        assert_eq!(status, 409);
        assert!(why.contains(&format!("2 devices match, not {wrong}")), "{why}");
    }
    assert_eq!(api.get(&device_path("M1")).await["tags"], json!([]), "nothing was done");

    let done = |changed: u64| {
        let unchanged = 2 - changed;
        (200, json!({ "changed": changed, "unchanged": unchanged, "skipped": 0, "reasons": [] }))
    };
    assert_eq!(api.call("POST", path, Some(body(&tag, 2))).await, done(2));
    for change in [
        json!({ "kind": "remove_tags", "tags": ["x", "y"] }),
        json!({ "kind": "move", "site": "eu.lv" }),
        json!({ "kind": "add_to_group", "group_id": group_id }),
    ] {
        assert_eq!(api.call("POST", path, Some(body(&change, 2))).await, done(2), "{change}");
        let again = api.call("POST", path, Some(body(&change, 2))).await;
        assert_eq!(again, done(0), "{change}: they are so already");
    }
    let (changed, other) = (api.get(&device_path("M1")).await, api.get(&device_path("M3")).await);
    assert_eq!((&changed["tags"], &changed["site"]), (&json!(["pilot"]), &json!("eu.lv")));
    assert_eq!((&other["tags"], &other["site"]), (&json!([]), &Value::Null));
    let members = format!("{group}/devices");
    assert_eq!(texts(&api.get(&members).await, "serial").len(), 2);
    assert!(api.events("M1").await.contains(&"device.changed".to_owned()));

    for change in [
        json!({ "kind": "move_out" }),
        json!({ "kind": "remove_from_group", "group_id": group_id }),
    ] {
        assert_eq!(api.call("POST", path, Some(body(&change, 2))).await, done(2), "{change}");
    }
    assert_eq!(api.get(&device_path("M2")).await["site"], Value::Null);
    assert_eq!(api.get(&members).await["items"], json!([]));

    let log = api.get("/api/v1/audit?action=device.bulk").await;
    let entries = log["items"].as_array().unwrap();
    let first = &entries[entries.len() - 1];
    assert_eq!(first["action"], "device.bulk");
    let order = json!({ "selector": "version < 7", "device_ids": null, "devices": 2,
                        "change": tag });
    assert_eq!(first["after"], order);
    let end = &entries[entries.len() - 2];
    assert_eq!((&end["action"], &end["after"]["changed"]), (&json!("device.bulk_end"), &json!(2)));
}

#[tokio::test]
async fn devices_that_were_chosen_are_changed_and_given_jobs() {
    let (_muster, api) = fleet(&[("N1", "7.16.1"), ("N2", "7.16.1"), ("N3", "7.16.1")]).await;
    let mut ids = Vec::new();
    for serial in ["N1", "N2"] {
        ids.push(api.get(&device_path(serial)).await["device_id"].clone());
    }
    let unknown = json!("0193f6a1-0000-7000-8000-00000000dead");
    ids.push(unknown.clone());
    let tag = json!({ "kind": "add_tags", "tags": ["picked"] });
    let body = json!({ "device_ids": ids, "expected": 3, "change": tag });
    let (status, done) = api.call("POST", "/api/v1/devices/bulk", Some(body)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!((&done["changed"], &done["skipped"]), (&json!(2), &json!(1)));
    assert_eq!(done["reasons"][0]["device_id"], unknown);
    assert!(done["reasons"][0]["why"].as_str().unwrap().starts_with("no device"), "{done}");
    assert_eq!(api.get(&device_path("N3")).await["tags"], json!([]));

    let reboot = json!({ "kind": "reboot" });
    let body = |expected: u64| {
        json!({ "device_ids": ids, "expected": expected, "wake": false,
                "job": reboot })
    };
    let bulk = "/api/v1/jobs/bulk";
    let (status, _, why) = api.refused("POST", bulk, Some(body(2))).await;
    assert_eq!((status, why.as_str()), (409, "3 devices were chosen, not 2: nothing was done"));
    let made = api.call("POST", bulk, Some(body(3))).await;
    assert_eq!(made, (200, json!({ "created": 2, "skipped": 1 })));
}

#[tokio::test]
async fn a_change_that_cannot_be_made_is_pointed_at() {
    let (_muster, api) = fleet(&[("P1", "7.16.1")]).await;
    let found = api.make_at("/api/v1/groups", json!({ "name": "g", "selector": "online" })).await;
    let found = found.rsplit('/').next().unwrap();
    let nobody = "0193f6a1-0000-7000-8000-00000000dead";
    for (change, pointer) in [
        (json!({ "kind": "add_tags", "tags": [] }), "/change/tags"),
        (json!({ "kind": "remove_tags", "tags": ["ok", "a b"] }), "/change/tags/1"),
        (json!({ "kind": "move", "site": "gone" }), "/change/site"),
        (json!({ "kind": "move", "site": "a b" }), "/change/site"),
        (json!({ "kind": "add_to_group", "group_id": nobody }), "/change/group_id"),
        (json!({ "kind": "add_to_group", "group_id": found }), "/change/group_id"),
    ] {
        let body = json!({ "selector": "online", "expected": 1, "change": change });
        let (status, place, why) = api.refused("POST", "/api/v1/devices/bulk", Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer), "{change}: {why}");
    }
    for change in [json!({ "kind": "move" }), json!({ "kind": "explode" }), json!("move")] {
        let body = json!({ "selector": "online", "expected": 1, "change": change });
        let (status, place, why) = api.refused("POST", "/api/v1/devices/bulk", Some(body)).await;
        assert!(status == 422 && place.starts_with("/change"), "{change}: {place}: {why}");
    }
    let tag = json!({ "kind": "add_tags", "tags": ["a"] });
    for (body, pointer) in [
        (json!({ "selector": "online", "expected": 0, "change": tag }), "/expected"),
        (json!({ "selector": "onlien", "expected": 1, "change": tag }), "/selector"),
        (json!({ "device_ids": [], "expected": 1, "change": tag }), "/device_ids"),
        (json!({ "device_ids": ["x"], "expected": 1, "change": tag }), "/device_ids/0"),
        (
            json!({ "selector": "online", "device_ids": [nobody], "expected": 1, "change": tag }),
            "/device_ids",
        ),
        (json!({ "expected": 1, "change": tag }), ""),
    ] {
        let sent = Some(body.clone());
        let (status, place, why) = api.refused("POST", "/api/v1/devices/bulk", sent).await;
        assert_eq!((status, place.as_str()), (422, pointer), "{body}: {why}");
    }
    assert_eq!(api.get(&device_path("P1")).await["tags"], json!([]));
}

#[tokio::test]
async fn the_dashboard_sends_scripts_and_tests_to_many() {
    let (muster, api) = fleet(&[("S1", "7.16.1"), ("S2", "7.16.1")]).await;
    let script = api.store("change.rsc", b"/system identity print").await;
    let manifest = api.store("upgrade.xml", b"<upgrade/>").await;
    let mut person = Session::opened(&muster, ADMIN).await;
    let all = |action: &'static str| [("all", "yes"), ("q", "online"), ("action", action)];
    let asked = person.post("/devices/bulk/confirm", &all("script")).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(asked.body.contains("Run a script: 2 devices"), "{}", asked.body);
    assert!(asked.body.contains("change.rsc") && !asked.body.contains("upgrade.xml"));
    let first = asked.input("key");
    let seen = [("expected", "2"), ("key", first.as_str())];
    let asked = person.post("/devices/bulk/confirm", &all("ping")).await;
    let second = asked.input("key");
    let seen_again = [("expected", "2"), ("key", second.as_str())];

    let not_one = [&all("script")[..], &seen, &[("artifact_id", manifest.as_str())]].concat();
    let refused = person.post("/devices/bulk", &not_one).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("upgrade.xml is no script"), "{}", refused.body);
    let none = [&all("ping")[..], &seen_again].concat();
    let refused = person.post("/devices/bulk", &none).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("id=\"ping_host-error\""), "{}", refused.body);
    let jobs = api.get("/api/v1/jobs").await;
    assert!(!texts(&jobs, "kind").iter().any(|kind| kind == "download" || kind == "diagnose"));

    let run = [&all("script")[..], &seen, &[("artifact_id", script.as_str())]].concat();
    let ping = [&all("ping")[..], &seen_again, &[("ping_host", "192.0.2.1")]].concat();
    for (form, kind) in [(run, "download"), (ping, "diagnose")] {
        let done = person.post("/devices/bulk", &form).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert!(done.body.contains("jobs made"), "{}", done.body);
        let jobs = api.get(&format!("/api/v1/jobs?kind={kind}")).await;
        assert_eq!(jobs["items"].as_array().unwrap().len(), 2, "{kind}");
    }
    let jobs = api.get("/api/v1/jobs?kind=download").await;
    assert_eq!(jobs["items"][0]["args"]["file"]["type"], "alter");
}
