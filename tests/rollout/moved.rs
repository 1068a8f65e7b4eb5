//! A device that has left the places of a rollout by the time that it is taken back.

use serde_json::{Value, json};

use super::lab::{CODE, Range, at_once, gold, place, serials};

const WHY: &str = "it was moved, or taken out of a group: the rollout may not go there";

#[tokio::test]
async fn a_device_that_left_the_site_is_told_as_not_taken_back() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let site = range.api.made("/api/v1/sites", json!({ "path": "lv" }), "site_id").await;
    range.api.make_sites(&["ee"]).await;
    for index in 0..2 {
        place(&range, index, json!({ "site": "lv" })).await;
    }
    let code = async |index: u32| {
        let serial = range.fleet.serial(index);
        range.api.known(&serial, CODE).await[0].1.clone()
    };
    let had = code(1).await;
    let token = json!({ "name": "riga", "scopes": ["operate"], "site_id": site });
    let riga = range.api.with_token(&range.api.made("/api/v1/tokens", token, "token").await);
    let body = json!({ "name": "ours", "change": gold(), "plan": at_once(),
                       "audience": { "selector": "serial ~ \"*\"" } });
    let id = riga.made("/api/v1/rollouts", body, "rollout_id").await;
    riga.send("POST", &format!("/api/v1/rollouts/{id}/start"), json!({})).await;
    range.until(&id, "completed").await;
    assert_eq!((code(0).await, code(1).await), ("gold".to_owned(), "gold".to_owned()));

    place(&range, 0, json!({ "site": "ee" })).await;
    let because = json!({ "reason": "silver it is" });
    riga.send("POST", &format!("/api/v1/rollouts/{id}/roll-back"), because).await;
    let back = range.until(&id, "rolled_back").await;
    assert_eq!((code(0).await, code(1).await), ("gold".to_owned(), had));
    let words = format!("changed back: 1 of 2 devices; left out: 1, {WHY}");
    assert_eq!(back["reason"], words, "{back:#}");

    let inverse = back["inverse_id"].as_str().unwrap();
    let left_out = range.in_state(inverse, "skipped").await;
    assert_eq!(serials(&left_out), [range.fleet.serial(0)]);
    assert_eq!(left_out[0]["reason"], WHY, "{left_out:#?}");
    let reasons = async |api: &crate::harness::kit::Api| -> Value {
        api.get(&format!("/api/v1/rollouts/{inverse}/report")).await["reasons"].clone()
    };
    let told = json!([{ "state": "skipped", "reason": WHY, "devices": 1 }]);
    assert_eq!(reasons(&range.api).await, told);
    // It stands where they see nothing.
    assert_eq!(reasons(&riga).await, json!([]));
    range.counts_hold(inverse).await;
}
