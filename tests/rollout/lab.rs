//! A server with releases, and a fleet to roll them out to.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::secret::Keys;
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::FleetOptions;
use muster_sim::profile::Identity;
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::harness::Muster;
use crate::harness::kit::{Api, Fleet, device_path};

/// A parameter that every simulated device has, and that changes nothing.
pub const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
/// What a device is called.
pub const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";

/// How long a rollout may take to where a test wants it: twice the time of the slowest one on a busy
/// machine, and the leases of two nodes that died at it and at the one that takes it back.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What no test waits for: devices may be called as often as it takes.
const SETTINGS: &[(&str, &str)] = &[("MUSTER_WAKE__MINIMUM_GAP_SECONDS", "1")];

/// A server, its releases and a fleet that it knows.
pub struct Range {
    /// The devices.
    pub fleet: Fleet,
    /// An admin's.
    pub api: Api,
    /// The server.
    pub muster: Muster,
    /// How many devices.
    pub devices: u32,
}

impl Range {
    /// With releases for all architectures of the fleet.
    pub async fn start(devices: u32, tune: impl FnOnce(&mut FleetOptions)) -> Self {
        let mut muster = Muster::start(SETTINGS).await;
        let api = Api::of(&mut muster);
        // Those that devices come with, so that there is a way back, and the two to go to.
        for version in ["6.48.4", "6.49.10", "7.12.1", "7.16.1"] {
            upload(&api, version).await;
        }
        let fleet = Fleet::start(&muster, devices, |options| {
            options.periodic_interval = Duration::from_secs(2);
            tune(options);
        })
        .await;
        for index in 0..devices {
            api.ready(&fleet.serial(index)).await;
        }
        Self { fleet, api, muster, devices }
    }

    /// Writes a draft for all devices.
    pub async fn draft(&self, change: Value, plan: Value) -> String {
        let body = json!({ "name": "test", "change": change, "plan": plan,
                           "audience": { "selector": "serial ~ \"*\"" } });
        let (status, made) = self.api.call("POST", "/api/v1/rollouts", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["rollout_id"].as_str().unwrap().to_owned()
    }

    /// Orders something of a rollout that must be taken.
    pub async fn order(&self, id: &str, verb: &str, body: Value) -> Value {
        let path = format!("/api/v1/rollouts/{id}/{verb}");
        let (status, answer) = self.api.call("POST", &path, Some(body)).await;
        assert!((200..300).contains(&status), "{verb}: {status} {answer}");
        answer
    }

    /// Writes and starts one.
    pub async fn begin(&self, change: Value, plan: Value) -> String {
        let id = self.draft(change, plan).await;
        self.order(&id, "start", json!({})).await;
        id
    }

    /// The rollout as it is.
    pub async fn rollout(&self, id: &str) -> Value {
        self.api.get(&format!("/api/v1/rollouts/{id}")).await
    }

    /// The rollout, once it is in this state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let path = format!("/api/v1/rollouts/{id}");
        let end = Instant::now() + PATIENCE;
        loop {
            let rollout = self.rollout(id).await;
            if rollout["state"] == state {
                return rollout;
            }
            if Instant::now() > end {
                let path = format!("{path}/devices?limit=100");
                let devices = self.api.get(&path).await;
                panic!("not {state}: {rollout:#} {:#?} {devices:#}", self.story(id).await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a rollout to all devices would do.
    pub async fn dry_run(&self, change: &Value, plan: Value) -> Value {
        let draft = json!({ "name": "dry", "change": change, "plan": plan,
                            "audience": { "selector": "serial ~ \"*\"" } });
        self.api.send("POST", "/api/v1/rollouts/dry-run", draft).await
    }

    /// Where a device of a rollout fetches the list of its packages.
    pub fn list_of(&self, device: &Value) -> String {
        let uuid = |field: &str| device[field].as_str().unwrap().parse::<Uuid>().unwrap();
        let keys = Keys::load_or_make(&self.muster.data_dir().join("secret.key")).unwrap();
        let link = Link {
            kind: LinkKind::Download,
            device_id: uuid("device_id"),
            subject: uuid("job_id"),
            expires: Utc::now().timestamp() + 600,
        };
        format!("http://{}{}upgrade.xml", self.muster.cwmp, link::path(&keys, &link))
    }

    /// Its devices in this state.
    pub async fn in_state(&self, id: &str, state: &str) -> Vec<Value> {
        let path = format!("/api/v1/rollouts/{id}/devices?state={state}&limit=1000");
        self.api.get(&path).await["items"].as_array().unwrap().clone()
    }

    /// The texts of its story, oldest first.
    pub async fn story(&self, id: &str) -> Vec<String> {
        let list = self.api.get(&format!("/api/v1/rollouts/{id}/events?limit=1000")).await;
        let items = list["items"].as_array().unwrap().iter().rev();
        items.map(|e| e["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Rolls out a script whose second line fails, to three devices: the first one fails by that line, and
    /// the others are sent nothing. Gives its id.
    pub async fn fails_at_line_2(&self, change: Value) -> String {
        let mut plan = quick(json!({ "percent": null, "count": 1, "then": "pause" }));
        plan["waves"] = json!([{ "take": { "count": 1 } }, { "take": "rest" }]);
        let id = self.begin(change, plan).await;
        let paused = self.until(&id, "paused").await;
        assert_eq!(paused["paused_by"], "gate", "{paused:#}");
        let failed = self.in_state(&id, "failed").await;
        assert_eq!(
            (failed.len(), &failed[0]["fault_class"]),
            (1, &json!("give_up")),
            "{failed:#?}"
        );
        let why = failed[0]["reason"].as_str().unwrap();
        assert!(why.contains("line 2") && !why.contains("line 1"), "{why}");
        assert_eq!(self.in_state(&id, "waiting").await.len(), 2);
        self.counts_hold(&id).await;
        id
    }

    /// That the counts of all waves are what counting anew gives.
    pub async fn counts_hold(&self, id: &str) {
        let wrong: Vec<(i32, String)> = sqlx::query_as(
            "select w.wave, format('%s is not %s', row(w.waiting, w.active, w.verifying, w.healthy,
                    w.failed, w.timed_out, w.skipped, w.total)::text, c.counted::text)
             from rollout_waves w
             cross join lateral (select row(
                 count(*) filter (where state = 'waiting'),
                 count(*) filter (where state in ('due', 'offered', 'downloading', 'rebooting')),
                 count(*) filter (where state = 'verifying'),
                 count(*) filter (where state = 'healthy'), count(*) filter (where state = 'failed'),
                 count(*) filter (where state = 'timed_out'),
                 count(*) filter (where state = 'skipped'), count(*)) as counted
                 from rollout_devices d where d.rollout_id = w.rollout_id and d.wave = w.wave) c
             where w.rollout_id = $1::uuid
               and row(w.waiting, w.active, w.verifying, w.healthy, w.failed, w.timed_out,
                       w.skipped, w.total)::text <> c.counted::text",
        )
        .bind(id)
        .fetch_all(&self.muster.pool)
        .await
        .unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// How many upgrade jobs the devices got, by device and version: the most of one.
    pub async fn most_upgrades(&self) -> i64 {
        sqlx::query_scalar(
            "select coalesce(max(n), 0) from (
                 select count(*) as n from jobs where kind = 'upgrade'
                 group by device_id, args->>'version') c",
        )
        .fetch_one(&self.muster.pool)
        .await
        .unwrap()
    }
}

/// Uploads a release for all architectures that the simulated fleet has.
pub async fn upload(api: &Api, version: &str) {
    let version: RosVersion = version.parse().unwrap();
    for arch in [Arch::Arm, Arch::Arm64, Arch::Mipsbe, Arch::Smips] {
        for name in muster_sim::packages::names(&version, arch) {
            let (file, bytes) = muster_sim::packages::file(name, &version, arch, 3_000);
            let path = format!("/api/v1/releases/packages?name={file}");
            let response = api.request("POST", &path).body(bytes).send().await.unwrap();
            let status = response.status().as_u16();
            assert!((200..300).contains(&status), "{file}: {}", response.text().await.unwrap());
        }
    }
}

/// To 7.16.1.
pub fn release() -> Value {
    json!({ "kind": "release", "version": "7.16.1" })
}

/// Three waves, quick, without a soak and without what is kept before.
pub fn quick(error: Value) -> Value {
    json!({
        "waves": [{ "take": { "count": 3 } }, { "take": { "percent": 40.0 } }, { "take": "rest" }],
        "soak_minutes": 0, "heed_windows": false, "error": error,
        "success": { "percent": 60.0, "minimum": 1 }, "retries": 0,
        "checks": { "missed_informs": null }, "backup": false,
    })
}

/// No error condition.
pub fn unlimited() -> Value {
    json!({ "percent": null, "count": null, "then": "pause" })
}

/// One wave of all, quick.
pub fn at_once() -> Value {
    let mut plan = quick(unlimited());
    plan["waves"] = json!([{ "take": "rest" }]);
    plan
}

/// Something to roll out that takes no reboot.
pub fn gold() -> Value {
    json!({ "kind": "parameters", "parameters": [{ "name": CODE, "value": "gold" }] })
}

/// At once, and nobody is read before or after.
pub fn unseen() -> Value {
    let mut plan = at_once();
    plan["checks"] = json!({ "missed_informs": null, "crash": false, "uptime": false, "wan": false,
        "radios": false, "cpu_points": null, "memory_percent": null, "link_downs": null,
        "signal_db": null, "clients_percent": null });
    plan
}

/// Has devices called so, and back.
pub async fn naming(api: &Api) -> Value {
    let script = api.store("gold.rsc", b"/system identity set name=gold\n").await;
    let undo = api.store("plain.rsc", b"/system identity set name=plain\n").await;
    json!({ "kind": "script", "artifact_id": script, "undo_artifact_id": undo })
}

/// Open for a minute, three days from now.
pub fn far_window() -> Value {
    let day = (Utc::now() + TimeDelta::days(3)).format("%a").to_string();
    json!({ "days": [day.to_lowercase()], "from": "03:00", "minutes": 1 })
}

/// The first package of a list.
pub fn package_in(list: &str) -> &str {
    let (_, rest) = list.split_once("<url>").unwrap();
    rest.split_once("</url>").unwrap().0
}

/// Keeps every rollout from beginning devices of redundancy sets, as a node in the middle of that does.
pub async fn hold_sets(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut tx = pool.begin().await.unwrap();
    let hold = "select pg_advisory_xact_lock(hashtext('muster.redundancy'))";
    sqlx::query(hold).execute(&mut *tx).await.unwrap();
    tx
}

/// Whether somebody waits for a lock of this kind.
pub async fn is_waited_for(pool: &PgPool, lock: &str) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_stat_activity where datname = current_database()
                        and wait_event_type = 'Lock' and wait_event = $1)",
    )
    .bind(lock)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// A seed whose first devices all run something older than 7.16.1, and pass.
pub fn seed(devices: u32, passes: impl Fn(&[&str]) -> bool) -> u64 {
    let versions = |seed: &u64| -> Vec<&'static str> {
        (0..devices).map(|index| Identity::derive(*seed, index).version).collect()
    };
    let fits = |seed: &u64| {
        let versions = versions(seed);
        !versions.contains(&"7.16.1") && passes(&versions)
    };
    (1_u64..).find(fits).unwrap()
}

/// Changes what is said of a device.
pub async fn place(range: &Range, index: u32, change: Value) {
    let path = device_path(&range.fleet.serial(index));
    let (status, told) = range.api.call("PATCH", &path, Some(change)).await;
    assert_eq!(status, 200, "{told}");
}

/// The serial numbers of these, sorted.
pub fn serials(devices: &[Value]) -> Vec<String> {
    let mut serials: Vec<String> =
        devices.iter().map(|d| d["serial"].as_str().unwrap().to_owned()).collect();
    serials.sort();
    serials
}
