//! What is ordered on the page of a rollout and cannot be done: that page says why.

use serde_json::json;
use uuid::Uuid;

use super::lab::{at_once, gold};
use crate::harness::kit::raw_device;
use crate::harness::session::{ADMIN, Session};

#[tokio::test]
async fn an_order_that_cannot_be_taken_is_answered_on_the_page_that_it_was_given_on() {
    let (muster, api) = raw_device("S1").await;
    let body = json!({ "name": "ours", "change": gold(), "plan": at_once(),
                       "audience": { "selector": "serial = S1" } });
    let id = api.made("/api/v1/rollouts", body, "rollout_id").await;
    let page = format!("/rollouts/{id}");
    let mut admin = Session::opened(&muster, ADMIN).await;
    let mut refused = async |verb: &str, fields: &[(&str, &str)], there: &str, why: &str| {
        let told = admin.post(&format!("{page}/{verb}"), fields).await;
        assert_eq!((told.status, told.location()), (303, there), "{verb}: {}", told.body);
        let shown = admin.get(there).await;
        let found = shown.body.contains("Nothing was done: ") && shown.body.contains(why);
        assert!(shown.status == 200 && found, "{verb}: {}", shown.body);
    };

    let why = [("reason", "seen")];
    for verb in ["pause", "resume", "retry", "exclude", "approve", "approve-wave"] {
        refused(verb, &why, &page, "").await;
    }
    refused("pause", &[("reason", " ")], &page, "say why").await;
    refused("start", &[("at", "1999-01-01T00:00")], &page, "that time is past").await;

    api.send("POST", &format!("/api/v1/rollouts/{id}/start"), json!({})).await;
    // Removed while somebody looked at the list.
    let gone = Uuid::nil().to_string();
    let fields = [("device", gone.as_str()), ("reason", "seen"), ("state", "failed")];
    let list = format!("{page}/devices?state=failed");
    refused("exclude", &fields, &list, "no device").await;
}
