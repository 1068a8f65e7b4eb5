//! Sites and groups that rollouts name: they move together, and are not removed under a rollout.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::kit::{Api, device_path, raw_device};

const SITES: &str = "/api/v1/sites";

/// Makes a site; gives where it is.
async fn site(api: &Api, path: &str) -> String {
    let made = api.make(SITES, json!({ "path": path })).await;
    format!("{SITES}/{}", made["site_id"].as_str().unwrap())
}

/// Writes a rollout for these devices, with these waves; gives where it is.
async fn draft(api: &Api, audience: Value, waves: Value) -> String {
    let parameter = json!({ "name": "Device.DeviceInfo.ProvisioningCode", "value": "gold" });
    let body = json!({
        "name": "spring", "audience": audience,
        "change": { "kind": "parameters", "parameters": [parameter] },
        "plan": { "waves": waves, "soak_minutes": 0, "heed_windows": false },
    });
    let made = api.make("/api/v1/rollouts", body).await;
    format!("/api/v1/rollouts/{}", made["rollout_id"].as_str().unwrap())
}

/// Sends what must be refused because of what is there; gives why.
async fn refused(api: &Api, method: &str, path: &str, body: Option<Value>) -> String {
    let (status, told) = api.call(method, path, body).await;
    assert_eq!(status, 409, "{method} {path}: {told}");
    told["detail"].as_str().unwrap().to_owned()
}

async fn done(api: &Api, method: &str, path: &str, body: Option<Value>) {
    let (status, told) = api.call(method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {told}");
}

#[tokio::test]
async fn a_site_moves_with_what_rollouts_say_of_it_and_is_not_removed_under_one() {
    let (_muster, api) = raw_device("S1").await;
    for path in ["a", "x"] {
        site(&api, path).await;
    }
    let moving = site(&api, "a.b").await;
    let site_id = moving.rsplit('/').next().unwrap();
    done(&api, "PATCH", &device_path("S1"), Some(json!({ "site": "a.b" }))).await;
    let body = json!({ "name": "there", "scopes": ["operate"], "site_id": site_id });
    let token = api.make("/api/v1/tokens", body).await;
    let there = api.with_token(token["token"].as_str().unwrap());

    let waves = json!([{ "take": { "site": "a.b" } }, { "take": "rest" }]);
    let rollout = draft(&there, json!({ "selector": "serial = S1" }), waves).await;
    done(&there, "POST", &format!("{rollout}/start"), None).await;
    let devices = format!("{rollout}/devices");
    let device = eventually("the device is in it", || async {
        there.get(&devices).await["items"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!((&device["site"], &device["wave"]), (&json!("a.b"), &json!(0)), "{device:#}");
    for path in [moving.clone(), format!("{moving}?move_to=x")] {
        let why = refused(&api, "DELETE", &path, None).await;
        assert!(why.contains("rollout that has not ended"), "{why}");
    }

    done(&api, "PATCH", &moving, Some(json!({ "path": "x.c" }))).await;
    let moved = there.get(&rollout).await;
    assert_eq!(moved["sites"], json!(["x.c"]), "{moved:#}");
    assert_eq!(moved["plan"]["waves"][0]["take"], json!({ "site": "x.c" }), "{moved:#}");
    assert_eq!(moved["plan"]["waves"][1]["take"], "rest", "{moved:#}");
    assert_eq!(there.get(&devices).await["items"][0]["site"], "x.c");

    done(&there, "POST", &format!("{rollout}/abort"), Some(json!({ "reason": "seen" }))).await;
    let elsewhere = format!("{moving}?move_to=x");
    let why = refused(&api, "DELETE", &elsewhere, None).await;
    assert!(why.contains("tokens are good"), "{why}");
    let revoked = format!("/api/v1/tokens/{}", token["token_id"].as_str().unwrap());
    done(&api, "DELETE", &revoked, None).await;
    done(&api, "DELETE", &elsewhere, None).await;
    // What has ended goes where its devices went.
    assert_eq!(api.get(&rollout).await["sites"], json!(["x"]));
}

#[tokio::test]
async fn a_wave_of_a_site_keeps_the_site() {
    let (_muster, api) = raw_device("S1").await;
    let kept = site(&api, "a").await;
    let waves = json!([{ "take": { "site": "a" } }]);
    let rollout = draft(&api, json!({ "selector": "online" }), waves).await;
    let why = refused(&api, "DELETE", &kept, None).await;
    assert!(why.contains("has a wave of it"), "{why}");
    done(&api, "DELETE", &rollout, None).await;
    done(&api, "DELETE", &kept, None).await;
}

#[tokio::test]
async fn a_group_stays_as_long_as_a_rollout_names_it() {
    let (_muster, api) = raw_device("S1").await;
    let made = api.make("/api/v1/groups", json!({ "name": "pilots" })).await;
    let id = made["group_id"].as_str().unwrap();
    let group = format!("/api/v1/groups/{id}");
    let (all, rest) = (json!({ "selector": "online" }), json!([{ "take": "rest" }]));
    let named = json!({ "selector": "online and group = pilots" });
    for (audience, waves) in [
        (json!({ "group_id": id }), rest.clone()),
        (all, json!([{ "take": { "group": id } }])),
        (named.clone(), rest.clone()),
    ] {
        let rollout = draft(&api, audience, waves).await;
        let why = refused(&api, "DELETE", &group, None).await;
        assert!(why.contains("the rollout `spring`"), "{why}");
        done(&api, "DELETE", &rollout, None).await;
    }
    let rollout = draft(&api, named, rest).await;
    let name = Some(json!({ "name": "testers" }));
    let why = refused(&api, "PATCH", &group, name.clone()).await;
    assert!(why.contains("the rollout `spring` names it"), "{why}");
    done(&api, "DELETE", &rollout, None).await;
    done(&api, "PATCH", &group, name).await;
    done(&api, "DELETE", &group, None).await;
}
