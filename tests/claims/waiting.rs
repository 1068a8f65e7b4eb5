//! Who waits: asked who they are and sent nothing else, let in later, or forgotten.

use chrono::Utc;
use serde_json::{Value, json};

use super::{READS, claim, come, lab, visit};
use crate::acs::events;
use crate::harness::kit::device_path;

#[tokio::test]
async fn who_is_not_expected_waits_is_read_and_is_sent_nothing_else() {
    let (mut muster, api) = lab("quarantine").await;
    api.make_sites(&["eu"]).await;
    for _ in 0..2 {
        let asked = visit(&muster, "STRANGER").await;
        assert!(asked.iter().all(|method| READS.contains(method)), "{asked:?}");
    }
    assert_eq!(events(&mut muster, "STRANGER", "quarantined").await.len(), 1);
    let path = device_path("STRANGER");
    let device = api.get(&path).await;
    assert!(device["quarantined_at"].is_string() && device["refreshed_at"].is_string(), "{device}");
    assert!(device["quarantine_reason"].as_str().unwrap().contains("nobody claimed"), "{device}");
    let waiting = api.get("/api/v1/quarantine").await;
    assert_eq!(waiting["items"][0]["serial"], "STRANGER");

    for (what, body) in [("jobs", Some(json!({ "kind": "reboot" }))), ("wake", None)] {
        let (status, problem) = api.call("POST", &format!("{path}/{what}"), body).await;
        assert_eq!(status, 409, "{what}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("quarantine"), "{problem}");
    }
    let many = json!({ "selector": "quarantined", "expected": 1, "job": { "kind": "reboot" } });
    let (status, made) = api.call("POST", "/api/v1/jobs/bulk", Some(many)).await;
    assert!(status < 300 && made["skipped"] == 1, "{status} {made}");

    let wrong = json!({ "site": "nowhere" });
    assert_eq!(api.call("POST", &format!("{path}/accept"), Some(wrong)).await.0, 422);
    let given = json!({ "site": "eu", "tags": ["pilot"], "customer": "7" });
    let (status, device) = api.call("POST", &format!("{path}/accept"), Some(given)).await;
    assert_eq!(status, 200, "{device}");
    assert_eq!((&device["site"], &device["quarantined_at"]), (&json!("eu"), &Value::Null));
    assert_eq!(claim(&api, "STRANGER").await["state"], "taken");
    let (status, problem) = api.call("POST", &format!("{path}/accept"), Some(json!({}))).await;
    assert_eq!(status, 409, "{problem}");
    let asked = visit(&muster, "STRANGER").await;
    assert!(asked.contains(&"SetParameterValues") && asked.contains(&"GetRPCMethods"), "{asked:?}");

    visit(&muster, "OTHER").await;
    let other = "/api/v1/quarantine/serial:OTHER";
    assert_eq!(api.call("DELETE", other, None).await.0, 204);
    assert_eq!(api.call("DELETE", other, None).await.0, 404);
    assert_eq!(api.call("DELETE", "/api/v1/quarantine/serial:STRANGER", None).await.0, 409);
}

#[tokio::test]
async fn a_claim_that_comes_later_lets_in_who_waits() {
    let (muster, api) = lab("quarantine").await;
    visit(&muster, "EARLY").await;
    visit(&muster, "EARLY").await;
    api.make("/api/v1/claims", json!({ "serial": "EARLY" })).await;
    // It says nothing new, and is looked at all the same.
    let asked = visit(&muster, "EARLY").await;
    assert!(asked.contains(&"SetParameterValues"), "{asked:?}");
    assert!(api.get(&device_path("EARLY")).await["quarantined_at"].is_null());
}

#[tokio::test]
async fn no_more_wait_than_there_is_room_for() {
    let (muster, api) = lab("quarantine").await;
    api.make("/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    visit(&muster, "EARLY").await;
    sqlx::query(
        "insert into device_facts (device_id, manufacturer, oui, product_class, serial, auth,
                                   namespace, updated_at, quarantined_at, quarantine_reason)
         select gen_random_uuid(), 'x', '000000', 'x', 'W' || n, 'none', 'x', now(), now(), 'x'
         from generate_series(2, $1) as n",
    )
    .bind(muster::fleet::admission::MAX_WAITING)
    .execute(&muster.pool)
    .await
    .unwrap();
    let (_cpe, reply) = come(&muster, "STRANGER").await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(muster.log().contains("unclaimed"));
    // Who waits, and who is expected, comes as ever.
    visit(&muster, "EARLY").await;
    visit(&muster, "EXPECTED").await;
    assert!(api.get(&device_path("EXPECTED")).await["quarantined_at"].is_null());
    sqlx::query("delete from device_facts where serial = 'W2'")
        .execute(&muster.pool)
        .await
        .unwrap();
    visit(&muster, "STRANGER").await;
    assert!(api.get(&device_path("STRANGER")).await["quarantined_at"].is_string());
}

#[tokio::test]
async fn who_waits_and_is_silent_for_a_month_is_forgotten() {
    let (muster, api) = lab("quarantine").await;
    api.make("/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    for serial in ["EXPECTED", "SILENT", "HEARD"] {
        visit(&muster, serial).await;
    }
    for statement in [
        "update device_facts set quarantined_at = now() - interval '31 days'
         where quarantined_at is not null",
        "update devices set last_inform = now() - interval '31 days'
         where device_id in (select device_id from device_facts where serial <> 'HEARD')",
    ] {
        sqlx::query(statement).execute(&muster.pool).await.unwrap();
    }
    let expire = muster::fleet::admission::expire;
    assert_eq!(expire(&muster.pool, Utc::now()).await.unwrap(), 1);
    assert_eq!(expire(&muster.pool, Utc::now()).await.unwrap(), 0);
    let left: Vec<String> = sqlx::query_scalar(
        "select f.serial from devices d join device_facts f using (device_id) order by f.serial",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap();
    assert_eq!(left, ["EXPECTED", "HEARD"]);
}
