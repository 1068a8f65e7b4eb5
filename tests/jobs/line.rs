//! The line: order, waiting, idempotency, cancelling, expiry.

use chrono::{TimeDelta, Utc};
use muster_cwmp::rpc::{Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};

use crate::harness::kit::{device_path, raw_device};
use crate::harness::talk::{Talk, key_of};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

fn set(value: &str) -> Value {
    json!({ "kind": "set", "parameters": [{ "name": CODE, "value": value }] })
}

fn get() -> Value {
    json!({ "kind": "get", "names": [CODE] })
}

fn expect_set(talk: &Talk, value: &str) {
    let Request::SetParameterValues(call) = talk.asked() else { panic!("{:?}", talk.request) };
    assert_eq!(call.parameters, vec![ParameterValue::string(CODE, value)]);
}

#[tokio::test]
async fn jobs_run_in_the_order_in_which_they_were_made() {
    let (muster, api) = raw_device("LINE1").await;
    let mut ids = Vec::new();
    for job in [set("a"), set("b"), json!({ "kind": "reboot" }), set("c")] {
        ids.push(api.queue("LINE1", job).await);
    }
    let applied = || Response::SetParameterValues(Status::Applied);
    let mut talk = Talk::open(muster.cwmp, "LINE1", &["2 PERIODIC"]).await;
    expect_set(&talk, "a");
    talk.answer(applied()).await;
    expect_set(&talk, "b");
    talk.answer(applied()).await;
    assert_eq!(talk.asked(), &Request::Reboot(key_of(&ids[2])));
    talk.answer(Response::Reboot).await;
    assert_eq!(talk.request, None, "what was asked for after the reboot waits for the reboot");
    assert_eq!(api.job(&ids[2]).await["state"], "waiting");

    let talk = Talk::open(muster.cwmp, "LINE1", &["2 PERIODIC"]).await;
    assert_eq!(talk.request, None);
    let reboot = format!("M Reboot|{}", key_of(&ids[2]));
    let mut talk = Talk::open(muster.cwmp, "LINE1", &["1 BOOT", &reboot]).await;
    expect_set(&talk, "c");
    talk.answer(applied()).await;
    let Request::GetParameterNames(_) = talk.asked() else {
        panic!("a boot is followed by a read")
    };
    for id in &ids {
        assert_eq!(api.job(id).await["state"], "done");
    }
}

#[tokio::test]
async fn a_job_for_later_waits_for_its_time_and_holds_up_nobody() {
    let (muster, api) = raw_device("LINE2").await;
    let mut later = get();
    later["not_before"] = json!((Utc::now() + TimeDelta::hours(1)).to_rfc3339());
    let later = api.queue("LINE2", later).await;
    let behind = api.queue("LINE2", get()).await;
    let talk = Talk::open(muster.cwmp, "LINE2", &["2 PERIODIC"]).await;
    assert!(talk.request.is_some());
    assert_eq!(api.job(&behind).await["state"], "running");
    let job = api.job(&later).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("queued"), &json!(0)));
}

#[tokio::test]
async fn asking_twice_with_one_key_is_one_job() {
    let (_muster, api) = raw_device("LINE3").await;
    let path = format!("{}/jobs", device_path("LINE3"));
    let mut job = get();
    job["wake"] = json!(false);
    let with_key = |key: &str| {
        let mut body = job.clone();
        body["idempotency_key"] = json!(key);
        api.call("POST", &path, Some(body))
    };
    let (status, first) = with_key("k").await;
    assert_eq!(status, 201);
    let (status, again) = with_key("k").await;
    assert_eq!((status, &again["job_id"]), (200, &first["job_id"]));
    let (status, other) = with_key("l").await;
    assert_eq!(status, 201);
    assert_ne!(other["job_id"], first["job_id"]);

    let reboot = json!({ "kind": "reboot", "idempotency_key": "k" });
    assert_eq!(api.call("POST", &path, Some(reboot)).await.0, 409, "the key is another job's");
    let reserved = json!({ "kind": "reboot", "idempotency_key": "muster:refresh" });
    assert_eq!(api.call("POST", &path, Some(reserved)).await.0, 422);

    let cancel = format!("/api/v1/jobs/{}/cancel", first["job_id"].as_str().unwrap());
    assert_eq!(api.call("POST", &cancel, None).await.0, 200);
    let (status, new) = with_key("k").await;
    assert_eq!(status, 201, "an ended job holds its key no longer");
    assert_ne!(new["job_id"], first["job_id"]);
}

#[tokio::test]
async fn a_job_can_be_cancelled_unless_the_device_has_it_in_hand() {
    let (muster, api) = raw_device("LINE4").await;
    let cancel = |id: &str| {
        let (api, path) = (api.clone(), format!("/api/v1/jobs/{id}/cancel"));
        async move { api.call("POST", &path, None).await }
    };
    let queued = api.queue("LINE4", get()).await;
    let (status, job) = cancel(&queued).await;
    assert_eq!((status, &job["state"]), (200, &json!("cancelled")), "{job}");
    assert!(job["finished_at"].is_string());
    assert_eq!(job["note"], "cancelled by test");

    let running = api.queue("LINE4", get()).await;
    let reboot = api.queue("LINE4", json!({ "kind": "reboot" })).await;
    let mut talk = Talk::open(muster.cwmp, "LINE4", &["2 PERIODIC"]).await;
    assert_eq!(talk.asked(), &Request::GetParameterValues(vec![CODE.to_owned()]));
    let (status, problem) = cancel(&running).await;
    assert_eq!(status, 409, "{problem}");
    talk.answer(Response::GetParameterValues(vec![ParameterValue::string(CODE, "")])).await;
    assert_eq!(cancel(&running).await.0, 409, "it is done");

    talk.answer(Response::Reboot).await;
    assert_eq!(talk.request, None);
    let behind = api.queue("LINE4", get()).await;
    let called = async || api.get(&device_path("LINE4")).await["connection_request"].clone();
    assert_eq!(called().await, Value::Null);
    let (status, job) = cancel(&behind).await;
    assert_eq!((status, &job["state"]), (200, &json!("cancelled")));
    assert_eq!(called().await, Value::Null, "the line is blocked as before");
    api.queue("LINE4", get()).await;
    let (status, job) = cancel(&reboot).await;
    assert_eq!((status, &job["state"]), (200, &json!("cancelled")));
    assert!(called().await.is_object(), "the device is called for what comes next");
    assert!(job["note"].as_str().unwrap().contains("already accepted"), "{job}");
    assert_eq!(cancel("00000000-0000-7000-8000-000000000000").await.0, 404);
}

#[tokio::test]
async fn a_job_is_given_up_when_its_time_has_passed() {
    let (_muster, api) = raw_device("LINE5").await;
    let path = format!("{}/jobs", device_path("LINE5"));
    let mut past = get();
    past["expires_at"] = json!("2020-01-01T00:00:00Z");
    let (status, problem) = api.call("POST", &path, Some(past)).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/expires_at")), "{problem}");

    let open = api.queue("LINE5", get()).await;
    let mut short = get();
    short["expires_at"] = json!((Utc::now() + TimeDelta::seconds(1)).to_rfc3339());
    let short = api.queue("LINE5", short).await;
    let job = api.job_in(&short, &["expired"]).await;
    assert_eq!(job["note"], "the device did not come in time");
    assert_eq!(api.job(&open).await["state"], "queued", "the one before it blocks nothing");
}
