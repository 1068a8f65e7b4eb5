//! Running the embedded server: start, restart when it ends on its own, orderly stop.
//!
//! Must never leave a server behind on an orderly exit, nor take its database away from a Muster
//! that still has work to finish.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::PgError;
use super::cluster::Cluster;

pub(super) const DATABASE: &str = "muster";

/// How long a start may take: after a crash, PostgreSQL first replays up to `max_wal_size`.
const START_PATIENCE: Duration = Duration::from_secs(300);

/// How often a first start is tried: after `kill -9` of a postmaster its children hold the shared
/// memory for a moment, and the next one refuses to start until they have gone.
const FIRST_STARTS: u32 = 5;

/// Between two tries; doubled each time up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a fast stop (`SIGINT`: end transactions, write a checkpoint) may take before an
/// immediate one (`SIGQUIT`: recover at the next start).
const FAST_STOP: Duration = Duration::from_secs(30);
const IMMEDIATE_STOP: Duration = Duration::from_secs(10);

/// A private PostgreSQL, running until this is stopped or dropped.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    options: PgConnectOptions,
    url: String,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl EmbeddedPostgres {
    /// Makes the cluster under `data_dir` if need be and starts it with the binaries in `bin`, or
    /// the system's. Returns once it takes connections and the database exists.
    ///
    /// # Errors
    /// Every [`PgError`] but those of an external server; each says how to mend it.
    pub async fn start(data_dir: &Path, bin: Option<&Path>) -> Result<Self, PgError> {
        let (data_dir, bin) = (data_dir.to_owned(), bin.map(Path::to_owned));
        let cluster =
            tokio::task::spawn_blocking(move || Cluster::prepare(&data_dir, bin.as_deref()))
                .await
                .expect("preparing the cluster does not panic")?;
        let postmaster = Postmaster::start_patiently(&cluster).await?;
        create_database(&cluster).await?;
        let options = cluster.connect_options(DATABASE);
        let url = url(&cluster);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(cluster, postmaster, stop.clone()));
        Ok(Self { options, url, stop: stop.drop_guard(), task })
    }

    /// How to connect: the Unix socket, without a password.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// The same as a URL, for other programs of this host.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server in order and waits for it, at most about 40 seconds. Close the pools first.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the supervisor of PostgreSQL failed");
        }
    }
}

/// One running server process. Dropped while it runs (its task died with the runtime), it is at
/// least told to stop.
#[derive(Debug)]
struct Postmaster {
    child: Child,
}

impl Postmaster {
    async fn start(cluster: &Cluster) -> Result<Self, PgError> {
        let child = Command::from(cluster.server()?)
            .spawn()
            .map_err(|source| PgError::Io { what: "start postgres".to_owned(), source })?;
        let mut postmaster = Self { child };
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            let ended = postmaster.child.try_wait();
            match (ended, postmaster.child.id()) {
                (Ok(None), Some(pid)) if cluster.is_ready(pid) => return Ok(postmaster),
                (Ok(None), Some(_)) => sleep(Duration::from_millis(20)).await,
                _ => return Err(cluster.start_error()),
            }
        }
        Err(cluster.start_error())
    }

    async fn start_patiently(cluster: &Cluster) -> Result<Self, PgError> {
        let mut pause = SHORTEST_PAUSE;
        for _ in 1..FIRST_STARTS {
            match Self::start(cluster).await {
                Err(PgError::Start { .. }) => sleep(pause).await,
                other => return other,
            }
            pause *= 2;
        }
        Self::start(cluster).await
    }

    fn signal(&self, signal: Signal) {
        // No id once the process is reaped, so the signal cannot reach a stranger.
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid
            && let Err(error) = kill(Pid::from_raw(pid), signal)
        {
            tracing::warn!(%error, %signal, "cannot signal PostgreSQL");
        }
    }

    async fn stop(mut self) {
        for (signal, patience) in [(Signal::SIGINT, FAST_STOP), (Signal::SIGQUIT, IMMEDIATE_STOP)] {
            self.signal(signal);
            if timeout(patience, self.child.wait()).await.is_ok() {
                tracing::info!("PostgreSQL stopped");
                return;
            }
            tracing::warn!(%signal, "PostgreSQL does not stop");
        }
        if let Err(error) = self.child.kill().await {
            tracing::error!(%error, "cannot kill PostgreSQL");
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// Keeps a server running until `stop`, then stops it.
async fn supervise(cluster: Cluster, mut postmaster: Postmaster, stop: CancellationToken) {
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return postmaster.stop().await,
            ended = postmaster.child.wait() => ended,
        };
        let status = ended.ok().map_or_else(|| "unknown".to_owned(), |s: ExitStatus| s.to_string());
        tracing::error!(process.status = status, "PostgreSQL ended on its own; starting it again");
        metrics::counter!("muster_postgres_restarts_total").increment(1);
        let restarted = tokio::select! {
            () = stop.cancelled() => return,
            restarted = restart(&cluster) => restarted,
        };
        postmaster = restarted;
        tracing::info!("PostgreSQL is back");
    }
}

/// Tries until it succeeds. Only the first failure is logged: the others say the same.
async fn restart(cluster: &Cluster) -> Postmaster {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match Postmaster::start(cluster).await {
            Ok(postmaster) => return postmaster,
            Err(error) if pause == SHORTEST_PAUSE => {
                tracing::error!(%error, "PostgreSQL does not start again; going on trying");
            }
            Err(error) => tracing::debug!(%error, "PostgreSQL does not start again"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// `initdb` makes only the database `postgres`.
async fn create_database(cluster: &Cluster) -> Result<(), PgError> {
    let mut connection = PgConnection::connect_with(&cluster.connect_options("postgres")).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = 'muster')")
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        sqlx::query("create database muster").execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

fn url(cluster: &Cluster) -> String {
    let mut url = url::Url::parse("postgres://muster@localhost/muster").expect("a constant URL");
    url.query_pairs_mut().append_pair("host", &cluster.sockets().to_string_lossy());
    url.into()
}
