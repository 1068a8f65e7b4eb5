//! Boards that are played here: each answers with the parameters that it has, and does with a script
//! what a test says. It comes only when a test says so, so that jobs can be seen while they wait.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use muster_cwmp::rpc::{ParameterInfo, Request, Response, Status};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::kit::{Api, device_path};
use crate::harness::talk::{Talk, begun, transferred};
use crate::harness::{LAB, Muster, eventually};

pub const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
pub const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
pub const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
pub const PERIODIC: &str = "2 PERIODIC";

/// What a board does with what it is told to fetch.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// Runs it, and has these words in its log then, after the script's tag.
    Runs(&'static [&'static str]),
    /// Refuses the order.
    Refuses(u32),
    /// Accepts the order, and reports this fault.
    Fails(u32),
    /// Accepts the order, and is not heard of it again.
    Keeps,
}

pub const WELL: Plan = Plan::Runs(&["begin", "done"]);

/// What a board is at the moment.
struct State {
    parameters: BTreeMap<String, String>,
    plan: Plan,
    /// Orders to fetch something.
    ordered: usize,
    /// What it ran.
    scripts: Vec<String>,
    /// How the type of files begins that it does not send.
    keeps: Option<&'static str>,
    /// Transfers that it is to report: direction, key and fault.
    reports: Vec<(&'static str, String, u32)>,
}

impl State {
    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
        self.parameters.iter().filter(move |(name, _)| {
            name.as_str() == path || (path.ends_with('.') && name.starts_with(path))
        })
    }

    fn log(&self) -> String {
        let mut log = "2026-11-22 01:00:00 system,info router rebooted\n".to_owned();
        let script = self.scripts.last().map_or("", String::as_str);
        let tag = script.split("muster-apply: ").nth(1).and_then(|rest| rest.split(' ').next());
        if let (Plan::Runs(words), Some(tag)) = (self.plan, tag) {
            for words in words {
                log += &format!("2026-11-22 02:00:00 script,info muster-apply: {tag} {words}\n");
            }
        }
        log
    }
}

/// A board.
pub struct Board {
    pub serial: String,
    to: SocketAddr,
    http: reqwest::Client,
    pub api: Api,
    state: Mutex<State>,
}

impl Board {
    /// One session with these events (a comma and a space between them), to its end.
    pub async fn session(&self, events: &str) {
        let mut state = self.state.lock().await;
        let told = std::mem::take(&mut state.reports);
        let mut events: Vec<String> = events.split(", ").map(str::to_owned).collect();
        let mut reports = Vec::new();
        if !told.is_empty() {
            events.push("7 TRANSFER COMPLETE".to_owned());
        }
        for (direction, key, code) in told {
            events.push(format!("M {direction}|{key}"));
            reports.push(transferred(&key, code));
        }
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let mut talk = Talk::reporting(self.to, &self.serial, &events, reports).await;
        while let Some(request) = talk.request.clone() {
            match self.answer(&mut state, &request).await {
                Ok(response) => talk.answer(response).await,
                Err(code) => talk.fault(code).await,
            }
        }
    }

    async fn answer(&self, state: &mut State, request: &Request) -> Result<Response, u32> {
        Ok(match request {
            Request::GetRpcMethods => Response::GetRpcMethods(vec!["Reboot".to_owned()]),
            Request::GetParameterNames(call) => {
                let info = |name: &String| ParameterInfo { name: name.clone(), writable: true };
                let infos = state.below(&call.path).map(|(name, _)| info(name)).collect();
                Response::GetParameterNames(infos)
            }
            Request::GetParameterValues(names) => {
                let mut values = Vec::new();
                for name in names {
                    let found = state.below(name);
                    values.extend(found.map(|(n, v)| ParameterValue::string(n, v)));
                }
                Response::GetParameterValues(values)
            }
            Request::SetParameterValues(call) => {
                for parameter in &call.parameters {
                    if let Some(value) = state.parameters.get_mut(&parameter.name) {
                        value.clone_from(&parameter.value);
                    }
                }
                Response::SetParameterValues(Status::Applied)
            }
            Request::Download(call) => {
                state.ordered += 1;
                let (direction, key) = ("Download", call.command_key.clone());
                match state.plan {
                    Plan::Refuses(code) => return Err(code),
                    Plan::Fails(code) => state.reports.push((direction, key, code)),
                    Plan::Keeps => {}
                    Plan::Runs(_) => {
                        let file = self.http.get(self.url(&call.url)).header("host", "acs");
                        let file = file.send().await.unwrap();
                        assert_eq!(file.status(), 200);
                        state.scripts.push(file.text().await.unwrap());
                        state.reports.push((direction, key, 0));
                    }
                }
                Response::Download(begun())
            }
            Request::Upload(call) => {
                if state.keeps.is_some_and(|kind| call.file_type.starts_with(kind)) {
                    return Err(9011);
                }
                let sent = self.http.put(self.url(&call.url)).body(state.log());
                assert_eq!(sent.send().await.unwrap().status(), 201);
                state.reports.push(("Upload", call.command_key.clone(), 0));
                Response::Upload(begun())
            }
            other => panic!("a board was asked for {other:?}"),
        })
    }

    /// Boards know the server by the name that they call it.
    fn url(&self, url: &str) -> String {
        let path = url.strip_prefix("http://acs").unwrap_or_else(|| panic!("{url}"));
        format!("http://{}{path}", self.to)
    }

    pub async fn plans(&self, plan: Plan) {
        self.state.lock().await.plan = plan;
    }

    /// It does not send files whose type begins like this.
    pub async fn keeps(&self, kind: Option<&'static str>) {
        self.state.lock().await.keeps = kind;
    }

    /// Somebody types.
    pub async fn change(&self, name: &str, value: &str) {
        self.state.lock().await.parameters.insert(name.to_owned(), value.to_owned());
    }

    pub async fn has(&self, name: &str) -> String {
        self.state.lock().await.parameters[name].clone()
    }

    /// Orders to fetch something, so far.
    pub async fn fetches(&self) -> usize {
        self.state.lock().await.ordered
    }

    /// What it ran.
    pub async fn scripts(&self) -> Vec<String> {
        self.state.lock().await.scripts.clone()
    }

    pub fn path(&self, rest: &str) -> String {
        format!("{}/desired{rest}", device_path(&self.serial))
    }

    pub async fn desired(&self) -> Value {
        self.api.get(&self.path("")).await
    }

    /// What is wanted of it, once that is so; it comes again and again.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{}: {what}", self.serial), || async {
            self.session(PERIODIC).await;
            let desired = self.api.found(&self.path("")).await?;
            is_so(&desired).then_some(desired)
        })
        .await
    }

    pub async fn in_state(&self, state: &str) -> Value {
        self.until(state, |desired| desired["state"] == state).await
    }

    /// Its jobs of this kind, newest first.
    pub async fn jobs(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/v1/jobs?device_id=serial:{}&kind={kind}&limit=1000", self.serial);
        self.api.get(&path).await["items"].as_array().unwrap().clone()
    }

    /// The newest of its jobs of this kind, once there are so many; it stays away.
    pub async fn ordered(&self, kind: &str, times: usize) -> Value {
        eventually(&format!("{}: {kind} is ordered {times} times", self.serial), || async {
            let jobs = self.jobs(kind).await;
            assert!(jobs.len() <= times, "{jobs:?}");
            (jobs.len() == times).then(|| jobs[0].clone())
        })
        .await
    }

    pub async fn say(&self, method: &str, rest: &str, body: Option<Value>) {
        let (status, answer) = self.api.call(method, &self.path(rest), body).await;
        assert_eq!(status, 200, "{method} {rest}: {answer}");
    }
}

/// A difference of this name that is not being mended.
pub fn told<'a>(desired: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = desired["differences"].as_array()?.iter();
    all.find(|one| one["name"] == name && one["mended"] == false)
}

pub fn words(of: &Value) -> &str {
    of.as_str().unwrap_or_default()
}

/// A server, and an admin who talks to it.
pub struct Stage {
    pub muster: Muster,
    pub api: Api,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings beside those of [`LAB`].
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let mut muster = Muster::start(&[LAB, settings].concat()).await;
        let api = Api::of(&mut muster);
        Self { muster, api }
    }

    /// A board that has never come.
    pub fn board(&self, serial: &str, plan: Plan) -> Board {
        let parameters = [
            (CODE, ""),
            (IDENTITY, "attic"),
            (PASSPHRASE, "hunter33"),
            ("Device.DeviceInfo.ModelName", "RBD52G-5HacD2HnD"),
            ("Device.DeviceInfo.SoftwareVersion", "7.16.1"),
            ("Device.DeviceInfo.X_MIKROTIK_ArchName", "arm"),
        ];
        let parameters = parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let (ordered, scripts, keeps, reports) = (0, Vec::new(), None, Vec::new());
        Board {
            serial: serial.to_owned(),
            to: self.muster.cwmp,
            http: self.muster.http().clone(),
            api: self.api.clone(),
            state: Mutex::new(State { parameters, plan, ordered, scripts, keeps, reports }),
        }
    }

    /// A board that is known and of which nothing is wanted yet.
    pub async fn known(&self, serial: &str, plan: Plan) -> Board {
        let board = self.board(serial, plan);
        board.session(PERIODIC).await;
        self.api.ready(serial).await;
        self.settled().await;
        board
    }

    pub async fn make(&self, path: &str, body: Value) -> Value {
        let (status, made) = self.api.call("POST", path, Some(body)).await;
        assert_eq!(status, 201, "{path}: {made}");
        made
    }

    /// A profile for the whole fleet; gives where it is.
    pub async fn want(&self, name: &str, enforce: bool, desired: Value) -> String {
        let body = json!({ "name": name, "enforce": enforce, "desired": desired });
        let made = self.make("/api/v1/profiles", body).await;
        let path = format!("/api/v1/profiles/{}", made["profile_id"].as_str().unwrap());
        self.change("PUT", &format!("{path}/bindings"), json!({ "fleet": true })).await;
        path
    }

    /// The same of one with a script.
    pub async fn want_script(&self) -> String {
        let template = json!({
            "name": "dns", "body": "/ip dns set servers={{ dns }}\n",
            "variables": [{ "name": "dns", "type": "ip", "required": true }],
        });
        let template = self.make("/api/v1/templates", template).await;
        let desired = json!({
            "template": { "template_id": template["template_id"] },
            "variables": { "dns": "192.0.2.1", "unused": "one" },
        });
        self.want("script", true, desired).await
    }

    pub async fn change(&self, method: &str, path: &str, body: Value) {
        let (status, answer) = self.api.call(method, path, Some(body)).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
    }

    pub async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.muster.pool).await.unwrap();
    }

    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.muster.pool).await.unwrap()
    }

    /// Waits until all that was said has been looked at.
    pub async fn settled(&self) {
        eventually("nothing is to be compared", || async {
            let open = "select (select count(*) from device_desired where due_at <= now())
                             + (select count(*) from sweeps where state = 'running')";
            (self.count(open).await == 0).then_some(())
        })
        .await;
    }

    /// The failure of a script is its last.
    pub async fn no_second_attempts(&self) {
        self.sql("update jobs set max_attempts = 1 where kind = 'configure'").await;
    }

    /// The same of a file that is to be sent.
    pub async fn no_second_uploads(&self) {
        self.sql("update jobs set max_attempts = 1 where kind = 'upload'").await;
    }

    /// Seconds until something is tried again, of the only device.
    pub async fn wait(&self) -> f64 {
        let wait = "select extract(epoch from blocked_until - now())::float8 from device_desired";
        let wait: Option<f64> =
            sqlx::query_scalar(wait).fetch_one(&self.muster.pool).await.unwrap();
        wait.expect("it is blocked until then")
    }

    pub async fn wait_is_over(&self) {
        self.sql(
            "update device_desired
             set blocked_until = now() - interval '1 second', due_at = now()",
        )
        .await;
    }
}
