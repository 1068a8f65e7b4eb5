//! A secret among the parameters that a rollout writes: its devices get it in clear, nobody else does.

use muster_sim::profile::Identity;
use serde_json::json;

use super::lab::{Range, at_once};
use crate::harness::kit::device_path;
use crate::harness::session::{ADMIN, Session};

const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
const SET: &str = "hunter22-by-rollout";

#[tokio::test]
async fn a_secret_among_parameters_is_seen_by_its_devices_alone() {
    let has_radio = |seed: &u64| Identity::derive(*seed, 0).profile().radios > 0;
    let seed = (1_u64..).find(has_radio).unwrap();
    let range = Range::start(1, |options| options.seed = seed).await;
    let change =
        json!({ "kind": "parameters", "parameters": [{ "name": PASSPHRASE, "value": SET }] });
    let id = range.draft(change, at_once()).await;
    let path = format!("/api/v1/rollouts/{id}");
    // A draft that comes back as it is shown keeps what it had.
    let shown = range.rollout(&id).await["change"].clone();
    assert_eq!(shown["parameters"][0]["value"], "********", "{shown}");
    let (status, told) = range.api.call("PATCH", &path, Some(json!({ "change": shown }))).await;
    assert_eq!(status, 200, "{told}");
    range.order(&id, "start", json!({})).await;
    range.until(&id, "completed").await;

    let serial = range.fleet.serial(0);
    let reveal = format!("{}/reveal", device_path(&serial));
    let known = range.api.send("POST", &reveal, json!({ "name": PASSPHRASE })).await;
    assert_eq!(known["value"], SET, "it was written as it was given");
    let mut seen = vec![("the database", range.muster.whole_database().await)];
    seen.push(("the log", range.muster.log()));
    for place in ["", "/devices", "/events", "/report"] {
        seen.push((place, range.api.get(&format!("{path}{place}")).await.to_string()));
    }
    seen.push(("the audit log", range.api.get("/api/v1/audit?limit=200").await.to_string()));
    seen.push(("the jobs", range.api.get("/api/v1/jobs?limit=200").await.to_string()));
    let page = Session::opened(&range.muster, ADMIN).await.get(&format!("/rollouts/{id}")).await;
    assert!(page.body.contains(PASSPHRASE), "{}", page.body);
    seen.push(("the dashboard", page.body));
    for (place, text) in seen {
        assert!(!text.contains(SET), "{place} holds it: {text}");
    }
}
