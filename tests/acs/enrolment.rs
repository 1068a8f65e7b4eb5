//! How a device comes by a credential of its own, keeps it, and loses it (issue: safe by default),
//! and that no secret is told on the way.

use muster_cwmp::rpc::Request;
use serde_json::json;

use super::auth::{Login, login};
use super::{
    NAME, answer, answer_all, call, decoded, device, events, finish, is_known, job_reaches,
};
use crate::harness::Muster;
use crate::harness::cpe::{Cpe, inform, inform_with};

/// What a device is told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Own {
    /// For its sessions.
    login: Login,
    /// For connection requests.
    wake: Login,
}

fn own(request: &Request) -> Own {
    let Request::SetParameterValues(set) = request else { panic!("{request:?}") };
    let value = |last: &str| {
        let name = format!("Device.ManagementServer.{last}");
        set.parameters.iter().find(|p| p.name == name).unwrap().value.clone()
    };
    Own {
        login: (value("Username"), value("Password")),
        wake: (value("ConnectionRequestUsername"), value("ConnectionRequestPassword")),
    }
}

/// A session by this credential that begins with the ACS telling the device another one.
async fn enrolled(muster: &Muster, message: &str, as_whom: &Login) -> Own {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    decoded(&login(&mut cpe, message, as_whom).await);
    let request = call(&cpe.empty().await);
    let told = own(&request);
    let reply = cpe.post(&answer(&request)).await;
    answer_all(&mut cpe, reply).await;
    told
}

/// Logs in and does what there is to do; false = refused.
async fn served(muster: &Muster, message: &str, as_whom: &Login) -> bool {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    match login(&mut cpe, message, as_whom).await.status {
        200 => {
            finish(&mut cpe).await;
            true
        }
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_device_enrols_once_and_again_only_when_somebody_allows_it() {
    let mut muster = Muster::start(&[("MUSTER_TELEMETRY__FILTER", "info,muster=trace")]).await;
    let enrolment = muster.enrolment();
    // U6, deviation 22: some devices tell their passwords to everybody.
    let leaks = [("Device.ManagementServer.Password", "leaked-in-inform")];
    let message = inform_with("NEWBORN", &["0 BOOTSTRAP", "1 BOOT"], &leaks);
    let first = enrolled(&muster, &message, &enrolment).await;
    assert_eq!(first.login.0, "E48D8C-NEWBORN");
    assert!(first.login.1.len() >= 16 && first.wake.1.len() >= 16);
    assert_ne!(first.login.1, first.wake.1);
    assert_eq!(device(&mut muster, "NEWBORN").await["auth"], "enrolment");

    let message = inform("NEWBORN", &["2 PERIODIC"]);
    assert!(served(&muster, &message, &first.login).await, "with its own it is let in");
    assert_eq!(device(&mut muster, "NEWBORN").await["auth"], "device");
    assert_eq!(events(&mut muster, "NEWBORN", "credentials.confirmed").await.len(), 1);

    // From now on whoever holds only the enrolment credential is not this device.
    for _ in 0..2 {
        assert!(!served(&muster, &message, &enrolment).await);
    }
    let shown = device(&mut muster, "NEWBORN").await;
    assert!(shown["reenrol_asked_at"].is_string(), "and an operator can see it: {shown}");
    assert_eq!(muster.log().matches("came with the enrolment credential").count(), 1);
    assert!(served(&muster, &message, &first.login).await, "its own still works");

    let path = "/api/v1/devices/serial:NEWBORN/allow-enrolment";
    let (status, said) = muster.api("POST", path, Some(json!({ "hours": 1 }))).await;
    assert_eq!(status, 200, "{said}");
    assert!(device(&mut muster, "NEWBORN").await["reenrol_asked_at"].is_null());
    let second = enrolled(&muster, &message, &enrolment).await;
    assert_ne!(second.login.1, first.login.1);
    assert!(!served(&muster, &message, &first.login).await, "the old one is void");
    assert!(served(&muster, &message, &second.login).await);
    assert!(!served(&muster, &message, &enrolment).await, "the door is shut again");

    let passwords = [&enrolment.1, &first.login.1, &first.wake.1, &second.login.1, &second.wake.1];
    let log = muster.log();
    let path = "/api/v1/devices/serial:NEWBORN";
    let mut shown = String::new();
    for part in ["", "/parameters", "/events?limit=1000"] {
        shown.push_str(&muster.get(&format!("{path}{part}")).await.to_string());
    }
    shown.push_str(&muster.get("/api/v1/jobs?device_id=serial:NEWBORN").await.to_string());
    assert!(shown.contains(NAME), "there is something to look into");
    for secret in passwords.into_iter().map(String::as_str).chain(["leaked-in-inform"]) {
        assert!(!log.contains(secret), "a password is in the log");
        assert!(!shown.contains(secret), "a password is in the API");
    }
}

#[tokio::test]
async fn one_device_cannot_log_in_as_another() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let mut logins = Vec::new();
    for serial in ["ABEL", "CAIN"] {
        let message = inform(serial, &["2 PERIODIC"]);
        let told = enrolled(&muster, &message, &enrolment).await;
        assert!(served(&muster, &message, &told.login).await);
        logins.push(told.login);
    }
    let message = inform("ABEL", &["2 PERIODIC"]);
    assert!(!served(&muster, &message, &logins[1]).await);
    let mixed = (logins[0].0.clone(), logins[1].1.clone());
    assert!(!served(&muster, &message, &mixed).await);
    assert!(!served(&muster, &inform("SETH", &["2 PERIODIC"]), &logins[0]).await);
    assert!(!is_known(&mut muster, "SETH").await);
    assert!(served(&muster, &message, &logins[0]).await);
}

#[tokio::test]
async fn an_enrolment_that_was_cut_off_is_repeated_with_the_same_credential() {
    let mut muster = Muster::start(&[]).await;
    let enrolment = muster.enrolment();
    let message = inform("CUTOFF", &["2 PERIODIC"]);
    let mut cpe = Cpe::connect(muster.cwmp).await;
    decoded(&login(&mut cpe, &message, &enrolment).await);
    let told = own(&call(&cpe.empty().await));
    drop(cpe);
    // It may have taken them or not: either credential is good until it has shown its own.
    let mut again = Cpe::connect(muster.cwmp).await;
    decoded(&login(&mut again, &message, &enrolment).await);
    let jobs = muster.get("/api/v1/jobs?device_id=serial:CUTOFF&kind=credentials").await;
    let items = jobs["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "the same order: {jobs}");
    job_reaches(&muster, items[0]["job_id"].as_str().unwrap(), "queued").await;
    assert_eq!(enrolled(&muster, &message, &enrolment).await, told);
    assert!(served(&muster, &message, &told.login).await);
    assert!(!served(&muster, &message, &enrolment).await);
}

#[tokio::test]
async fn a_bootstrap_opens_the_door_where_the_policy_says_so() {
    let muster = Muster::start(&[("MUSTER_ACS__REENROL", "bootstrap")]).await;
    let enrolment = muster.enrolment();
    let usual = inform("PHOENIX", &["2 PERIODIC"]);
    let first = enrolled(&muster, &usual, &enrolment).await;
    assert!(served(&muster, &usual, &first.login).await);
    assert!(!served(&muster, &usual, &enrolment).await, "a periodic inform is no reason");
    let reset = inform("PHOENIX", &["0 BOOTSTRAP", "1 BOOT"]);
    let second = enrolled(&muster, &reset, &enrolment).await;
    assert_ne!(second.login.1, first.login.1);
    assert!(served(&muster, &usual, &second.login).await);
    assert!(!served(&muster, &usual, &first.login).await);
}

#[tokio::test]
async fn without_approval_a_bootstrap_opens_nothing() {
    for policy in ["approve", "never"] {
        let mut muster = Muster::start(&[("MUSTER_ACS__REENROL", policy)]).await;
        let enrolment = muster.enrolment();
        let usual = inform("IMPOSTOR", &["2 PERIODIC"]);
        let told = enrolled(&muster, &usual, &enrolment).await;
        assert!(served(&muster, &usual, &told.login).await);
        let reset = inform("IMPOSTOR", &["0 BOOTSTRAP", "1 BOOT"]);
        assert!(!served(&muster, &reset, &enrolment).await, "{policy}");
        assert!(served(&muster, &usual, &told.login).await, "{policy}");
        assert!(device(&mut muster, "IMPOSTOR").await["last_bootstrap"].is_null(), "{policy}");
    }
}
