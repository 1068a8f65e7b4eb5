//! Secrets on their way: the device gets them in clear, nobody and nothing else does.

use muster_cwmp::fault::{Fault, FaultCode, ParameterFault};
use muster_cwmp::rpc::{Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::json;

use crate::harness::kit::{Api, device_path};
use crate::harness::session::{ADMIN, Session};
use crate::harness::talk::Talk;
use crate::harness::{LAB, Muster};

const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
const SET: &str = "hunter2-as-it-was-set";
const READ: &str = "hunter3-as-it-was-read";

/// What the ACS writes into the parameter whose name ends like this.
fn written<'r>(request: &'r Request, ending: &str) -> &'r str {
    let Request::SetParameterValues(call) = request else { panic!("{request:?}") };
    let parameter = call.parameters.iter().find(|p| p.name.ends_with(ending));
    &parameter.expect("it is written").value
}

#[tokio::test]
async fn a_secret_is_known_to_its_device_alone() {
    let mut settings = LAB.to_vec();
    settings.push(("MUSTER_TELEMETRY__FILTER", "debug,muster=trace"));
    let mut muster = Muster::start(&settings).await;
    let api = Api::of(&mut muster);
    // The first session hands out a generated secret.
    let talk = Talk::open(muster.cwmp, "SECRET1", &["2 PERIODIC"]).await;
    let generated = written(talk.asked(), ".ConnectionRequestPassword").to_owned();
    assert!(generated.len() >= 20);
    talk.agree().await;

    let parameters = json!([{ "name": PASSPHRASE, "value": SET }]);
    let set = json!({ "kind": "set", "parameters": parameters });
    let refused = api.queue("SECRET1", set.clone()).await;
    let set = api.queue("SECRET1", set).await;
    let get = api.queue("SECRET1", json!({ "kind": "get", "names": [PASSPHRASE] })).await;
    assert_eq!(api.job(&set).await["args"]["parameters"][0]["value"], "********");
    let mut talk = Talk::open(muster.cwmp, "SECRET1", &["2 PERIODIC"]).await;
    assert_eq!(written(talk.asked(), ".KeyPassphrase"), SET);
    // A device that refuses it repeats it.
    let mut fault = Fault::new(FaultCode(9003), format!("cannot take {SET}"));
    let (name, text) = (PASSPHRASE.to_owned(), format!("{SET} is too weak"));
    fault.parameters.push(ParameterFault { name, code: FaultCode(9007), text });
    talk.refuse(fault).await;
    let job = api.job(&refused).await;
    assert_eq!((&job["state"], &job["fault"]["code"]), (&json!("failed"), &json!(9003)), "{job}");
    assert_eq!(job["fault"]["text"], "cannot take ********");
    assert_eq!(job["fault"]["parameters"][0]["text"], "******** is too weak");
    assert_eq!(written(talk.asked(), ".KeyPassphrase"), SET);
    talk.answer(Response::SetParameterValues(Status::Applied)).await;
    assert_eq!(talk.asked(), &Request::GetParameterValues(vec![PASSPHRASE.to_owned()]));
    // Not every device hides what it should.
    talk.answer(Response::GetParameterValues(vec![ParameterValue::string(PASSPHRASE, READ)])).await;
    assert_eq!(api.job(&get).await["result"]["parameters"][0]["value"], "********");
    assert_eq!(api.job(&get).await["state"], "done");

    let device = api.get(&device_path("SECRET1")).await;
    let page = format!("/devices/{}/jobs", device["device_id"].as_str().unwrap());
    let page = Session::opened(&muster, ADMIN).await.get(&page).await.body;
    assert!(page.contains("KeyPassphrase"), "{page}");
    let parameters = api.get(&format!("{}/parameters", device_path("SECRET1"))).await.to_string();
    let events = api.get(&format!("{}/events", device_path("SECRET1"))).await.to_string();
    let database = muster.whole_database().await;
    for (place, text) in [
        ("the dashboard", page),
        ("the parameters", parameters),
        ("the events", events),
        ("the database", database),
        ("the log", muster.log()),
    ] {
        for secret in [SET, READ, &generated] {
            assert!(!text.contains(secret), "{place} holds {secret}");
        }
    }
}
