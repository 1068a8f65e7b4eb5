//! Whether new claims want a credential of their own where nobody says so.

use serde_json::json;

use super::tables::table;
use super::{claim, lab};
use crate::harness::kit::Api;
use crate::harness::{LAB, Muster};

/// The setting, on.
const OWN: (&str, &str) = ("MUSTER_ZERO_TOUCH__CLAIMS_OWN_CREDENTIAL", "true");

/// What `muster doctor` says.
fn doctor(muster: &Muster, settings: &[(&str, &str)]) -> String {
    let told = muster.command().arg("doctor").envs(settings.iter().copied()).output().unwrap();
    String::from_utf8(told.stdout).unwrap()
}

#[tokio::test]
async fn new_claims_want_a_credential_of_their_own_where_the_settings_say_so() {
    let mut muster = Muster::start(&[LAB[0], OWN]).await;
    let api = Api::of(&mut muster);
    let claims = "/api/v1/claims";
    api.make(claims, json!({ "serial": "C1" })).await;
    api.make(claims, json!({ "serial": "C2", "own_credential": null })).await;
    api.make(claims, json!({ "serial": "C3", "own_credential": false })).await;
    let rows = b"serial,own_credential,customer\nC3,,7\nC4,,\nC5,no,\n";
    let (status, done) = table(&api, "import", &[], rows).await;
    assert_eq!(status, 200, "{done}");
    for (serial, own) in [("C1", true), ("C2", true), ("C3", false), ("C4", true), ("C5", false)] {
        assert_eq!(claim(&api, serial).await["own_credential"], own, "{serial}");
    }
}

#[tokio::test]
async fn doctor_warns_where_secrets_are_given_to_whoever_says_a_serial_number() {
    let (muster, api) = lab("quarantine").await;
    let claims = "/api/v1/claims";
    let secret = json!({ "ppp_password": "hunter22" });
    api.make(claims, json!({ "serial": "C1", "variables": { "vlan": 7 } })).await;
    api.make(claims, json!({ "serial": "C2", "variables": secret, "own_credential": true })).await;
    let warning = "claims_own_credential = true";
    assert!(!doctor(&muster, &[]).contains(warning));
    api.make(claims, json!({ "serial": "C3", "variables": secret })).await;
    let report = doctor(&muster, &[]);
    assert!(report.contains(warning) && !report.contains("hunter22"), "{report}");
    assert!(!doctor(&muster, &[OWN]).contains(warning));
}
