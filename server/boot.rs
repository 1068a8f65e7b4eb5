//! From configuration to a running process, and down again in the order that loses nothing:
//! listeners first, then sessions, then the database. `listeners`: the ports, and what stands behind each.

mod listeners;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access::oidc::Provider;
use crate::access::throttle::Attempts;
use crate::acs::registry::Sessions;
use crate::acs::transcript::Transcripts;
use crate::acs::writer::InformWriter;
use crate::config::{AuthMode, Config};
use crate::ctx::{App, Shared};
use crate::files::FileStore;
use crate::fleet::credentials::Enrolment;
use crate::fleet::secret::Keys;
use crate::render::Renderer;
use crate::store::pg::{self, EmbeddedPostgres};
use crate::{
    access, acs, clock, desired, files, fleet, jobs, netboot, notify, render, rollout, service,
    store,
};

/// Ended rollouts are kept this long: as events are.
const KEEP_ROLLOUTS: chrono::TimeDelta = chrono::TimeDelta::days(400);

/// Connections of the hot path: the writer's statement, two loads of credentials, one to spare.
const HOT_CONNECTIONS: u32 = 4;
/// How long the hot path waits for a row that somebody holds.
const HOT_LOCK: &str = "300ms";

/// The database: embedded unless a URL is configured.
pub struct Database {
    /// Connections.
    pub pool: PgPool,
    /// Connections of the hot path alone: see [`InformWriter::start`].
    pub hot: PgPool,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Starts or finds it; does not migrate.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let max = config.database.max_connections;
        if let Some(url) = &config.database.url {
            return Self::connect(&pg::parse_servers(url.expose())?, max, None).await;
        }
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("the data directory {}", config.data_dir.display()))?;
        // Beside a running `muster serve` its server is used, as the command line does.
        if let Some(options) = pg::running(&config.data_dir) {
            return Self::connect(&[options], max, None).await;
        }
        let bin = config.database.postgres_bin.as_deref();
        let embedded = EmbeddedPostgres::start(&config.data_dir, bin).await?;
        Self::connect(&[embedded.connect_options()], max, Some(embedded)).await
    }

    async fn connect(
        servers: &[PgConnectOptions],
        max: u32,
        embedded: Option<EmbeddedPostgres>,
    ) -> anyhow::Result<Self> {
        let pool = pg::connect(servers, max, pg::LOCK_TIMEOUT).await?;
        let hot = pg::connect(servers, HOT_CONNECTIONS, HOT_LOCK).await?;
        Ok(Self { pool, hot, embedded })
    }

    /// Closes the connections and stops the embedded server.
    pub async fn close(self) {
        self.hot.close().await;
        self.pool.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// The installation's key; makes the data directory if it is missing.
pub fn keys(config: &Config) -> anyhow::Result<Keys> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("the data directory {}", config.data_dir.display()))?;
    Keys::load_or_make(&config.data_dir.join("secret.key"))
        .map_err(|e| anyhow::anyhow!("{}", e.private()))
}

/// Runs the server until `stop`.
pub async fn serve(
    config: Config,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    if config.database.url.is_none() && pg::is_locked(&config.data_dir) {
        anyhow::bail!("another muster serves {} already", config.data_dir.display());
    }
    let keys = keys(&config)?;
    let database = Database::open(&config).await?;
    let pools = (database.pool.clone(), database.hot.clone());
    let outcome = serve_with(config, keys, pools, metrics, stop).await;
    database.close().await;
    tracing::info!("stopped");
    outcome
}

async fn serve_with(
    config: Config,
    keys: Keys,
    (pool, hot): (PgPool, PgPool),
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    store::migrate(&pool, clock::now()).await.context("the database schema")?;
    let app = shared(config, keys, (pool, hot), stop.clone())?;
    access::first::ensure(&app, clock::now())
        .await
        .map_err(|e| anyhow::anyhow!("{}", e.private()))?;
    service::templates::ensure_builtin(&app, clock::now())
        .await
        .map_err(|e| anyhow::anyhow!("{}", e.private()))?;
    service::bench::profiles::ensure_builtin(&app, clock::now())
        .await
        .map_err(|e| anyhow::anyhow!("{}", e.private()))?;
    files::builtin::ensure(&app, clock::now())
        .await
        .map_err(|e| anyhow::anyhow!("{}", e.private()))?;
    warn_of_an_open_lab(&app.config);
    let mut tasks = JoinSet::new();
    listeners::open(&app, metrics, &stop, &mut tasks).await?;
    tasks.spawn(background(app.clone(), stop.clone()));
    tasks.spawn(expire_sessions(app.clone(), stop.clone()));
    tasks.spawn(endless(service::sampler::run(app.clone(), stop.clone())));
    tasks.spawn(endless(service::live::run(app.clone(), stop.clone())));
    tasks.spawn(endless(acs::waker::run(app.clone(), stop.clone())));
    tasks.spawn(endless(rollout::reconcile::run(app.clone(), stop.clone())));
    tasks.spawn(endless(desired::reconcile::run(app.clone(), stop.clone())));
    tasks.spawn(endless(netboot::run(app.clone(), stop.clone())));
    tasks.spawn(endless(notify::run(app.clone(), stop.clone())));
    tasks.spawn(endless(notify::presence::run(app.clone(), stop.clone())));
    tasks.spawn(endless(files::sealed::run(app.clone(), stop.clone())));
    announce(&app);
    // Whatever ends first ends the rest: a node that lost a listener must not look alive.
    let mut outcome = Ok(());
    while let Some(done) = tasks.join_next().await {
        if let Err(e) = done.map_err(anyhow::Error::from).and_then(|r| r)
            && outcome.is_ok()
        {
            outcome = Err(e);
        }
        stop.cancel();
    }
    // What was said in the last sessions is still written.
    app.transcripts.close().await;
    outcome
}

/// A task that only ends when the process does.
async fn endless(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    Ok(())
}

/// What all share, without a task: for the command line beside the server, which ends by itself.
///
/// # Errors
/// Where the file store or the settings of a login cannot be used.
pub fn app(config: Config, keys: Keys, pool: PgPool, hot: PgPool) -> anyhow::Result<Shared> {
    shared(config, keys, (pool, hot), CancellationToken::new())
}

fn shared(
    config: Config,
    keys: Keys,
    (pool, hot): (PgPool, PgPool),
    stop: CancellationToken,
) -> anyhow::Result<Shared> {
    let files = FileStore::open(&config.artifact_dir())
        .map_err(|e| anyhow::anyhow!("the artifact store: {}", e.private()))?;
    let oidc = Provider::new(&config).map_err(|e| anyhow::anyhow!("{}", e.private()))?;
    let node = node_name();
    Ok(Arc::new(App {
        sessions: Sessions::new(config.acs.max_sessions, config.acs.max_sessions_per_address),
        informs: InformWriter::start(hot.clone(), node.clone()),
        transcripts: Transcripts::start(pool.clone(), node.clone()),
        live: service::live::Live::default(),
        benches: service::bench::News::default(),
        render: Renderer::start(render::Settings::of(&config.zero_touch)),
        desired: desired::world::Cache::default(),
        pace: desired::pace::Pace::new(
            config.zero_touch.reconcile_per_second,
            std::time::Instant::now(),
        ),
        throttle: files::throttle::Throttle::default(),
        incoming: files::sealed::Incoming::default(),
        stop,
        oidc,
        attempts: Attempts::default(),
        hot,
        enrolment: Enrolment::from_keys(&keys),
        wake_hint: Notify::new(),
        config,
        pool,
        keys,
        files,
        node,
    }))
}

/// Ends sessions whose device fell silent, each second: alone, so that nothing else holds it up.
async fn expire_sessions(app: Shared, stop: CancellationToken) -> anyhow::Result<()> {
    while pause(&stop, Duration::from_secs(1)).await {
        acs::route::expire_sessions(&app).await;
    }
    Ok(())
}

/// The reconcilers that run by the clock.
async fn background(app: Shared, stop: CancellationToken) -> anyhow::Result<()> {
    let mut ticks: u64 = 0;
    while pause(&stop, Duration::from_secs(5)).await {
        ticks += 1;
        sweep(&app, &stop).await;
        if ticks.is_multiple_of(12) {
            purge(&app).await;
        }
        if ticks.is_multiple_of(720)
            && let Err(e) = store::events::make_partitions(&app.pool, clock::now()).await
        {
            tracing::error!("partitions for events were not made: {e}");
        }
        // One that an armed bench uses was left as it is.
        if ticks.is_multiple_of(720)
            && let Err(e) = service::bench::profiles::ensure_builtin(&app, clock::now()).await
        {
            tracing::error!("the netboot profiles were not brought up to date: {}", e.private());
        }
    }
    Ok(())
}

/// Forgets what has been kept for long enough.
async fn purge(app: &App) {
    let now = clock::now();
    if let Err(e) = jobs::sweep::purge(&app.pool, now).await {
        tracing::error!("old jobs were not purged: {}", e.private());
    }
    if let Err(e) = store::transcripts::purge(&app.pool, now).await {
        tracing::error!("old transcripts were not purged: {e}");
    }
    if let Err(e) = store::rollouts::purge(&app.pool, now - KEEP_ROLLOUTS, 10_000).await {
        tracing::error!("old rollouts were not purged: {e}");
    }
    if let Err(e) = fleet::admission::expire(&app.pool, now).await {
        tracing::error!("silent devices in quarantine were not forgotten: {}", e.private());
    }
    if let Err(e) = store::sweeps::purge(&app.pool, now - KEEP_ROLLOUTS).await {
        tracing::error!("old sweeps were not purged: {e}");
    }
    if let Err(e) = store::bench::purge(&app.pool, now).await {
        tracing::error!("what benches saw long ago was not purged: {e}");
    }
    if let Err(e) = service::idempotency::purge(app, now).await {
        tracing::error!("old idempotency keys were not purged: {}", e.private());
    }
}

/// False = stop.
async fn pause(stop: &CancellationToken, time: Duration) -> bool {
    tokio::time::timeout(time, stop.cancelled()).await.is_err()
}

/// As many passes as there is something to do, but not for ever.
async fn sweep(app: &Shared, stop: &CancellationToken) {
    for _ in 0..50 {
        match jobs::sweep::pass(&app.pool, clock::now()).await {
            Ok(true) if !stop.is_cancelled() => {}
            Ok(_) => return,
            Err(e) => {
                tracing::error!("the job sweep failed: {}", e.private());
                return;
            }
        }
    }
}

fn announce(app: &App) {
    let config = &app.config;
    tracing::info!(
        cwmp = %config.acs.listen, web = %config.web.listen, metrics = %config.metrics.listen,
        node = %app.node, "muster {} is serving", env!("CARGO_PKG_VERSION")
    );
}

/// Said before the first device can come.
fn warn_of_an_open_lab(config: &Config) {
    if config.acs.auth == AuthMode::None {
        tracing::warn!(
            "acs.auth is \"none\": ANY device, and anybody who can reach {}, is believed. For a lab only",
            config.acs.listen
        );
    }
}

fn node_name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok());
    format!("{}:{}", host.unwrap_or_else(|| "node".to_owned()), std::process::id())
}
