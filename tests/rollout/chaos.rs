//! Exactly once, whatever dies: two nodes, kill -9 at any time.

use std::time::Duration;

use serde_json::json;

use super::lab::{Range, quick, release};
use crate::harness::eventually;

#[tokio::test]
async fn two_nodes_and_a_kill_upgrade_each_device_once() {
    let mut range = Range::start(30, |options| options.seed = 11).await;
    let mut second = range.muster.second_node().await;
    let plan = quick(json!({ "percent": 50.0, "minimum": 30, "then": "pause" }));
    let id = range.begin(release(), plan).await;
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
    range.until(&id, "completed").await;
    range.counts_hold(&id).await;
    assert_eq!(range.most_upgrades().await, 1, "nobody was sent the same twice");
    for index in 0..range.devices {
        let serial = range.fleet.serial(index);
        eventually(&format!("{serial} runs 7.16.1"), || async {
            let device = range.api.found(&crate::harness::kit::device_path(&serial)).await?;
            (device["software_version"] == "7.16.1").then_some(())
        })
        .await;
    }
    let open: i64 = sqlx::query_scalar(
        "select count(*) from rollout_devices where state not in ('healthy', 'skipped')",
    )
    .fetch_one(&range.muster.pool)
    .await
    .unwrap();
    assert_eq!(open, 0, "nobody is left behind");
}
