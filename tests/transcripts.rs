//! What was said in sessions, readable afterwards; and secrets, which only who may sees.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::rpc::{Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::cpe::{Cpe, envelope, inform};
use crate::harness::kit::{Api, device_path, raw_device};
use crate::harness::talk::{Talk, begun, introduce};
use crate::harness::{LAB, Muster, eventually};

const NAME: &str = "Device.DeviceInfo.ProvisioningCode";
const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

/// A device's sessions, newest first, once there are so many.
async fn sessions(api: &Api, serial: &str, count: usize) -> Vec<Value> {
    let path = format!("{}/sessions", device_path(serial));
    eventually(&format!("{count} sessions are kept"), || async {
        let list = api.found(&path).await?;
        let items = list["items"].as_array()?.clone();
        (items.len() >= count).then_some(items)
    })
    .await
}

/// What was said in the newest of so many sessions.
async fn newest(api: &Api, serial: &str, count: usize) -> Value {
    let list = sessions(api, serial, count).await;
    assert_eq!(list.len(), count, "{list:?}");
    let id = list[0]["session_id"].as_str().unwrap();
    api.get(&format!("{}/sessions/{id}", device_path(serial))).await
}

/// Who said which kind of thing, in order.
fn said(session: &Value) -> Vec<(&str, &str)> {
    let entries = session["entries"].as_array().unwrap();
    entries.iter().map(|e| (e["from"].as_str().unwrap(), e["kind"].as_str().unwrap())).collect()
}

fn set(name: &str, value: &str) -> Value {
    json!({ "kind": "set", "parameters": [{ "name": name, "value": value }] })
}

fn get(name: &str) -> Value {
    json!({ "kind": "get", "names": [name] })
}

async fn reveal(api: &Api, serial: &str, name: &str) -> (u16, Value) {
    let path = format!("{}/reveal", device_path(serial));
    api.call("POST", &path, Some(json!({ "name": name }))).await
}

/// A session in which the device answers one read with this value.
async fn tells(muster: &Muster, api: &Api, serial: &str, name: &str, value: &str) {
    api.queue(serial, get(name)).await;
    let mut talk = Talk::open(muster.cwmp, serial, &["2 PERIODIC"]).await;
    assert_eq!(talk.asked(), &Request::GetParameterValues(vec![name.to_owned()]));
    talk.answer(Response::GetParameterValues(vec![ParameterValue::string(name, value)])).await;
    assert_eq!(talk.request, None);
}

/// A session in which the device takes one value.
async fn takes(muster: &Muster, api: &Api, serial: &str, name: &str, value: &str) {
    api.queue(serial, set(name, value)).await;
    let mut talk = Talk::open(muster.cwmp, serial, &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::SetParameterValues(_)));
    talk.answer(Response::SetParameterValues(Status::Applied)).await;
    assert_eq!(talk.request, None);
}

#[tokio::test]
async fn a_session_with_a_job_is_kept_in_order_and_one_without_is_not() {
    let (muster, api) = raw_device("TOLD").await;
    let first = newest(&api, "TOLD", 1).await;
    assert_eq!(first["outcome"], "done");
    assert_eq!(said(&first)[..2], [("cpe", "Inform"), ("acs", "InformResponse")]);
    let summary = &first["entries"][0]["summary"];
    assert_eq!(summary["device_id"]["serial_number"], "TOLD");
    assert_eq!(summary["events"][0]["event_code"], "2 PERIODIC");

    for _ in 0..3 {
        let quiet = Talk::open(muster.cwmp, "TOLD", &["2 PERIODIC"]).await;
        assert_eq!(quiet.request, None);
    }
    tells(&muster, &api, "TOLD", NAME, "riga").await;
    // Sessions are written in the order of their ends: the quiet ones would stand before it.
    let session = newest(&api, "TOLD", 2).await;
    let conversation = [
        ("cpe", "Inform"),
        ("acs", "InformResponse"),
        ("cpe", "Empty"),
        ("acs", "GetParameterValues"),
        ("cpe", "GetParameterValuesResponse"),
        ("acs", "End"),
    ];
    assert_eq!(said(&session), conversation);
    assert_eq!((&session["outcome"], &session["messages"]), (&json!("done"), &json!(6)));
    assert_eq!((&session["omitted"], &session["why"]), (&json!(0), &Value::Null));
    assert_eq!(session["remote_addr"], "127.0.0.1");
    assert_eq!(session["entries"][3]["summary"]["names"], json!([NAME]));
    assert_eq!(session["entries"][4]["summary"]["parameters"][0]["value"], "riga");
    let unknown = format!("{}/sessions/{}", device_path("TOLD"), Uuid::nil());
    assert_eq!(api.call("GET", &unknown, None).await.0, 404);
}

#[tokio::test]
async fn a_fault_and_the_link_of_a_file_are_shown_without_what_opens_it() {
    let (muster, api) = raw_device("FAULTY").await;
    api.queue("FAULTY", set(NAME, "x")).await;
    let mut talk = Talk::open(muster.cwmp, "FAULTY", &["2 PERIODIC"]).await;
    talk.fault(9007).await;
    let session = newest(&api, "FAULTY", 2).await;
    let fault = session["entries"].as_array().unwrap().iter().find(|e| e["kind"] == "Fault");
    let fault = fault.expect("the fault is shown");
    assert_eq!((&fault["from"], &fault["summary"]["code"]), (&json!("cpe"), &json!(9007)));
    assert_eq!(fault["summary"]["meaning"], "invalid parameter value");

    let artifact = api.store("change.rsc", b"/system/identity/print").await;
    let file = json!({ "type": "alter" });
    let job = json!({ "kind": "download", "artifact_id": artifact, "file": file, "backup": false });
    api.queue("FAULTY", job).await;
    let mut talk = Talk::open(muster.cwmp, "FAULTY", &["2 PERIODIC"]).await;
    let Request::Download(download) = talk.asked().clone() else { panic!("{:?}", talk.request) };
    talk.answer(Response::Download(begun())).await;
    let session = newest(&api, "FAULTY", 3).await;
    let url = session["entries"][3]["summary"]["url"].as_str().unwrap();
    assert!(url.ends_with("/f/********/change.alter"), "{url}");
    let token = download.url.split('/').rev().nth(1).unwrap();
    assert!(token.len() > 40 && !session.to_string().contains(token), "{session}");
}

#[tokio::test]
async fn a_secret_is_masked_in_what_was_said_and_sealed_where_it_is_kept() {
    let (muster, api) = raw_device("HUSH").await;
    takes(&muster, &api, "HUSH", PASSPHRASE, "hunter2-as-it-was-set").await;
    let session = newest(&api, "HUSH", 2).await;
    let parameter = &session["entries"][3]["summary"]["parameters"][0];
    assert_eq!((&parameter["name"], &parameter["value"]), (&json!(PASSPHRASE), &json!("********")));
    assert!(!session.to_string().contains("hunter2"), "{session}");

    let kept = "select sealed from device_secrets where name = $1";
    let sealed: Vec<u8> =
        sqlx::query_scalar(kept).bind(PASSPHRASE).fetch_one(&muster.pool).await.unwrap();
    assert!(sealed.len() > "hunter2-as-it-was-set".len());
    assert!(!sealed.windows(7).any(|w| w == b"hunter2"));

    // That is how RouterOS answers for any password.
    tells(&muster, &api, "HUSH", PASSPHRASE, "").await;
    let (status, body) = reveal(&api, "HUSH", PASSPHRASE).await;
    assert_eq!((status, &body), (200, &json!({ "value": "hunter2-as-it-was-set" })));
    // Some devices do tell.
    tells(&muster, &api, "HUSH", PASSPHRASE, "hunter3-as-it-was-read").await;
    assert_eq!(reveal(&api, "HUSH", PASSPHRASE).await.1["value"], "hunter3-as-it-was-read");
    takes(&muster, &api, "HUSH", PASSPHRASE, "").await;
    assert_eq!(reveal(&api, "HUSH", PASSPHRASE).await.0, 404, "it is none any more");
}

#[tokio::test]
async fn a_secret_is_shown_to_who_may_see_it_and_the_look_is_written_down() {
    let (muster, api) = raw_device("LOOK").await;
    takes(&muster, &api, "LOOK", PASSPHRASE, "hunter2-of-the-attic").await;
    let with = |scope: &str| {
        let (api, body) = (api.clone(), json!({ "name": scope, "scopes": [scope] }));
        async move {
            let (status, made) = api.call("POST", "/api/v1/tokens", Some(body)).await;
            assert_eq!(status, 201, "{made}");
            api.with_token(made["token"].as_str().unwrap())
        }
    };
    let looks = "select actor, after::text from audit_log where action = 'device.secret_reveal'";
    for scope in ["read", "operate", "support"] {
        assert_eq!(reveal(&with(scope).await, "LOOK", PASSPHRASE).await.0, 403, "{scope}");
    }
    let may = with("secrets").await;
    assert_eq!(reveal(&may, "LOOK", NAME).await.0, 404, "it is no secret");
    assert_eq!(reveal(&may, "NOBODY", PASSPHRASE).await.0, 404);
    let none: Vec<(String, String)> = sqlx::query_as(looks).fetch_all(&muster.pool).await.unwrap();
    assert!(none.is_empty(), "nothing was seen: {none:?}");

    let path = format!("{}/reveal", device_path("LOOK"));
    let asked = may.request("POST", &path).json(&json!({ "name": PASSPHRASE }));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["value"], "hunter2-of-the-attic");
    let seen: Vec<(String, String)> = sqlx::query_as(looks).fetch_all(&muster.pool).await.unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].0, "secrets", "by the name of the token");
    assert!(seen[0].1.contains(PASSPHRASE) && !seen[0].1.contains("hunter2"), "{seen:?}");
    assert!(!muster.log().contains("hunter2"));
}

#[tokio::test]
async fn a_session_that_is_lost_says_so_also_a_quiet_one() {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ACS__SESSION_TIMEOUT_SECONDS", "2")]).await;
    let api = Api::of(&mut muster);
    introduce(muster.cwmp, "LOST").await;
    sessions(&api, "LOST", 1).await;
    // It would have had nothing to say.
    let mut quiet = Cpe::connect(muster.cwmp).await;
    assert_eq!(quiet.post(&inform("LOST", &["2 PERIODIC"])).await.status, 200);
    let lost = newest(&api, "LOST", 2).await;
    assert_eq!(
        (&lost["outcome"], &lost["why"]),
        (&json!("lost"), &json!("the device fell silent"))
    );
    assert_eq!(said(&lost), [("cpe", "Inform"), ("acs", "InformResponse")]);
}

#[tokio::test]
async fn a_session_that_is_superseded_ends_with_what_was_asked_last() {
    let (muster, api) = raw_device("TWICE").await;
    api.queue("TWICE", get(NAME)).await;
    let old = Talk::open(muster.cwmp, "TWICE", &["2 PERIODIC"]).await;
    assert!(old.request.is_some());
    let mut new = Cpe::connect(muster.cwmp).await;
    assert_eq!(new.post(&inform("TWICE", &["2 PERIODIC"])).await.status, 200);
    let session = newest(&api, "TWICE", 2).await;
    assert_eq!(session["outcome"], "superseded");
    assert_eq!(said(&session).last(), Some(&("acs", "GetParameterValues")));
}

#[tokio::test]
async fn a_message_that_is_not_taken_is_shown_as_such() {
    let (muster, api) = raw_device("ODD").await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    assert_eq!(cpe.post(&inform("ODD", &["2 PERIODIC"])).await.status, 200);
    assert_eq!(cpe.post("<not><soap/></not>").await.status, 400);
    assert_eq!(cpe.empty().await.status, 204);
    let session = newest(&api, "ODD", 2).await;
    assert_eq!(session["outcome"], "done");
    let kinds: Vec<&str> = said(&session).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["Inform", "InformResponse", "Rejected", "Empty", "End"]);
    assert_eq!(session["entries"][2]["summary"]["status"], 400);
}

#[tokio::test]
async fn there_is_an_end_to_what_is_kept() {
    let (muster, api) = raw_device("CHATTY").await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    assert_eq!(cpe.post(&inform("CHATTY", &["2 PERIODIC"])).await.status, 200);
    for _ in 0..150 {
        assert_eq!(cpe.post(&envelope("<cwmp:GetRPCMethods/>")).await.status, 200);
    }
    assert_eq!(cpe.empty().await.status, 204);
    let session = newest(&api, "CHATTY", 2).await;
    assert_eq!((&session["messages"], &session["omitted"]), (&json!(304), &json!(104)));
    assert_eq!(said(&session).len(), 200);

    // An event is news, although no job comes of it.
    for _ in 0..55 {
        Talk::open(muster.cwmp, "CHATTY", &["4 VALUE CHANGE"]).await;
    }
    tells(&muster, &api, "CHATTY", NAME, "last").await;
    let path = format!("{}/sessions", device_path("CHATTY"));
    let list = eventually("the oldest are forgotten", || async {
        let list = api.found(&path).await?["items"].as_array()?.clone();
        (list.len() == 50 && list[0]["messages"] == 6).then_some(list)
    })
    .await;
    let start = |s: &Value| s["started_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(list.windows(2).all(|w| start(&w[0]) >= start(&w[1])), "newest first: {list:?}");
    let page = api.get(&format!("{path}?limit=20")).await;
    let next = page["next"].as_str().unwrap();
    let rest = api.get(&format!("{path}?limit=1000&before={next}")).await;
    assert_eq!(rest["items"].as_array().unwrap()[..], list[20..]);

    let now: DateTime<Utc> =
        sqlx::query_scalar("select now()").fetch_one(&muster.pool).await.unwrap();
    let purge = muster::store::transcripts::purge;
    assert_eq!(purge(&muster.pool, now + TimeDelta::days(29)).await.unwrap(), 0);
    assert_eq!(purge(&muster.pool, now + TimeDelta::days(31)).await.unwrap(), 50);
    assert_eq!(api.get(&path).await["items"], json!([]));
}
