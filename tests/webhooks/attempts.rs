//! Calls that fail: repeated, given up, tried again; and those that are never made.

use muster::store::deliveries;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::receiver::Receiver;
use super::{hook, newest, server};
use crate::harness::Muster;
use crate::harness::kit::Api;

/// Lets the time of the next attempt come.
async fn due_now(pool: &PgPool) {
    sqlx::query("update deliveries set next_at = now() where state = 'queued'")
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_that_fails_is_repeated_until_it_arrives() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    receiver.will_answer(&[500, 302]);
    let (id, _) = hook(&api, "sick", &receiver.url(), &["device.fault"], None).await;
    let (status, test) = api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    assert_eq!((status, &test["kind"], &test["state"]), (201, &json!("test"), &json!("queued")));
    let failed =
        newest(&api, &id, "it failed", |d| d["attempts"] == 1 && !d["answer"].is_null()).await;
    assert_eq!(failed["answer"], "500 Internal Server Error");
    let next: chrono::DateTime<chrono::Utc> = failed["next_at"].as_str().unwrap().parse().unwrap();
    let pause = (next - chrono::Utc::now()).num_seconds();
    assert!((1..=12).contains(&pause), "{pause}");
    due_now(&muster.pool).await;
    let failed = newest(&api, &id, "it failed again", |d| {
        d["attempts"] == 2 && d["answer"].as_str().is_some_and(|a| a.contains("302"))
    })
    .await;
    assert!(failed["answer"].as_str().unwrap().contains("not followed"), "{failed}");
    due_now(&muster.pool).await;
    let done = newest(&api, &id, "it arrived", |d| d["state"] == "delivered").await;
    assert_eq!((&done["attempts"], &done["next_at"]), (&json!(3), &Value::Null));
    let ids: Vec<String> =
        receiver.calls().iter().map(|c| c.header("muster-delivery").to_owned()).collect();
    assert_eq!(ids, vec![test["delivery_id"].as_str().unwrap(); 3]);

    // Nobody is there, and then somebody is.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (id, _) =
        hook(&api, "late", &format!("http://{address}/hook"), &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "nobody answered", |d| !d["answer"].is_null()).await;
    assert!(failed["answer"].as_str().unwrap().contains("refused"), "{failed}");
    let late = Receiver::at(address).await;
    due_now(&muster.pool).await;
    late.told("test").await;
}

#[tokio::test]
async fn what_is_given_up_is_kept_and_can_be_tried_again() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    receiver.will_answer(&[500, 500]);
    let (id, _) = hook(&api, "sick", &receiver.url(), &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "it failed", |d| !d["answer"].is_null()).await;
    let again = format!("/api/v1/deliveries/{}/again", failed["delivery_id"].as_str().unwrap());
    assert_eq!(api.call("POST", &again, None).await.0, 409, "it is not given up");
    sqlx::query("update deliveries set attempts = 29, next_at = now()")
        .execute(&muster.pool)
        .await
        .unwrap();
    let dead = newest(&api, &id, "it is given up", |d| d["state"] == "dead").await;
    assert_eq!((&dead["attempts"], &dead["next_at"]), (&json!(30), &Value::Null));
    let page = api.get(&format!("/api/v1/webhooks/{id}/deliveries?state=dead")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.call("POST", &again, None).await.0, 200);
    newest(&api, &id, "it arrived", |d| d["state"] == "delivered").await;
    let all = format!("/api/v1/webhooks/{id}/again");
    assert_eq!(api.call("POST", &all, None).await, (200, json!({ "deliveries": 0 })));

    // What is to be told to one that is off is given up, without a call.
    let calls = receiver.calls().len();
    let body = json!({ "enabled": false });
    assert_eq!(api.call("PATCH", &format!("/api/v1/webhooks/{id}"), Some(body)).await.0, 200);
    assert_eq!(api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await.0, 409);
    let mut conn = muster.pool.acquire().await.unwrap();
    let now = muster::clock::now();
    deliveries::insert(&mut conn, id.parse().unwrap(), "test", &json!({}), now).await.unwrap();
    let dead = newest(&api, &id, "it is given up", |d| d["state"] == "dead").await;
    assert!(dead["answer"].as_str().unwrap().contains("switched off"), "{dead}");
    assert_eq!(receiver.calls().len(), calls);
}

#[tokio::test]
async fn a_webhook_cannot_be_aimed_at_this_host() {
    let mut muster = Muster::start(&[("MUSTER_ACS__AUTH", "none")]).await;
    let api = Api::of(&mut muster);
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    for url in
        [format!("http://127.0.0.1:{port}/hook"), format!("http://[::ffff:7f00:1]:{port}/hook")]
    {
        let body = json!({ "name": "x", "url": url, "kinds": ["device.fault"] });
        let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(body)).await;
        assert_eq!((status, &problem["pointer"]), (422, &json!("/url")), "{problem}");
    }
    // Where a name leads shows only when it is called.
    let url = format!("http://localhost:{port}/hook");
    let (id, _) = hook(&api, "sly", &url, &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "it is refused", |d| !d["answer"].is_null()).await;
    assert!(failed["answer"].as_str().unwrap().contains("notify.allowed_networks"), "{failed}");
    assert!(receiver.calls().is_empty());
    let mail = json!({ "name": "m", "email": "noc@isp.example", "kinds": ["device.fault"] });
    let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(mail)).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/email")), "{problem}");
}
