//! The API without ceremony, simulated fleets, and a lab with one device: what most tests start
//! from.

use std::path::Path;
use std::time::Duration;

use muster_sim::{FleetHandle, FleetOptions, start_fleet};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::talk::introduce;
use super::{LAB, Muster, eventually};

/// States in which a job stays.
pub const ENDED: [&str; 4] = ["done", "failed", "cancelled", "expired"];

/// A caller of the REST API; many may be at work at once.
#[derive(Clone)]
pub struct Api {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Api {
    /// An admin's.
    pub fn of(muster: &mut Muster) -> Self {
        let token = muster.token();
        Self { base: format!("http://{}", muster.web), token, client: muster.http().clone() }
    }

    /// The same with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A request that is yet to be sent.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token)
    }

    /// Status and body.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.request(method, path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// What must be taken.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, Some(body)).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Makes a thing; gives it.
    pub async fn make(&self, path: &str, body: Value) -> Value {
        let (status, made) = self.call("POST", path, Some(body)).await;
        assert_eq!(status, 201, "POST {path}: {made}");
        made
    }

    /// Makes a thing; gives one of its fields.
    pub async fn made(&self, path: &str, body: Value, field: &str) -> String {
        self.make(path, body).await[field].as_str().unwrap().to_owned()
    }

    /// Makes a thing; gives where it is.
    pub async fn make_at(&self, path: &str, body: Value) -> String {
        let response = self.request("POST", path).json(&body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert_eq!(status, 201, "POST {path}: {}", response.text().await.unwrap());
        headers["location"].to_str().unwrap().to_owned()
    }

    /// Makes sites; gives where they are.
    pub async fn make_sites(&self, paths: &[&str]) -> Vec<String> {
        let mut made = Vec::new();
        for path in paths {
            made.push(self.make_at("/api/v1/sites", json!({ "path": path })).await);
        }
        made
    }

    /// Sends what must be refused; gives status, pointer and words.
    pub async fn refused(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, String, String) {
        let (status, problem) = self.call(method, path, body).await;
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        assert!(status >= 400 && problem["status"] == status, "{method} {path}: {problem}");
        (status, text("pointer"), text("detail"))
    }

    /// GET of what may not be there yet.
    pub async fn found(&self, path: &str) -> Option<Value> {
        let response = self.request("GET", path).send().await.ok()?;
        if response.status() != 200 {
            return None;
        }
        response.json().await.ok()
    }

    /// The device, once it has been read whole and has no open job.
    pub async fn ready(&self, serial: &str) -> Value {
        let path = device_path(serial);
        eventually("the device has been read", || async {
            let device = self.found(&path).await?;
            (!device["refreshed_at"].is_null() && device["next_due"].is_null()).then_some(device)
        })
        .await
    }

    /// Orders a job that must be taken; gives its id.
    pub async fn order(&self, serial: &str, job: Value) -> String {
        let path = format!("{}/jobs", device_path(serial));
        let (status, body) = self.call("POST", &path, Some(job)).await;
        assert_eq!(status, 201, "{body}");
        body["job_id"].as_str().unwrap().to_owned()
    }

    /// Orders a job for which the device is not woken.
    pub async fn queue(&self, serial: &str, mut job: Value) -> String {
        job["wake"] = json!(false);
        self.order(serial, job).await
    }

    /// The job as it is.
    pub async fn job(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/jobs/{id}")).await
    }

    /// The job, once it is in one of these states.
    pub async fn job_in(&self, id: &str, states: &[&str]) -> Value {
        let path = format!("/api/v1/jobs/{id}");
        eventually(&format!("job {id} is {states:?}"), || async {
            let job = self.found(&path).await?;
            states.contains(&job["state"].as_str()?).then_some(job)
        })
        .await
    }

    /// The job, which must end well.
    pub async fn done(&self, id: &str) -> Value {
        let job = self.job_in(id, &ENDED).await;
        assert_eq!(job["state"], "done", "{job}");
        job
    }

    /// Stores a file; gives its id.
    pub async fn store(&self, name: &str, bytes: &[u8]) -> String {
        let path = format!("/api/v1/artifacts?name={name}");
        let response = self.request("POST", &path).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let artifact: Value = response.json().await.unwrap();
        assert_eq!(artifact["size"], bytes.len());
        artifact["artifact_id"].as_str().unwrap().to_owned()
    }

    /// The parameters known of a device whose names begin like this, as name and value.
    pub async fn known(&self, serial: &str, prefix: &str) -> Vec<(String, String)> {
        let path = format!("{}/parameters?prefix={prefix}", device_path(serial));
        let list = self.get(&path).await;
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|p| (text(&p["name"]), text(&p["value"]))).collect()
    }

    /// The kinds of a device's events, newest first.
    pub async fn events(&self, serial: &str) -> Vec<String> {
        let list = self.get(&format!("{}/events?limit=1000", device_path(serial))).await;
        texts(&list, "kind")
    }
}

impl Muster {
    /// Where its database is.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Every column of every table as one text.
    pub async fn whole_database(&self) -> String {
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.oid::regclass::text from pg_class c \
             where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert!(tables.iter().any(|t| t == "jobs"), "{tables:?}");
        let mut all = String::new();
        for table in tables {
            let rows = sqlx::AssertSqlSafe(format!("select t::text from {table} t"));
            let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&self.pool).await.unwrap();
            all.extend(rows);
        }
        all
    }
}

/// A server without authentication of devices, and who may do everything on it.
pub async fn server() -> (Muster, Api) {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    (muster, api)
}

/// A server without authentication and a device that is known to it and has no open job; the
/// device's part is for the test to play.
pub async fn raw_device(serial: &str) -> (Muster, Api) {
    let (muster, api) = server().await;
    introduce(muster.cwmp, serial).await;
    (muster, api)
}

/// How many files there are below a directory.
pub fn files_in(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().flatten();
    entries.map(|e| if e.path().is_dir() { files_in(&e.path()) } else { 1 }).sum()
}

/// A field of each thing on a page.
pub fn texts(page: &Value, field: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// Where the API has a device.
pub fn device_path(serial: &str) -> String {
    format!("/api/v1/devices/serial:{serial}")
}

/// Makes a job that waits for its next attempt due now, as if the time had passed.
pub async fn due_now(pool: &PgPool, job_id: &str) {
    let id: Uuid = job_id.parse().unwrap();
    let jobs = "update jobs set not_before = now() - interval '1 second' where job_id = $1 \
                and state = 'queued' returning device_id";
    let device: Uuid = sqlx::query_scalar(jobs).bind(id).fetch_one(pool).await.unwrap();
    let devices = "update devices set next_due = now() - interval '1 second' where device_id = $1";
    sqlx::query(devices).bind(device).execute(pool).await.unwrap();
}

/// A simulated fleet that ends with the test.
pub struct Fleet {
    handle: FleetHandle,
    stop: CancellationToken,
}

impl Fleet {
    /// A fleet in the hands of this server, all up at once, rebooting in no time.
    pub async fn start(
        muster: &Muster,
        devices: u32,
        tune: impl FnOnce(&mut FleetOptions),
    ) -> Self {
        let mut options = FleetOptions::new(devices, format!("http://{}/", muster.cwmp));
        (options.username, options.password) = muster.enrolment();
        options.ramp = Duration::ZERO;
        options.reboot_time = Duration::from_millis(20);
        tune(&mut options);
        let stop = CancellationToken::new();
        let handle = start_fleet(options, stop.clone()).await.unwrap();
        Self { handle, stop }
    }

    /// The fleet itself.
    pub fn handle(&self) -> &FleetHandle {
        &self.handle
    }

    /// Serial number of a device.
    pub fn serial(&self, index: u32) -> String {
        self.handle.identity(index).serial
    }

    /// Ends it and waits for the end of all its connections.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.handle.finished().await;
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A server and one simulated device that it knows.
pub struct Lab {
    /// Of one device.
    pub fleet: Fleet,
    /// An admin's.
    pub api: Api,
    /// The server.
    pub muster: Muster,
    /// The device's.
    pub serial: String,
}

impl Lab {
    /// Without authentication.
    pub async fn start() -> Self {
        Self::with(LAB, |_| {}).await
    }

    /// With these settings and this fleet.
    pub async fn with(settings: &[(&str, &str)], tune: impl FnOnce(&mut FleetOptions)) -> Self {
        let mut muster = Muster::start(settings).await;
        let api = Api::of(&mut muster);
        let fleet = Fleet::start(&muster, 1, tune).await;
        let serial = fleet.serial(0);
        api.ready(&serial).await;
        Self { fleet, api, muster, serial }
    }

    /// Orders a job; gives its id.
    pub async fn order(&self, job: Value) -> String {
        self.api.order(&self.serial, job).await
    }

    /// Orders a job that must end well, and waits for it.
    pub async fn run(&self, job: Value) -> Value {
        let id = self.order(job).await;
        self.api.done(&id).await
    }

    /// Orders a job that must fail, and waits for it.
    pub async fn refused(&self, job: Value) -> Value {
        let id = self.order(job).await;
        let job = self.api.job_in(&id, &ENDED).await;
        assert_eq!(job["state"], "failed", "{job}");
        job
    }

    /// Orders a job that the API must refuse; gives status and problem.
    pub async fn denied(&self, job: Value) -> (u16, Value) {
        let path = format!("{}/jobs", device_path(&self.serial));
        self.api.call("POST", &path, Some(job)).await
    }

    /// A parameter as the device itself has it now.
    pub async fn value(&self, name: &str) -> String {
        let job = self.run(json!({ "kind": "get", "names": [name] })).await;
        let found = &job["result"]["parameters"][0];
        assert_eq!(found["name"], name, "{job}");
        found["value"].as_str().unwrap().to_owned()
    }

    /// The device as the API shows it.
    pub async fn device(&self) -> Value {
        self.api.get(&device_path(&self.serial)).await
    }
}
