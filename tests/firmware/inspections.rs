//! Inspections: of many devices by one order, and whose report is taken for the answer.

use std::time::Duration;

use chrono::Utc;
use muster::files::builtin::Builtin;
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::inspection::nonce;
use muster::fleet::secret::Keys;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::kit::{Api, Fleet, device_path, raw_device};
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster, cli, eventually};

const MANY: &str = "/api/v1/inspections";
const SERIAL: &str = "BOARD1";

#[tokio::test]
async fn one_order_has_many_devices_tell_what_is_installed() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    let often = Duration::from_secs(2);
    let fleet = Fleet::start(&muster, 3, |options| options.periodic_interval = often).await;
    for index in 0..3 {
        api.ready(&fleet.serial(index)).await;
    }
    let asked = |expected: u64| json!({ "selector": "serial ~ \"*\"", "expected": expected });
    let (status, _, why) = api.refused("POST", MANY, Some(asked(2))).await;
    assert!(status == 409 && why.contains("3 devices match, not 2"), "{status} {why}");
    let made = api.send("POST", MANY, asked(3)).await;
    assert_eq!(made, json!({ "created": 3, "skipped": 0 }));
    for index in 0..3 {
        let path = format!("{}/packages", device_path(&fleet.serial(index)));
        eventually("it tells what is installed", || async {
            let told = api.get(&path).await;
            (told["source"] == "script" && told["assumed"] == false).then_some(())
        })
        .await;
        api.ready(&fleet.serial(index)).await;
    }
    let line = ["devices", "inspect", "--where", "serial ~ \"*\"", "--expected", "3"];
    let said = cli::run(&mut muster, &line, 0).await;
    assert!(said.out.contains("on 3 devices, 0 skipped"), "{}", said.out);
    let key = Uuid::now_v7().to_string();
    let order = [
        ("action", "inspect"),
        ("all", "yes"),
        ("q", "serial ~ \"*\""),
        ("expected", "3"),
        ("key", key.as_str()),
    ];
    let done = Session::opened(&muster, ADMIN).await.post("/devices/bulk", &order).await;
    assert_eq!(done.status, 200, "{done:?}");
    // Before the first job, and after the last, of each order.
    let kept = api.get("/api/v1/audit?action=device.inspect_bulk").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 6, "{kept}");
}

/// A device that is played here, ordered to tell what is installed on it.
struct Bench {
    muster: Muster,
    api: Api,
    keys: Keys,
    device: Uuid,
}

/// The two jobs of an order.
struct Ordered {
    script: Uuid,
    log: Uuid,
}

impl Bench {
    async fn start() -> Self {
        let (muster, api) = raw_device(SERIAL).await;
        let keys = Keys::load_or_make(&muster.data_dir().join("secret.key")).unwrap();
        let device = id(&api.get(&device_path(SERIAL)).await, "device_id");
        Self { muster, api, keys, device }
    }

    async fn order(&self) -> Ordered {
        let path = format!("{}/inspect", device_path(SERIAL));
        let made = self.post(&path).await;
        Ordered { script: id(&made["script"], "job_id"), log: id(&made["log"], "job_id") }
    }

    async fn post(&self, path: &str) -> Value {
        let (status, answer) = self.api.call("POST", path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Where the device fetches or sends a file.
    fn url(&self, kind: LinkKind, subject: Uuid) -> String {
        let expires = Utc::now().timestamp() + 60;
        let link = Link { kind, device_id: self.device, subject, expires };
        format!("http://{}{}file", self.muster.cwmp, link::path(&self.keys, &link))
    }

    /// The device sends a log; it has been read when it is acknowledged.
    async fn send(&self, ordered: &Ordered, log: String) {
        let url = self.url(LinkKind::Upload, ordered.log);
        let answer = self.muster.http().put(url).body(log).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    async fn mode(&self) -> Value {
        self.api.get(&format!("{}/packages", device_path(SERIAL))).await["device_mode"].clone()
    }

    fn nonce(&self, ordered: &Ordered) -> String {
        nonce(&self.keys, self.device, ordered.script)
    }
}

fn id(thing: &Value, field: &str) -> Uuid {
    thing[field].as_str().unwrap().parse().unwrap()
}

/// The lines of a report in a log.
fn report(nonce: &str, mode: &str) -> String {
    let said = [
        format!("begin=2/{nonce}"),
        "package=routeros/7.16.1/on".to_owned(),
        format!("mode={mode}"),
        format!("end=1/{nonce}"),
    ];
    said.map(|said| format!("2026-11-22 02:00:00 script,info muster-inspect: {said}|\n")).concat()
}

#[tokio::test]
async fn only_the_report_that_an_order_asked_for_is_its_answer() {
    let bench = Bench::start().await;
    let first = bench.order().await;
    let url = bench.url(LinkKind::Download, Builtin::Inspect.artifact_id());
    let served = bench.muster.http().get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(served.len(), Builtin::Inspect.text().len(), "the size that the device is told");
    let line = format!(":local nonce \"{}\"", bench.nonce(&first));
    assert!(served.contains(&line), "{served}");
    bench.send(&first, report(&bench.nonce(&first), "home")).await;
    assert_eq!(bench.mode().await, "home");
    for job in [first.log, first.script] {
        bench.post(&format!("/api/v1/jobs/{job}/cancel")).await;
    }

    let second = bench.order().await;
    assert_ne!(bench.nonce(&first), bench.nonce(&second));
    // Its log is kept on a disk: it holds the older report still, and the script has not run.
    bench.send(&second, report(&bench.nonce(&first), "rose")).await;
    assert_eq!(bench.mode().await, "home", "an older report is no answer");
    let other = report("0123456789abcdef", "rose");
    bench.send(&second, other.clone()).await;
    assert_eq!(bench.mode().await, "home", "nor is somebody else's");
    bench.send(&second, report(&bench.nonce(&second), "advanced") + &other).await;
    assert_eq!(bench.mode().await, "advanced");
}
