//! What happens: posted and signed, to whom it is for, once.

use muster::store::events;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::receiver::Receiver;
use super::{device_id, hook, newest, server, told};
use crate::harness::cpe::{inform, inform_with, meet};
use crate::harness::eventually;
use crate::harness::kit::device_path;

#[tokio::test]
async fn what_happens_is_posted_and_signed() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let kinds = ["device.first_seen", "device.crashed", "rollout.state"];
    let (id, secret) = hook(&api, "noc", &receiver.url(), &kinds, None).await;
    let crash = |at| {
        let crash = [("Device.DeviceInfo.X_MIKROTIK_AutosupoutTime", at)];
        inform_with("HOOK1", &["1 BOOT"], &crash)
    };
    meet(muster.cwmp, &crash("0001-01-01T00:00:00Z")).await;
    let call = receiver.told("device.first_seen").await;
    assert!(call.is_signed(&secret) && !call.is_signed("another"), "{call:?}");
    let body = call.json();
    assert_eq!(body["id"], call.header("muster-delivery"));
    assert_eq!(
        (&body["kind"], &body["device"]["serial"]),
        (&json!("device.first_seen"), &json!("HOOK1"))
    );
    assert_eq!(body["device"]["version"], "7.16.1");
    assert_eq!(body["detail"]["auth"], "none");

    meet(muster.cwmp, &crash("2026-11-22T09:30:00Z")).await;
    let call = receiver.told("device.crashed").await;
    assert_eq!(call.json()["detail"]["crash_at"], "2026-11-22T09:30:00Z");

    let parameter = json!({ "name": "Device.DeviceInfo.ProvisioningCode", "value": "x" });
    let rollout = json!({ "name": "spring", "audience": { "selector": "serial = NOBODY" },
                          "change": { "kind": "parameters", "parameters": [parameter] } });
    let (status, made) = api.call("POST", "/api/v1/rollouts", Some(rollout)).await;
    assert_eq!(status, 201, "{made}");
    let start = format!("/api/v1/rollouts/{}/start", made["rollout_id"].as_str().unwrap());
    let (status, answer) = api.call("POST", &start, Some(json!({}))).await;
    assert!((200..300).contains(&status), "{answer}");
    let body = receiver.told("rollout.state").await.json();
    assert_eq!((&body["device"], &body["detail"]["name"]), (&Value::Null, &json!("spring")));

    let first = newest(&api, &id, "all is delivered", |d| d["state"] == "delivered").await;
    assert_eq!((&first["answer"], &first["attempts"]), (&json!("200 OK"), &json!(1)));
    let listed = api.get("/api/v1/webhooks").await.to_string();
    let stored = api.get(&format!("/api/v1/webhooks/{id}")).await.to_string();
    let log = api.get("/api/v1/audit?action=webhook.").await.to_string();
    for text in [&listed, &stored, &log, &muster.log()] {
        assert!(!text.contains(&secret), "{text}");
    }
    assert!(log.contains("webhook.create") && !log.contains("/hook"), "{log}");
}

#[tokio::test]
async fn a_webhook_of_a_site_is_told_of_its_devices_only() {
    let (muster, api) = server().await;
    for path in ["eu", "eu.lv", "us"] {
        let site = json!({ "path": path });
        assert_eq!(api.call("POST", "/api/v1/sites", Some(site)).await.0, 201);
    }
    let nowhere = json!({ "name": "x", "url": "https://192.0.2.1/", "kinds": ["device.fault"],
                          "site": "asia" });
    let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(nowhere)).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/site")), "{problem}");
    let receiver = Receiver::start().await;
    let kinds = ["device.crashed"];
    let (all, _) = hook(&api, "all", &receiver.url(), &kinds, None).await;
    let (eu, _) = hook(&api, "eu", &receiver.url(), &kinds, Some("eu")).await;
    let (other, _) = hook(&api, "other", &receiver.url(), &["device.fault"], None).await;
    let mut tx = muster.pool.begin().await.unwrap();
    for (serial, site) in [("S1", Some("eu.lv")), ("S2", Some("us")), ("S3", None)] {
        meet(muster.cwmp, &inform(serial, &["2 PERIODIC"])).await;
        let body = Some(json!({ "site": site }));
        assert_eq!(api.call("PATCH", &device_path(serial), body).await.0, 200);
        let id = device_id(&api, serial).await;
        let now = muster::clock::now();
        events::append(&mut tx, id, "crashed", None, &json!({}), now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let serials = async |id: &str| -> Vec<String> {
        let mut of: Vec<String> = told(&api, id)
            .await
            .iter()
            .map(|delivery| delivery["serial"].as_str().unwrap().to_owned())
            .collect();
        of.sort();
        of
    };
    assert_eq!(serials(&all).await, ["S1", "S2", "S3"]);
    assert_eq!(serials(&eu).await, ["S1"]);
    assert!(serials(&other).await.is_empty());
}

#[tokio::test]
async fn an_event_and_what_is_told_of_it_are_there_together_or_not_at_all() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let (id, _) = hook(&api, "noc", &receiver.url(), &["device.fault"], None).await;
    meet(muster.cwmp, &inform("ONCE", &["2 PERIODIC"])).await;
    let device = device_id(&api, "ONCE").await;
    let now = muster::clock::now();
    for commits in [false, true] {
        let mut tx = muster.pool.begin().await.unwrap();
        for kind in ["job.failed", "job.done"] {
            events::append(&mut tx, device, kind, None, &json!({}), now).await.unwrap();
        }
        match commits {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        let failed = api.events("ONCE").await.iter().filter(|kind| *kind == "job.failed").count();
        assert_eq!(
            (failed, told(&api, &id).await.len()),
            (usize::from(commits), usize::from(commits))
        );
    }
    receiver.told("device.fault").await;
    newest(&api, &id, "it is delivered", |d| d["state"] == "delivered").await;
    assert_eq!(receiver.calls().len(), 1);
}

/// Lets a node look at once at who is away, whoever looked last.
async fn look(pool: &PgPool) {
    sqlx::query("delete from settings where name = 'presence'").execute(pool).await.unwrap();
}

#[tokio::test]
async fn who_falls_silent_is_told_of_once_and_who_is_back_too() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let kinds = ["device.offline", "device.online"];
    hook(&api, "noc", &receiver.url(), &kinds, None).await;
    for serial in ["GONE", "HERE"] {
        meet(muster.cwmp, &inform(serial, &["2 PERIODIC"])).await;
    }
    let gone = device_id(&api, "GONE").await;
    sqlx::query("update devices set last_inform = now() - interval '1 hour' where device_id = $1")
        .bind(gone)
        .execute(&muster.pool)
        .await
        .unwrap();
    // This server just began: what it did not hear before does not count.
    look(&muster.pool).await;
    eventually("somebody looked", || async {
        let looked = "select 1 from settings where name = 'presence'";
        sqlx::query_scalar::<_, i32>(looked).fetch_optional(&muster.pool).await.unwrap()
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let offline =
        async || api.events("GONE").await.iter().filter(|kind| *kind == "offline").count();
    assert_eq!(offline().await, 0);

    // Another node has been there for a day.
    sqlx::query(
        "insert into nodes (node, version, started_at, seen_at, status)
         values ('other', '0', now() - interval '1 day', now() + interval '1 hour', '{}')",
    )
    .execute(&muster.pool)
    .await
    .unwrap();
    let told = |kind: &'static str| {
        let (receiver, pool) = (receiver.clone(), muster.pool.clone());
        async move {
            eventually(kind, || async {
                look(&pool).await;
                receiver.calls().into_iter().find(|call| call.header("muster-event") == kind)
            })
            .await
        }
    };
    let body = told("device.offline").await.json();
    assert_eq!(body["device"]["serial"], "GONE");
    assert!(body["detail"]["seconds"].as_i64().unwrap() >= 3_600, "{body}");
    meet(muster.cwmp, &inform("GONE", &["2 PERIODIC"])).await;
    let body = told("device.online").await.json();
    assert_eq!(body["device"]["serial"], "GONE");
    assert_eq!(offline().await, 1);
    let kinds: Vec<String> =
        receiver.calls().iter().map(|c| c.header("muster-event").to_owned()).collect();
    assert_eq!(kinds, ["device.offline", "device.online"], "each once, and of nobody else");
}
