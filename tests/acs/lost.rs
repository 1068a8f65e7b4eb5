//! Sessions that do not end as they should: superseded, silent, late, too many (facts N5 to N9).

use std::net::IpAddr;

use muster_cwmp::rpc::Request;
use serde_json::json;

use super::{
    NAME, answer, call, decoded, events, finish, hurry, is_known, job, job_reaches, opened, order,
    order_get, settled, stored, values, with_header,
};
use crate::harness::cpe::{Cpe, inform};
use crate::harness::{LAB, Muster};

/// Answers the job that was interrupted before, which everybody can see.
async fn does_it_again(muster: &mut Muster, mut cpe: Cpe, serial: &str, id: &str) {
    assert_eq!(stored(muster, serial).await, "", "what the old session said is not stored");
    assert!(matches!(call(&cpe.empty().await), Request::GetParameterValues(_)));
    assert_eq!(cpe.post(&values(&[(NAME, "new")])).await.status, 204);
    let done = job(muster, id).await;
    assert_eq!((&done["state"], &done["attempts"]), (&json!("done"), &json!(2)));
    assert_eq!(stored(muster, serial).await, "new");
    let back = events(muster, serial, "job.queued").await;
    assert_eq!(back.len(), 1, "given back once: {back:?}");
    assert_eq!(back[0]["job_id"], id);
    let note = back[0]["detail"]["note"].as_str().unwrap();
    assert!(note.contains("the session was lost"), "{note}");
}

#[tokio::test]
async fn a_second_session_of_a_device_supersedes_the_first() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "TWICE").await;
    let id = order_get(&mut muster, "TWICE").await;
    let mut old = opened(&muster, "TWICE").await;
    assert!(matches!(call(&old.empty().await), Request::GetParameterValues(_)));
    let _new = opened(&muster, "TWICE").await;
    assert_eq!(old.post(&values(&[(NAME, "old")])).await.status, 400, "it is over");
    job_reaches(&muster, &id, "queued").await;
    assert_eq!(job(&mut muster, &id).await["attempts"], 1);
    let next = opened(&muster, "TWICE").await;
    does_it_again(&mut muster, next, "TWICE", &id).await;
}

#[tokio::test]
async fn a_session_on_another_node_supersedes_the_first() {
    let mut muster = Muster::start(LAB).await;
    let other = muster.second_node().await;
    settled(&muster, "MOVED").await;
    let id = order_get(&mut muster, "MOVED").await;
    let mut old = opened(&muster, "MOVED").await;
    assert!(matches!(call(&old.empty().await), Request::GetParameterValues(_)));
    let new = opened(&other, "MOVED").await;
    assert_eq!(old.post(&values(&[(NAME, "old")])).await.status, 204, "it is over");
    does_it_again(&mut muster, new, "MOVED", &id).await;
}

#[tokio::test]
async fn a_silent_session_ends_and_its_job_is_given_back() {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ACS__SESSION_TIMEOUT_SECONDS", "2")]).await;
    for serial in ["SILENT", "REBOOTS"] {
        settled(&muster, serial).await;
    }
    let get = order_get(&mut muster, "SILENT").await;
    let reboot = order(&mut muster, "REBOOTS", json!({ "kind": "reboot" })).await;
    let mut silent = opened(&muster, "SILENT").await;
    assert!(matches!(call(&silent.empty().await), Request::GetParameterValues(_)));
    let mut reboots = opened(&muster, "REBOOTS").await;
    assert!(matches!(call(&reboots.empty().await), Request::Reboot(_)));
    job_reaches(&muster, &get, "queued").await;
    job_reaches(&muster, &reboot, "waiting").await;

    // N6: the cookie of an expired session opens nothing, and does no harm.
    let mut late = Cpe::connect(muster.cwmp).await;
    late.cookie = silent.cookie.clone();
    assert_eq!(late.empty().await.status, 204);
    assert_eq!(late.post(&values(&[(NAME, "old")])).await.status, 400);
    assert_eq!(late.post(&inform("SILENT", &["2 PERIODIC"])).await.status, 200);
    assert_ne!(late.cookie, silent.cookie);
    let next = opened(&muster, "SILENT").await;
    does_it_again(&mut muster, next, "SILENT", &get).await;

    // What may have been done is not sent again: its proof is waited for.
    let mut cpe = opened(&muster, "REBOOTS").await;
    assert_eq!(cpe.empty().await.status, 204);
    let waits = job(&mut muster, &reboot).await;
    assert!(waits["note"].as_str().unwrap().contains("not sent again"), "{waits}");
    let mut cpe = Cpe::connect(muster.cwmp).await;
    assert_eq!(cpe.post(&inform("REBOOTS", &["1 BOOT"])).await.status, 200);
    assert!(!finish(&mut cpe).await.contains(&"Reboot"));
    assert_eq!(job(&mut muster, &reboot).await["state"], "done");
}

/// S4: the device says how long it may need.
#[tokio::test]
async fn the_session_timeout_header_extends_the_wait() {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ACS__SESSION_TIMEOUT_SECONDS", "2")]).await;
    for serial in ["SLOW", "USUAL"] {
        settled(&muster, serial).await;
    }
    let slow = order_get(&mut muster, "SLOW").await;
    let usual = order_get(&mut muster, "USUAL").await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let header = "<cwmp:SessionTimeout soapenv:mustUnderstand='0'>60</cwmp:SessionTimeout>";
    let message = with_header(&inform("SLOW", &["2 PERIODIC"]), header);
    decoded(&cpe.post(&message).await);
    let cookie = cpe.cookie.clone();
    let mut other = opened(&muster, "USUAL").await;
    call(&other.empty().await);
    // The one that was opened later, and spoke later, has expired.
    job_reaches(&muster, &usual, "queued").await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    cpe.cookie = cookie;
    assert!(matches!(call(&cpe.empty().await), Request::GetParameterValues(_)));
    assert_eq!(cpe.post(&values(&[(NAME, "late")])).await.status, 204);
    assert_eq!(job(&mut muster, &slow).await["state"], "done");
}

/// N5: asked again, then given up; what is safe to repeat is repeated later.
#[tokio::test]
async fn an_empty_post_instead_of_an_answer_is_no_answer() {
    let mut muster = Muster::start(LAB).await;
    for serial in ["MUTE", "MUTEBOOT"] {
        settled(&muster, serial).await;
    }
    let get = order_get(&mut muster, "MUTE").await;
    let reboot = order(&mut muster, "MUTEBOOT", json!({ "kind": "reboot" })).await;
    for serial in ["MUTE", "MUTEBOOT"] {
        let mut cpe = opened(&muster, serial).await;
        let first = decoded(&cpe.empty().await);
        let mut asked = 1;
        let mut reply = cpe.empty().await;
        while reply.status == 200 {
            assert_eq!(decoded(&reply), first, "the same, with the same ID");
            asked += 1;
            assert!(asked <= 5, "it ends");
            reply = cpe.empty().await;
        }
        let times = if serial == "MUTE" { 2 } else { 1 };
        assert_eq!((reply.status, asked), (204, times), "a reboot must not happen twice");
    }
    let again = job(&mut muster, &get).await;
    assert_eq!((&again["state"], &again["attempts"]), (&json!("queued"), &json!(1)));
    assert!(again["note"].as_str().unwrap().contains("answered with nothing"), "{again}");
    assert_eq!(job(&mut muster, &reboot).await["state"], "waiting", "it may reboot all the same");
    hurry(&muster).await;
    assert_eq!(finish(&mut opened(&muster, "MUTE").await).await, ["GetParameterValues"]);
    assert_eq!(job(&mut muster, &get).await["state"], "done");
}

/// N5: one C agent sends extra empty POSTs and the real answer after them.
#[tokio::test]
async fn a_late_answer_is_taken_where_it_belongs_and_nowhere_else() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "LATE").await;
    let get = order_get(&mut muster, "LATE").await;
    let mut cpe = opened(&muster, "LATE").await;
    let asked = cpe.empty().await;
    assert_eq!(decoded(&cpe.empty().await), decoded(&asked));
    assert_eq!(cpe.post(&values(&[(NAME, "right")])).await.status, 204);
    let done = job(&mut muster, &get).await;
    assert_eq!((&done["state"], &done["attempts"]), (&json!("done"), &json!(1)));
    assert_eq!(cpe.post(&values(&[(NAME, "wrong")])).await.status, 400, "over is over");

    // The answer to another call: the one that is due is asked for again.
    let parameters = json!([{ "name": NAME, "value": "set" }]);
    let set = order(&mut muster, "LATE", json!({ "kind": "set", "parameters": parameters })).await;
    let mut cpe = opened(&muster, "LATE").await;
    let asked = cpe.empty().await;
    let again = cpe.post(&values(&[(NAME, "wrong")])).await;
    assert_eq!(decoded(&again), decoded(&asked));
    assert_eq!(stored(&mut muster, "LATE").await, "right");
    assert_eq!(cpe.post(&answer(&call(&again))).await.status, 204);
    assert_eq!(job(&mut muster, &set).await["state"], "done");
    assert_eq!(stored(&mut muster, "LATE").await, "set");

    // In a new session, before its own first call.
    let get = order_get(&mut muster, "LATE").await;
    let mut cpe = opened(&muster, "LATE").await;
    let asked = cpe.post(&values(&[(NAME, "wrong")])).await;
    assert!(matches!(call(&asked), Request::GetParameterValues(_)), "its turn begins");
    assert_eq!(stored(&mut muster, "LATE").await, "set");
    assert_eq!(cpe.post(&values(&[(NAME, "last")])).await.status, 204);
    assert_eq!(job(&mut muster, &get).await["state"], "done");
    assert_eq!(stored(&mut muster, "LATE").await, "last");
}

#[tokio::test]
async fn a_full_node_says_when_to_come_again() {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ACS__MAX_SESSIONS", "2")]).await;
    let mut first = opened(&muster, "FULL1").await;
    let _second = opened(&muster, "FULL2").await;
    let mut third = Cpe::connect(muster.cwmp).await;
    let message = inform("FULL3", &["2 PERIODIC"]);
    let reply = third.post(&message).await;
    assert_eq!(reply.status, 503);
    assert!(!reply.body.is_empty());
    let wait: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 0, "{wait}");
    assert_eq!(reply.cookie(), None);
    assert!(!is_known(&mut muster, "FULL3").await);
    assert!(muster.log().contains("too many sessions"));
    // N7: a device that is in a session takes its own place.
    drop(opened(&muster, "FULL2").await);
    finish(&mut first).await;
    assert_eq!(third.post(&message).await.status, 200, "a place is free");
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let muster = Muster::start(&[LAB[0], ("MUSTER_ACS__MAX_SESSIONS_PER_ADDRESS", "1")]).await;
    let _first = opened(&muster, "NEAR1").await;
    let message = inform("NEAR2", &["2 PERIODIC"]);
    let reply = Cpe::connect(muster.cwmp).await.post(&message).await;
    assert_eq!(reply.status, 503);
    assert!(reply.header("retry-after").is_some());
    let elsewhere: IpAddr = [127, 0, 0, 2].into();
    let mut far = Cpe::connect_from(elsewhere, muster.cwmp).await;
    assert_eq!(far.post(&message).await.status, 200, "another address is not concerned");
}
