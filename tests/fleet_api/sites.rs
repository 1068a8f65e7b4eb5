//! Sites: a tree that moves whole, what becomes of their contents, and edits that name a version.

use serde_json::{Value, json};

use super::{fleet, found};
use crate::harness::kit::{device_path, texts};

#[tokio::test]
async fn sites_are_a_tree_that_moves_whole() {
    let (_muster, api) = fleet(&[("S1", "7.16.1"), ("S2", "7.16.1")]).await;
    let made = api.make_sites(&["eu", "eu.lv", "eu.lv.riga", "eu.ee", "zz"]).await;
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
        let (got, place, detail) = api.refused("POST", "/api/v1/sites", Some(body)).await;
        assert_eq!((got, place.as_str()), (status, pointer), "{detail}");
    }

    let first = api.get("/api/v1/sites?limit=3").await;
    assert_eq!(texts(&first, "path"), ["eu", "eu.ee", "eu.lv"], "parents first");
    let last = api.get("/api/v1/sites?limit=3&after=eu.lv").await;
    assert_eq!(texts(&last, "path"), ["eu.lv.riga", "zz"]);
    assert_eq!(last["next"], Value::Null);
    let under = api.get("/api/v1/sites?under=eu.lv").await;
    assert_eq!(texts(&under, "path"), ["eu.lv", "eu.lv.riga"]);
    assert_eq!(api.refused("GET", "/api/v1/sites?under=eu.*", None).await.0, 422);

    api.send("PATCH", &device_path("S1"), json!({ "site": "eu.lv.riga" })).await;
    api.send("PATCH", &device_path("S2"), json!({ "site": "eu.ee" })).await;
    for (path, status) in [("eu.lv.riga.lv", 422), ("xx.lv", 422), ("eu.ee", 409)] {
        let body = Some(json!({ "path": path }));
        assert_eq!(api.refused("PATCH", &made[1], body).await.0, status, "{path}");
    }
    let moved = api.send("PATCH", &made[1], json!({ "path": "zz.latvia" })).await;
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
    let made = api.make_sites(&["a", "a.b", "a.b.b", "a.b.b.b", "a.c", "a.b.c", "x"]).await;
    api.send("PATCH", &device_path("D1"), json!({ "site": "a.b" })).await;
    api.send("PATCH", &device_path("D2"), json!({ "site": "a.b.b.b" })).await;

    let (status, _, why) = api.refused("DELETE", &made[1], None).await;
    assert!(status == 409 && why.contains("sites and devices"), "{why}");
    let (status, _, why) = api.refused("DELETE", &made[3], None).await;
    assert!(status == 409 && why.contains("devices"), "{why}");
    for (to, status) in [("a.b.b", 422), ("nowhere", 422), ("a..b", 422), ("a", 409)] {
        let path = format!("{}?move_to={to}", made[1]);
        assert_eq!(api.refused("DELETE", &path, None).await.0, status, "{to}");
    }
    // What is in the way (a.b.c would become a.c) is empty: it goes without more.
    assert_eq!(api.call("DELETE", &made[4], None).await.0, 204);
    assert_eq!(api.call("DELETE", &format!("{}?move_to=a", made[1]), None).await.0, 204);
    let all = api.get("/api/v1/sites").await;
    assert_eq!(texts(&all, "path"), ["a", "a.b", "a.b.b", "a.c", "x"], "each one up");
    assert_eq!(api.get(&device_path("D1")).await["site"], "a");
    assert_eq!(api.get(&device_path("D2")).await["site"], "a.b.b");
    assert_eq!(api.refused("GET", &made[1], None).await.0, 404);
    assert_eq!(api.call("DELETE", &made[6], None).await.0, 204);
}

#[tokio::test]
async fn an_edit_is_for_the_version_that_it_names_and_null_takes_back() {
    let (_muster, api) = fleet(&[]).await;
    let body = json!({ "path": "eu", "name": "Europe", "time_zone": "Europe/Riga",
                       "variables": { "ntp": "10.0.0.1", "dns": { "a": 1, "b": 2 } } });
    let site = api.make_at("/api/v1/sites", body).await;
    let group = api.make_at("/api/v1/groups", json!({ "name": "g", "description": "d" })).await;
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
    let changed = api.send("PATCH", &site, body).await;
    assert_eq!((&changed["name"], &changed["time_zone"]), (&json!("eu"), &json!("UTC")));
    assert_eq!(changed["variables"], json!({ "dns": { "a": 1 }, "vlan": 20 }));
    assert_eq!(
        api.send("PATCH", &site, json!({ "variables": null })).await["variables"],
        json!({})
    );
    assert_eq!(api.send("PATCH", &group, json!({ "description": null })).await["description"], "");
    let (status, place, _) = api.refused("PATCH", &site, Some(json!({ "path": null }))).await;
    assert_eq!((status, place.as_str()), (422, "/path"));
    assert_eq!(api.refused("PATCH", &site, Some(json!(["name"]))).await.0, 422);
}
