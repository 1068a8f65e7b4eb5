//! What decides whether a rollout is right: who is told apart, who is tried first, when nobody is begun,
//! who is taken back, and how fast it goes.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use muster_routeros::version::RosVersion;
use serde_json::json;

use super::lab::{
    Range, at_once, far_window, gold, naming, package_in, place, release, seed, serials, unseen,
};
use crate::harness::eventually;
use crate::harness::kit::server;

/// Changes what is stored, of one rollout or of all.
async fn alter(range: &Range, sql: &'static str, id: &str) {
    sqlx::query(sql).bind(id).execute(&range.muster.pool).await.unwrap();
}

#[tokio::test]
async fn devices_that_differ_in_nothing_but_their_routerboot_are_told_apart() {
    let range = Range::start(3, |options| options.seed = 7).await;
    range.fleet.finish().await;
    let behind = range.fleet.serial(1);
    for sql in [
        "update device_facts
         set software_version = '7.16.1', arch = 'arm', model = 'RB4011iGS+RM',
             product_class = 'RB4011iGS+'
         where $1 <> ''",
        "insert into device_packages (device_id, packages, booter_current, booter_upgrade, source,
                                      learned_at)
         select device_id, '[]', case when serial = $1 then '7.12.1' else '7.16.1' end, '7.16.1',
                'script', now()
         from device_facts",
    ] {
        alter(&range, sql, &behind).await;
    }
    let change = json!({ "kind": "release", "version": "7.16.1", "routerboot": true });
    let told = range.dry_run(&change, at_once()).await;
    assert_eq!((&told["devices"], &told["left_out"]), (&json!(1), &json!(2)), "{told:#}");
    let why = told["skipped"][0]["reason"].as_str().unwrap();
    assert!(why.contains("its RouterBOOT already"), "{why}");
}

#[tokio::test]
async fn a_canary_that_is_nobody_lets_nobody_begin_until_somebody_says_so() {
    let range = Range::start(3, |options| options.seed = 7).await;
    let mut plan = at_once();
    plan["waves"] = json!([
        { "name": "canary", "take": { "devices": ["serial:NOPE"] } },
        { "take": "rest" },
    ]);
    let id = range.begin(gold(), plan).await;
    let paused = range.until(&id, "paused").await;
    assert_eq!((&paused["paused_by"], &paused["wave"]), (&json!("gate"), &json!(0)), "{paused:#}");
    let why = paused["reason"].as_str().unwrap();
    assert!(why.contains("`canary` has no device"), "{why}");
    assert_eq!(range.in_state(&id, "waiting").await.len(), 3, "nobody has begun");
    range.order(&id, "resume", json!({ "reason": "there is none any more" })).await;
    range.until(&id, "completed").await;
    assert_eq!(range.in_state(&id, "healthy").await.len(), 3);
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn orders_wait_while_and_as_soon_as_nothing_may_be_changed() {
    let range = Range::start(1, |options| options.seed = seed(1, |_| true)).await;
    let site = range.api.make_at("/api/v1/sites", json!({ "path": "lv" })).await;
    place(&range, 0, json!({ "site": "lv" })).await;
    range.fleet.finish().await;

    let today = Utc::now().date_naive();
    let (from, to) = (today - TimeDelta::days(1), today + TimeDelta::days(1));
    let mut plan = at_once();
    plan["blackout"] = json!([{ "from": from, "to": to }]);
    let never = range.begin(release(), plan).await;
    let why = eventually("it says what it waits for", || async {
        let waiting = range.in_state(&never, "waiting").await.pop()?;
        waiting["reason"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(why, format!("no changes from {from} to {to}"));
    range.order(&never, "abort", json!({ "reason": "not on these days" })).await;
    eventually("it is left out", || async { range.in_state(&never, "skipped").await.pop() }).await;

    let mut plan = at_once();
    plan["heed_windows"] = json!(true);
    let id = range.begin(release(), plan).await;
    eventually("it has its order", || async { range.in_state(&id, "offered").await.pop() }).await;
    range.api.send("PATCH", &site, json!({ "windows": [far_window()] })).await;
    let waits =
        eventually("it waits again", || async { range.in_state(&id, "waiting").await.pop() }).await;
    let why = waits["reason"].as_str().unwrap();
    assert!(why.contains("maintenance window of lv"), "{waits:#}");
    let jobs = "select state from jobs where kind = 'upgrade' and rollout_id = $1::uuid";
    let jobs: Vec<String> =
        sqlx::query_scalar(jobs).bind(&id).fetch_all(&range.muster.pool).await.unwrap();
    assert_eq!(jobs, ["cancelled"]);
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn what_was_changed_and_then_did_not_come_is_taken_back_too() {
    let direct = |versions: &[&str]| versions.iter().all(|version| version.starts_with("7."));
    let range = Range::start(2, |options| options.seed = seed(2, direct)).await;
    let had = range.fleet.handle().identity(0).version;
    let id = range.begin(release(), at_once()).await;
    range.until(&id, "completed").await;
    // As if both had been tried again, and had not come then. What the second one runs it has from
    // somebody else.
    for sql in [
        "update rollout_devices set state = 'timed_out' where rollout_id = $1::uuid",
        "update rollout_waves set timed_out = healthy, healthy = 0 where rollout_id = $1::uuid",
    ] {
        alter(&range, sql, &id).await;
    }
    alter(
        &range,
        "update rollout_devices r set steps = jsonb_set(steps, '{0,version}', '\"7.15.3\"')
         from device_facts f where r.device_id = f.device_id and f.serial = $1",
        &range.fleet.serial(1),
    )
    .await;
    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    let back = range.until(&id, "rolled_back").await;
    let inverse = back["inverse_id"].as_str().unwrap();
    let healthy = range.in_state(inverse, "healthy").await;
    assert_eq!(serials(&healthy), [range.fleet.serial(0)], "{healthy:#?}");
    assert_eq!(healthy[0]["version"], had);
    assert!(range.in_state(inverse, "skipped").await.is_empty(), "the other one is not in it");
    range.counts_hold(inverse).await;
}

#[tokio::test]
async fn what_is_taken_back_once_more_is_no_more_urgent_than_before() {
    let range = Range::start(1, |options| options.seed = 7).await;
    let mut plan = at_once();
    plan["heed_windows"] = json!(true);
    let id = range.begin(gold(), plan).await;
    range.until(&id, "completed").await;
    range.fleet.finish().await;
    for _ in 0..2 {
        range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
        let inverse = eventually("another rollout takes it back", || async {
            range.rollout(&id).await["inverse_id"].as_str().map(str::to_owned)
        })
        .await;
        assert_eq!(range.rollout(&inverse).await["plan"]["heed_windows"], true);
        range.order(&inverse, "abort", json!({ "reason": "not today" })).await;
        range.until(&id, "aborted").await;
    }
}

#[tokio::test]
async fn a_script_that_ran_before_its_device_did_not_come_is_taken_back_too() {
    let range = Range::start(2, |options| options.seed = 7).await;
    let id = range.begin(naming(&range.api).await, at_once()).await;
    range.until(&id, "completed").await;
    // As if neither had come when it was tried again, and the second one not before either.
    for sql in [
        "update rollout_devices set state = 'timed_out' where rollout_id = $1::uuid",
        "update rollout_waves set timed_out = healthy, healthy = 0 where rollout_id = $1::uuid",
    ] {
        alter(&range, sql, &id).await;
    }
    alter(
        &range,
        "update jobs j set attempts = 0 from device_facts f
         where j.device_id = f.device_id and f.serial = $1 and j.kind = 'download'",
        &range.fleet.serial(1),
    )
    .await;
    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    let back = range.until(&id, "rolled_back").await;
    let inverse = back["inverse_id"].as_str().unwrap();
    let healthy = range.in_state(inverse, "healthy").await;
    assert_eq!(serials(&healthy), [range.fleet.serial(0)], "{healthy:#?}");
    assert_eq!(range.rollout(inverse).await["waves"][0]["total"], 1);
}

#[tokio::test]
async fn an_order_at_a_site_that_closes_is_called_back_however_many_are_open_elsewhere() {
    const DEVICES: i32 = 520;
    let (muster, api) = server().await;
    api.make("/api/v1/sites", json!({ "path": "ee" })).await;
    let site = api.make_at("/api/v1/sites", json!({ "path": "lv" })).await;
    // The last one by its id stands alone.
    for sql in [
        "insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                              events, retry_count)
         select lpad(to_hex(i), 32, '0')::uuid, now(), now(), gen_random_uuid(), 'n', '10.0.0.1',
                '2 PERIODIC', 0
         from generate_series(1, $1::integer) i",
        "insert into device_facts (device_id, manufacturer, oui, product_class, serial, namespace,
                                   auth, updated_at, site)
         select lpad(to_hex(i), 32, '0')::uuid, 'MikroTik', 'E48D8C', 'hAP', 'S' || i,
                'urn:dslforum-org:cwmp-1-2', 'device', now(),
                (case when i < $1 then 'ee' else 'lv' end)::ltree
         from generate_series(1, $1::integer) i",
    ] {
        sqlx::query(sql).bind(DEVICES).execute(&muster.pool).await.unwrap();
    }
    let mut plan = unseen();
    plan["heed_windows"] = json!(true);
    plan["pace"] = json!({ "concurrent": 1_000 });
    let body = json!({ "name": "many", "change": gold(), "plan": plan,
                       "audience": { "selector": "serial ~ \"S*\"" } });
    let path =
        format!("/api/v1/rollouts/{}", api.made("/api/v1/rollouts", body, "rollout_id").await);
    api.send("POST", &format!("{path}/start"), json!({})).await;
    eventually("all have their orders", || async {
        (api.get(&path).await["waves"][0]["active"] == DEVICES).then_some(())
    })
    .await;
    api.send("PATCH", &site, json!({ "windows": [far_window()] })).await;
    let waits = eventually("one waits again", || async {
        let waiting = api.get(&format!("{path}/devices?state=waiting")).await;
        waiting["items"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(waits["serial"], format!("S{DEVICES}"), "{waits:#}");
    assert_eq!(api.get(&path).await["waves"][0]["active"], DEVICES - 1);
}

#[tokio::test]
async fn the_downloads_of_a_rollout_are_no_faster_than_its_plan() {
    let direct = |versions: &[&str]| versions.iter().all(|version| version.starts_with("7."));
    let range = Range::start(1, |options| options.seed = seed(1, direct)).await;
    let version: RosVersion = "7.16.2".parse().unwrap();
    let arch = range.fleet.handle().identity(0).arch();
    for name in muster_sim::packages::names(&version, arch) {
        let size = if name == "routeros" { 1_000_000 } else { 3_000 };
        let (file, bytes) = muster_sim::packages::file(name, &version, arch, size);
        let path = format!("/api/v1/releases/packages?name={file}");
        let response = range.api.request("POST", &path).body(bytes).send().await.unwrap();
        assert!(response.status().is_success(), "{file}: {}", response.text().await.unwrap());
    }
    // The device is away, so that its job stays open for as long as it takes to look.
    range.fleet.finish().await;
    let mut plan = at_once();
    plan["pace"] = json!({ "megabits": 1 });
    let change = json!({ "kind": "release", "version": version.to_string() });
    let id = range.begin(change, plan).await;
    let device =
        eventually("it has its order", || async { range.in_state(&id, "offered").await.pop() })
            .await;
    let http = range.muster.http();
    let list = http.get(range.list_of(&device)).send().await.unwrap().text().await.unwrap();
    let package = package_in(&list);

    let began = Instant::now();
    let bytes = http.get(package).send().await.unwrap().bytes().await.unwrap();
    let took = began.elapsed();
    assert!(bytes.len() >= 1_000_000, "the main package comes first: {} bytes", bytes.len());
    assert!(took >= Duration::from_secs(7), "8 Mbit in {took:?}");
}
