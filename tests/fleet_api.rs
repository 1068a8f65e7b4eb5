//! The fleet in order: sites, tags, groups, selectors, and one job on many devices.

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::harness::cpe::{Cpe, inform_with};
use crate::harness::kit::{Api, device_path};
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster};

/// A server that knows these devices, each with its software version.
async fn fleet(devices: &[(&str, &str)]) -> (Muster, Api) {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    for (serial, version) in devices {
        let version = ("Device.DeviceInfo.SoftwareVersion", *version);
        let message = inform_with(serial, &["2 PERIODIC"], &[version]);
        let reply = Cpe::connect(muster.cwmp).await.post(&message).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    (muster, api)
}

/// Makes a thing; gives where it is.
async fn make(api: &Api, path: &str, body: Value) -> String {
    let response = api.request("POST", path).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201, "{body}");
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn make_sites(api: &Api, paths: &[&str]) -> Vec<String> {
    let mut made = Vec::new();
    for path in paths {
        made.push(make(api, "/api/v1/sites", json!({ "path": path })).await);
    }
    made
}

async fn patch(api: &Api, path: &str, body: Value) -> Value {
    let (status, answer) = api.call("PATCH", path, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Sends what must be refused; gives status, pointer and words.
async fn refused(
    api: &Api,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, String, String) {
    let (status, problem) = api.call(method, path, body).await;
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    assert!(status >= 400 && problem["status"] == status, "{method} {path}: {problem}");
    (status, text("pointer"), text("detail"))
}

fn texts(page: &Value, field: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// The serial numbers that a selector finds, in order.
async fn found(api: &Api, selector: &str) -> Vec<String> {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", selector).finish();
    let mut serials = texts(&api.get(&format!("/api/v1/devices?{query}")).await, "serial");
    serials.sort();
    serials
}

#[tokio::test]
async fn sites_are_a_tree_that_moves_whole() {
    let (_muster, api) = fleet(&[("S1", "7.16.1"), ("S2", "7.16.1")]).await;
    let made = make_sites(&api, &["eu", "eu.lv", "eu.lv.riga", "eu.ee", "zz"]).await;
    let site = api.get(&made[2]).await;
    assert_eq!((&site["name"], &site["time_zone"]), (&json!("riga"), &json!("UTC")));

    for (body, status, pointer) in [
        (json!({ "path": "eu.lt.vilnius" }), 422, "/path"),
        (json!({ "path": "eu.tower-7" }), 422, "/path"),
        (json!({}), 422, "/path"),
        (json!({ "path": "a", "time_zone": "Mars/Olympus" }), 422, "/time_zone"),
        (json!({ "path": "a", "variables": [] }), 422, "/variables"),
        (json!({ "path": "a", "naem": "x" }), 422, "/naem"),
        (json!({ "path": "eu.lv" }), 409, ""),
    ] {
        let (got, place, detail) = refused(&api, "POST", "/api/v1/sites", Some(body)).await;
        assert_eq!((got, place.as_str()), (status, pointer), "{detail}");
    }

    let first = api.get("/api/v1/sites?limit=3").await;
    assert_eq!(texts(&first, "path"), ["eu", "eu.ee", "eu.lv"], "parents first");
    let last = api.get("/api/v1/sites?limit=3&after=eu.lv").await;
    assert_eq!(texts(&last, "path"), ["eu.lv.riga", "zz"]);
    assert_eq!(last["next"], Value::Null);
    let under = api.get("/api/v1/sites?under=eu.lv").await;
    assert_eq!(texts(&under, "path"), ["eu.lv", "eu.lv.riga"]);
    assert_eq!(refused(&api, "GET", "/api/v1/sites?under=eu.*", None).await.0, 422);

    patch(&api, &device_path("S1"), json!({ "site": "eu.lv.riga" })).await;
    patch(&api, &device_path("S2"), json!({ "site": "eu.ee" })).await;
    for (path, status) in [("eu.lv.riga.lv", 422), ("xx.lv", 422), ("eu.ee", 409)] {
        let body = Some(json!({ "path": path }));
        assert_eq!(refused(&api, "PATCH", &made[1], body).await.0, status, "{path}");
    }
    let moved = patch(&api, &made[1], json!({ "path": "zz.latvia" })).await;
    assert_eq!((&moved["path"], &moved["name"]), (&json!("zz.latvia"), &json!("lv")));
    let all = api.get("/api/v1/sites").await;
    assert_eq!(texts(&all, "path"), ["eu", "eu.ee", "zz", "zz.latvia", "zz.latvia.riga"]);
    assert_eq!(api.get(&device_path("S1")).await["site"], "zz.latvia.riga");
    assert_eq!(api.get(&device_path("S2")).await["site"], "eu.ee");
    assert_eq!(found(&api, "site under zz").await, ["S1"]);
    let events = api.get(&format!("{}/events?limit=1", device_path("S1"))).await;
    assert_eq!(events["items"][0]["kind"], "device.changed");
    let detail = &events["items"][0]["detail"];
    assert_eq!(detail["before"], json!({ "site": "eu.lv.riga" }), "{detail}");
    assert_eq!(detail["after"], json!({ "site": "zz.latvia.riga" }), "{detail}");
    assert_eq!(detail["by"], "test");
}

#[tokio::test]
async fn a_site_in_use_is_removed_only_if_its_contents_have_somewhere_to_go() {
    let (_muster, api) = fleet(&[("D1", "7.16.1"), ("D2", "7.16.1")]).await;
    let made = make_sites(&api, &["a", "a.b", "a.b.b", "a.b.b.b", "a.c", "a.b.c", "x"]).await;
    patch(&api, &device_path("D1"), json!({ "site": "a.b" })).await;
    patch(&api, &device_path("D2"), json!({ "site": "a.b.b.b" })).await;

    let (status, _, why) = refused(&api, "DELETE", &made[1], None).await;
    assert!(status == 409 && why.contains("sites and devices"), "{why}");
    let (status, _, why) = refused(&api, "DELETE", &made[3], None).await;
    assert!(status == 409 && why.contains("devices"), "{why}");
    for (to, status) in [("a.b.b", 422), ("nowhere", 422), ("a..b", 422), ("a", 409)] {
        let path = format!("{}?move_to={to}", made[1]);
        assert_eq!(refused(&api, "DELETE", &path, None).await.0, status, "{to}");
    }
    // What is in the way (a.b.c would become a.c) is empty: it goes without more.
    assert_eq!(api.call("DELETE", &made[4], None).await.0, 204);
    assert_eq!(api.call("DELETE", &format!("{}?move_to=a", made[1]), None).await.0, 204);
    let all = api.get("/api/v1/sites").await;
    assert_eq!(texts(&all, "path"), ["a", "a.b", "a.b.b", "a.c", "x"], "each one up");
    assert_eq!(api.get(&device_path("D1")).await["site"], "a");
    assert_eq!(api.get(&device_path("D2")).await["site"], "a.b.b");
    assert_eq!(refused(&api, "GET", &made[1], None).await.0, 404);
    assert_eq!(api.call("DELETE", &made[6], None).await.0, 204);
}

#[tokio::test]
async fn an_edit_is_for_the_version_that_it_names_and_null_takes_back() {
    let (_muster, api) = fleet(&[]).await;
    let body = json!({ "path": "eu", "name": "Europe", "time_zone": "Europe/Riga",
                       "variables": { "ntp": "10.0.0.1", "dns": { "a": 1, "b": 2 } } });
    let site = make(&api, "/api/v1/sites", body).await;
    let group = make(&api, "/api/v1/groups", json!({ "name": "g", "description": "d" })).await;
    for path in [&site, &group] {
        let response = api.request("GET", path).send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let edit = |method: &str, tag: &str| {
            let request = api.request(method, path).header("if-match", tag);
            request.header("content-type", "application/merge-patch+json").body(r#"{"name":"n"}"#)
        };
        let first = edit("PATCH", &tag).send().await.unwrap();
        assert_eq!(first.status(), 200);
        assert_ne!(first.headers()["etag"], tag.as_str());
        for method in ["PATCH", "DELETE"] {
            let late = edit(method, &tag).send().await.unwrap();
            assert_eq!(late.status(), 412, "{method} {path}");
            assert_eq!(late.headers()["content-type"], "application/problem+json");
        }
        assert_eq!(edit("PATCH", "*").send().await.unwrap().status(), 200);
    }
    let body = json!({ "name": null, "time_zone": null,
                       "variables": { "ntp": null, "dns": { "b": null }, "vlan": 20 } });
    let changed = patch(&api, &site, body).await;
    assert_eq!((&changed["name"], &changed["time_zone"]), (&json!("eu"), &json!("UTC")));
    assert_eq!(changed["variables"], json!({ "dns": { "a": 1 }, "vlan": 20 }));
    assert_eq!(patch(&api, &site, json!({ "variables": null })).await["variables"], json!({}));
    assert_eq!(patch(&api, &group, json!({ "description": null })).await["description"], "");
    let (status, place, _) = refused(&api, "PATCH", &site, Some(json!({ "path": null }))).await;
    assert_eq!((status, place.as_str()), (422, "/path"));
    assert_eq!(refused(&api, "PATCH", &site, Some(json!(["name"]))).await.0, 422);
}

#[tokio::test]
async fn a_device_is_placed_and_tagged() {
    let (_muster, api) = fleet(&[("T1", "7.16.1")]).await;
    make_sites(&api, &["eu"]).await;
    let path = device_path("T1");
    assert_eq!(api.get(&path).await["tags"], json!([]));
    let body = json!({ "site": "eu", "tags": ["pilot", "ap-5.2", "pilot"] });
    let device = patch(&api, &path, body).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["ap-5.2", "pilot"])));
    let device = patch(&api, &path, json!({ "tags": ["spare"] })).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["spare"])));
    // What changes nothing is no event.
    patch(&api, &path, json!({ "tags": ["spare"] })).await;
    let device = patch(&api, &path, json!({ "site": null, "tags": null })).await;
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
        let (status, place, _) = refused(&api, "PATCH", &path, Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer));
    }
    let nobody = device_path("T2");
    assert_eq!(refused(&api, "PATCH", &nobody, Some(json!({ "tags": [] }))).await.0, 404);
}

#[tokio::test]
async fn a_group_is_a_list_or_a_selector() {
    let devices = [("G1", "6.49.10"), ("G2", "7.16.1"), ("G3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    let list = make(&api, "/api/v1/groups", json!({ "name": "first wave" })).await;
    for serial in ["G1", "G2", "G2"] {
        let member = format!("{list}/devices/serial:{serial}");
        assert_eq!(api.call("PUT", &member, None).await.0, 204);
    }
    let selector = json!({ "name": "rest", "selector": "not group = 'first wave'" });
    let rest = make(&api, "/api/v1/groups", selector).await;
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
    assert_eq!(refused(&api, "PUT", &member(&rest, "G1"), None).await.0, 409);
    assert_eq!(refused(&api, "PUT", &member(&list, "G9"), None).await.0, 404);
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
        let (got, place, why) = refused(&api, method, path, body).await;
        assert_eq!((got, place.as_str()), (status, pointer), "{method} {path}: {why}");
    }
    patch(&api, &rest, json!({ "selector": "version < 7" })).await;
    assert_eq!(found(&api, "group = rest").await, ["G1"]);
    for path in [&list, &rest] {
        assert_eq!(api.call("DELETE", path, None).await.0, 204);
        assert_eq!(refused(&api, "GET", path, None).await.0, 404);
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
        let (status, pointer, detail) = refused(&api, "GET", &wrong, None).await;
        assert_eq!((status, pointer.as_str()), (422, "/q"));
        let lines: Vec<&str> = detail.lines().collect();
        assert_eq!(lines[1], "  online and modle = x");
        assert_eq!(lines[2], "             ^^^^^", "{detail}");
        assert!(detail.contains("`model`"), "{detail}");
    }
    for other in ["serial=Q1", "product_class=x", "software_version=7.9", "online=true"] {
        let both = format!("/api/v1/devices?q=online&{other}");
        let (status, pointer, detail) = refused(&api, "GET", &both, None).await;
        assert_eq!((status, pointer.as_str()), (422, "/q"));
        assert!(detail.contains("alone"), "{detail}");
    }
}

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
        let (status, _, why) = refused(&api, "POST", bulk, Some(body(wrong))).await;
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
        let (status, place, why) = refused(&api, "POST", bulk, Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer), "{why}");
    }
}

#[tokio::test]
async fn a_change_reaches_exactly_those_that_were_seen() {
    let devices = [("M1", "6.49.10"), ("M2", "6.49.10"), ("M3", "7.16.1")];
    let (_muster, api) = fleet(&devices).await;
    make_sites(&api, &["eu", "eu.lv"]).await;
    let group = make(&api, "/api/v1/groups", json!({ "name": "old" })).await;
    let group_id = group.rsplit('/').next().unwrap();
    let path = "/api/v1/devices/bulk";
    let tag = json!({ "kind": "add_tags", "tags": ["pilot", "x"] });
    let body = |change: &Value, expected: u64| {
        json!({ "selector": "version < 7", "expected": expected,
                "change": change })
    };
    for wrong in [1, 3] {
        let (status, _, why) = refused(&api, "POST", path, Some(body(&tag, wrong))).await;
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
    let (status, _, why) = refused(&api, "POST", bulk, Some(body(2))).await;
    assert_eq!((status, why.as_str()), (409, "3 devices were chosen, not 2: nothing was done"));
    let made = api.call("POST", bulk, Some(body(3))).await;
    assert_eq!(made, (200, json!({ "created": 2, "skipped": 1 })));
}

#[tokio::test]
async fn a_change_that_cannot_be_made_is_pointed_at() {
    let (_muster, api) = fleet(&[("P1", "7.16.1")]).await;
    let found = make(&api, "/api/v1/groups", json!({ "name": "g", "selector": "online" })).await;
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
        let (status, place, why) = refused(&api, "POST", "/api/v1/devices/bulk", Some(body)).await;
        assert_eq!((status, place.as_str()), (422, pointer), "{change}: {why}");
    }
    for change in [json!({ "kind": "move" }), json!({ "kind": "explode" }), json!("move")] {
        let body = json!({ "selector": "online", "expected": 1, "change": change });
        let (status, place, why) = refused(&api, "POST", "/api/v1/devices/bulk", Some(body)).await;
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
        let (status, place, why) = refused(&api, "POST", "/api/v1/devices/bulk", sent).await;
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

#[tokio::test]
async fn whoever_may_only_read_changes_nothing() {
    let (_muster, api) = fleet(&[("R1", "7.16.1")]).await;
    let site = make(&api, "/api/v1/sites", json!({ "path": "eu" })).await;
    let group = make(&api, "/api/v1/groups", json!({ "name": "g" })).await;
    let token = json!({ "name": "reader", "scopes": ["read"] });
    let (status, token) = api.call("POST", "/api/v1/tokens", Some(token)).await;
    assert_eq!(status, 201);
    let reader = api.with_token(token["token"].as_str().unwrap());

    let members = format!("{group}/devices");
    let member = format!("{members}/serial:R1");
    for path in [
        "/api/v1/sites",
        "/api/v1/groups",
        &site,
        &group,
        &members,
        "/api/v1/devices?q=online",
        "/api/v1/devices/count",
    ] {
        reader.get(path).await;
    }
    let bulk = json!({ "selector": "online", "job": { "kind": "reboot" }, "expected": 1 });
    let change = json!({ "kind": "add_tags", "tags": ["x"] });
    let change = json!({ "selector": "online", "change": change, "expected": 1 });
    let device = device_path("R1");
    let (a_site, a_group, a_member) = (site.as_str(), group.as_str(), member.as_str());
    for (method, path, body) in [
        ("POST", "/api/v1/sites", Some(json!({ "path": "us" }))),
        ("PATCH", a_site, Some(json!({ "name": "x" }))),
        ("DELETE", a_site, None),
        ("POST", "/api/v1/groups", Some(json!({ "name": "h" }))),
        ("PATCH", a_group, Some(json!({ "name": "x" }))),
        ("DELETE", a_group, None),
        ("PUT", a_member, None),
        ("DELETE", a_member, None),
        ("PATCH", device.as_str(), Some(json!({ "tags": ["x"] }))),
        ("POST", "/api/v1/jobs/bulk", Some(bulk)),
        ("POST", "/api/v1/devices/bulk", Some(change)),
    ] {
        let (status, _, why) = refused(&reader, method, path, body).await;
        assert_eq!((status, why.as_str()), (403, "this needs the right `operate`"), "{path}");
    }
    assert_eq!(texts(&api.get("/api/v1/sites").await, "path"), ["eu"]);
    assert_eq!(api.get(&device).await["tags"], json!([]));
}
