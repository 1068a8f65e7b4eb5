//! Configurations that devices send: their history, what differs, what is drift, and back.
//!
//! The devices are played here: each sends whatever a test says to the URL of an upload job.

mod history;
mod restore;

use chrono::Utc;
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::secret::Keys;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::kit::{Api, device_path};
use crate::harness::talk::introduce;
use crate::harness::{LAB, Muster, eventually};

const SERIAL: &str = "BACKED1";
const WORDS: &str = "overwrite the whole configuration";

/// An export with a secret in it.
fn export(day: u32, dns: &str) -> String {
    format!(
        "# 2026-11-{day} 02:00:00 by RouterOS 7.16.1\n# software id = AAAA-BBBB\n#\n\
         # model = RBD52G-5HacD2HnD\n# serial number = {SERIAL}\n/interface pppoe-client\n\
         add disabled=no interface=ether1 name=pppoe-out1 password=hunter22 user=ann\n\
         /ip dns\nset servers={dns}\n/system identity\nset name=attic\n"
    )
}

struct Site {
    muster: Muster,
    api: Api,
    keys: Keys,
}

impl Site {
    /// A server that knows these devices.
    async fn start(serials: &[&str]) -> Self {
        let mut muster = Muster::start(LAB).await;
        let api = Api::of(&mut muster);
        for serial in serials {
            introduce(muster.cwmp, serial).await;
        }
        let keys = Keys::load_or_make(&muster.data_dir().join("secret.key")).unwrap();
        Self { muster, api, keys }
    }

    async fn device(&self, serial: &str) -> Uuid {
        let device = self.api.get(&device_path(serial)).await;
        device["device_id"].as_str().unwrap().parse().unwrap()
    }

    /// A device sends a file for a job that wants this one; `key` is one of Muster's own.
    async fn send_for(&self, serial: &str, file: &str, key: Option<&str>, body: Vec<u8>) {
        let job = json!({ "kind": "upload", "file": { "type": file } });
        let job = self.api.queue(serial, job).await;
        let subject: Uuid = job.parse().unwrap();
        if let Some(key) = key {
            let named = "update jobs set idempotency_key = $2 where job_id = $1";
            let named = sqlx::query(named).bind(subject).bind(key);
            named.execute(&self.muster.pool).await.unwrap();
        }
        let expires = Utc::now().timestamp() + 60;
        let device_id = self.device(serial).await;
        let link = Link { kind: LinkKind::Upload, device_id, subject, expires };
        let path = link::path(&self.keys, &link);
        assert_eq!(self.put(&format!("{path}x"), body).await, 201);
        // It does not stand in the way of what comes next.
        let cancel = format!("/api/v1/jobs/{job}/cancel");
        // What is wanted of the device may have called it back.
        let (status, told) = self.api.call("POST", &cancel, None).await;
        assert!(status == 200 || self.api.job(&job).await["state"] == "cancelled", "{told}");
    }

    async fn put(&self, path: &str, body: Vec<u8>) -> u16 {
        let url = format!("http://{}{path}", self.muster.cwmp);
        self.muster.http().put(url).body(body).send().await.unwrap().status().as_u16()
    }

    async fn send(&self, serial: &str, text: &str) {
        self.send_for(serial, "configuration", None, text.as_bytes().to_vec()).await;
    }

    /// A device's backups, newest first.
    async fn backups(&self, serial: &str) -> Vec<Value> {
        let list = self.api.get(&format!("{}/backups", device_path(serial))).await;
        list["items"].as_array().unwrap().clone()
    }

    fn path(&self, backup: &Value, rest: &str) -> String {
        let id = backup["backup_id"].as_str().unwrap();
        format!("{}/backups/{id}{rest}", device_path(SERIAL))
    }

    /// Waits until no device is to be compared: from then on its row is left alone.
    async fn settled(&self) {
        eventually("nothing is due", || async {
            let due = "select count(*) from device_desired where due_at <= now()";
            (self.count(due).await == 0).then_some(())
        })
        .await;
    }

    async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.muster.pool).await.unwrap()
    }
}
