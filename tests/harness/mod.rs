//! A running server per test, on a database of its own, and the tools to talk to it.

pub mod cpe;

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection, PgPool};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// How long [`eventually`] waits; a slow machine may double it by `TEST_PATIENCE_SECONDS`.
fn patience() -> Duration {
    let seconds = std::env::var("TEST_PATIENCE_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

/// Asks again and again until there is an answer; fails with `what` when patience ends.
pub async fn eventually<T, F, Fut>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let end = Instant::now() + patience();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {:?}: {what}", patience());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A running `muster serve`.
pub struct Muster {
    child: Option<Child>,
    env: Vec<(String, String)>,
    dir: TempDir,
    /// Where devices inform.
    pub cwmp: SocketAddr,
    /// Dashboard and API.
    pub web: SocketAddr,
    /// Prometheus.
    pub metrics: SocketAddr,
    /// The server's database.
    pub pool: PgPool,
    database_url: String,
    token: Option<String>,
    client: reqwest::Client,
}

/// No authentication of devices: for tests that are about something else.
pub const LAB: &[(&str, &str)] = &[("MUSTER_ACS__AUTH", "none")];

impl Muster {
    /// A server with these settings beside the tests' own (loopback ports, loopback may be woken,
    /// devices that nobody claimed are let in).
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (database_url, pool) = database().await;
        let dir = tempfile::tempdir().unwrap();
        let [cwmp, web, metrics] = free_ports();
        let mut env: Vec<(String, String)> = [
            ("DATABASE_URL", database_url.clone()),
            ("MUSTER_DATA_DIR", dir.path().display().to_string()),
            ("MUSTER_ACS__LISTEN", cwmp.to_string()),
            ("MUSTER_WEB__LISTEN", web.to_string()),
            ("MUSTER_METRICS__LISTEN", metrics.to_string()),
            ("MUSTER_WAKE__ALLOWED_NETWORKS", "127.0.0.0/8".to_owned()),
            ("MUSTER_DATABASE__MAX_CONNECTIONS", "4".to_owned()),
            // Who is let in is for the tests of that to say.
            ("MUSTER_ZERO_TOUCH__UNKNOWN", "accept".to_owned()),
        ]
        .map(|(n, v)| (n.to_owned(), v))
        .to_vec();
        env.extend(settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let client = reqwest::Client::new();
        let mut muster = Self {
            child: None,
            env,
            dir,
            cwmp,
            web,
            metrics,
            pool,
            database_url,
            token: None,
            client,
        };
        muster.run().await;
        muster
    }

    /// The command with the server's settings and nothing else of Muster's.
    pub fn command(&self) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_muster"))
    }

    /// The same of a copy of the program.
    fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("MUSTER_")) {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(n, v)| (n, v))).current_dir(self.dir.path());
        command
    }

    /// Starts the process and waits until it is ready.
    pub async fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let child = self.command().arg("serve").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        self.ready().await;
    }

    async fn ready(&self) {
        let url = format!("http://{}/readyz", self.web);
        let client = self.client.clone();
        eventually("the server is ready", || {
            let ask = client.get(&url).send();
            async move { ask.await.ok().filter(|r| r.status().is_success()).map(|_| ()) }
        })
        .await;
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log.txt")
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and waits for the end; true = it ended with success.
    pub fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        child.wait().unwrap().success()
    }

    /// A second node on the same database and key.
    pub async fn second_node(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(self.dir.path().join("secret.key"), dir.path().join("secret.key")).unwrap();
        let [cwmp, web, metrics] = free_ports();
        let mut env = self.env.clone();
        let artifacts = self.dir.path().join("artifacts").display().to_string();
        for (name, value) in [
            ("MUSTER_DATA_DIR", dir.path().display().to_string()),
            ("MUSTER_ACS__LISTEN", cwmp.to_string()),
            ("MUSTER_WEB__LISTEN", web.to_string()),
            ("MUSTER_METRICS__LISTEN", metrics.to_string()),
            ("MUSTER_FILES__STORE", artifacts),
        ] {
            env.retain(|(n, _)| n != name);
            env.push((name.to_owned(), value));
        }
        let mut node = Self {
            child: None,
            env,
            dir,
            cwmp,
            web,
            metrics,
            pool: self.pool.clone(),
            database_url: self.database_url.clone(),
            token: self.token.clone(),
            client: self.client.clone(),
        };
        node.run().await;
        node
    }

    /// Runs a further command of the binary and gives its standard output.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "muster {args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// User and password with which new devices come.
    pub fn enrolment(&self) -> (String, String) {
        let text = self.cli(&["enrolment"]);
        let field = |name: &str| {
            let line = text.lines().find(|l| l.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        (field("username"), field("password"))
    }

    /// An admin's token, made once.
    pub fn token(&mut self) -> String {
        if self.token.is_none() {
            let args = ["token", "create", "--name", "test", "--scope", "admin"];
            self.token = Some(self.cli(&args).trim().to_owned());
        }
        self.token.clone().unwrap()
    }

    /// Calls the API; gives status and body.
    pub async fn api(&mut self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = self.token();
        let method = method.parse().unwrap();
        let url = format!("http://{}{path}", self.web);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// GET that must succeed.
    pub async fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.api("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// A plain HTTP client.
    pub fn http(&self) -> &reqwest::Client {
        &self.client
    }
}

impl Drop for Muster {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

/// A new database on the tests' server, with the schema: that is made once, and copied for each test.
async fn database() -> (String, PgPool) {
    static WITH_SCHEMA: OnceCell<String> = OnceCell::const_new();
    let make = || async {
        let (url, pool) = copy_of("template1").await;
        muster::store::migrate(&pool, muster::clock::now()).await.unwrap();
        // Nobody may be connected to what is copied.
        pool.close().await;
        url.path().trim_start_matches('/').to_owned()
    };
    let (url, pool) = copy_of(WITH_SCHEMA.get_or_init(make).await).await;
    (url.to_string(), pool)
}

/// A new database that is a copy of this one.
async fn copy_of(template: &str) -> (url::Url, PgPool) {
    let server = std::env::var("TEST_DATABASE_URL")
        .expect("TEST_DATABASE_URL names a PostgreSQL server: use tests/run, which starts one");
    let name = format!("muster_test_{}", Uuid::now_v7().simple());
    let mut admin = sqlx::PgConnection::connect(&server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("create database {name} template {template}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(3)
        .connect(url.as_str())
        .await
        .unwrap();
    (url, pool)
}

/// Three free ports of loopback, below the range from which the kernel takes ports for outgoing
/// connections: no other test's connection can take one before the server does.
fn free_ports() -> [SocketAddr; 3] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 20_000).unwrap();
    let mut free = std::iter::repeat_with(|| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        SocketAddr::from(([127, 0, 0, 1], 10_000 + process.wrapping_add(step) % 20_000))
    })
    .filter(|address| TcpListener::bind(address).is_ok());
    [(); 3].map(|()| free.next().unwrap())
}

pub mod browser;
pub mod cli;
pub mod embedded;
pub mod kit;
pub mod session;
pub mod talk;
