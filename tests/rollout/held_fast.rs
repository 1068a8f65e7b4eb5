//! What holds whatever happens at the same time: no two of a set at once, over all rollouts; a rollout of
//! who operates a group stays with its devices; and what a rollout needs is not removed.

use serde_json::{Value, json};
use uuid::Uuid;

use super::lab::{CODE, Range, gold, hold_sets, is_waited_for, naming, quick, unlimited};
use crate::harness::eventually;
use crate::harness::kit::{Api, device_path, raw_device, server, texts};
use crate::harness::talk::introduce;

/// These waves, quick, without an error condition.
fn plan(waves: Value) -> Value {
    let mut plan = quick(unlimited());
    plan["waves"] = waves;
    plan
}

/// Writes a rollout; gives where it is.
async fn draft(api: &Api, selector: &str, change: Value, waves: Value) -> String {
    let body = json!({ "name": "ours", "change": change, "plan": plan(waves),
                       "audience": { "selector": selector } });
    format!("/api/v1/rollouts/{}", api.made("/api/v1/rollouts", body, "rollout_id").await)
}

/// The only device of a rollout, once it has been taken in.
async fn only(api: &Api, rollout: &str) -> Value {
    eventually("the device is in it", || async {
        api.get(&format!("{rollout}/devices")).await["items"].as_array()?.first().cloned()
    })
    .await
}

#[tokio::test]
async fn what_another_rollout_is_just_beginning_keeps_its_partner_waiting() {
    let (muster, api) = raw_device("S1").await;
    introduce(muster.cwmp, "S2").await;
    for serial in ["S1", "S2"] {
        api.send("PATCH", &device_path(serial), json!({ "redundancy": "core" })).await;
    }
    let first: Uuid =
        api.get(&device_path("S1")).await["device_id"].as_str().unwrap().parse().unwrap();

    // Another node is in the middle of it.
    let mut tx = hold_sets(&muster.pool).await;
    sqlx::query(
        "insert into rollout_devices (device_id, rollout_id, wave, state, redundancy)
         values ($1, $2, 0, 'offered', 'core')",
    )
    .bind(first)
    .bind(Uuid::now_v7())
    .execute(&mut *tx)
    .await
    .unwrap();
    let rollout = draft(&api, "serial = S2", gold(), json!([{ "take": "rest" }])).await;
    api.send("POST", &format!("{rollout}/start"), json!({})).await;
    assert_eq!(only(&api, &rollout).await["state"], "waiting");
    eventually("it waits for what the other begins", || async {
        assert_eq!(only(&api, &rollout).await["state"], "waiting");
        is_waited_for(&muster.pool, "advisory").await.then_some(())
    })
    .await;
    tx.commit().await.unwrap();
    eventually("it waits for its partner", || async {
        let device = only(&api, &rollout).await;
        assert_eq!(device["state"], "waiting", "{device:#}");
        (device["reason"] == "others beside it go first").then_some(())
    })
    .await;

    // What is said of a device later holds in the rollouts that it is in.
    api.send("PATCH", &device_path("S2"), json!({ "redundancy": null })).await;
    eventually("nobody backs it up any more", || async {
        let device = only(&api, &rollout).await;
        ["due", "offered"].contains(&device["state"].as_str()?).then_some(())
    })
    .await;
}

#[tokio::test]
async fn whoever_operates_a_group_rolls_out_to_its_devices_and_to_no_other() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let group = range.api.made("/api/v1/groups", json!({ "name": "vip" }), "group_id").await;
    let other = range.api.made("/api/v1/groups", json!({ "name": "other" }), "group_id").await;
    let member = async |method: &str, serial: &str| {
        let path = format!("/api/v1/groups/{group}/devices/serial:{serial}");
        let (status, told) = range.api.call(method, &path, None).await;
        assert_eq!(status, 204, "{told}");
    };
    for index in 0..2 {
        member("PUT", &range.fleet.serial(index)).await;
    }
    let desk = async |name: &str, group: &str| {
        let token = json!({ "name": name, "scopes": ["operate"], "group_id": group });
        range.api.with_token(&range.api.made("/api/v1/tokens", token, "token").await)
    };
    let (desk, others) = (desk("desk", &group).await, desk("others", &other).await);
    let fleet_wide = range.draft(gold(), plan(json!([{ "take": "rest" }]))).await;

    let waves = json!([{ "take": { "count": 1 } }, { "take": "rest", "approval": true }]);
    let own = draft(&desk, "serial ~ \"*\"", gold(), waves).await;
    let id = own.rsplit('/').next().unwrap();
    assert_eq!(desk.get(&own).await["sites"], json!([format!("group:{group}")]));
    let dry = desk.send("POST", &format!("{own}/dry-run"), json!({})).await;
    assert_eq!(dry["devices"], 2, "{dry}");
    // Nobody else's, and theirs is no one's who may not go there.
    assert_eq!(texts(&desk.get("/api/v1/rollouts").await, "rollout_id"), [id]);
    assert_eq!(desk.call("GET", &format!("/api/v1/rollouts/{fleet_wide}"), None).await.0, 404);
    assert_eq!(others.get("/api/v1/rollouts").await["items"], json!([]));
    assert_eq!(others.call("GET", &own, None).await.0, 404);
    assert_eq!(range.api.get("/api/v1/rollouts").await["items"].as_array().unwrap().len(), 2);
    let path = format!("/api/v1/groups/{group}");
    let (status, _, why) = range.api.refused("DELETE", &path, None).await;
    assert!(status == 409 && why.contains("the rollout `ours`"), "{why}");

    desk.send("POST", &format!("{own}/start"), json!({})).await;
    let paused = range.until(id, "paused").await;
    assert_eq!((&paused["paused_by"], &paused["wave"]), (&json!("gate"), &json!(1)), "{paused:#}");
    let seen = texts(&desk.get(&format!("{own}/devices")).await, "serial");
    assert_eq!(seen.len(), 2, "{seen:?}");
    let waiting = range.in_state(id, "waiting").await;
    let waiting = waiting[0]["serial"].as_str().unwrap();
    member("DELETE", waiting).await;
    let seen = texts(&desk.get(&format!("{own}/devices")).await, "serial");
    assert_eq!((seen.len(), seen.contains(&waiting.to_owned())), (1, false), "{seen:?}");
    range.order(id, "approve-wave", json!({})).await;
    let skipped =
        eventually("its turn comes", || async { range.in_state(id, "skipped").await.pop() }).await;
    let why = skipped["reason"].as_str().unwrap();
    assert!(skipped["serial"] == waiting && why.contains("taken out of a group"), "{skipped:#}");
    for index in 0..3 {
        let serial = range.fleet.serial(index);
        let golden = range.api.known(&serial, CODE).await[0].1 == "gold";
        assert_eq!(golden, seen.contains(&serial), "{serial}");
    }
    range.counts_hold(id).await;
}

#[tokio::test]
async fn the_files_of_a_rollout_stay_as_long_as_it_may_take_them() {
    let (muster, api) = server().await;
    let waves = || json!([{ "take": "rest" }]);
    for (state, script_stays, undo_stays) in
        [("draft", true, true), ("completed", false, true), ("aborted", false, true)]
    {
        let change = naming(&api).await;
        let rollout = draft(&api, "serial = NOBODY", change.clone(), waves()).await;
        let be = async |state: &str| {
            sqlx::query("update rollouts set state = $2 where rollout_id = $1::uuid")
                .bind(rollout.rsplit('/').next().unwrap())
                .bind(state)
                .execute(&muster.pool)
                .await
                .unwrap();
        };
        be(state).await;
        let path = |file: &str| format!("/api/v1/artifacts/{}", change[file].as_str().unwrap());
        let undo = path("undo_artifact_id");
        for (path, stays) in [(&path("artifact_id"), script_stays), (&undo, undo_stays)] {
            let (status, told) = api.call("DELETE", path, None).await;
            assert_eq!(status, if stays { 409 } else { 204 }, "{state}: {told}");
        }
        be("rolled_back").await;
        assert_eq!(api.call("DELETE", &undo, None).await.0, 204);
    }
}

#[tokio::test]
async fn what_is_removed_while_a_rollout_is_written_is_missed() {
    let (muster, api) = server().await;
    let file = api.store("gold.rsc", b"/system identity set name=gold\n").await;
    let template = json!({ "name": "home", "body": "/system identity set name=gold\n" });
    let template = api.made("/api/v1/templates", template, "template_id").await;
    let script = json!({ "kind": "script", "artifact_id": file });
    let kept = draft(&api, "serial = NOBODY", gold(), json!([{ "take": "rest" }])).await;
    let templated = json!({ "kind": "template", "template": "home" });
    for (id, delete, change, pointer) in [
        (&file, "delete from artifacts where artifact_id = $1", script, "/change/artifact_id"),
        (
            &template,
            // As whoever removes one does.
            "with locked as (select pg_advisory_xact_lock(hashtext('muster.templates')))
             delete from templates using locked where template_id = $1",
            templated,
            "/change/template",
        ),
    ] {
        let body = json!({ "name": "late", "change": change,
                           "audience": { "selector": "serial = NOBODY" } });
        let id: Uuid = id.parse().unwrap();
        let mut tx = muster.pool.begin().await.unwrap();
        sqlx::query(delete).bind(id).execute(&mut *tx).await.unwrap();
        let remove = async {
            eventually("both wait", || async {
                let waiting = "select count(*) from pg_stat_activity
                               where datname = current_database() and wait_event_type = 'Lock'";
                let waiting: i64 =
                    sqlx::query_scalar(waiting).fetch_one(&muster.pool).await.unwrap();
                (waiting >= 2).then_some(())
            })
            .await;
            tx.commit().await.unwrap();
        };
        let patch = json!({ "change": body["change"] });
        let (made, changed, ()) = tokio::join!(
            api.call("POST", "/api/v1/rollouts", Some(body)),
            api.call("PATCH", &kept, Some(patch)),
            remove
        );
        for (status, told) in [made, changed] {
            assert_eq!((status, &told["pointer"]), (422, &json!(pointer)), "{told}");
        }
    }
    assert_eq!(api.get("/api/v1/rollouts").await["items"].as_array().unwrap().len(), 1);
}
