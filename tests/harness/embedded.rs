//! A server on its own PostgreSQL, as `muster serve` runs without configuration.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use super::{Muster, eventually, free_ports};

/// Stops the server and its PostgreSQL when dropped, whatever the test did to them.
pub struct Embedded {
    /// The server; its pool speaks over the socket.
    pub muster: Muster,
    /// The cluster.
    data: PathBuf,
}

impl Embedded {
    /// Starts one with these settings beside loopback ports.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let mut embedded = Self::prepare(settings);
        embedded.muster.run().await;
        embedded
    }

    /// Starts one as another user; only root may.
    pub async fn start_as(uid: u32) -> Self {
        let mut embedded = Self::prepare(&[]);
        let dir = embedded.muster.data_dir().to_owned();
        chown(&dir, Some(uid), Some(uid)).unwrap();
        // Where the build lies, another user may not look.
        let program = dir.join("muster");
        std::fs::copy(env!("CARGO_BIN_EXE_muster"), &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let log = std::fs::File::create(embedded.muster.log_path()).unwrap();
        let mut command = embedded.muster.command_of(program);
        command.arg("serve").stdout(Stdio::null()).stderr(log).uid(uid).gid(uid);
        // A fork elsewhere in this process may hold the copy open for a moment (ETXTBSY).
        let child = eventually("the copy runs", || {
            let child = command.spawn().ok();
            async move { child }
        });
        embedded.muster.child = Some(child.await);
        embedded.muster.ready().await;
        embedded
    }

    fn prepare(settings: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap();
        let [cwmp, web, metrics] = free_ports();
        let mut env: Vec<(String, String)> = [
            // Empty counts as absent.
            ("DATABASE_URL", String::new()),
            ("MUSTER_DATA_DIR", place.display().to_string()),
            ("MUSTER_ACS__LISTEN", cwmp.to_string()),
            ("MUSTER_WEB__LISTEN", web.to_string()),
            ("MUSTER_METRICS__LISTEN", metrics.to_string()),
            ("MUSTER_ZERO_TOUCH__UNKNOWN", "accept".to_owned()),
        ]
        .map(|(n, v)| (n.to_owned(), v))
        .to_vec();
        env.extend(settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let options = PgConnectOptions::new_without_pgpass()
            .socket(place.join("postgres-socket"))
            .port(5432)
            .username("muster")
            .database("muster")
            .ssl_mode(PgSslMode::Disable);
        let muster = Muster {
            child: None,
            env,
            dir,
            cwmp,
            web,
            metrics,
            pool: PgPoolOptions::new().max_connections(2).connect_lazy_with(options),
            database_url: String::new(),
            token: None,
            client: reqwest::Client::new(),
        };
        Self { muster, data: place.join("postgres") }
    }

    /// The process id of its running PostgreSQL.
    pub fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        // A pid file may outlive its process.
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (cwd == self.data).then(|| Pid::from_raw(pid))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.muster.kill();
        let Some(pid) = self.postmaster() else { return };
        let _ = kill(pid, Signal::SIGQUIT);
        let end = Instant::now() + Duration::from_secs(10);
        while self.postmaster().is_some() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
