//! A session from its Inform to its end (TR-069 3.7): who may speak, and in which words.

use muster_cwmp::acs::ACS_METHODS;
use muster_cwmp::rpc::{Body, Request, Response};
use serde_json::json;

use super::{
    NAME, answer, call, decoded, device, events, finish, job, job_reaches, opened, order,
    order_get, settled, stored, values, with_header,
};
use crate::harness::cpe::{Cpe, envelope, inform};
use crate::harness::{LAB, Muster};

#[tokio::test]
async fn every_version_is_answered_in_its_own_namespace_to_the_end() {
    let mut muster = Muster::start(LAB).await;
    for minor in 0..=4 {
        let namespace = format!("urn:dslforum-org:cwmp-1-{minor}");
        let speak = |message: &str| message.replace("urn:dslforum-org:cwmp-1-0", &namespace);
        let serial = format!("NS{minor}");
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let reply = cpe.post(&speak(&inform(&serial, &["1 BOOT"]))).await;
        assert_eq!(decoded(&reply).namespace, namespace);
        let reply = cpe.post(&speak(&envelope("<cwmp:GetRPCMethods/>"))).await;
        assert_eq!(decoded(&reply).namespace, namespace);
        let reply = cpe.post(&speak(&envelope("<cwmp:Unknown/>"))).await;
        assert_eq!(decoded(&reply).namespace, namespace, "faults too");
        let mut reply = cpe.empty().await;
        let mut calls = 0;
        while reply.status == 200 {
            assert_eq!(decoded(&reply).namespace, namespace);
            reply = cpe.post(&speak(&answer(&call(&reply)))).await;
            calls += 1;
        }
        assert!(reply.status == 204 && calls >= 3, "{calls} calls, then {reply:?}");
        assert_eq!(device(&mut muster, &serial).await["namespace"], namespace.as_str());
    }
}

#[tokio::test]
async fn the_inform_is_answered_with_one_envelope_at_a_time_and_a_version_if_asked() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let plain = inform("VERSION", &["2 PERIODIC"]);
    for max in ["<MaxEnvelopes>0<", "<MaxEnvelopes>2<", "<MaxEnvelopes>x<"] {
        let reply = decoded(&cpe.post(&plain.replace("<MaxEnvelopes>1<", max)).await);
        assert_eq!(reply.body, Body::Response(Response::Inform { max_envelopes: 1 }), "N2");
        assert_eq!(reply.use_version, None);
    }
    let header = "<cwmp:SupportedCWMPVersions soapenv:mustUnderstand='0'>1.0,1.1,1.2,1.3,1.4\
                  </cwmp:SupportedCWMPVersions>";
    let asks = with_header(&plain, header).replace("cwmp-1-0", "cwmp-1-2");
    assert_eq!(decoded(&cpe.post(&asks).await).use_version.as_deref(), Some("1.4"), "S4");
}

#[tokio::test]
async fn outside_a_session_only_an_inform_is_taken() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let kicked = "<cwmp:Kicked><Command>c</Command></cwmp:Kicked>";
    let strays = [
        envelope(kicked),
        envelope("<cwmp:GetRPCMethods/>"),
        envelope("<cwmp:Nonsense/>"),
        values(&[("Device.A", "1")]),
        envelope("<soapenv:Fault><faultcode>Client</faultcode></soapenv:Fault>"),
    ];
    for stray in &strays {
        let reply = cpe.post(stray).await;
        assert_eq!(reply.status, 400, "{stray}");
        assert!(reply.body.contains("Inform"), "it says what is due: {}", reply.body);
    }
    cpe.cookie = Some("session=0123456789abcdef0123456789abcdef".to_owned());
    assert_eq!(cpe.post(&strays[0]).await.status, 400, "nor with a made-up cookie");
    assert_eq!(muster.get("/api/v1/devices").await["items"], json!([]), "and nothing is stored");
    assert_eq!(cpe.post(&inform("LATER", &["2 PERIODIC"])).await.status, 200);
    assert_eq!(decoded(&cpe.post(&strays[0]).await).namespace, "urn:dslforum-org:cwmp-1-0");
}

#[tokio::test]
async fn the_cpe_may_ask_which_methods_there_are() {
    let muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "METHODS").await;
    let ask = with_header(&envelope("<cwmp:GetRPCMethods/>"), "<cwmp:ID>77</cwmp:ID>");
    let reply = decoded(&cpe.post(&ask).await);
    let methods = ACS_METHODS.map(str::to_owned).to_vec();
    assert_eq!(reply.body, Body::Response(Response::GetRpcMethods(methods)));
    assert_eq!(reply.id.as_deref(), Some("77"));
    assert!(finish(&mut cpe).await.len() >= 3, "then it is the ACS's turn");
}

#[tokio::test]
async fn an_unknown_method_gets_8000_and_the_session_goes_on() {
    let muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "UNKNOWN").await;
    // Reboot is a method, but not of an ACS.
    for method in ["<cwmp:X_ACME_Report/>", "<cwmp:Reboot/>", "<cwmp:GetRPCMethods2 a='1'/>"] {
        let message = with_header(&envelope(method), "<cwmp:ID>u1</cwmp:ID>");
        let reply = cpe.post(&message).await;
        let got = decoded(&reply);
        let Body::Fault(fault) = got.body else { panic!("{method}: {}", reply.body) };
        assert_eq!((fault.code.0, got.id.as_deref()), (8000, Some("u1")), "{method}");
        assert!(reply.body.contains("<faultcode>Client</faultcode>"), "{}", reply.body);
        assert!(reply.body.contains("<faultstring>CWMP fault</faultstring>"), "{}", reply.body);
    }
    assert!(finish(&mut cpe).await.len() >= 3);
}

#[tokio::test]
async fn requests_of_the_cpe_come_before_the_turn_of_the_acs_and_also_within_it() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "TURNS").await;
    let id = order_get(&mut muster, "TURNS").await;
    let mut cpe = opened(&muster, "TURNS").await;
    let kicked = envelope("<cwmp:Kicked><Command>c</Command><Next>/n</Next></cwmp:Kicked>");
    for _ in 0..2 {
        let reply = decoded(&cpe.post(&kicked).await);
        assert_eq!(reply.body, Body::Response(Response::Kicked { next_url: "/n".to_owned() }));
    }
    let asked = cpe.empty().await;
    // Out of turn, but answered; the call stays outstanding.
    assert!(matches!(decoded(&cpe.post(&kicked).await).body, Body::Response(_)));
    let again = cpe.empty().await;
    assert_eq!(decoded(&again), decoded(&asked));
    assert_eq!(cpe.post(&values(&[(NAME, "t")])).await.status, 204);
    assert_eq!(job(&mut muster, &id).await["state"], "done");
    assert_eq!(stored(&mut muster, "TURNS").await, "t");
    assert_eq!(events(&mut muster, "TURNS", "kicked").await.len(), 3);
}

#[tokio::test]
async fn an_answer_may_carry_a_wrong_id_or_a_fault() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "IDS").await;
    let id = order_get(&mut muster, "IDS").await;
    let mut cpe = opened(&muster, "IDS").await;
    let asked = decoded(&cpe.empty().await);
    assert!(asked.id.is_some(), "ours always have one");
    let message = values(&[(NAME, "x")]);
    let wrong = with_header(&message, "<cwmp:ID>not-yours</cwmp:ID>");
    assert_eq!(cpe.post(&wrong).await.status, 204);
    assert_eq!(job(&mut muster, &id).await["state"], "done");

    let spec = json!({ "kind": "set", "parameters": [{ "name": NAME, "value": "y" }] });
    let id = order(&mut muster, "IDS", spec).await;
    let mut cpe = opened(&muster, "IDS").await;
    call(&cpe.empty().await);
    // Deviation 4: the prefix of the Fault is declared nowhere.
    let fault = envelope(&format!(
        "<soap2:Fault><faultcode>soap2:Client</faultcode><faultstring>CWMP fault</faultstring>\
         <detail><cwmp:Fault><FaultCode>9003</FaultCode><FaultString>Invalid arguments</FaultString>\
         <SetParameterValuesFault><ParameterName>{}</ParameterName><FaultCode>9008</FaultCode>\
         <FaultString>read only</FaultString></SetParameterValuesFault></cwmp:Fault></detail>\
         </soap2:Fault>",
        NAME
    ));
    assert_eq!(cpe.post(&fault).await.status, 204);
    let failed = job(&mut muster, &id).await;
    assert_eq!((&failed["state"], &failed["fault"]["code"]), (&json!("failed"), &json!(9003)));
    assert_eq!(failed["fault"]["parameters"][0]["code"], 9008, "{failed}");
    assert_eq!(stored(&mut muster, "IDS").await, "x");
}

/// N3, N14, A1: before the empty POST, twice, and the first time with an empty key.
#[tokio::test]
async fn a_transfer_complete_is_taken_before_the_empty_post_and_as_often_as_it_comes() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "TRANSFER").await;
    let url = format!("http://{}/api/v1/artifacts?name=page.html", muster.web);
    let token = muster.token();
    let made = muster.http().post(url).bearer_auth(token).body("<p>hi</p>").send().await.unwrap();
    let made: serde_json::Value = made.json().await.unwrap();
    let file = json!({ "type": "web_content" });
    let spec = json!({ "kind": "download", "artifact_id": made["artifact_id"], "file": file });
    let id = order(&mut muster, "TRANSFER", spec).await;

    let mut cpe = opened(&muster, "TRANSFER").await;
    let request = call(&cpe.empty().await);
    let Request::Download(download) = &request else { panic!("{request:?}") };
    assert_eq!(cpe.post(&answer(&request)).await.status, 204);
    job_reaches(&muster, &id, "waiting").await;

    let mut cpe = Cpe::connect(muster.cwmp).await;
    let event = format!("M Download|{}", download.command_key);
    let reply = cpe.post(&inform("TRANSFER", &["7 TRANSFER COMPLETE", &event])).await;
    assert_eq!(reply.status, 200);
    for key in ["", download.command_key.as_str(), download.command_key.as_str()] {
        let message = envelope(&format!(
            "<cwmp:TransferComplete><CommandKey>{key}</CommandKey><FaultStruct><FaultCode>0\
             </FaultCode><FaultString></FaultString></FaultStruct>\
             <StartTime>2026-11-22T11:54::14</StartTime><CompleteTime></CompleteTime>\
             </cwmp:TransferComplete>"
        ));
        let reply = decoded(&cpe.post(&message).await);
        assert_eq!(reply.body, Body::Response(Response::TransferComplete));
        assert_eq!(job(&mut muster, &id).await["state"], "done", "stored before it is answered");
    }
    assert_eq!(cpe.empty().await.status, 204);
    assert_eq!(events(&mut muster, "TRANSFER", "transfer_complete").await.len(), 3);
    let done = events(&mut muster, "TRANSFER", "job.done").await;
    assert_eq!(done.iter().filter(|e| e["job_id"] == id.as_str()).count(), 1);
}
