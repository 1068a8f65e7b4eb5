//! A mode script beside the script: that both fit is known when a bench is armed, and what boards get is
//! what they were then.

use muster_netboot::profile::{Mode, Place, Profile, builtin};
use serde_json::json;
use uuid::Uuid;

use super::lab::{Bench, FILE, file, script};
use super::pipe::Pipe;
use super::transfers::read;
use super::wire::{Wire, new_mac, ready};
use crate::harness::kit::{Api, server};

/// A profile that knows how a mode script is sent.
const PROFILE: &str = "modes";
const CURL: &str = r#"curl -qsS --noproxy '*' -o "$3" "tftp://$1/$2""#;

/// Stores the profile.
async fn put_profile(api: &Api) {
    let mode = Some(Mode { place: Place::After, separator: Vec::new() });
    let profile = Profile { name: PROFILE.to_owned(), mode, ..builtin()[0].clone() };
    let path = format!("/api/v1/bench/profiles/{PROFILE}");
    let sent = api.request("PUT", &path).body(profile.write()).send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
}

#[tokio::test]
async fn two_scripts_that_fit_into_no_board_together_are_refused_to_whoever_arms() {
    let (muster, api) = server().await;
    put_profile(&api).await;
    for (name, bytes) in [("script", 2_500), ("mode", 2_500), ("short", 1_500), ("longer", 1_501)] {
        let template = json!({ "name": name, "body": script(bytes), "bench": true });
        api.make("/api/v1/templates", template).await;
    }
    // One that only the database knows.
    let bench_id = Uuid::now_v7();
    sqlx::query(
        "insert into benches (bench_id, host, interface, heard_at, updated_at)
         values ($1, 'lab', 'eth1', now(), now())",
    )
    .bind(bench_id)
    .execute(&muster.pool)
    .await
    .unwrap();
    let path = format!("/api/v1/bench/{bench_id}/arm");
    let arming = |mode: &str| {
        json!({
            "minutes": 5, "template": "script", "profile": PROFILE, "mode_template": mode,
            "accept_unverified": true,
        })
    };
    for mode in ["mode", "longer"] {
        let (status, pointer, words) = api.refused("POST", &path, Some(arming(mode))).await;
        assert_eq!((status, pointer.as_str()), (422, "/mode_template"), "{words}");
        assert!(words.contains("Not enough flash space, ignoring"), "{words}");
    }
    let armed = api.send("POST", &path, arming("short")).await;
    assert_eq!(armed["arming"]["mode_version"], 1, "{armed}");
}

#[tokio::test]
async fn a_mode_script_is_what_it_was_when_the_bench_was_armed() {
    if !ready(&["python3", "curl"]) {
        return;
    }
    let bench = Bench::start(Wire::plain()).await;
    put_profile(&bench.api).await;
    bench.template("first", &script(600)).await;
    let mode = json!({ "name": "mode", "body": script(300), "bench": true });
    let template = bench.api.made("/api/v1/templates", mode, "template_id").await;
    bench.arm("first", json!({ "profile": PROFILE, "mode_template": "mode" })).await;
    let newer = json!({ "body": script(301) });
    bench.api.send("PATCH", &format!("/api/v1/templates/{template}"), newer).await;

    let mut pipe = Pipe::open(&bench.wire, 68).await;
    let (mac, dir) = (new_mac(), tempfile::tempdir().unwrap());
    let into = dir.path().join("read");
    bench.lend(&mut pipe, mac).await;
    let said = read(&bench.wire, CURL, FILE, &into).await;
    let came = std::fs::read(&into).unwrap_or_default();
    assert!(came == file(&(script(600) + &script(300))), "{} bytes, {said:?}", came.len());
    let log = bench.api.get(&format!("/api/v1/bench/boards/{mac}/log")).await;
    let says = |entry: &serde_json::Value| entry["detail"]["mode_version"] == 1;
    assert!(log["items"].as_array().unwrap().iter().any(says), "{log}");
}
