//! Exactly once, whatever dies: two nodes, kill -9 at any time, whatever the rollout does then.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::lab::{
    Range, at_once, gold, hold_sets, is_waited_for, quick, release, unlimited, unseen,
};
use crate::harness::kit::{device_path, raw_device};
use crate::harness::{Muster, eventually};

/// How long what is awaited may take after a kill: twice what the lease of a node that died at it and the
/// devices take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// For how long a rollout may stand still whose node died at it: the lease, and room for a busy machine.
const STANDSTILL: Duration = Duration::from_secs(25);

/// Devices of a rollout that are under way.
const IN_FLIGHT: &str = "select count(*) from rollout_devices where rollout_id = $1::uuid
     and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying')";
/// Those that were given a step.
const BEGUN: &str = "select count(*) from rollout_devices where rollout_id = $1::uuid
     and started_at is not null";
/// Those that are well.
const HEALTHY: &str = "select count(*) from rollout_devices where rollout_id = $1::uuid
     and state = 'healthy'";
/// Those that have not come to an end, or not to a good one, or are looked at still. Who fetched its
/// packages while the server was dead failed for that, and it is told so.
const LEFT_BEHIND: &str = "select count(*) from rollout_devices where rollout_id = $1::uuid
     and (not (state in ('healthy', 'skipped') or (state = 'failed' and fault_class = 'retry'))
          or due_at is not null)";
/// Those that are well, and run something else than they should.
const UNTRUE: &str = "select count(*) from rollout_devices r join device_facts f using (device_id)
     where r.rollout_id = $1::uuid and r.state = 'healthy' and f.software_version <> r.to_version";
/// Upgrades of a rollout that may still be sent, or whose device may still be at them.
const OPEN_JOBS: &str = "select count(*) from jobs where rollout_id = $1::uuid and kind = 'upgrade'
     and state in ('queued', 'running', 'waiting')";
/// How often a device was sent the same, at most. What was called back was sent to nobody, and what
/// failed was taken by nobody.
const SENT: &str = "select coalesce(max(n), 0) from (
     select count(*) as n from jobs
     where rollout_id = $1::uuid and kind = 'upgrade' and state not in ('cancelled', 'failed')
     group by device_id, args->>'version') c";

/// A number of a rollout.
async fn number(range: &Range, of: &'static str, id: &str) -> i64 {
    sqlx::query_scalar(of).bind(id).fetch_one(&range.muster.pool).await.unwrap()
}

/// Waits until there is none.
async fn until_none(range: &Range, of: &'static str, id: &str) {
    let end = Instant::now() + PATIENCE;
    while number(range, of, id).await > 0 {
        let rollout = range.rollout(id).await;
        assert!(Instant::now() < end, "{of}: {rollout:#} {:#?}", range.story(id).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Kills one node after the other, each time at another moment.
async fn storm(range: &mut Range, second: &mut Muster, pauses: &[u64]) {
    for (round, pause) in pauses.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(*pause)).await;
        let node = if round % 2 == 0 { &mut *second } else { &mut range.muster };
        node.kill();
        node.run().await;
    }
}

/// Sees a rollout to its end. Where so many fetched while their server was dead that it paused, they
/// are tried again.
async fn to_its_end(range: &Range, id: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let rollout = range.rollout(id).await;
        match rollout["state"].as_str().unwrap() {
            "completed" => return,
            "paused" => {
                for order in ["retry", "resume"] {
                    let path = format!("/api/v1/rollouts/{id}/{order}");
                    let reason = json!({ "reason": "their server was away" });
                    let (status, answer) = range.api.call("POST", &path, Some(reason)).await;
                    assert!(status == 200 || status == 409, "{order}: {status} {answer}");
                }
            }
            _ => {}
        }
        assert!(Instant::now() < end, "{rollout:#} {:#?}", range.story(id).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// That nobody is left behind, nobody was sent the same twice, and who is well runs what it should.
async fn check(range: &Range, id: &str) {
    until_none(range, LEFT_BEHIND, id).await;
    until_none(range, OPEN_JOBS, id).await;
    assert!(number(range, SENT, id).await <= 1, "somebody was sent the same twice");
    assert_eq!(number(range, UNTRUE, id).await, 0, "somebody runs something else");
    range.counts_hold(id).await;
}

/// A fleet, and a rollout of 7.16.1 to it whose first devices are well.
async fn under_way(devices: u32) -> (Range, Muster, String) {
    let range = Range::start(devices, |options| options.seed = 11).await;
    let second = range.muster.second_node().await;
    let id = range.begin(release(), plan()).await;
    eventually("the first ones are well", || async {
        (number(&range, HEALTHY, &id).await > 0).then_some(())
    })
    .await;
    (range, second, id)
}

/// In three waves, without an error condition.
fn plan() -> Value {
    quick(unlimited())
}

#[tokio::test]
async fn a_rollout_whose_node_dies_at_work_is_soon_the_others() {
    let (mut muster, api) = raw_device("LEASED").await;
    let pool = muster.pool.clone();
    let between = Uuid::now_v7();
    let mut second = muster.second_node().await;
    // It is in a set: whoever begins it waits, in the middle of that.
    api.send("PATCH", &device_path("LEASED"), json!({ "redundancy": "core" })).await;
    let held = hold_sets(&pool).await;
    let body = json!({ "name": "leased", "change": gold(), "plan": unseen(),
                       "audience": { "selector": "serial = LEASED" } });
    let id = api.made("/api/v1/rollouts", body, "rollout_id").await;
    api.send("POST", &format!("/api/v1/rollouts/{id}/start"), json!({})).await;
    eventually("a node is at work", || async {
        is_waited_for(&pool, "advisory").await.then_some(())
    })
    .await;
    let at_work = "select leased_by from rollouts
                   where rollout_id = $1::uuid and leased_until > now()";
    let at_work: Uuid = sqlx::query_scalar(at_work).bind(&id).fetch_one(&pool).await.unwrap();
    // Nodes take their ids when they start.
    let dead = if at_work < between { &mut muster } else { &mut second };
    dead.kill();
    let died = Instant::now();
    held.rollback().await.unwrap();
    let begun =
        async || -> i64 { sqlx::query_scalar(IN_FLIGHT).bind(&id).fetch_one(&pool).await.unwrap() };
    while begun().await == 0 {
        assert!(died.elapsed() < STANDSTILL, "nobody goes on with it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn two_nodes_and_a_kill_upgrade_each_device_once() {
    let mut range = Range::start(30, |options| options.seed = 11).await;
    let mut second = range.muster.second_node().await;
    let id = range.begin(release(), plan()).await;
    // Killed again and again while it runs, each time at another moment.
    for pause in [150, 400, 700, 250, 900] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        second.kill();
        second.run().await;
    }
    for pause in [300, 800] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        range.muster.kill();
        range.muster.run().await;
    }
    to_its_end(&range, &id).await;
    check(&range, &id).await;
    let well = number(&range, HEALTHY, &id).await;
    assert!(well * 2 > i64::from(range.devices) / 2, "only {well} are well");
}

#[tokio::test]
async fn nodes_that_die_while_it_is_paused_begin_nothing_and_go_on_afterwards() {
    let (mut range, mut second, id) = under_way(20).await;
    range.order(&id, "pause", json!({ "reason": "a storm" })).await;
    let begun = number(&range, BEGUN, &id).await;
    storm(&mut range, &mut second, &[50, 120, 300, 700, 200, 450]).await;
    until_none(&range, IN_FLIGHT, &id).await;
    assert!(number(&range, BEGUN, &id).await <= begun, "somebody was begun while it was paused");
    assert_eq!(range.rollout(&id).await["state"], "paused");
    range.counts_hold(&id).await;
    range.order(&id, "resume", json!({ "reason": "it is over" })).await;
    storm(&mut range, &mut second, &[150, 400]).await;
    to_its_end(&range, &id).await;
    check(&range, &id).await;
}

#[tokio::test]
async fn nodes_that_die_after_an_abort_leave_nobody_in_flight() {
    let (mut range, mut second, id) = under_way(20).await;
    range.order(&id, "abort", json!({ "reason": "enough seen" })).await;
    let begun = number(&range, BEGUN, &id).await;
    storm(&mut range, &mut second, &[50, 120, 300, 700, 200, 450]).await;
    until_none(&range, IN_FLIGHT, &id).await;
    until_none(&range, OPEN_JOBS, &id).await;
    assert!(number(&range, SENT, &id).await <= 1, "somebody was sent the same twice");
    assert_eq!(number(&range, UNTRUE, &id).await, 0, "somebody runs something else");
    range.counts_hold(&id).await;
    assert!(number(&range, BEGUN, &id).await <= begun, "somebody was begun after the end");
    assert_eq!(range.rollout(&id).await["state"], "aborted");
}

#[tokio::test]
async fn nodes_that_die_during_a_soak_watch_it_to_its_end() {
    let mut range = Range::start(8, |options| options.seed = 11).await;
    let mut second = range.muster.second_node().await;
    let mut plan = at_once();
    plan["soak_minutes"] = json!(1);
    let id = range.begin(release(), plan).await;
    range.until(&id, "soaking").await;
    storm(&mut range, &mut second, &[50, 120, 300, 700, 200, 450]).await;
    assert_eq!(range.rollout(&id).await["state"], "soaking", "nobody has watched it for so long");
    range.until(&id, "completed").await;
    check(&range, &id).await;
    assert!(number(&range, HEALTHY, &id).await > 0);
}

#[tokio::test]
async fn nodes_that_die_during_a_roll_back_take_each_device_back_once() {
    let mut range = Range::start(12, |options| options.seed = 11).await;
    let mut second = range.muster.second_node().await;
    let mut before = Vec::new();
    for index in 0..range.devices {
        let serial = range.fleet.serial(index);
        let device = range.api.ready(&serial).await;
        before.push((serial, device["software_version"].clone()));
    }
    let id = range.begin(release(), plan()).await;
    range.until(&id, "completed").await;
    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    // Before there is a rollout that does it, while it takes its devices in, and while it runs.
    storm(&mut range, &mut second, &[20, 60, 150, 400, 250, 600, 100, 300]).await;
    let inverse = eventually("another rollout takes it back", || async {
        range.rollout(&id).await["inverse_id"].as_str().map(str::to_owned)
    })
    .await;
    to_its_end(&range, &inverse).await;
    range.until(&id, "rolled_back").await;
    check(&range, &inverse).await;
    assert!(number(&range, SENT, &id).await <= 1, "somebody was sent the same twice");
    range.counts_hold(&id).await;
    let made: i64 = sqlx::query_scalar("select count(*) from rollouts where inverse_of = $1::uuid")
        .bind(&id)
        .fetch_one(&range.muster.pool)
        .await
        .unwrap();
    assert_eq!(made, 1, "one rollout takes it back");
    let cut_off: Vec<String> = sqlx::query_scalar(
        "select serial from rollout_devices join device_facts using (device_id)
         where rollout_id = $1::uuid and state = 'failed' and fault_class = 'retry'",
    )
    .bind(&inverse)
    .fetch_all(&range.muster.pool)
    .await
    .unwrap();
    assert!(cut_off.len() < before.len() / 2, "{cut_off:?}");
    for (serial, version) in before.into_iter().filter(|(serial, _)| !cut_off.contains(serial)) {
        let device = range.api.ready(&serial).await;
        assert_eq!(device["software_version"], version, "{serial}");
    }
}
