//! What a refusal or silence means for a job: again and when, or no more.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::rpc::{Request, Response};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};

use crate::harness::kit::{due_now, raw_device};
use crate::harness::talk::Talk;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

fn get() -> Value {
    json!({ "kind": "get", "names": [CODE] })
}

fn wait_of(job: &Value) -> TimeDelta {
    let at: DateTime<Utc> = job["not_before"].as_str().unwrap().parse().unwrap();
    at - Utc::now()
}

#[tokio::test]
async fn the_devices_own_trouble_is_waited_out_longer_each_time_and_at_last_given_up() {
    let (muster, api) = raw_device("RETRY1").await;
    let id = api.queue("RETRY1", get()).await;
    let mut shortest = 12;
    for attempt in 1..5 {
        let mut talk = Talk::open(muster.cwmp, "RETRY1", &["2 PERIODIC"]).await;
        assert!(matches!(talk.asked(), Request::GetParameterValues(_)), "attempt {attempt}");
        talk.fault(9002).await;
        assert_eq!(talk.request, None, "not again at once");
        let job = api.job(&id).await;
        assert_eq!((&job["state"], &job["attempts"]), (&json!("queued"), &json!(attempt)));
        assert_eq!(job["fault"]["code"], 9002);
        assert!(wait_of(&job) > TimeDelta::seconds(shortest), "{job}");
        shortest *= 2;
        let talk = Talk::open(muster.cwmp, "RETRY1", &["2 PERIODIC"]).await;
        assert_eq!(talk.request, None, "nor before its time");
        due_now(&muster.pool, &id).await;
    }
    let mut talk = Talk::open(muster.cwmp, "RETRY1", &["2 PERIODIC"]).await;
    talk.fault(9002).await;
    let job = api.job(&id).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("failed"), &json!(5)), "{job}");
}

#[tokio::test]
async fn trouble_that_passes_is_forgotten_in_the_result() {
    let (muster, api) = raw_device("RETRY2").await;
    let id = api.queue("RETRY2", get()).await;
    let mut talk = Talk::open(muster.cwmp, "RETRY2", &["2 PERIODIC"]).await;
    talk.fault(9004).await;
    due_now(&muster.pool, &id).await;
    let mut talk = Talk::open(muster.cwmp, "RETRY2", &["2 PERIODIC"]).await;
    talk.answer(Response::GetParameterValues(vec![ParameterValue::string(CODE, "x")])).await;
    let job = api.job(&id).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("done"), &json!(2)), "{job}");
    assert_eq!(job["result"]["parameters"][0]["value"], "x");
}

#[tokio::test]
async fn a_wrong_request_fails_once() {
    let (muster, api) = raw_device("RETRY3").await;
    let id = api.queue("RETRY3", get()).await;
    let mut talk = Talk::open(muster.cwmp, "RETRY3", &["2 PERIODIC"]).await;
    talk.fault(9005).await;
    let job = api.job(&id).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("failed"), &json!(1)), "{job}");
    assert_eq!(job["fault"]["code"], 9005);
    assert!(job["note"].as_str().unwrap().contains("9005"), "{job}");
}

#[tokio::test]
async fn silence_is_asked_again_then_retried_where_that_is_safe() {
    let (muster, api) = raw_device("RETRY4").await;
    let safe = api.queue("RETRY4", get()).await;
    let mut talk = Talk::open(muster.cwmp, "RETRY4", &["2 PERIODIC"]).await;
    talk.silent().await;
    assert!(matches!(talk.asked(), Request::GetParameterValues(_)), "the same once more");
    talk.silent().await;
    assert_eq!(talk.request, None);
    let job = api.job(&safe).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("queued"), &json!(1)), "{job}");
    let cancel = format!("/api/v1/jobs/{safe}/cancel");
    assert_eq!(api.call("POST", &cancel, None).await.0, 200);

    let unsafe_job = api.queue("RETRY4", json!({ "kind": "reboot" })).await;
    let mut talk = Talk::open(muster.cwmp, "RETRY4", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Reboot(_)));
    talk.silent().await;
    assert_eq!(talk.request, None, "not sent again: it may have been taken");
    let job = api.job(&unsafe_job).await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("waiting"), &json!(1)), "{job}");
}
