//! What a CPE reports of its own accord (TR-069 A.3.3, A.4.2): the answer, and the event that is
//! stored.

use muster_cwmp::rpc::{Body, Request, Response};
use serde_json::{Value, json};

use super::{
    answer, call, decoded, events, finish, job, job_reaches, opened, order, settled, with_header,
};
use crate::harness::cpe::{Cpe, envelope};
use crate::harness::{LAB, Muster};

const UUID: &str = "b4a32e5c-3d0f-5c4d-8f1e-0123456789ab";

/// Sends a request with an ID and gives what it is answered, in the same session.
async fn told(cpe: &mut Cpe, request: &str) -> Response {
    let message = with_header(&envelope(request), "<cwmp:ID>r-1</cwmp:ID>");
    let reply = decoded(&cpe.post(&message.replace("cwmp-1-0", "cwmp-1-2")).await);
    assert_eq!(reply.id.as_deref(), Some("r-1"));
    match reply.body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The only event of its kind.
async fn event(muster: &mut Muster, serial: &str, kind: &str) -> Value {
    let found = events(muster, serial, kind).await;
    assert_eq!(found.len(), 1, "{kind}");
    found[0].clone()
}

#[tokio::test]
async fn kicked_leads_to_the_next_page() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "KICKED").await;
    let request = "<cwmp:Kicked><Command>go</Command><Referer>http://from/</Referer>\
                   <Arg>a=1&amp;b=2</Arg><Next>http://next/?x=1&amp;y=&lt;2&gt;</Next></cwmp:Kicked>";
    let next_url = "http://next/?x=1&y=<2>".to_owned();
    assert_eq!(told(&mut cpe, request).await, Response::Kicked { next_url });
    let detail = json!({ "command": "go", "referer": "http://from/", "arg": "a=1&b=2" });
    assert_eq!(event(&mut muster, "KICKED", "kicked").await["detail"], detail);
    assert!(finish(&mut cpe).await.len() >= 3);
}

#[tokio::test]
async fn a_requested_download_is_noted() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "WANTS").await;
    let request = "<cwmp:RequestDownload><FileType>1 Firmware Upgrade Image</FileType>\
                   <FileTypeArg><ArgStruct><Name>Version</Name><Value>7.17</Value></ArgStruct>\
                   </FileTypeArg></cwmp:RequestDownload>";
    assert_eq!(told(&mut cpe, request).await, Response::RequestDownload);
    let bare = "<cwmp:RequestDownload><FileType>2 Web Content</FileType></cwmp:RequestDownload>";
    assert_eq!(told(&mut cpe, bare).await, Response::RequestDownload);
    let found = events(&mut muster, "WANTS", "request_download").await;
    let args = json!({ "file_type": "1 Firmware Upgrade Image", "args": [["Version", "7.17"]] });
    assert_eq!(found.len(), 2);
    assert_eq!(found[1]["detail"], args);
    assert_eq!(found[0]["detail"]["args"], json!([]));
    assert!(finish(&mut cpe).await.len() >= 3);
}

#[tokio::test]
async fn a_transfer_that_nobody_ordered_is_noted() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "ALONE").await;
    let request = "<cwmp:AutonomousTransferComplete><AnnounceURL>http://a/</AnnounceURL>\
                   <TransferURL>http://t/f.bin</TransferURL><IsDownload>1</IsDownload>\
                   <FileType>1 Firmware Upgrade Image</FileType><FileSize>4096</FileSize>\
                   <TargetFileName>f.bin</TargetFileName><FaultStruct><FaultCode>9010</FaultCode>\
                   <FaultString>broke off</FaultString></FaultStruct>\
                   <StartTime>0001-01-01T00:00:00Z</StartTime>\
                   <CompleteTime>2026-11-22T10:00:00Z</CompleteTime>\
                   </cwmp:AutonomousTransferComplete>";
    assert_eq!(told(&mut cpe, request).await, Response::AutonomousTransferComplete);
    let detail = event(&mut muster, "ALONE", "autonomous_transfer").await["detail"].clone();
    assert_eq!(detail["url"], "http://t/f.bin");
    assert_eq!((&detail["download"], &detail["size"]), (&json!(true), &json!(4096)));
    assert_eq!(detail["fault"], json!({ "code": 9010, "text": "broke off" }));
    assert_eq!(detail["complete_time"], "2026-11-22T10:00:00Z");
    assert!(finish(&mut cpe).await.len() >= 3);
}

#[tokio::test]
async fn a_transfer_complete_without_a_transfer_is_noted() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "NOTOURS").await;
    // Deviation 14: reordered, a foreign key; and a code that 1.0 does not name (section 4).
    let request = "<cwmp:TransferComplete><StartTime></StartTime>\
                   <CompleteTime>0000-00-00T00:00:00</CompleteTime><FaultStruct>\
                   <FaultString>no route</FaultString><FaultCode>9015</FaultCode></FaultStruct>\
                   <CommandKey>somebody else's</CommandKey></cwmp:TransferComplete>";
    assert_eq!(told(&mut cpe, request).await, Response::TransferComplete);
    let event = event(&mut muster, "NOTOURS", "transfer_complete").await;
    assert_eq!(event["job_id"], Value::Null);
    assert_eq!(event["detail"]["command_key"], "somebody else's");
    assert_eq!(event["detail"]["fault"]["code"], 9015);
    assert_eq!(event["detail"]["complete_time"], "0000-00-00T00:00:00", "as it came (A2)");
    assert!(finish(&mut cpe).await.len() >= 3);
}

/// A result of one operation; `more` stands before its end.
fn results(state: &str, code: u32, more: &str) -> String {
    format!(
        "<Results><UUID>{UUID}</UUID><DeploymentUnitRef>Device.SoftwareModules.DeploymentUnit.1.\
         </DeploymentUnitRef><Version>1.0</Version><CurrentState>{state}</CurrentState>\
         <Resolved>1</Resolved><ExecutionUnitRefList></ExecutionUnitRefList>\
         <StartTime>2026-11-22T10:00:00Z</StartTime><CompleteTime>2026-11-22T10:00:09Z</CompleteTime>\
         <Fault><FaultCode>{code}</FaultCode><FaultString></FaultString></Fault>{more}</Results>"
    )
}

#[tokio::test]
async fn a_software_module_change_closes_its_job() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "MODULES").await;
    for (code, state) in [(0, "done"), (9028, "failed")] {
        let operation = json!({ "operation": "uninstall", "uuid": UUID });
        let spec = json!({ "kind": "change_du_state", "operations": [operation] });
        let id = order(&mut muster, "MODULES", spec).await;
        let mut cpe = opened(&muster, "MODULES").await;
        let request = call(&cpe.empty().await);
        let Request::ChangeDuState(change) = &request else { panic!("{request:?}") };
        assert_eq!(cpe.post(&answer(&request)).await.status, 204);
        job_reaches(&muster, &id, "waiting").await;

        let mut cpe = opened(&muster, "MODULES").await;
        let message = format!(
            "<cwmp:DUStateChangeComplete>{}<CommandKey>{}</CommandKey></cwmp:DUStateChangeComplete>",
            results("Uninstalled", code, ""),
            change.command_key
        );
        assert_eq!(told(&mut cpe, &message).await, Response::DuStateChangeComplete);
        assert_eq!(job(&mut muster, &id).await["state"], state, "fault {code}");
        let found = events(&mut muster, "MODULES", "du_state_change").await;
        assert_eq!(found[0]["job_id"], id.as_str());
        assert_eq!(found[0]["detail"]["results"][0]["uuid"], UUID);
        assert_eq!(cpe.empty().await.status, 204);
    }
}

#[tokio::test]
async fn a_software_module_change_that_nobody_ordered_is_noted() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "MODULES2").await;
    let more = "<OperationPerformed>Install</OperationPerformed>";
    let two = [results("Installed", 0, more), results("Failed", 9017, more)].concat();
    let request = format!(
        "<cwmp:AutonomousDUStateChangeComplete>{two}</cwmp:AutonomousDUStateChangeComplete>"
    );
    assert_eq!(told(&mut cpe, &request).await, Response::AutonomousDuStateChangeComplete);
    let event = event(&mut muster, "MODULES2", "autonomous_du_state_change").await;
    let list = event["detail"]["results"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["operation_performed"], "Install");
    assert_eq!((&list[0]["fault"], &list[1]["fault"]["code"]), (&Value::Null, &json!(9017)));
    assert!(finish(&mut cpe).await.len() >= 3);
}

/// S1, 8003: a request without what it cannot do without is answered with a fault, and the session
/// goes on.
#[tokio::test]
async fn a_request_that_lacks_its_point_gets_8003() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "POINTLESS").await;
    let request = "<cwmp:Inform><Event></Event></cwmp:Inform>";
    let reply = decoded(&cpe.post(&with_header(&envelope(request), "<cwmp:ID>8</cwmp:ID>")).await);
    let Body::Fault(fault) = reply.body else { panic!("{:?}", reply.body) };
    assert_eq!((fault.code.0, reply.id.as_deref()), (8003, Some("8")));
    assert!(fault.text.contains("DeviceId"), "it says what is missing: {}", fault.text);
    assert!(finish(&mut cpe).await.len() >= 3);
    assert_eq!(muster.get("/api/v1/devices").await["items"].as_array().unwrap().len(), 1);
}
