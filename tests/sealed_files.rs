//! Configurations in the file store: their bytes are sealed, and whoever may read them gets them whole.

use std::path::{Path, PathBuf};

use chrono::Utc;
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::secret::Keys;
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::cpe::Cpe;
use crate::harness::kit::{Api, device_path};
use crate::harness::session::{ADMIN, Session};
use crate::harness::talk::introduce;
use crate::harness::{LAB, Muster, eventually};

const SERIAL: &str = "SEALED1";
const SECRET: &str = "hunter22-of-the-line";
/// The most that is taken of a configuration, in bytes.
const MOST: usize = 32 << 20;

fn export() -> String {
    format!(
        "# nov/22/2026 02:00:00 by RouterOS 7.16.1\n/interface pppoe-client\n\
         add disabled=no interface=ether1 name=pppoe-out1 password={SECRET} user=ann\n\
         /system identity\nset name=attic\n"
    )
}

struct Site {
    muster: Muster,
    api: Api,
    keys: Keys,
    device: Uuid,
}

impl Site {
    async fn start() -> Self {
        let mut muster = Muster::start(LAB).await;
        let api = Api::of(&mut muster);
        introduce(muster.cwmp, SERIAL).await;
        let keys = Keys::load_or_make(&muster.data_dir().join("secret.key")).unwrap();
        let device = api.get(&device_path(SERIAL)).await;
        let device = device["device_id"].as_str().unwrap().parse().unwrap();
        Self { muster, api, keys, device }
    }

    fn link(&self, kind: LinkKind, subject: Uuid) -> String {
        let expires = Utc::now().timestamp() + 60;
        let link = Link { kind, device_id: self.device, subject, expires };
        format!("{}x", link::path(&self.keys, &link))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.muster.cwmp)
    }

    async fn order(&self, file: &str) -> String {
        let job = json!({ "kind": "upload", "file": { "type": file } });
        self.api.queue(SERIAL, job).await
    }

    /// The device sends a file for a job that wants this one.
    async fn put(&self, file: &str, body: impl Into<reqwest::Body>) {
        let job = self.order(file).await;
        let url = self.url(&self.link(LinkKind::Upload, job.parse().unwrap()));
        assert_eq!(self.muster.http().put(url).body(body).send().await.unwrap().status(), 201);
        // It does not stand in the way of what comes next.
        let cancel = format!("/api/v1/jobs/{job}/cancel");
        assert_eq!(self.api.call("POST", &cancel, None).await.0, 200);
    }

    /// The answer to a device that says how long its configuration is, and waits.
    async fn announce(&self, length: usize) -> u16 {
        let job = self.order("configuration").await;
        let path = self.link(LinkKind::Upload, job.parse().unwrap());
        let mut cpe = Cpe::connect(self.muster.cwmp).await;
        let head = format!("PUT {path} HTTP/1.1\r\nHost: acs\r\nContent-Length: {length}\r\n\r\n");
        cpe.send(head.as_bytes()).await.unwrap();
        cpe.read().await.expect("an answer").status
    }

    /// What the device is known to have sent, newest first.
    async fn files(&self) -> Vec<Value> {
        let list = self.api.get(&format!("{}/artifacts", device_path(SERIAL))).await;
        list["items"].as_array().unwrap().clone()
    }

    /// The device sends its configuration; its id.
    async fn configuration(&self) -> Uuid {
        self.put("configuration", export()).await;
        self.files().await[0]["artifact_id"].as_str().unwrap().parse().unwrap()
    }

    async fn fetch(&self, id: Uuid) -> Response {
        let path = format!("{}/artifacts/{id}/content", device_path(SERIAL));
        self.api.request("GET", &path).send().await.unwrap()
    }

    fn store(&self) -> PathBuf {
        self.muster.data_dir().join("artifacts")
    }

    /// Where the bytes of a file are.
    fn place(&self, id: Uuid) -> PathBuf {
        let name = id.simple().to_string();
        self.store().join(&name[30..]).join(&name[28..30]).join(&name)
    }

    async fn is_sealed(&self, id: Uuid) -> bool {
        let sealed = "select sealed from device_artifacts where artifact_id = $1";
        sqlx::query_scalar(sealed).bind(id).fetch_one(&self.muster.pool).await.unwrap()
    }

    /// The row of a file no longer says that it is sealed.
    async fn deny(&self, id: Uuid) {
        let clear = "update device_artifacts set sealed = false where artifact_id = $1";
        sqlx::query(clear).bind(id).execute(&self.muster.pool).await.unwrap();
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether this stands in clear in any file below a directory.
fn lies_in(dir: &Path, text: &str) -> bool {
    let mut entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.any(|path| match path.is_dir() {
        true => lies_in(&path, text),
        false => has(&std::fs::read(&path).unwrap(), text),
    })
}

#[tokio::test]
async fn a_configuration_is_sealed_on_the_disk_and_whole_for_who_may_read_it() {
    let site = Site::start().await;
    let id = site.configuration().await;
    assert!(site.is_sealed(id).await);
    assert!(!lies_in(&site.store(), SECRET));
    assert!(!lies_in(&site.store(), "pppoe-out1"), "nothing of it is readable");

    let export = export();
    let file = &site.files().await[0];
    assert_eq!(file["size"], export.len(), "that of what the device sent");
    let answer = site.fetch(id).await;
    assert_eq!(answer.headers()["content-length"], export.len().to_string().as_str());
    let etag = format!("\"{}\"", file["sha256"].as_str().unwrap());
    assert_eq!(answer.headers()["etag"], etag.as_str());
    assert_eq!(answer.text().await.unwrap(), export);
    let mut people = Session::opened(&site.muster, ADMIN).await;
    let page = people.get(&format!("/devices/{}/files/{id}", site.device)).await;
    assert_eq!((page.status, page.body.as_str()), (200, export.as_str()));

    // It was read for its history, and is given back.
    let backups = site.api.get(&format!("{}/backups", device_path(SERIAL))).await;
    let backup = backups["items"][0]["backup_id"].as_str().unwrap();
    let restore = format!("{}/backups/{backup}/restore", device_path(SERIAL));
    let words = json!({ "confirm": "overwrite the whole configuration" });
    site.api.make(&restore, words).await;
    let url = site.url(&site.link(LinkKind::Download, id));
    let given = site.muster.http().get(url).send().await.unwrap();
    assert_eq!(given.status(), 200);
    let given = given.text().await.unwrap();
    assert!(given.contains(&format!("password={SECRET}")), "{given}");
}

#[tokio::test]
async fn every_configuration_is_sealed_whatever_is_in_it_and_a_log_is_not() {
    let site = Site::start().await;
    let octets: Vec<u8> = [SECRET.as_bytes(), &[0, 0xff, 0xfe]].concat();
    site.put("configuration", octets.clone()).await;
    site.put("factory_configuration", octets.clone()).await;
    site.put("configuration", Vec::new()).await;
    assert!(!lies_in(&site.store(), SECRET));
    let mut fetched = Vec::new();
    for file in site.files().await {
        let answer = site.fetch(file["artifact_id"].as_str().unwrap().parse().unwrap()).await;
        fetched.push(answer.bytes().await.unwrap());
    }
    assert_eq!(fetched, [Vec::new(), octets.clone(), octets]);

    // Held in memory until it is sealed, so there is a largest one; a log goes through.
    let log = vec![b'#'; MOST + 1];
    site.put("log", log.clone()).await;
    let id: Uuid = site.files().await[0]["artifact_id"].as_str().unwrap().parse().unwrap();
    assert!(!site.is_sealed(id).await);
    assert!(site.fetch(id).await.bytes().await.unwrap() == log);
    assert_eq!(site.announce(MOST + 1).await, 413);
    assert_eq!(site.files().await.len(), 4);
}

#[tokio::test]
async fn of_a_job_one_configuration_comes_at_a_time() {
    let site = Site::start().await;
    let job = site.order("configuration").await;
    let path = site.link(LinkKind::Upload, job.parse().unwrap());
    let mut first = Cpe::connect(site.muster.cwmp).await;
    let head = "HTTP/1.1\r\nHost: acs\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    first.send(format!("PUT {path} {head}").as_bytes()).await.unwrap();
    assert_eq!(first.read().await.expect("the word to go on").status, 100);
    let again = async || {
        let put = site.muster.http().put(site.url(&path));
        put.body("two").send().await.unwrap().status().as_u16()
    };
    assert_eq!(again().await, 503);
    first.send(b"one\n").await.unwrap();
    assert_eq!(first.read().await.expect("an answer").status, 201);
    assert_eq!(again().await, 201);
}

#[tokio::test]
async fn what_lay_in_clear_is_sealed_at_the_next_start() {
    let mut site = Site::start().await;
    let clear = site.configuration().await;
    // As it was stored before there was a seal, and as a start that was cut off left it.
    let cut_off = site.configuration().await;
    std::fs::write(site.place(clear), export()).unwrap();
    for id in [clear, cut_off] {
        site.deny(id).await;
        assert_eq!(site.fetch(id).await.text().await.unwrap(), export());
    }
    assert!(lies_in(&site.store(), SECRET));

    assert!(site.muster.stop());
    site.muster.run().await;
    for id in [clear, cut_off] {
        eventually("it is sealed", || async { site.is_sealed(id).await.then_some(()) }).await;
        assert_eq!(site.fetch(id).await.text().await.unwrap(), export());
    }
    assert!(!lies_in(&site.store(), SECRET));
}

#[tokio::test]
async fn with_another_key_nothing_is_lost_and_the_log_names_the_key_file() {
    let mut site = Site::start().await;
    let id = site.configuration().await;
    let stored = std::fs::read(site.place(id)).unwrap();
    site.deny(id).await;
    assert!(site.muster.stop());
    let key = site.muster.data_dir().join("secret.key");
    let right = std::fs::read(&key).unwrap();
    std::fs::write(&key, "07".repeat(32)).unwrap();
    site.muster.run().await;
    let complaint = format!("the file {id} does not open: secret.key is not the one");
    eventually("the start says why", || async {
        site.muster.log().contains(&complaint).then_some(())
    })
    .await;
    assert_eq!(site.fetch(id).await.status(), 500);
    eventually("so does whoever asks for it", || async {
        (site.muster.log().matches(&complaint).count() == 2).then_some(())
    })
    .await;
    assert_eq!(std::fs::read(site.place(id)).unwrap(), stored);

    assert!(site.muster.stop());
    std::fs::write(&key, right).unwrap();
    site.muster.run().await;
    eventually("it is known again", || async { site.is_sealed(id).await.then_some(()) }).await;
    assert_eq!(site.fetch(id).await.text().await.unwrap(), export());
}
