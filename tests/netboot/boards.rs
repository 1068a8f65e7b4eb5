//! Simulated boards, from the wire up. Test doubles that we wrote ourselves, from the same notes as the
//! server, with RouterBOOT's habits as far as they are known: 13 requests within 2.4 s, no answer with a
//! message type, options up to their end, 100 ms for a first block. That they are served proves
//! consistency, not compatibility.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use muster_netboot::mac::Mac;
use muster_sim::boards::{BoardOptions, start_boards};
use muster_sim::{FleetOptions, claims};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lab::Bench;
use super::wire::{PATIENCE, Wire, ready};
use crate::harness::eventually;
use crate::harness::kit::Api;

/// Boards that are switched on at once.
const MANY: u32 = 200;
/// What each of them gets: it names no ACS, so that nothing comes after it.
const SCRIPT: &str = ":delay 5s\n/system identity set name={{ board.mac }}\n";
/// Boards of the story.
const FEW: u32 = 12;
const SITE: &str = "bench";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// Imports the claims of boards.
async fn claim(api: &Api, csv: String, own_credential: bool) {
    let path = format!("/api/v1/claims/import?own_credential={own_credential}");
    let request = api.request("POST", &path).header("content-type", "text/csv").body(csv);
    let imported = request.send().await.unwrap();
    assert!(imported.status().is_success(), "{}", imported.text().await.unwrap());
}

/// The batch, once so many of its boards are counted as this.
async fn batch(api: &Api, state: &str, count: u32) -> Value {
    eventually("the batch is through", || async {
        let batch = api.get("/api/v1/bench/batch").await;
        (batch[state] == count).then_some(batch)
    })
    .await
}

/// Waits until the bench knows that it is armed: a board asks for 2.4 s alone.
async fn serving(bench: &Bench) {
    let gauge = format!("muster_bench_armed{{interface=\"{}\"}} 1", bench.wire.server);
    eventually("it is armed", || async {
        let url = format!("http://{}/metrics", bench.muster.metrics);
        let text = bench.muster.http().get(url).send().await.ok()?.text().await.ok()?;
        text.contains(&gauge).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_hundred_boards_at_once_are_served_within_their_window() {
    if !ready(&[]) {
        return;
    }
    let settings = [("MUSTER_ACS__AUTH", "none"), ("MUSTER_DATABASE__MAX_CONNECTIONS", "8")];
    let bench = Bench::with(Wire::here(), &settings).await;
    bench.template("many", SCRIPT).await;
    claim(&bench.api, claims::csv(1, MANY, &[]), false).await;
    bench.arm("many", json!({})).await;
    serving(&bench).await;

    let mut boards = Command::from(bench.muster.command())
        .args(["simulate", "--boards", MANY.to_string().as_str()])
        .args(["--interface", bench.wire.client.as_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(boards.stdout.take().unwrap()).lines();
    let said = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    // Whoever was not answered within its window got nothing.
    let wanted = format!(
        "{MANY} boards: {MANY} have a script, 0 are installed, 0 refused what they got, \
         0 got nothing, 0 broke off, 0 are busy; 0 switched on again; slowest "
    );
    assert!(said.starts_with(&wanted), "{said}");
    let told = batch(&bench.api, "delivered", MANY).await;
    assert_eq!((&told["claimed"], &told["refused"]), (&json!(MANY), &json!(0)));
    // Each has one of its own, once.
    let (scripts, most): (i64, i32) = sqlx::query_as(
        "select count(distinct script_sha256), max(deliveries) from bench_boards
         where state = 'delivered'",
    )
    .fetch_one(&bench.muster.pool)
    .await
    .unwrap();
    assert_eq!((scripts, most), (i64::from(MANY), 1));
}

/// The demonstration in small: boards are claimed, plugged in, delivered, started, and confirmed by the
/// first inform of each.
#[tokio::test]
async fn boards_come_from_the_bench_to_the_acs_each_with_a_script_of_its_own() {
    if !ready(&[]) {
        return;
    }
    // Nobody is let in who is not expected, and each only by the credential in its script.
    let bench = Bench::with(Wire::here(), &[("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine")]).await;
    bench.post("/api/v1/sites", json!({ "path": SITE })).await;
    let (count, interface) = (FEW.to_string(), bench.wire.client.as_str());
    let args = ["simulate", "--boards", count.as_str(), "--interface", interface];
    let print = ["--print-claims", "--sites", SITE];
    let csv = bench.muster.cli(&[args.as_slice(), print.as_slice()].concat());
    claim(&bench.api, csv, true).await;
    let url = format!("http://{}/", bench.muster.cwmp);
    bench.arm("bench-bootstrap", json!({ "variables": { "acs_url": url } })).await;
    serving(&bench).await;

    let stop = CancellationToken::new();
    let fleet = FleetOptions {
        ramp: Duration::ZERO,
        reboot_time: Duration::from_millis(20),
        ..FleetOptions::new(FEW, "")
    };
    let options = BoardOptions { fleet, ..BoardOptions::new(FEW, interface) };
    let boards = start_boards(options, stop.clone()).await.unwrap();
    let stats = boards.settled().await;
    assert_eq!((stats.stored, stats.silent), (FEW, 0), "{stats:?}");

    let mut scripts = BTreeSet::new();
    for index in 0..FEW {
        let identity = boards.fleet.identity(index);
        let (mac, serial): (Mac, _) = (identity.mac(1).parse().unwrap(), identity.serial);
        let board = bench.until(mac, "confirmed").await;
        for (name, value) in [
            ("serial", serial.as_str()),
            ("site", SITE),
            ("kind", "flashboot"),
            ("template", "bench-bootstrap"),
            // And that is said of each.
            ("profile_status", "unverified"),
        ] {
            assert_eq!(board[name], value, "{name}: {board}");
        }
        let script = board["script"].as_str().unwrap();
        assert!(script.contains(&mac.to_string()), "{script}");
        assert!(script.contains("********"), "no secret is shown: {script}");
        scripts.insert(board["script_sha256"].as_str().unwrap().to_owned());

        let device = bench.api.ready(&serial).await;
        assert_eq!((&device["device_id"], &device["site"]), (&board["device_id"], &json!(SITE)));
        assert!(device["quarantined_at"].is_null(), "{device}");
        assert_eq!(bench.api.known(&serial, CODE).await, [(CODE.to_owned(), mac.to_string())]);
        let claim = bench.api.get(&format!("/api/v1/claims?q={serial}")).await;
        assert!(!claim["items"][0]["taken_at"].is_null(), "{claim}");
    }
    assert_eq!(scripts.len(), FEW as usize);
    let told = batch(&bench.api, "confirmed", FEW).await;
    assert_eq!((&told["claimed"], &told["not_seen"]), (&json!(FEW), &json!(0)));
    stop.cancel();
    boards.fleet.finished().await;
}
