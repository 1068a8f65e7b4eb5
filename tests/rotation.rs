//! Other credentials by the clock: given while the device is here, and the old ones go once it has used
//! the new ones.

use std::time::Duration;

use serde_json::json;

use crate::harness::eventually;
use crate::harness::kit::{Lab, device_path};

/// What it logs in with; whether it has done so; what it logged in with before.
type Had = (String, bool, Option<String>);

async fn had(lab: &Lab) -> Had {
    let all = "select ha1_md5, confirmed, previous_md5 from device_credentials";
    sqlx::query_as(all).fetch_one(&lab.muster.pool).await.unwrap()
}

#[tokio::test]
async fn credentials_are_given_anew_though_nothing_else_is_to_be_done() {
    let lab = Lab::with(&[], |options| {
        options.periodic_interval = Duration::from_secs(1);
    })
    .await;
    let desired = json!({ "rotate_credentials_days": 1 });
    let profile = json!({ "name": "home", "desired": desired });
    let profile = lab.api.make_at("/api/v1/profiles", profile).await;
    lab.api.send("PUT", &format!("{profile}/bindings"), json!({ "fleet": true })).await;
    let path = format!("{}/desired", device_path(&lab.serial));
    eventually("it is as it is wanted", || async {
        let desired = lab.api.found(&path).await?;
        let (_, confirmed, _) = had(&lab).await;
        (desired["state"] == "in_sync" && confirmed).then_some(())
    })
    .await;
    let (first, _, _) = had(&lab).await;

    for age in [
        "update device_credentials set updated_at = updated_at - interval '3 days'",
        "update device_desired set due_at = now() - interval '1 second', leased_until = null",
    ] {
        sqlx::query(age).execute(&lab.muster.pool).await.unwrap();
    }
    let (second, ..) = eventually("it has logged in with others", || async {
        let had = had(&lab).await;
        (had.0 != first && had.1 && had.2.is_none()).then_some(had)
    })
    .await;
    // And goes on so.
    lab.run(json!({ "kind": "connection_request" })).await;
    assert_eq!(had(&lab).await, (second, true, None));
}
