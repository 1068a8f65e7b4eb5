//! An operator brings devices to a release: writes a rollout, sees what it would do, starts it and
//! follows it to its end; and another one, which stops by itself.

use std::collections::BTreeSet;

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use serde_json::Value;

use super::Net;
use crate::harness::browser::Browser;
use crate::harness::eventually;
use crate::harness::kit::device_path;
use crate::harness::session::{ADMIN, Session};

const DEVICES: u32 = 3;
/// Newer than what any simulated device comes with, and what stands between.
const TARGET: &str = "7.17";
const BETWEEN: &str = "7.12.1";
/// What no device lets be set.
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";

#[tokio::test]
async fn a_rollout_is_written_tried_started_and_followed_to_its_end() {
    let net = Net::start(DEVICES).await;
    store_packages(&net).await;
    let browser = net.administrator().await;

    let older = format!("version < {TARGET}");
    browser.open(&format!("/devices?q=version+%3C+{TARGET}")).await;
    browser.press("New rollout").await;
    browser.until("the selector has come along", &holds("selector", &older)).await;
    browser.open(&format!("/releases/{TARGET}")).await;
    browser.press("Roll it out").await;
    browser.until("the release is chosen", &holds("release", TARGET)).await;
    browser.fill("#name", "spring").await;
    browser.fill("#selector", &older).await;
    browser.sees(".found", "3 devices now").await;
    add_a_wave(&browser).await;
    browser.fill("#soak_minutes", "0").await;
    browser.press("Dry run").await;
    browser.sees("#drawn", "What it would do").await;
    browser.sees(".stat", "devices are changed").await;
    browser.sees("td", TARGET).await;
    browser.press("Save the draft").await;

    browser.sees("h1", "spring").await;
    browser.sees("#rollout .state", "draft").await;
    let here = browser.path().await;
    start(&browser).await;
    let id = here.rsplit('/').next().unwrap();
    for wave in 1..3 {
        reached(&net, id, "the next wave has begun", |rollout| {
            rollout["wave"].as_i64() >= Some(wave) || rollout["state"] == "completed"
        })
        .await;
    }
    reached(&net, id, "it is completed", |rollout| rollout["state"] == "completed").await;
    // The page has followed it without being asked for again.
    browser.sees("#rollout .head .state", "completed").await;
    browser.sees("#rollout .key", "healthy").await;
    browser.sees("#rollout .timeline", "It is completed now").await;

    let mut admin = Session::opened(&net.muster, ADMIN).await;
    let report = admin.get(&format!("{here}/report.csv")).await;
    assert_eq!(report.status, 200, "{report:?}");
    for line in report.body.lines().skip(1).filter(|line| line.contains(",healthy,")) {
        let serial = line.split(',').next().unwrap();
        let device = net.api.get(&device_path(serial)).await;
        assert_eq!(device["software_version"], TARGET, "{line}");
    }
    assert!(report.body.contains(",healthy,"), "{}", report.body);
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_rollout_that_makes_devices_sick_stops_by_itself_and_says_why() {
    let net = Net::start(DEVICES).await;
    let browser = net.administrator().await;

    browser.open("/rollouts/new?what=parameters").await;
    browser.fill("#name", "a bad idea").await;
    browser.fill("[name=parameter]", VERSION).await;
    browser.fill("[name=value]", "9.9").await;
    browser.fill("#selector", "online").await;
    browser.click("summary:has(+ .lines #error_count)").await;
    browser.fill("#error_count", "1").await;
    browser.press("Save the draft").await;
    browser.sees("h1", "a bad idea").await;
    start(&browser).await;

    browser.sees("#rollout .head .state", "paused").await;
    browser.sees("#rollout .note", "It is paused").await;
    browser.sees("#sick", "Not well").await;
    browser.sees("#rollout td", "the device refused").await;
    browser.press("Exclude the failed…").await;
    browser.fill("#exclude-why", "they are as they were").await;
    // What is typed stays, although the page asks for itself again.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    browser.press("Exclude the failed").await;
    browser.sees(".note", "Devices that are left out: 1").await;
    browser.press("Abort…").await;
    browser.fill("#abort-why", "it was a bad idea").await;
    browser.press("Abort").await;
    browser.sees("#rollout .head .state", "aborted").await;
    browser.sees("#rollout .timeline", "it was a bad idea").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// Stores what the devices need on their way.
async fn store_packages(net: &Net) {
    let arch = |index| net.fleet.handle().identity(index).profile().arch;
    let archs: BTreeSet<&str> = (0..DEVICES).map(arch).collect();
    for version in [BETWEEN, TARGET] {
        let version: RosVersion = version.parse().unwrap();
        for arch in &archs {
            let arch: Arch = arch.parse().unwrap();
            for name in packages::names(&version, arch) {
                let (file, bytes) = packages::file(name, &version, arch, 1_000);
                let path = format!("/api/v1/releases/packages?name={file}");
                let sent = net.api.request("POST", &path).body(bytes).send().await.unwrap();
                assert_eq!(sent.status(), 201, "{file}: {}", sent.text().await.unwrap());
            }
        }
    }
}

/// Adds a row for a wave and takes it away again: the others stay as they are.
async fn add_a_wave(browser: &Browser) {
    let rows = "document.querySelectorAll('#waves fieldset').length";
    let before = browser.run(&format!("return {rows}")).await.as_i64().unwrap();
    browser.press("Another wave").await;
    browser.until("a row is there", &format!("return {rows} === {}", before + 1)).await;
    browser.click("#waves fieldset:last-child [data-remove-row]").await;
    browser.until("it is gone", &format!("return {rows} === {before}")).await;
}

/// A script that says whether a field holds this.
fn holds(id: &str, value: &str) -> String {
    format!("return document.getElementById('{id}')?.value === '{value}'")
}

async fn start(browser: &Browser) {
    browser.press("Start…").await;
    browser.find("#start[open]").await;
    browser.press("Start").await;
    browser.sees(".note", "It is started").await;
}

/// Waits until a rollout has come so far.
async fn reached(net: &Net, id: &str, what: &str, so_far: impl Fn(&Value) -> bool) {
    let path = format!("/api/v1/rollouts/{id}");
    eventually(what, || async {
        let rollout = net.api.found(&path).await?;
        assert_ne!(rollout["state"], "paused", "{rollout}");
        so_far(&rollout).then_some(())
    })
    .await;
}
