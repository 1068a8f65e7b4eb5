//! Devices: placed and tagged, put into groups, and found by selectors.

use serde_json::{Value, json};

use super::{fleet, found};
use crate::harness::kit::{device_path, texts};

#[tokio::test]
async fn a_device_is_placed_and_tagged() {
    let (_muster, api) = fleet(&[("T1", "7.16.1")]).await;
    api.make_sites(&["eu"]).await;
    let path = device_path("T1");
    assert_eq!(api.get(&path).await["tags"], json!([]));
    let body = json!({ "site": "eu", "tags": ["pilot", "ap-5.2", "pilot"] });
    let device = api.send("PATCH", &path, body).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["ap-5.2", "pilot"])));
    let device = api.send("PATCH", &path, json!({ "tags": ["spare"] })).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["spare"])));
    // What changes nothing is no event.
    api.send("PATCH", &path, json!({ "tags": ["spare"] })).await;
    let device = api.send("PATCH", &path, json!({ "site": null, "tags": null })).await;
    assert_eq!((&device["site"], &device["tags"]), (&Value::Null, &json!([])));
    let changes = api.get(&format!("{path}/events?limit=100")).await;
    let changes = texts(&changes, "kind").into_iter().filter(|kind| kind == "device.changed");
    assert_eq!(changes.count(), 3);
    let newest = api.get(&format!("{path}/events?limit=1")).await;
    let detail = &newest["items"][0]["detail"];
    assert_eq!(detail["before"], json!({ "site": "eu", "tags": ["spare"] }), "{detail}");
    assert_eq!(detail["after"], json!({ "site": null, "tags": [] }), "{detail}");

    for (body, pointer) in [
        (json!({ "site": "eu.lv" }), "/site"),
        (json!({ "site": "e-u" }), "/site"),
        (json!({ "tags": ["ok", "not ok"] }), "/tags/1"),
        (json!({ "tags": "pilot" }), "/tags"),
        (json!({ "serial": "X" }), "/serial"),
    ] {
        let (status, place, _) = api.refused("PATCH", &path, Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer));
    }
    let nobody = device_path("T2");
    assert_eq!(api.refused("PATCH", &nobody, Some(json!({ "tags": [] }))).await.0, 404);
}

#[tokio::test]
async fn a_group_is_a_list_or_a_selector() {
    let devices = [("G1", "6.49.10"), ("G2", "7.16.1"), ("G3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    let list = api.make_at("/api/v1/groups", json!({ "name": "first wave" })).await;
    for serial in ["G1", "G2", "G2"] {
        let member = format!("{list}/devices/serial:{serial}");
        assert_eq!(api.call("PUT", &member, None).await.0, 204);
    }
    let selector = json!({ "name": "rest", "selector": "not group = 'first wave'" });
    let rest = api.make_at("/api/v1/groups", selector).await;
    assert_eq!(texts(&api.get("/api/v1/groups").await, "name"), ["first wave", "rest"]);
    assert_eq!(texts(&api.get(&format!("{rest}/devices")).await, "serial"), ["G3"]);
    assert_eq!(found(&api, "group = \"first wave\" and version > 7").await, ["G2"]);
    assert_eq!(found(&api, "group in (\"first wave\", rest)").await, ["G1", "G2", "G3"]);

    let page = api.get(&format!("{list}/devices?limit=1")).await;
    let next = page["next"].as_str().unwrap();
    let last = api.get(&format!("{list}/devices?limit=1&after={next}")).await;
    assert_eq!(last["next"], Value::Null);
    let mut both = [texts(&page, "serial"), texts(&last, "serial")].concat();
    both.sort();
    assert_eq!(both, ["G1", "G2"]);

    let member = |group: &str, serial: &str| format!("{group}/devices/serial:{serial}");
    assert_eq!(api.refused("PUT", &member(&rest, "G1"), None).await.0, 409);
    assert_eq!(api.refused("PUT", &member(&list, "G9"), None).await.0, 404);
    for _ in 0..2 {
        assert_eq!(api.call("DELETE", &member(&list, "G1"), None).await.0, 204);
    }
    assert_eq!(found(&api, "group = rest").await, ["G1", "G3"]);
    assert_eq!(api.call("DELETE", &device_path("G2"), None).await.0, 204);
    assert_eq!(texts(&api.get(&format!("{list}/devices")).await, "serial"), [""; 0]);

    let (a_list, a_rest) = (list.as_str(), rest.as_str());
    for (method, path, body, status, pointer) in [
        ("POST", "/api/v1/groups", Some(json!({ "name": "rest" })), 409, ""),
        ("POST", "/api/v1/groups", Some(json!({})), 422, "/name"),
        ("POST", "/api/v1/groups", Some(json!({ "name": "x", "selector": "" })), 422, "/selector"),
        ("PATCH", a_rest, Some(json!({ "selector": "group = rest" })), 422, "/selector"),
        ("PATCH", a_rest, Some(json!({ "selector": "group = gone" })), 422, "/selector"),
        ("PATCH", a_rest, Some(json!({ "selector": null })), 422, "/selector"),
        ("PATCH", a_list, Some(json!({ "name": "second wave" })), 409, ""),
        ("DELETE", a_list, None, 409, ""),
    ] {
        let (got, place, why) = api.refused(method, path, body).await;
        assert_eq!((got, place.as_str()), (status, pointer), "{method} {path}: {why}");
    }
    api.send("PATCH", &rest, json!({ "selector": "version < 7" })).await;
    assert_eq!(found(&api, "group = rest").await, ["G1"]);
    for path in [&list, &rest] {
        assert_eq!(api.call("DELETE", path, None).await.0, 204);
        assert_eq!(api.refused("GET", path, None).await.0, 404);
    }
}

#[tokio::test]
async fn a_selector_narrows_the_list_and_its_mistakes_are_shown() {
    let devices = [("Q1", "6.49.10"), ("Q2", "7.9"), ("Q3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    assert_eq!(found(&api, "version < 7.16").await, ["Q1", "Q2"]);
    assert_eq!(found(&api, "version < 7.16 and serial ~ 'q2'").await, ["Q2"]);
    assert_eq!(found(&api, "not online").await, [""; 0]);
    for (query, count) in [("", 3), ("?q=version%3C7.16", 2)] {
        assert_eq!(api.get(&format!("/api/v1/devices/count{query}")).await["count"], count);
    }
    let page = api.get("/api/v1/devices?q=online&limit=2").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let last = api.get(&format!("/api/v1/devices?q=online&limit=2&after={next}")).await;
    assert_eq!((last["items"].as_array().unwrap().len(), &last["next"]), (1, &Value::Null));

    for path in ["/api/v1/devices", "/api/v1/devices/count"] {
        let wrong = format!("{path}?q=online%20and%20modle%20=%20x");
        let (status, pointer, detail) = api.refused("GET", &wrong, None).await;
        assert_eq!((status, pointer.as_str()), (422, "/q"));
        let lines: Vec<&str> = detail.lines().collect();
        assert_eq!(lines[1], "  online and modle = x");
        assert_eq!(lines[2], "             ^^^^^", "{detail}");
        assert!(detail.contains("`model`"), "{detail}");
    }
    for other in ["serial=Q1", "product_class=x", "software_version=7.9", "online=true"] {
        let both = format!("/api/v1/devices?q=online&{other}");
        let (status, pointer, detail) = api.refused("GET", &both, None).await;
        assert_eq!((status, pointer.as_str()), (422, "/q"));
        assert!(detail.contains("alone"), "{detail}");
    }
}
