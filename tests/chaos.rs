//! What survives when the server, its database or a session dies: everything acknowledged, and
//! every job exactly once or visibly retried.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use muster_cwmp::rpc::{Request, Response};
use muster_cwmp::value::ParameterValue;
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use sqlx::{Connection, PgPool};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::cpe::{Cpe, inform};
use crate::harness::embedded::Embedded;
use crate::harness::kit::{Api, due_now, raw_device};
use crate::harness::talk::{Talk, begun, key_of, transferred};
use crate::harness::{LAB, Muster, eventually};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const PERIODIC: &[&str] = &["2 PERIODIC"];

/// Queues a firmware download.
async fn queue_download(api: &Api, serial: &str) -> String {
    let artifact = api.store("image.npk", b"image").await;
    let job =
        json!({ "kind": "download", "artifact_id": artifact, "file": { "type": "firmware" } });
    api.queue(serial, job).await
}

/// A session in which the device begins the download of this job.
async fn begin_download(to: SocketAddr, serial: &str, id: &str) {
    let mut talk = Talk::open(to, serial, PERIODIC).await;
    let Request::Download(call) = talk.asked() else { panic!("{:?}", talk.request) };
    assert_eq!(call.command_key, key_of(id));
    talk.answer(Response::Download(begun())).await;
    assert_eq!(talk.request, None);
}

/// A session in which the device reports a transfer under this key.
async fn report(to: SocketAddr, serial: &str, key: &str, code: u32) {
    let events = ["7 TRANSFER COMPLETE", &format!("M Download|{key}")];
    Talk::reporting(to, serial, &events, vec![transferred(key, code)]).await;
}

fn state(job: &Value) -> &str {
    job["state"].as_str().unwrap()
}

#[tokio::test]
async fn an_interrupted_read_is_done_again() {
    let (mut muster, api) = raw_device("CHAOS1").await;
    let id = api.queue("CHAOS1", json!({ "kind": "get", "names": [CODE] })).await;
    let talk = Talk::open(muster.cwmp, "CHAOS1", PERIODIC).await;
    assert!(matches!(talk.asked(), Request::GetParameterValues(_)));
    muster.kill();
    muster.run().await;
    let mut talk = Talk::open(muster.cwmp, "CHAOS1", PERIODIC).await;
    assert!(matches!(talk.asked(), Request::GetParameterValues(_)));
    talk.answer(Response::GetParameterValues(vec![ParameterValue::string(CODE, "x")])).await;
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["attempts"]), ("done", &json!(2)), "{job}");
    assert_eq!(job["result"]["parameters"][0]["value"], "x");
}

#[tokio::test]
async fn an_interrupted_reboot_is_not_sent_twice() {
    let (mut muster, api) = raw_device("CHAOS2").await;
    let id = api.queue("CHAOS2", json!({ "kind": "reboot" })).await;
    let talk = Talk::open(muster.cwmp, "CHAOS2", PERIODIC).await;
    assert!(matches!(talk.asked(), Request::Reboot(_)));
    muster.kill();
    muster.run().await;
    let talk = Talk::open(muster.cwmp, "CHAOS2", PERIODIC).await;
    assert_eq!(talk.request, None);
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["attempts"]), ("waiting", &json!(1)), "{job}");
    assert!(job["note"].as_str().unwrap().contains("not sent again"), "{job}");
    let boot = ["1 BOOT", &format!("M Reboot|{}", key_of(&id))];
    Talk::open(muster.cwmp, "CHAOS2", &boot).await.agree().await;
    assert_eq!(state(&api.job(&id).await), "done");
}

#[tokio::test]
async fn a_download_outlives_the_server_whenever_it_dies() {
    let (mut muster, api) = raw_device("CHAOS3").await;
    // Killed after the call was sent and before the device answered.
    let id = queue_download(&api, "CHAOS3").await;
    let talk = Talk::open(muster.cwmp, "CHAOS3", PERIODIC).await;
    assert!(matches!(talk.asked(), Request::Download(_)));
    muster.kill();
    muster.run().await;
    assert_eq!(Talk::open(muster.cwmp, "CHAOS3", PERIODIC).await.request, None);
    assert_eq!(state(&api.job(&id).await), "waiting");
    report(muster.cwmp, "CHAOS3", &key_of(&id), 0).await;
    assert_eq!(state(&api.job(&id).await), "done");

    // Killed while the device downloads.
    let id = queue_download(&api, "CHAOS3").await;
    begin_download(muster.cwmp, "CHAOS3", &id).await;
    muster.kill();
    muster.run().await;
    report(muster.cwmp, "CHAOS3", &key_of(&id), 0).await;
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["attempts"]), ("done", &json!(1)), "{job}");
    let finished = job["finished_at"].clone();
    // A device that missed the acknowledgement reports again (N14).
    report(muster.cwmp, "CHAOS3", &key_of(&id), 9010).await;
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["finished_at"]), ("done", &finished), "{job}");
}

#[tokio::test]
async fn a_download_may_be_reported_to_another_node() {
    let (muster, api) = raw_device("CHAOS4").await;
    let other = muster.second_node().await;
    let id = queue_download(&api, "CHAOS4").await;
    begin_download(muster.cwmp, "CHAOS4", &id).await;
    report(other.cwmp, "CHAOS4", &key_of(&id), 0).await;
    assert_eq!(state(&api.job(&id).await), "done");

    // A device that turns to another node in the middle of a job.
    let id = api.queue("CHAOS4", json!({ "kind": "get", "names": [CODE] })).await;
    let values = |v| Response::GetParameterValues(vec![ParameterValue::string(CODE, v)]);
    let mut old = Talk::open(muster.cwmp, "CHAOS4", PERIODIC).await;
    assert!(matches!(old.asked(), Request::GetParameterValues(_)));
    let mut new = Talk::open(other.cwmp, "CHAOS4", PERIODIC).await;
    assert!(matches!(new.asked(), Request::GetParameterValues(_)));
    old.answer(values("late")).await;
    assert_eq!(old.request, None, "the session that lost the device stores nothing");
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["result"]), ("running", &Value::Null), "{job}");
    new.answer(values("right")).await;
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["attempts"]), ("done", &json!(2)), "{job}");
    assert_eq!(job["result"]["parameters"][0]["value"], "right");
}

#[tokio::test]
async fn an_empty_or_foreign_key_is_the_only_open_transfers() {
    let (muster, api) = raw_device("CHAOS5").await;
    for key in ["", "bootstrap-4711"] {
        let id = queue_download(&api, "CHAOS5").await;
        begin_download(muster.cwmp, "CHAOS5", &id).await;
        report(muster.cwmp, "CHAOS5", key, 0).await;
        assert_eq!(state(&api.job(&id).await), "done", "key {key:?}");
    }
    // With nothing open it is noted and acknowledged, no more.
    report(muster.cwmp, "CHAOS5", "bootstrap-4711", 0).await;
    let events = api.events("CHAOS5").await;
    assert_eq!(events.iter().filter(|e| *e == "transfer_complete").count(), 3);
}

#[tokio::test]
async fn a_download_that_fails_is_tried_again_and_at_last_given_up() {
    let (muster, api) = raw_device("CHAOS6").await;
    let id = queue_download(&api, "CHAOS6").await;
    for attempt in 1..5 {
        begin_download(muster.cwmp, "CHAOS6", &id).await;
        report(muster.cwmp, "CHAOS6", &key_of(&id), 9015).await;
        let job = api.job(&id).await;
        assert_eq!((state(&job), &job["attempts"]), ("queued", &json!(attempt)), "{job}");
        assert_eq!(job["fault"]["code"], 9015);
        due_now(&muster.pool, &id).await;
    }
    begin_download(muster.cwmp, "CHAOS6", &id).await;
    report(muster.cwmp, "CHAOS6", &key_of(&id), 9015).await;
    let job = api.job(&id).await;
    assert_eq!((state(&job), &job["attempts"]), ("failed", &json!(5)), "{job}");
}

/// New devices that inform until told to stop, each as often as it takes to be acknowledged.
struct Newcomers {
    acknowledged: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Newcomers {
    fn start(to: SocketAddr) -> Self {
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for lane in 0..6 {
            let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
            tasks.spawn(async move {
                for number in 0.. {
                    if stop.is_cancelled() {
                        return;
                    }
                    let serial = format!("NEW{lane}-{number}");
                    eventually("an inform is acknowledged", || acknowledges(to, &serial)).await;
                    acknowledged.lock().unwrap().push(serial);
                }
            });
        }
        Self { acknowledged, stop, tasks }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    async fn more(&self, than: usize) {
        eventually("more informs are acknowledged", || async {
            (self.count() > than).then_some(())
        })
        .await;
    }

    /// Ends them; every device that was acknowledged must be stored, facts and all.
    async fn all_stored(mut self, pool: &PgPool) {
        self.stop.cancel();
        while let Some(done) = self.tasks.join_next().await {
            done.unwrap();
        }
        let stored: Vec<String> = sqlx::query_scalar(
            "select serial from device_facts join devices using (device_id)
             join device_parameters using (device_id) where inform_hash is not null",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let lost: Vec<String> = self.acknowledged.lock().unwrap().clone();
        let lost: Vec<&String> = lost.iter().filter(|s| !stored.contains(s)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
}

async fn acknowledges(to: SocketAddr, serial: &str) -> Option<()> {
    let reply = Cpe::connect(to).await.post(&inform(serial, &["1 BOOT"])).await;
    assert!(matches!(reply.status, 200 | 503), "{} {}", reply.status, reply.body);
    reply.body.contains("InformResponse").then_some(())
}

fn settings() -> Vec<(&'static str, &'static str)> {
    // Each of these devices leaves its session open.
    [LAB, &[("MUSTER_ACS__MAX_SESSIONS_PER_ADDRESS", "50000")]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_database_connections_lose_no_acknowledged_inform() {
    let muster = Muster::start(&settings()).await;
    let url = muster.database_url().to_owned();
    let newcomers = Newcomers::start(muster.cwmp);
    for _ in 0..8 {
        newcomers.more(newcomers.count() + 10).await;
        let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();
        let ended: Vec<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        assert!(!ended.is_empty());
    }
    newcomers.more(newcomers.count() + 10).await;
    newcomers.all_stored(&muster.pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_postgresql_loses_no_acknowledged_inform() {
    let mut embedded = Embedded::start(&settings()).await;
    let first = embedded.postmaster().unwrap();
    let newcomers = Newcomers::start(embedded.muster.cwmp);
    newcomers.more(50).await;
    kill(first, Signal::SIGKILL).unwrap();
    newcomers.more(newcomers.count() + 50).await;
    assert_ne!(embedded.postmaster(), Some(first));
    newcomers.all_stored(&embedded.muster.pool).await;
    assert!(embedded.muster.log().contains("PostgreSQL ended on its own"));
    assert!(embedded.muster.stop());
    assert_eq!(embedded.postmaster(), None);
}
