//! Tests that the device runs itself: figures, refusals, and devices that hang up, forget or say
//! nothing.

use std::time::Duration;

use muster_cwmp::rpc::{Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::LAB;
use crate::harness::kit::{Lab, raw_device};
use crate::harness::talk::Talk;

const PING: &str = "Device.IP.Diagnostics.IPPing.";
const OVER: &[&str] = &["8 DIAGNOSTICS COMPLETE"];

fn diagnose(test: Value) -> Value {
    json!({ "kind": "diagnose", "test": test })
}

fn ping(host: &str) -> Value {
    diagnose(json!({ "type": "ping", "host": host, "count": 3 }))
}

/// A device whose tests are over soon.
async fn lab() -> Lab {
    Lab::with(LAB, |options| options.time_scale = 10.0).await
}

#[tokio::test]
async fn a_ping_ends_with_its_figures() {
    let lab = lab().await;
    let job = lab.run(ping("192.168.88.254")).await;
    let result = &job["result"];
    assert_eq!((&result["test"], &result["state"]), (&json!("ping"), &json!("Complete")));
    assert_eq!((&result["success"], &result["failure"]), (&json!(3), &json!(0)));
    let [least, average, most] =
        ["minimum_ms", "average_ms", "maximum_ms"].map(|n| result[n].as_f64().unwrap());
    assert!(0.0 < least && least < average && average < most, "{job}");
    assert_eq!(job["attempts"], 2, "the order and the reading");
    assert!(lab.api.events(&lab.serial).await.contains(&"diagnostics_complete".to_owned()));
    let known = lab.api.known(&lab.serial, &format!("{PING}DiagnosticsState")).await;
    assert_eq!(known[0].1, "Complete", "what was read is known of the device");

    let job = lab.run(ping("192.0.2.9")).await;
    let result = &job["result"];
    assert_eq!((&result["success"], &result["failure"]), (&json!(0), &json!(3)), "{job}");
    assert_eq!(result["average_ms"], Value::Null);
}

#[tokio::test]
async fn what_the_device_could_not_do_is_said_in_words() {
    let lab = lab().await;
    let job = lab.refused(ping("nowhere.invalid")).await;
    assert_eq!(job["note"], "the device could not: cannot resolve the host name");
    let silent = json!({ "type": "download_speed", "url": "http://192.0.2.1/10MB" });
    let job = lab.refused(diagnose(silent)).await;
    assert_eq!(job["note"], "the device could not: cannot connect to the server");

    for (test, pointer) in [
        (json!({ "type": "ping", "host": "a b" }), "/test/host"),
        (json!({ "type": "ping", "host": "a", "count": 101 }), "/test/count"),
        (json!({ "type": "download_speed", "url": "ftp://a/" }), "/test/url"),
    ] {
        let (status, problem) = lab.denied(diagnose(test)).await;
        assert_eq!((status, &problem["pointer"]), (422, &json!(pointer)), "{problem}");
    }
    let typo = diagnose(json!({ "type": "ping", "host": "a", "cuont": 1 }));
    let (status, problem) = lab.denied(typo).await;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().unwrap().contains("cuont"), "{problem}");
}

#[tokio::test]
async fn a_traceroute_ends_with_its_hops() {
    let lab = lab().await;
    let trace = |host: &str, max_hops: u32| {
        diagnose(json!({ "type": "traceroute", "host": host, "tries": 2, "max_hops": max_hops }))
    };
    let job = lab.run(trace("www.example", 30)).await;
    let hops = job["result"]["hops"].as_array().unwrap();
    assert!(hops.len() >= 3, "{job}");
    assert_eq!(hops[0]["address"], "100.127.255.254");
    assert_eq!(hops[0]["rtt_ms"], json!([2, 3]));
    assert_eq!(hops.last().unwrap()["host"], "www.example");

    let job = lab.run(trace("192.0.2.1", 5)).await;
    let hops = job["result"]["hops"].as_array().unwrap();
    assert_eq!((hops.len(), &hops[4]["rtt_ms"]), (5, &json!([])), "no hop of the way before");
    assert_eq!(job["result"]["state"], "Error_MaxHopCountExceeded");
}

#[tokio::test]
async fn speed_is_told_both_ways() {
    let lab = lab().await;
    let url = "http://speed.example/file";
    let job = lab.run(diagnose(json!({ "type": "download_speed", "url": url }))).await;
    assert_eq!(job["result"]["bytes"], 10_000_000, "{job}");
    let rate = job["result"]["mbit_per_s"].as_f64().unwrap();
    assert!((20.0..40.0).contains(&rate), "{job}");
    assert!(job["result"]["bom_time"].as_str() < job["result"]["eom_time"].as_str(), "{job}");

    let upload = json!({ "type": "upload_speed", "url": url, "bytes": 2_000_000 });
    let job = lab.run(diagnose(upload)).await;
    assert_eq!(job["result"]["bytes"], 2_000_000, "{job}");
    assert!(job["result"]["mbit_per_s"].as_f64().unwrap() > 0.0, "{job}");
}

/// The ACS orders a ping of this host.
fn ordered(talk: &Talk, host: &str) {
    let Request::SetParameterValues(call) = talk.asked() else { panic!("{:?}", talk.request) };
    let written = |name: &str| {
        let name = format!("{PING}{name}");
        call.parameters.iter().find(|p| p.name == name).map(|p| p.value.as_str())
    };
    assert_eq!((written("Host"), written("DiagnosticsState")), (Some(host), Some("Requested")));
}

/// The ACS asks what came of a ping.
fn asked(talk: &Talk) {
    assert_eq!(talk.asked(), &Request::GetParameterValues(vec![PING.to_owned()]));
}

fn state(state: &str) -> Response {
    let figure = |name: &str, value: &str| ParameterValue::string(format!("{PING}{name}"), value);
    Response::GetParameterValues(vec![
        figure("DiagnosticsState", state),
        figure("SuccessCount", "2"),
        figure("FailureCount", "1"),
    ])
}

fn applied() -> Response {
    Response::SetParameterValues(Status::Applied)
}

/// Lets so much time pass for a job that waits for its report.
async fn pass(pool: &PgPool, job_id: &str, time: Duration) {
    let id: Uuid = job_id.parse().unwrap();
    let jobs = "update jobs set not_before = not_before - make_interval(secs => $2), \
                confirm_by = confirm_by - make_interval(secs => $2) \
                where job_id = $1 and state = 'waiting' returning device_id";
    let seconds = time.as_secs_f64();
    let device: Uuid =
        sqlx::query_scalar(jobs).bind(id).bind(seconds).fetch_one(pool).await.unwrap();
    let devices = "update devices set next_due = next_due - make_interval(secs => $2) \
                   where device_id = $1";
    sqlx::query(devices).bind(device).bind(seconds).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_device_that_hangs_up_is_asked_again() {
    let (muster, api) = raw_device("DIAG1").await;
    let id = api.queue("DIAG1", ping("a.example")).await;
    let behind = api.queue("DIAG1", json!({ "kind": "methods" })).await;
    let talk = Talk::open(muster.cwmp, "DIAG1", &["2 PERIODIC"]).await;
    ordered(&talk, "a.example");
    drop(talk);
    // It may have been taken or not: ordering it again begins it anew.
    let mut talk = Talk::open(muster.cwmp, "DIAG1", &["2 PERIODIC"]).await;
    ordered(&talk, "a.example");
    talk.answer(applied()).await;
    assert_eq!(talk.request, None, "what was asked for after it waits for it");
    assert_eq!(api.job(&id).await["state"], "waiting");

    for _ in 0..3 {
        let talk = Talk::open(muster.cwmp, "DIAG1", OVER).await;
        asked(&talk);
    }
    let mut talk = Talk::open(muster.cwmp, "DIAG1", OVER).await;
    asked(&talk);
    talk.answer(state("Complete")).await;
    let job = api.done(&id).await;
    assert_eq!((&job["result"]["success"], &job["attempts"]), (&json!(2), &json!(6)), "{job}");
    assert_eq!(talk.asked(), &Request::GetRpcMethods);
    talk.answer(Response::GetRpcMethods(vec!["Reboot".to_owned()])).await;
    assert_eq!(talk.request, None);
    api.done(&behind).await;
}

#[tokio::test]
async fn the_end_of_another_test_is_not_taken_for_its_own() {
    let (muster, api) = raw_device("DIAG2").await;
    let id = api.queue("DIAG2", ping("a.example")).await;
    // Somebody's on the device itself.
    let mut talk = Talk::open(muster.cwmp, "DIAG2", OVER).await;
    ordered(&talk, "a.example");
    talk.answer(applied()).await;
    assert_eq!(talk.request, None);
    let deadline = api.job(&id).await["confirm_by"].clone();

    let mut talk = Talk::open(muster.cwmp, "DIAG2", OVER).await;
    asked(&talk);
    talk.answer(state("Requested")).await;
    assert_eq!(talk.request, None, "it is not asked over and over");
    let job = api.job(&id).await;
    assert_eq!((&job["state"], &job["confirm_by"]), (&json!("waiting"), &deadline), "{job}");

    // Restarted amid it.
    let mut talk = Talk::open(muster.cwmp, "DIAG2", OVER).await;
    asked(&talk);
    talk.answer(state("None")).await;
    ordered(&talk, "a.example");
    talk.answer(applied()).await;
    assert_eq!(talk.request, None);
    let mut talk = Talk::open(muster.cwmp, "DIAG2", OVER).await;
    asked(&talk);
    talk.answer(state("Complete")).await;
    api.done(&id).await;
}

#[tokio::test]
async fn a_device_that_does_not_tell_is_looked_at_when_it_comes() {
    let (muster, api) = raw_device("DIAG3").await;
    let id = api.queue("DIAG3", ping("a.example")).await;
    let mut talk = Talk::open(muster.cwmp, "DIAG3", &["2 PERIODIC"]).await;
    ordered(&talk, "a.example");
    talk.answer(applied()).await;
    let called = "select r.not_before > now() + interval '30 seconds' \
                  from connection_requests r join jobs j using (device_id) where j.job_id = $1";
    let job_id: Uuid = id.parse().unwrap();
    let called: Option<bool> =
        sqlx::query_scalar(called).bind(job_id).fetch_optional(&muster.pool).await.unwrap();
    assert_eq!(called, Some(true), "it is called when it is to be looked at");
    let talk = Talk::open(muster.cwmp, "DIAG3", &["2 PERIODIC"]).await;
    assert_eq!(talk.request, None, "not at once");
    let minute = Duration::from_secs(60);
    pass(&muster.pool, &id, minute).await;
    let mut talk = Talk::open(muster.cwmp, "DIAG3", &["2 PERIODIC"]).await;
    asked(&talk);
    talk.answer(state("Requested")).await;
    assert_eq!(talk.request, None);
    pass(&muster.pool, &id, minute).await;
    let mut talk = Talk::open(muster.cwmp, "DIAG3", &["2 PERIODIC"]).await;
    asked(&talk);
    talk.answer(state("Complete")).await;
    let job = api.done(&id).await;
    assert_eq!(job["result"]["failure"], 1);
    assert_eq!(job["attempts"], 2, "the order and the reading: a look at what goes on is none");
}

#[tokio::test]
async fn a_device_that_never_reports_is_given_up() {
    let (muster, api) = raw_device("DIAG4").await;
    let id = api.queue("DIAG4", ping("a.example")).await;
    let mut talk = Talk::open(muster.cwmp, "DIAG4", &["2 PERIODIC"]).await;
    ordered(&talk, "a.example");
    talk.answer(applied()).await;
    pass(&muster.pool, &id, Duration::from_secs(3_600)).await;
    let job = api.job_in(&id, &["failed"]).await;
    assert!(job["note"].as_str().unwrap().contains("never reported"), "{job}");

    // One that has no such test says so.
    let id = api.queue("DIAG4", ping("a.example")).await;
    let mut talk = Talk::open(muster.cwmp, "DIAG4", &["2 PERIODIC"]).await;
    talk.fault(9003).await;
    assert_eq!(api.job(&id).await["state"], "failed");
}
