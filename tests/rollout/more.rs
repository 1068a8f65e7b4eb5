//! Scripts and RouterBOOT, failures that are tried again, devices that come and go, borders of what
//! somebody may touch, and one device by itself.

use serde_json::{Value, json};
use uuid::Uuid;

use super::lab::{
    CODE, IDENTITY, Range, at_once, far_window, gold, naming, package_in, place, quick, release,
    seed, serials, unseen, upload,
};
use crate::harness::cpe::{Cpe, inform_with};
use crate::harness::eventually;
use crate::harness::kit::{device_path, server};
use crate::harness::session::{ADMIN, Session};
use crate::harness::talk::introduce;

#[tokio::test]
async fn a_script_is_taken_back_by_its_undo_script() {
    let range = Range::start(4, |options| options.seed = 7).await;
    let change = naming(&range.api).await;
    let id = range.begin(change.clone(), at_once()).await;
    range.until(&id, "completed").await;
    assert_eq!(range.in_state(&id, "healthy").await.len(), 4);
    for index in 0..4 {
        assert_eq!(range.api.known(&range.fleet.serial(index), IDENTITY).await[0].1, "gold");
    }
    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    let back = range.until(&id, "rolled_back").await;
    for index in 0..4 {
        assert_eq!(range.api.known(&range.fleet.serial(index), IDENTITY).await[0].1, "plain");
    }
    let inverse = back["inverse_id"].as_str().unwrap();
    let back = range.rollout(inverse).await;
    assert_eq!(back["change"]["artifact_id"], change["undo_artifact_id"]);
    // Nothing is known that takes the undo script back.
    let path = format!("/api/v1/rollouts/{inverse}/roll-back");
    let (status, told) = range.api.call("POST", &path, Some(json!({ "reason": "x" }))).await;
    assert_eq!(status, 409, "{told}");
}

#[tokio::test]
async fn a_line_of_a_script_that_fails_makes_its_device_fail_and_stops_the_rollout() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let body = b"/ip pool add name=p ranges=192.0.2.1\n/ip pool add name=p ranges=192.0.2.1\n";
    let script = range.api.store("pools.rsc", body).await;
    range.fails_at_line_2(json!({ "kind": "script", "artifact_id": script })).await;
    // The rollout asked for the log by itself, and nobody else did.
    let logs = "select count(*) from jobs
         where kind = 'upload' and (rollout_id is null or idempotency_key not like '%:script:%')";
    let logs: i64 = sqlx::query_scalar(logs).fetch_one(&range.muster.pool).await.unwrap();
    assert_eq!(logs, 0);
}

#[tokio::test]
async fn routerboot_is_written_after_the_upgrade_and_looked_at() {
    let both = |versions: &[&str]| {
        let generation = |begin: &str| versions.iter().any(|version| version.starts_with(begin));
        generation("6.") && generation("7.")
    };
    let range = Range::start(3, |options| options.seed = seed(3, both)).await;
    let change = json!({ "kind": "release", "version": "7.16.1", "routerboot": true });
    let id = range.begin(change, at_once()).await;
    range.until(&id, "completed").await;
    let healthy = range.in_state(&id, "healthy").await;
    assert_eq!(healthy.len(), 3, "{healthy:#?}");
    for device in &healthy {
        let steps = device["steps"].as_array().unwrap();
        let hops = if device["from_version"].as_str().unwrap().starts_with("6.") { 2 } else { 1 };
        assert_eq!(steps.len(), hops + 3, "{device:#}");
        let path = format!("{}/packages", device_path(device["serial"].as_str().unwrap()));
        let told = range.api.get(&path).await;
        assert_eq!(told["assumed"], false, "{told}");
        let main = told["packages"].as_array().unwrap().iter().find(|p| p["name"] == "routeros");
        assert_eq!(main.unwrap()["version"], "7.16.1", "{told}");
        let booter = (&told["booter_current"], &told["booter_upgrade"]);
        assert_eq!(booter, (&json!("7.16.1"), &json!("7.16.1")), "{told}");
    }
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn nobody_who_was_brought_elsewhere_before_the_order_was_taken_is_sent_anything() {
    const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
    let (muster, api) = server().await;
    upload(&api, "7.16.1").await;
    introduce(muster.cwmp, "S1").await;
    let informs = async |version: &str| {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let says = inform_with("S1", &["2 PERIODIC"], &[(VERSION, version)]);
        assert_eq!(cpe.post(&says).await.status, 200);
        cpe.empty().await
    };
    informs("7.12.1").await;
    sqlx::query("update device_facts set arch = 'arm'").execute(&muster.pool).await.unwrap();
    let body = json!({ "name": "test", "change": release(), "plan": unseen(),
                       "audience": { "selector": "serial ~ \"S*\"" } });
    let id = api.made("/api/v1/rollouts", body, "rollout_id").await;
    let path = format!("/api/v1/rollouts/{id}");
    api.send("POST", &format!("{path}/start"), json!({})).await;
    let is = async |state: &str| {
        let path = format!("{path}/devices?state={state}");
        eventually(state, || async { api.get(&path).await["items"].as_array()?.first().cloned() })
            .await
    };
    is("offered").await;
    // Somebody was faster, and has chosen a newer one.
    let reply = informs("7.17").await;
    assert_eq!(reply.status, 204, "nothing is asked of it: {}", reply.body);
    let left = is("skipped").await;
    let why = left["reason"].as_str().unwrap();
    assert!(why.contains("7.17 now, and its way was planned from 7.12.1"), "{left:#}");
    let note: String = sqlx::query_scalar("select note from jobs where kind = 'upgrade'")
        .fetch_one(&muster.pool)
        .await
        .unwrap();
    assert_eq!(note, "not sent: it runs 7.17 now, and ran 7.12.1 when this was ordered");
    eventually("it ends, and does not hold", || async {
        (api.get(&path).await["state"] == "completed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_device_that_runs_the_release_gets_its_routerboot_alone() {
    let range = Range::start(2, |options| options.seed = seed(2, |_| true)).await;
    let id = range.begin(release(), at_once()).await;
    range.until(&id, "completed").await;
    let with = json!({ "kind": "release", "version": "7.16.1", "routerboot": true });
    let told = range.dry_run(&with, at_once()).await;
    assert_eq!(told["left_out"], 2, "{told:#}");
    let why = told["skipped"][0]["reason"].as_str().unwrap();
    assert!(why.contains("inspect it"), "{why}");

    let serial = range.fleet.serial(0);
    let inspect = format!("{}/inspect", device_path(&serial));
    let (status, told) = range.api.call("POST", &inspect, None).await;
    assert!((200..300).contains(&status), "{told}");
    let packages = format!("{}/packages", device_path(&serial));
    let before = eventually("it told its RouterBOOT", || async {
        let (_, told) = range.api.call("GET", &packages, None).await;
        told["booter_current"].is_string().then_some(told)
    })
    .await;
    assert_ne!(before["booter_current"], before["booter_upgrade"], "{before}");

    let id = range.begin(with, at_once()).await;
    range.until(&id, "completed").await;
    let healthy = range.in_state(&id, "healthy").await;
    assert_eq!(serials(&healthy), [serial], "the other one has not said what it has");
    let steps = healthy[0]["steps"].as_array().unwrap();
    assert_eq!(json!(steps), json!(["write its RouterBOOT", "restart", "tell what is installed"]));
    let after = range.api.get(&packages).await;
    assert_eq!(after["booter_current"], after["booter_upgrade"], "{after}");
    range.counts_hold(&id).await;
}

/// The device of the first wave fails by this fault, which pauses the rollout and is of this class; it
/// is tried again, and fails again. Gives why it paused first.
async fn fails_and_is_tried_again(fault: &str, class: &str, error: Value) -> String {
    let range = Range::start(2, |options| {
        options.sickness = format!("transfer:{fault}=100%").parse().unwrap();
        options.seed = seed(2, |_| true);
    })
    .await;
    let mut plan = quick(error);
    plan["waves"] = json!([{ "take": { "count": 1 } }, { "take": "rest" }]);
    let id = range.begin(release(), plan).await;
    let paused = range.until(&id, "paused").await;
    assert_eq!((&paused["paused_by"], &paused["wave"]), (&json!("gate"), &json!(0)), "{paused:#}");
    assert_eq!(paused["waves"][1]["waiting"], 1, "the next wave has not begun: {paused:#}");
    let failed = range.in_state(&id, "failed").await;
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["fault_class"], json!(class), "{failed:#?}");
    assert!(failed[0]["reason"].as_str().unwrap().contains(fault), "{failed:#?}");

    let retried = range.order(&id, "retry", json!({ "reason": "the file is mended" })).await;
    assert_eq!(retried["devices"], 1, "{retried}");
    assert!(range.in_state(&id, "failed").await.is_empty());
    assert_eq!(range.in_state(&id, "waiting").await.len(), 2, "paused, nobody begins");
    range.counts_hold(&id).await;
    range.order(&id, "resume", json!({ "reason": "the file is mended" })).await;
    let device: Uuid = failed[0]["device_id"].as_str().unwrap().parse().unwrap();
    eventually("it was sent the same again, and failed again", || async {
        let jobs = "select count(*) from jobs
                    where device_id = $1 and kind = 'upgrade' and state = 'failed'";
        let failed: i64 =
            sqlx::query_scalar(jobs).bind(device).fetch_one(&range.muster.pool).await.unwrap();
        (failed == 2).then_some(())
    })
    .await;
    range.until(&id, "paused").await;
    range.counts_hold(&id).await;
    let story = range.story(&id).await.join("\n");
    let order = story.find("those that failed are tried again: the file is mended").unwrap();
    assert!(story[order..].contains("tried again: 1 device"), "{story}");
    paused["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_failure_that_would_meet_the_others_pauses_whatever_the_plan_says() {
    let error = json!({ "percent": null, "count": null, "then": "abort" });
    let why = fails_and_is_tried_again("9019", "hold", error).await;
    assert!(why.contains("will meet the others"), "{why}");
}

#[tokio::test]
async fn devices_that_failed_are_tried_again_by_order() {
    let error = json!({ "percent": null, "count": 1, "then": "pause" });
    let why = fails_and_is_tried_again("9018", "retry", error).await;
    assert!(why.contains("from 1 on it is too many"), "{why}");
}

#[tokio::test]
async fn a_device_that_comes_to_match_joins() {
    let range = Range::start(3, |options| options.seed = 7).await;
    // Who stands there keeps the rollout from its end.
    let site = json!({ "path": "lv", "windows": [far_window()] });
    range.api.made("/api/v1/sites", site, "site_id").await;
    place(&range, 0, json!({ "tags": ["pilot"] })).await;
    place(&range, 1, json!({ "tags": ["pilot"], "site": "lv" })).await;
    let mut plan = at_once();
    plan["heed_windows"] = json!(true);
    let body = json!({ "name": "pilots", "change": gold(), "plan": plan,
                       "audience": { "selector": "tag = pilot", "dynamic": true } });
    let id = range.api.made("/api/v1/rollouts", body, "rollout_id").await;
    range.order(&id, "start", json!({})).await;
    eventually("the one of them is changed", || async {
        (range.in_state(&id, "healthy").await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(range.rollout(&id).await["waves"][0]["total"], 2);

    place(&range, 2, json!({ "tags": ["pilot"] })).await;
    // As if it had been looked for such devices long ago.
    sqlx::query(
        "update rollouts set pace = jsonb_set(pace, '{joined_at}', '\"2020-01-01T00:00:00Z\"')
         where rollout_id = $1::uuid",
    )
    .bind(&id)
    .execute(&range.muster.pool)
    .await
    .unwrap();
    eventually("the third is changed, too", || async {
        (range.in_state(&id, "healthy").await.len() == 2).then_some(())
    })
    .await;
    let mut changed = vec![range.fleet.serial(0), range.fleet.serial(2)];
    changed.sort();
    assert_eq!(serials(&range.in_state(&id, "healthy").await), changed);
    assert_eq!(serials(&range.in_state(&id, "waiting").await), [range.fleet.serial(1)]);
    let rollout = range.rollout(&id).await;
    assert_eq!((&rollout["state"], &rollout["waves"][0]["total"]), (&json!("running"), &json!(3)));
    let story = range.story(&id).await.join("\n");
    assert!(story.contains("1 device more came to match"), "{story}");
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn a_device_is_in_one_rollout_at_a_time_and_in_none_once_it_is_removed() {
    let range = Range::start(3, |options| options.seed = seed(3, |_| true)).await;
    range.fleet.finish().await;
    let mut plan = at_once();
    plan["pace"] = json!({ "concurrent": 1 });
    let first = range.begin(release(), plan).await;
    let offered = async || {
        let one = || async { range.in_state(&first, "offered").await.pop() };
        let device = eventually("one of them has its order", one).await;
        device["serial"].as_str().unwrap().to_owned()
    };
    let begun = offered().await;
    assert_eq!(range.in_state(&first, "waiting").await.len(), 2);

    let second = range.begin(gold(), at_once()).await;
    range.until(&second, "completed").await;
    let skipped = range.in_state(&second, "skipped").await;
    assert_eq!(skipped.len(), 3, "{skipped:#?}");
    for device in &skipped {
        assert_eq!(device["reason"], "it is in another rollout that has not ended", "{device:#}");
    }

    let remove = async |serial: &str| {
        let (status, told) = range.api.call("DELETE", &device_path(serial), None).await;
        assert_eq!(status, 204, "{told}");
    };
    // In flight: the next one takes its place.
    remove(&begun).await;
    let next = offered().await;
    assert_ne!(next, begun);
    // While it waits.
    let waiting = serials(&range.in_state(&first, "waiting").await);
    assert_eq!(waiting.len(), 1);
    remove(&waiting[0]).await;
    range.counts_hold(&first).await;
    assert_eq!(range.rollout(&first).await["state"], "running");
    remove(&next).await;
    let done = range.until(&first, "completed").await;
    assert_eq!(done["waves"][0]["total"], 0, "{done:#}");
    range.counts_hold(&first).await;
}

#[tokio::test]
async fn whoever_operates_a_site_rolls_out_there_and_sees_no_other_rollout() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let site = range.api.made("/api/v1/sites", json!({ "path": "lv" }), "site_id").await;
    range.api.made("/api/v1/sites", json!({ "path": "ee" }), "site_id").await;
    place(&range, 0, json!({ "site": "lv" })).await;
    place(&range, 1, json!({ "site": "ee" })).await;
    let token = json!({ "name": "riga", "scopes": ["operate"], "site_id": site });
    let token = range.api.made("/api/v1/tokens", token, "token").await;
    let riga = range.api.with_token(&token);

    let fleet_wide = range.draft(gold(), at_once()).await;
    let body = json!({ "name": "ours", "change": gold(), "plan": at_once(),
                       "audience": { "selector": "serial ~ \"*\"" } });
    let own = riga.made("/api/v1/rollouts", body, "rollout_id").await;
    assert_eq!(riga.get(&format!("/api/v1/rollouts/{own}")).await["sites"], json!(["lv"]));
    let order = async |id: &str, verb: &str, body: Value| {
        riga.call("POST", &format!("/api/v1/rollouts/{id}/{verb}"), Some(body)).await
    };
    let (status, dry) = order(&own, "dry-run", json!({})).await;
    assert_eq!((status, &dry["devices"], &dry["left_out"]), (200, &json!(1), &json!(0)), "{dry}");
    let (status, told) = order(&own, "start", json!({})).await;
    assert_eq!(status, 200, "{told}");
    range.until(&own, "completed").await;
    assert_eq!(serials(&range.in_state(&own, "healthy").await), [range.fleet.serial(0)]);
    for (index, golden) in [(0, true), (1, false), (2, false)] {
        let code = range.api.known(&range.fleet.serial(index), CODE).await;
        assert_eq!(code[0].1 == "gold", golden, "{index}: {code:?}");
    }

    let ids = |page: Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["rollout_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(riga.get("/api/v1/rollouts").await), [own.as_str()]);
    assert_eq!(ids(range.api.get("/api/v1/rollouts").await).len(), 2);
    let path = format!("/api/v1/rollouts/{fleet_wide}");
    for (method, path) in [("GET", path.clone()), ("GET", format!("{path}/devices"))] {
        assert_eq!(riga.call(method, &path, None).await.0, 404, "{path}");
    }
    for (verb, body) in [("start", json!({})), ("abort", json!({ "reason": "x" }))] {
        assert_eq!(order(&fleet_wide, verb, body).await.0, 404, "{verb}");
    }

    // The page of a device that is in both tells of those that one sees.
    range.order(&fleet_wide, "start", json!({})).await;
    range.until(&fleet_wide, "completed").await;
    let role = json!({ "name": "looks", "rights": ["read"] });
    let role = range.api.made("/api/v1/roles", role, "role_id").await;
    let user = json!({ "login": "ann", "grants": [{ "role_id": role, "site_id": site }] });
    let ann = range.api.made("/api/v1/users", user, "login").await;
    let device = range.api.get(&device_path(&range.fleet.serial(0))).await;
    let page = format!("/devices/{}/rollouts", device["device_id"].as_str().unwrap());
    for (login, others) in [(ann.as_str(), false), (ADMIN, true)] {
        let shown = Session::opened(&range.muster, login).await.get(&page).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        assert!(shown.body.contains(&format!("/rollouts/{own}")), "{}", shown.body);
        let found = shown.body.contains(&format!("/rollouts/{fleet_wide}"));
        assert_eq!(found, others, "{login}: {}", shown.body);
    }
}

#[tokio::test]
async fn one_device_is_upgraded_by_itself_and_its_links_end_with_its_job() {
    let range = Range::start(2, |options| options.seed = seed(2, |_| true)).await;
    let upgrade = async |index: u32| {
        let path = format!("{}/upgrade", device_path(&range.fleet.serial(index)));
        let body = json!({ "version": "7.16.1", "backup": false });
        range.api.call("POST", &path, Some(body)).await
    };
    let (status, made) = upgrade(0).await;
    assert_eq!(status, 201, "{made}");
    let id = made["rollout_id"].as_str().unwrap();
    range.until(id, "completed").await;
    let healthy = serials(&range.in_state(id, "healthy").await);
    assert_eq!(healthy, [range.fleet.serial(0)], "nobody else");
    let device = range.api.get(&device_path(&range.fleet.serial(0))).await;
    assert_eq!(device["software_version"], "7.16.1");
    let (status, told) = upgrade(0).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("it runs 7.16.1 already"), "{told}");

    // The other one is away, so that its job stays open for as long as it takes to look.
    range.fleet.finish().await;
    let (status, made) = upgrade(1).await;
    assert_eq!(status, 201, "{made}");
    let id = made["rollout_id"].as_str().unwrap();
    let one = || async { range.in_state(id, "offered").await.pop() };
    let device = eventually("it has its order", one).await;
    let list = range.list_of(&device);
    let fetch = async |url: &str| {
        let answer = range.muster.http().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    let (status, body) = fetch(&list).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("<upgrade version=\"1\" type=\"links\">"), "{text}");
    let package = package_in(&text);
    assert!(package.ends_with(".npk"), "{package}");
    let (status, body) = fetch(package).await;
    assert_eq!(status, 200);
    assert!(!body.is_empty());

    range.order(id, "abort", json!({ "reason": "not today" })).await;
    eventually("the list is there no more", || async {
        (fetch(&list).await.0 == 404).then_some(())
    })
    .await;
    assert_eq!(fetch(package).await.0, 404);
}
