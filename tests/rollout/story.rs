//! A rollout from its first device to its report.
//!
//! `TEST_STORY_DEVICES=200` makes it one of so many devices of which 5 % are sick, instead of 40 of which
//! 12 % are; that takes `TEST_PATIENCE_SECONDS=300`.

use std::collections::BTreeSet;

use muster_sim::sickness::{Ailment, Sickness};
use serde_json::{Value, json};

use super::lab::{Range, quick, release};
use crate::harness::cli::run_with;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// How many devices there are, and what ails some of them.
fn fleet() -> (u32, &'static str) {
    let devices = std::env::var("TEST_STORY_DEVICES").ok().and_then(|devices| devices.parse().ok());
    devices.map_or((40, "stuck=12%"), |devices| (devices, "stuck=5%"))
}

/// An architecture, and the generation of RouterOS on it.
fn kind(arch: &str, version: &str) -> (String, String) {
    (arch.to_owned(), version.split('.').next().unwrap().to_owned())
}

#[tokio::test]
async fn it_pauses_by_itself_when_devices_get_sick_and_goes_on_without_them() {
    let (devices, ailing) = fleet();
    let sickness: Sickness = ailing.parse().unwrap();
    let mut range = Range::start(devices, |options| {
        options.sickness = ailing.parse().unwrap();
        options.seed = 5;
    })
    .await;
    let mut plan = quick(json!({ "percent": null, "count": 1, "then": "pause" }));
    // A canary that is well, then some of whom one is not.
    let identity = |i: u32| range.fleet.handle().identity(i);
    let old: Vec<u32> = (0..devices).filter(|i| identity(*i).version != "7.16.1").collect();
    let kinds: BTreeSet<(String, String)> =
        old.iter().map(|i| identity(*i)).map(|one| kind(one.profile().arch, one.version)).collect();
    let (well, sick): (Vec<u32>, Vec<u32>) =
        old.into_iter().partition(|i| sickness.of(5, *i) == Ailment::None);
    let named = |of: &[u32]| -> Vec<String> {
        of.iter().map(|i| format!("serial:{}", range.fleet.serial(*i))).collect()
    };
    let most = sick.len();
    let second: Vec<u32> = sick[..1].iter().chain(&well[3..8]).copied().collect();
    plan["waves"] = json!([
        { "take": { "devices": named(&well[..3]) } },
        { "take": { "devices": named(&second) } },
        { "take": "rest" },
    ]);
    let id = range.draft(release(), plan).await;

    let dry = range.order(&id, "dry-run", json!({})).await;
    let waves = dry["waves"].as_array().unwrap();
    assert_eq!(waves.len(), 3, "{dry}");
    assert_eq!(waves[0]["devices"], 3);
    let planned: u64 = waves.iter().map(|w| number(&w["devices"])).sum();
    assert_eq!(planned, number(&dry["devices"]));
    assert_eq!(planned + number(&dry["left_out"]), u64::from(devices), "{dry}");
    // Some run 7.16.1 already; those of version 6 take two hops.
    assert!(number(&dry["left_out"]) > 0 && number(&dry["bytes"]) > 0, "{dry}");
    let hops = |path: &Value| path["steps"].as_array().unwrap().len();
    let paths = dry["paths"].as_array().unwrap();
    assert!(paths.iter().any(|p| hops(p) == 2), "{dry}");
    let text = |path: &Value, field: &str| path[field].as_str().unwrap().to_owned();
    let planned: BTreeSet<(String, String)> =
        paths.iter().map(|path| kind(&text(path, "arch"), &text(path, "from"))).collect();
    assert_eq!(planned, kinds, "{dry}");
    let archs: BTreeSet<&String> = kinds.iter().map(|(arch, _)| arch).collect();
    let generations: BTreeSet<&String> = kinds.iter().map(|(_, generation)| generation).collect();
    assert_eq!((archs.len(), generations.len()), (4, 2), "{kinds:?}");

    range.order(&id, "start", json!({})).await;
    // Somebody follows it on a command line, until it waits for somebody.
    let token = range.muster.token();
    let env = [("MUSTER_TOKEN", token.as_str())];
    let args = ["rollouts", "follow", id.as_str()];
    let follow = |code: i32| run_with(&range.muster, &env, &args, code);
    let (paused, told) = tokio::join!(range.until(&id, "paused"), follow(1));
    assert!(told.out.lines().count() > 1, "{}", told.out);
    assert!(told.err.contains("waits for somebody"), "{}", told.err);
    assert_eq!((&paused["paused_by"], &paused["wave"]), (&json!("gate"), &json!(1)), "{paused:#}");
    let reason = paused["reason"].as_str().unwrap();
    assert!(reason.contains("failed"), "{reason}");
    let sick = range.in_state(&id, "failed").await;
    assert!(!sick.is_empty());
    for device in &sick {
        let why = device["reason"].as_str().unwrap();
        assert!(why.contains("came back on"), "{why}");
    }
    let begun = number(&paused["waves"][2]["waiting"]);
    assert!(begun > 0, "the last wave has not begun: {paused:#}");

    // As often as it takes: whoever is sick in the last wave stops it again.
    let mut rounds = 0;
    loop {
        range.order(&id, "exclude", json!({ "reason": "known to be stuck" })).await;
        range.order(&id, "resume", json!({ "reason": "the sick are left out" })).await;
        rounds += 1;
        let rollout = crate::harness::eventually("it ends or pauses", || async {
            let rollout = range.rollout(&id).await;
            matches!(rollout["state"].as_str(), Some("paused" | "completed")).then_some(rollout)
        })
        .await;
        if rollout["state"] == "completed" {
            break;
        }
        assert!(rounds <= most, "{rollout:#}");
    }
    assert!(follow(0).await.out.contains("completed"));
    range.counts_hold(&id).await;
    assert_eq!(range.most_upgrades().await, 1, "nobody was sent the same twice");
    for device in range.in_state(&id, "healthy").await {
        assert_eq!(device["version"], "7.16.1", "{device}");
        assert!(device["verdict"]["checks"].as_array().is_some_and(|c| !c.is_empty()), "{device}");
    }

    let report = range.api.get(&format!("/api/v1/rollouts/{id}/report")).await;
    assert_eq!(report["rollout"]["state"], "completed", "{report}");
    let path = format!("/api/v1/rollouts/{id}/report");
    let csv = range.api.request("GET", &path).header("accept", "text/csv").send().await.unwrap();
    let csv = csv.text().await.unwrap();
    let lines = csv.lines().count();
    assert_eq!(lines, devices as usize + 1, "a head and a line for each device: {csv}");

    let story = range.story(&id).await.join("\n");
    assert!(story.contains("left out"), "{story}");
    let audit = range.api.get("/api/v1/audit?limit=200").await;
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().filter_map(|e| e["action"].as_str()).collect();
    for action in ["rollout.create", "rollout.running", "rollout.paused", "rollout.completed"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
}

#[tokio::test]
async fn a_crash_after_the_soak_began_takes_it_back() {
    let range = Range::start(12, |options| {
        options.sickness = "crash-after:8s=100%".parse().unwrap();
        options.seed = 3;
    })
    .await;
    let mut before = std::collections::HashMap::new();
    for index in 0..range.devices {
        let serial = range.fleet.serial(index);
        let device = range.api.ready(&serial).await;
        before.insert(serial, device["software_version"].clone());
    }
    let mut plan = quick(json!({ "percent": null, "count": 1, "then": "roll_back" }));
    plan["waves"] = json!([{ "take": "rest" }]);
    plan["soak_minutes"] = json!(30);
    let id = range.begin(release(), plan).await;
    let back = range.until(&id, "rolled_back").await;
    let inverse = back["inverse_id"].as_str().unwrap().to_owned();
    let story = range.story(&id).await.join("\n");
    assert!(story.contains("crash"), "{story}");
    assert!(!story.contains("instead of 7.16.1"), "what is taken back is no failure: {story}");
    let done = range.until(&inverse, "completed").await;
    assert_eq!(done["inverse_of"], json!(id), "{done:#}");
    for (serial, version) in before {
        let device = range.api.ready(&serial).await;
        assert_eq!(device["software_version"], version, "{serial}");
    }
    range.counts_hold(&id).await;
    range.counts_hold(&inverse).await;
}
