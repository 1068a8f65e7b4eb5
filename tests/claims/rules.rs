//! Whom nobody claimed: let in by the first rule that fits, or sent away.

use serde_json::{Value, json};

use super::{come, lab, visit};
use crate::acs::events;
use crate::harness::kit::device_path;

#[tokio::test]
async fn rules_let_in_whom_nobody_claimed_the_first_that_fits() {
    let (mut muster, api) = lab("quarantine").await;
    api.make_sites(&["eu", "us"]).await;
    let rules = "/api/v1/accept-rules";
    let rest = json!({ "name": "rest", "selector": "manufacturer = MikroTik", "site": "us" });
    api.make(rules, rest).await;
    let first = json!({ "name": "lab", "selector": "serial ~ LAB*", "site": "eu", "tags": ["lab"],
                        "position": 1 });
    let first = api.make(rules, first).await;
    for (body, status) in [
        (json!({ "name": "lab", "selector": "site" }), 409),
        (json!({ "name": "x", "selector": "modle = x" }), 422),
        (json!({ "name": "x", "selector": "site", "site": "asia" }), 422),
        (json!({ "name": "x", "selector": "site", "profile": "none" }), 422),
    ] {
        assert_eq!(api.call("POST", rules, Some(body.clone())).await.0, status, "{body}");
    }
    let order: Vec<Value> = api.get(rules).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| json!([rule["position"], rule["name"]]))
        .collect();
    assert_eq!(order, [json!([1, "lab"]), json!([2, "rest"])]);
    visit(&muster, "LAB1").await;
    let device = api.get(&device_path("LAB1")).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["lab"])));
    let told = events(&mut muster, "LAB1", "admitted").await;
    assert_eq!(told[0]["detail"]["rule"], "lab");
    visit(&muster, "HOME1").await;
    assert_eq!(api.get(&device_path("HOME1")).await["site"], "us");

    let path = format!("{rules}/{}", first["rule_id"].as_str().unwrap());
    let off = json!({ "enabled": false, "position": 2 });
    let (status, changed) = api.call("PATCH", &path, Some(off)).await;
    assert_eq!((status, &changed["position"]), (200, &json!(2)), "{changed}");
    visit(&muster, "LAB2").await;
    assert_eq!(api.get(&device_path("LAB2")).await["site"], "us");
    assert_eq!(api.call("DELETE", &path, None).await.0, 204);
    assert_eq!(api.get(rules).await["items"][0]["position"], 1);
}

#[tokio::test]
async fn a_group_that_a_rule_names_stays_what_it_is_called() {
    let (_muster, api) = lab("quarantine").await;
    let group = json!({ "name": "spare", "selector": "model ~ \"hAP*\"" });
    let group = api.make_at("/api/v1/groups", group).await;
    let rule = json!({ "name": "lab", "selector": "group = spare" });
    let rule = api.make_at("/api/v1/accept-rules", rule).await;
    let (status, problem) = api.call("PATCH", &group, Some(json!({ "name": "stock" }))).await;
    assert_eq!(status, 409, "{problem}");
    let why = problem["detail"].as_str().unwrap();
    assert!(why.contains("the rule of admission `lab` names it"), "{why}");
    assert_eq!(api.call("DELETE", &group, None).await.0, 409);
    // What else is said of it may change.
    let selector = json!({ "selector": "model ~ \"hEX*\"" });
    assert_eq!(api.call("PATCH", &group, Some(selector)).await.0, 200);
    assert_eq!(api.call("DELETE", &rule, None).await.0, 204);
    assert_eq!(api.call("DELETE", &group, None).await.0, 204);
    let gone = json!({ "name": "lab", "selector": "group = spare" });
    assert_eq!(api.call("POST", "/api/v1/accept-rules", Some(gone)).await.0, 422);
}

#[tokio::test]
async fn who_is_refused_leaves_nothing_behind() {
    let (muster, api) = lab("refuse").await;
    api.make("/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    for _ in 0..2 {
        let (_cpe, reply) = come(&muster, "STRANGER").await;
        assert_eq!(reply.status, 403, "{reply:?}");
    }
    visit(&muster, "EXPECTED").await;
    let known: Vec<String> = sqlx::query_scalar(
        "select f.serial from devices d left join device_facts f using (device_id)",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap();
    assert_eq!(known, ["EXPECTED"]);
    assert!(muster.log().contains("unclaimed"));
}
