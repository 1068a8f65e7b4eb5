//! Who may only read.

use serde_json::json;

use super::fleet;
use crate::harness::kit::{device_path, texts};

#[tokio::test]
async fn whoever_may_only_read_changes_nothing() {
    let (_muster, api) = fleet(&[("R1", "7.16.1")]).await;
    let site = api.make_at("/api/v1/sites", json!({ "path": "eu" })).await;
    let group = api.make_at("/api/v1/groups", json!({ "name": "g" })).await;
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
        let (status, _, why) = reader.refused(method, path, body).await;
        assert_eq!((status, why.as_str()), (403, "this needs the right `operate`"), "{path}");
    }
    assert_eq!(texts(&api.get("/api/v1/sites").await, "path"), ["eu"]);
    assert_eq!(api.get(&device).await["tags"], json!([]));
}
