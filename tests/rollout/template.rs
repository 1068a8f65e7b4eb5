//! Templates by rollouts: each device gets its own script, says what became of it, and is taken back by
//! another one.

use serde_json::{Value, json};

use super::lab::{IDENTITY, Range, at_once};
use crate::harness::kit::device_path;

fn text(name: &str) -> Value {
    json!({ "name": name, "type": "string", "required": true })
}

/// Makes a template; gives where it is.
async fn template(range: &Range, name: &str, body: &str, variables: Value) -> String {
    let fields = json!({ "name": name, "body": body, "variables": variables });
    let (status, made) = range.api.call("POST", "/api/v1/templates", Some(fields)).await;
    assert_eq!(status, 201, "{made}");
    format!("/api/v1/templates/{}", made["template_id"].as_str().unwrap())
}

async fn patched(range: &Range, path: &str, change: Value) {
    let (status, told) = range.api.call("PATCH", path, Some(change)).await;
    assert_eq!(status, 200, "{told}");
}

/// Says which room a device is in.
async fn furnish(range: &Range, index: u32) {
    let path = format!("{}/desired", device_path(&range.fleet.serial(index)));
    patched(range, &path, json!({ "variables": { "room": format!("room{index}") } })).await;
}

async fn identity(range: &Range, index: u32) -> String {
    range.api.known(&range.fleet.serial(index), IDENTITY).await[0].1.clone()
}

/// How many scripts were ordered of devices.
async fn ordered(range: &Range) -> i64 {
    sqlx::query_scalar("select count(*) from jobs where kind = 'configure'")
        .fetch_one(&range.muster.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_device_gets_what_the_template_gives_for_it_and_another_one_takes_it_back() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let body = "/system identity set name={{ room ~ \"-\" ~ floor }}\n\
                {% if door_secret %}\n:log info \"it has a key\"\n{% endif %}\n";
    let secret = json!({ "name": "door_secret", "type": "secret" });
    let home = template(&range, "home", body, json!([text("room"), text("floor"), secret])).await;
    let bare = "/system identity set name={{ \"was \" ~ room }}\n";
    template(&range, "bare", bare, json!([text("room")])).await;
    for index in 0..3 {
        furnish(&range, index).await;
    }
    let change = json!({
        "kind": "template", "template": "home", "undo": { "template": "bare" },
        "variables": { "floor": "2", "door_secret": "hunter22" },
    });
    let run = range.dry_run(&change, at_once()).await;
    let scripts = &run["scripts"];
    assert_eq!((&scripts["devices"], &scripts["rendered"]), (&json!(3), &json!(3)), "{run:#}");
    assert!(scripts["largest"].as_u64() > Some(40) && scripts["failures"] == json!([]), "{run:#}");
    for (wrong, place) in [
        (json!({ "kind": "template", "template": "house" }), "/change/template"),
        (json!({ "kind": "template", "template": "home", "version": 2 }), "/change/version"),
        (
            json!({ "kind": "template", "template": "home", "variables": { "flor": "2" } }),
            "/change/variables",
        ),
    ] {
        let draft = json!({ "name": "x", "change": wrong, "audience": { "selector": "online" } });
        let (status, told) = range.api.call("POST", "/api/v1/rollouts", Some(draft)).await;
        assert_eq!((status, &told["pointer"]), (422, &json!(place)), "{told}");
    }

    let id = range.draft(change, at_once()).await;
    let written = range.rollout(&id).await;
    assert_eq!(written["change"]["version"], 1, "{written:#}");
    assert_eq!(written["change"]["undo"]["version"], 1, "{written:#}");
    assert_eq!(written["change"]["variables"]["door_secret"], "********");
    let kept: String = sqlx::query_scalar("select string_agg(change::text, '') from rollouts")
        .fetch_one(&range.muster.pool)
        .await
        .unwrap();
    assert!(!kept.contains("hunter22"), "{kept}");
    // Another version of it, and another template of its name, change nothing.
    let later =
        json!({ "name": "houses", "body": "/system identity set name={{ floor ~ room }}\n" });
    patched(&range, &home, later).await;
    template(&range, "home", "/system identity set name=another\n", json!([])).await;
    range.order(&id, "start", json!({})).await;
    range.until(&id, "completed").await;
    assert_eq!(range.in_state(&id, "healthy").await.len(), 3);
    for index in 0..3 {
        assert_eq!(identity(&range, index).await, format!("room{index}-2"));
        let events = range.api.events(&range.fleet.serial(index)).await;
        assert!(events.contains(&"script.reported".to_owned()), "{events:?}");
    }
    range.counts_hold(&id).await;

    range.order(&id, "roll-back", json!({ "reason": "too long" })).await;
    range.until(&id, "rolled_back").await;
    for index in 0..3 {
        assert_eq!(identity(&range, index).await, format!("was room{index}"));
    }
}

#[tokio::test]
async fn a_line_that_fails_makes_its_device_fail_and_stops_the_rollout() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let body = "/ip pool add name=p ranges={{ first }}\n/ip pool add name=p ranges={{ first }}\n";
    let first = json!([{ "name": "first", "type": "ip", "required": true }]);
    template(&range, "pools", body, first).await;
    let variables = json!({ "first": "192.0.2.1" });
    let change = json!({ "kind": "template", "template": "pools", "variables": variables });
    let id = range.fails_at_line_2(change).await;
    assert_eq!(ordered(&range).await, 1);
    // It names nothing that takes it back.
    let path = format!("/api/v1/rollouts/{id}/roll-back");
    let (status, told) = range.api.call("POST", &path, Some(json!({ "reason": "x" }))).await;
    assert_eq!(status, 409, "{told}");
}

#[tokio::test]
async fn a_device_without_a_value_is_sent_nothing_and_a_template_that_is_gone_holds() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let body = "/system identity set name={{ room }}\n";
    let rooms = template(&range, "rooms", body, json!([text("room")])).await;
    furnish(&range, 0).await;
    let change = json!({ "kind": "template", "template": "rooms" });
    let run = range.dry_run(&change, at_once()).await;
    let scripts = &run["scripts"];
    assert_eq!((&scripts["devices"], &scripts["rendered"]), (&json!(3), &json!(1)), "{run:#}");
    assert_eq!(scripts["failures"][0]["devices"], 2, "{run:#}");
    assert!(scripts["failures"][0]["reason"].as_str().unwrap().contains("`room`"), "{run:#}");
    assert!(run["warnings"].to_string().contains("2 of 3 devices"), "{run:#}");

    let id = range.begin(change.clone(), at_once()).await;
    range.until(&id, "paused").await;
    let failed = range.in_state(&id, "failed").await;
    assert_eq!((failed.len(), ordered(&range).await), (2, 1), "{failed:#?}");
    for device in &failed {
        assert!(device["reason"].as_str().unwrap().contains("`room`"), "{device:#}");
        assert_eq!(device["fault_class"], "give_up", "{device:#}");
        assert!(device["started_at"].is_null(), "nothing was done to it: {device:#}");
    }
    for index in 1..3 {
        furnish(&range, index).await;
    }
    range.order(&id, "retry", json!({ "reason": "they have rooms now" })).await;
    range.order(&id, "resume", json!({ "reason": "they have rooms now" })).await;
    range.until(&id, "completed").await;
    for index in 0..3 {
        assert_eq!(identity(&range, index).await, format!("room{index}"));
    }
    range.counts_hold(&id).await;

    let id = range.draft(change, at_once()).await;
    let (status, _, why) = range.api.refused("DELETE", &rooms, None).await;
    assert!(status == 409 && why.contains("the rollout `test`"), "{why}");
    // By whoever goes round Muster.
    sqlx::query("delete from templates where template_id = $1::uuid")
        .bind(rooms.rsplit('/').next().unwrap())
        .execute(&range.muster.pool)
        .await
        .unwrap();
    range.order(&id, "start", json!({})).await;
    let paused = range.until(&id, "paused").await;
    assert_eq!(paused["paused_by"], "gate", "{paused:#}");
    for device in range.in_state(&id, "failed").await {
        assert!(device["reason"].as_str().unwrap().contains("is gone"), "{device:#}");
        assert_eq!(device["fault_class"], "hold", "{device:#}");
    }
    assert_eq!(ordered(&range).await, 3);
}
