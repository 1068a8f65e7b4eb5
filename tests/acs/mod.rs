//! The CWMP endpoint, spoken to byte by byte: what a CPE may do, and what it gets.
//!
//! Here: a healthy device that answers what it is asked, and the looks into the server that the
//! parts share.

mod auth;
mod enrolment;
mod http;
mod lost;
mod rpcs;
mod session;
mod tls;

use muster_cwmp::decode::decode;
use muster_cwmp::encode::request_name;
use muster_cwmp::rpc::{Body, Envelope, Request};
use muster_cwmp::xml::Limits;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::cpe::{Cpe, Reply, envelope, inform};
use crate::harness::{Muster, eventually};

/// A parameter that [`settled`] devices have.
pub const NAME: &str = "Device.DeviceInfo.ProvisioningCode";

/// The whole data model of the device that [`answer`] plays.
const MODEL: [(&str, &str); 2] = [("Device.DeviceInfo.SoftwareVersion", "7.16.1"), (NAME, "")];

/// The envelope in a reply.
pub fn decoded(reply: &Reply) -> Envelope {
    assert_eq!(reply.status, 200, "{reply:?}");
    let content_type = reply.header("content-type");
    decode(reply.body.as_bytes(), content_type, &Limits::default()).unwrap()
}

/// The ACS's call in a reply.
pub fn call(reply: &Reply) -> Request {
    match decoded(reply).body {
        Body::Request(request) => request,
        other => panic!("no call: {other:?}"),
    }
}

/// What a small, healthy device answers.
pub fn answer(request: &Request) -> String {
    let fixed = match request {
        Request::GetParameterValues(_) => return values(&MODEL),
        Request::GetParameterNames(_) => return names(),
        Request::SetParameterValues(_) => {
            "<cwmp:SetParameterValuesResponse><Status>0</Status></cwmp:SetParameterValuesResponse>"
        }
        Request::GetRpcMethods => {
            "<cwmp:GetRPCMethodsResponse><MethodList><string>GetRPCMethods</string>\
             <string>Reboot</string></MethodList></cwmp:GetRPCMethodsResponse>"
        }
        Request::Download(_) => {
            "<cwmp:DownloadResponse><Status>1</Status><StartTime>0001-01-01T00:00:00Z</StartTime>\
             <CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:DownloadResponse>"
        }
        Request::Reboot(_) => "<cwmp:RebootResponse/>",
        Request::ChangeDuState(_) => "<cwmp:ChangeDUStateResponse/>",
        other => panic!("this device does not know {other:?}"),
    };
    envelope(fixed)
}

/// A GetParameterValuesResponse.
pub fn values(list: &[(&str, &str)]) -> String {
    let entry = |(name, value): &(&str, &str)| {
        format!(
            "<ParameterValueStruct><Name>{name}</Name>\
             <Value xsi:type='xsd:string'>{value}</Value></ParameterValueStruct>"
        )
    };
    let entries: String = list.iter().map(entry).collect();
    envelope(&format!(
        "<cwmp:GetParameterValuesResponse><ParameterList>{entries}</ParameterList>\
         </cwmp:GetParameterValuesResponse>"
    ))
}

fn names() -> String {
    let leaves = MODEL.map(|(name, _)| name);
    let entry = |name: &str| {
        format!(
            "<ParameterInfoStruct><Name>{name}</Name><Writable>1</Writable></ParameterInfoStruct>"
        )
    };
    let paths = ["Device.", "Device.DeviceInfo."];
    let entries: String = paths.into_iter().chain(leaves).map(entry).collect();
    envelope(&format!(
        "<cwmp:GetParameterNamesResponse><ParameterList>{entries}</ParameterList>\
         </cwmp:GetParameterNamesResponse>"
    ))
}

/// A message with this in its SOAP Header.
pub fn with_header(message: &str, header: &str) -> String {
    let body = "<soapenv:Body>";
    message.replacen(body, &format!("<soapenv:Header>{header}</soapenv:Header>{body}"), 1)
}

/// Answers the call in `reply` and those that follow; gives the methods that were called. The
/// session has ended as it should: with 204.
pub async fn answer_all(cpe: &mut Cpe, mut reply: Reply) -> Vec<&'static str> {
    let mut methods = Vec::new();
    while reply.status == 200 {
        let request = call(&reply);
        methods.push(request_name(&request));
        reply = cpe.post(&answer(&request)).await;
    }
    assert_eq!(reply.status, 204, "{reply:?}");
    methods
}

/// From the empty POST to the end of the session; see [`answer_all`].
pub async fn finish(cpe: &mut Cpe) -> Vec<&'static str> {
    let reply = cpe.empty().await;
    answer_all(cpe, reply).await
}

/// A periodic session of this device, up to the InformResponse.
pub async fn opened(muster: &Muster, serial: &str) -> Cpe {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.post(&inform(serial, &["2 PERIODIC"])).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    cpe
}

/// Makes a device known that has been read whole and for which nothing is left to do.
pub async fn settled(muster: &Muster, serial: &str) {
    finish(&mut opened(muster, serial).await).await;
    let mut again = opened(muster, serial).await;
    assert_eq!(again.empty().await.status, 204, "nothing is left to do");
}

/// Orders a job and does not wake the device for it; gives its id.
pub async fn order(muster: &mut Muster, serial: &str, mut job: Value) -> String {
    job["wake"] = json!(false);
    let path = format!("/api/v1/devices/serial:{serial}/jobs");
    let (status, made) = muster.api("POST", &path, Some(job)).await;
    assert_eq!(status, 201, "{made}");
    made["job_id"].as_str().unwrap().to_owned()
}

/// A job that reads [`NAME`].
pub async fn order_get(muster: &mut Muster, serial: &str) -> String {
    order(muster, serial, json!({ "kind": "get", "names": [NAME] })).await
}

/// A job as the API shows it.
pub async fn job(muster: &mut Muster, id: &str) -> Value {
    muster.get(&format!("/api/v1/jobs/{id}")).await
}

/// Waits until a job is in this state.
pub async fn job_reaches(muster: &Muster, id: &str, state: &str) {
    let id = Uuid::parse_str(id).unwrap();
    eventually(&format!("the job is {state}"), || {
        let (pool, state) = (muster.pool.clone(), state.to_owned());
        async move {
            let now: String = sqlx::query_scalar("select state from jobs where job_id = $1")
                .bind(id)
                .fetch_one(&pool)
                .await
                .unwrap();
            (now == state).then_some(())
        }
    })
    .await;
}

/// Ends the wait of every job that is to be tried again later.
pub async fn hurry(muster: &Muster) {
    for sql in [
        "update jobs set not_before = now() - interval '1 second' where state = 'queued'",
        "update devices set next_due = now() - interval '1 second' where next_due is not null",
    ] {
        sqlx::query(sql).execute(&muster.pool).await.unwrap();
    }
}

/// A device as the API shows it.
pub async fn device(muster: &mut Muster, serial: &str) -> Value {
    muster.get(&format!("/api/v1/devices/serial:{serial}")).await
}

/// Whether the inventory has the device.
pub async fn is_known(muster: &mut Muster, serial: &str) -> bool {
    let path = format!("/api/v1/devices/serial:{serial}");
    match muster.api("GET", &path, None).await {
        (200, _) => true,
        (404, _) => false,
        other => panic!("{other:?}"),
    }
}

/// What is stored of [`NAME`].
pub async fn stored(muster: &mut Muster, serial: &str) -> String {
    let path = format!("/api/v1/devices/serial:{serial}/parameters?prefix={NAME}");
    let found = muster.get(&path).await;
    found["items"][0]["value"].as_str().unwrap().to_owned()
}

/// A device's events of one kind, newest first.
pub async fn events(muster: &mut Muster, serial: &str, kind: &str) -> Vec<Value> {
    let path = format!("/api/v1/devices/serial:{serial}/events?limit=1000");
    let page = muster.get(&path).await;
    page["items"].as_array().unwrap().iter().filter(|e| e["kind"] == kind).cloned().collect()
}
