//! What people say of releases, what stays because something needs it, and the ways of devices.

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{files, package, release, server, stored, upload};
use crate::harness::kit::{Api, Lab};
use crate::harness::talk::introduce;

const RELEASE: &str = "/api/v1/releases/7.16.1";

#[tokio::test]
async fn a_release_has_notes_and_is_withdrawn_for_a_reason() {
    let (_muster, api) = server().await;
    let new = json!({ "version": "7.16.1", "notes": "for the north" });
    let (status, made) = api.call("POST", "/api/v1/releases", Some(new.clone())).await;
    assert_eq!((status, &made["notes"]), (201, &json!("for the north")), "{made}");
    let (status, problem) = api.call("POST", "/api/v1/releases", Some(new)).await;
    assert_eq!(status, 409, "{problem}");
    let nonsense = json!({ "version": "new" });
    assert_eq!(api.call("POST", "/api/v1/releases", Some(nonsense)).await.0, 422);
    // Its packages find it there.
    stored(&api, package("routeros", Arch::Arm)).await;
    let found = release(&api).await;
    assert_eq!((&found["notes"], &found["withdrawn"]), (&json!("for the north"), &Value::Null));

    let patch = |tag: &str, body: Value| {
        api.request("PATCH", RELEASE).header("if-match", tag).json(&body).send()
    };
    let shown = api.request("GET", RELEASE).send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let none = patch(&tag, json!({ "withdrawn": " " })).await.unwrap();
    assert_eq!(none.status(), 422);
    let done = patch(&tag, json!({ "withdrawn": "it loops" })).await.unwrap();
    assert_eq!(done.status(), 200);
    let found = release(&api).await;
    assert_eq!(
        (&found["withdrawn"], &found["notes"]),
        (&json!("it loops"), &json!("for the north"))
    );
    assert!(found["withdrawn_at"].is_string());
    let late = patch(&tag, json!({ "notes": "x" })).await.unwrap();
    assert_eq!(late.status(), 412);
    let back = patch("*", json!({ "withdrawn": null })).await.unwrap();
    assert_eq!(back.status(), 200);
    let found = release(&api).await;
    assert_eq!((&found["withdrawn"], &found["withdrawn_at"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn what_a_job_or_a_rollout_needs_is_not_removed() {
    let (muster, api) = server().await;
    introduce(muster.cwmp, "NEEDS").await;
    let before = files(&muster);
    let version = RosVersion::release(7, 20, 1);
    let mut ids = Vec::new();
    for name in ["routeros", "tr069-client", "dude"] {
        ids.push(stored(&api, packages::file(name, &version, Arch::Arm, 10).1).await);
    }
    let (release, dude) =
        ("/api/v1/releases/7.20.1", format!("/api/v1/releases/packages/{}", ids[2]));
    let refused = async |path: &str, why: &str| {
        let (status, problem) = api.call("DELETE", path, None).await;
        assert_eq!(status, 409, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    };
    let upgrade = json!({ "kind": "upgrade", "version": "7.20.1", "packages": ids[..2] });
    let job = api.queue("NEEDS", upgrade).await;
    refused(release, &job).await;
    refused(&dude, &job).await;
    assert_eq!(api.call("POST", &format!("/api/v1/jobs/{job}/cancel"), None).await.0, 200);

    let rollout = Uuid::now_v7();
    sqlx::query(
        "insert into rollouts (rollout_id, name, change, audience, plan, state, state_at,
                               created_by, created_at, updated_at)
         values ($1, 'north', '{\"kind\": \"release\", \"version\": \"7.20.1\"}', '{}', '{}',
                 'paused', now(), 'ann', now(), now())",
    )
    .bind(rollout)
    .execute(&muster.pool)
    .await
    .unwrap();
    refused(release, "the rollout north needs 7.20.1").await;
    // One that leads over it.
    sqlx::query("update rollouts set change = '{\"kind\": \"release\", \"version\": \"7.21\"}'")
        .execute(&muster.pool)
        .await
        .unwrap();
    sqlx::query(
        "insert into rollout_devices (device_id, rollout_id, state, steps)
         values ($1, $2, 'waiting', '[{\"step\": \"upgrade\", \"version\": \"7.20.1\"}]')",
    )
    .bind(Uuid::now_v7())
    .bind(rollout)
    .execute(&muster.pool)
    .await
    .unwrap();
    refused(release, "the rollout north needs 7.20.1").await;
    sqlx::query("update rollouts set state = 'aborted'").execute(&muster.pool).await.unwrap();

    assert_eq!(api.call("DELETE", &dude, None).await.0, 204);
    assert_eq!(files(&muster), before + 2);
    assert_eq!(api.call("DELETE", &dude, None).await.0, 404);
    assert_eq!(api.call("DELETE", release, None).await.0, 204);
    assert_eq!(files(&muster), before);
    assert_eq!(api.call("GET", release, None).await.0, 404);
    let log = api.get("/api/v1/audit?action=release.delete").await;
    let went = log["items"][0]["before"]["packages"].as_array().unwrap();
    let names: Vec<&str> = went.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["routeros", "tr069-client"], "{log}");
    assert!(went.iter().all(|p| p["sha256"].as_str().unwrap().len() == 64), "{log}");
    assert!(went.iter().all(|p| p["arch"] == "arm"), "{log}");
    // What is gone may come again.
    stored(&api, packages::file("dude", &version, Arch::Arm, 10).1).await;
}

#[tokio::test]
async fn who_operates_one_site_sees_releases_and_changes_none() {
    let (_muster, api) = server().await;
    let id = stored(&api, package("routeros", Arch::Arm)).await;
    let (status, site) = api.call("POST", "/api/v1/sites", Some(json!({ "path": "eu" }))).await;
    assert_eq!(status, 201, "{site}");
    let token = json!({ "name": "eu", "scopes": ["operate"], "site_id": site["site_id"] });
    let (_, token) = api.call("POST", "/api/v1/tokens", Some(token)).await;
    let scoped = api.with_token(token["token"].as_str().unwrap());
    assert_eq!(release(&scoped).await["packages"].as_array().unwrap().len(), 1);
    let package_path = format!("/api/v1/releases/packages/{id}");
    scoped.get(&package_path).await;
    let (status, problem) = upload(&scoped, None, package("dude", Arch::Arm)).await;
    let why = json!("this needs the right `operate` everywhere");
    assert_eq!((status, &problem["detail"]), (403, &why));
    for (method, path, body) in [
        ("POST", "/api/v1/releases", Some(json!({ "version": "7.1" }))),
        ("PATCH", RELEASE, Some(json!({ "notes": "mine" }))),
        ("DELETE", RELEASE, None),
        ("DELETE", package_path.as_str(), None),
    ] {
        let (status, problem) = scoped.call(method, path, body).await;
        assert_eq!((status, &problem["detail"]), (403, &why), "{method} {path}");
    }
}

#[tokio::test]
async fn the_way_of_a_device_is_told_or_what_is_in_it() {
    let lab = Lab::start().await;
    let api: &Api = &lab.api;
    let device = lab.device().await;
    let arch: Arch = device["arch"].as_str().unwrap().parse().unwrap();
    let runs: RosVersion = device["software_version"].as_str().unwrap().parse().unwrap();
    let target = RosVersion::release(7, 20, 1);
    let path = |version: &str| {
        format!("/api/v1/devices/serial:{}/upgrade-path?version={version}", lab.serial)
    };
    let refusal = async |version: &str| {
        let way = api.get(&path(version)).await;
        assert_eq!(way["hops"], json!([]), "{way}");
        way["refusal"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(refusal("7.20.1").await, "missing_package");
    assert_eq!(refusal(&runs.to_string()).await, "already_there");
    assert_eq!(refusal("5.1").await, "newer");
    for version in [RosVersion::release(7, 12, 1), target] {
        for name in packages::names(&version, arch) {
            stored(api, packages::file(name, &version, arch, 10).1).await;
        }
    }
    let way = api.get(&path("7.20.1")).await;
    assert_eq!((&way["refusal"], &way["to"]), (&Value::Null, &json!("7.20.1")), "{way}");
    let last = way["hops"].as_array().unwrap().last().unwrap();
    assert_eq!(last["version"], "7.20.1");
    assert_eq!(last["packages"][1]["name"], "tr069-client", "{way}");
    assert!(way["bytes"].as_u64().unwrap() > 0);
    let withdraw = Some(json!({ "withdrawn": "it loops" }));
    assert_eq!(api.call("PATCH", "/api/v1/releases/7.20.1", withdraw).await.0, 200);
    assert_eq!(refusal("7.20.1").await, "withdrawn");
    let no_version = format!("/api/v1/devices/serial:{}/upgrade-path", lab.serial);
    for path in [no_version, path("new")] {
        assert_eq!(api.call("GET", &path, None).await.0, 422, "{path}");
    }
}
