//! From configuration to a running process, and down again in the order that loses nothing:
//! listeners first, then sessions, then the database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hyper::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::acs::registry::Sessions;
use crate::acs::writer::InformWriter;
use crate::config::{AuthMode, Config, TlsMode};
use crate::ctx::{App, Shared};
use crate::files::FileStore;
use crate::fleet::credentials::Enrolment;
use crate::fleet::secret::Keys;
use crate::net::tls::{self, CertificateFiles};
use crate::net::{self, ServeOptions};
use crate::store::pg::{self, EmbeddedPostgres};
use crate::{acs, api, clock, files, jobs, store, telemetry, web};

/// How long requests under way may take when the process stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The database: embedded unless a URL is configured.
pub struct Database {
    /// Connections.
    pub pool: PgPool,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Starts or finds it; does not migrate.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let max = config.database.max_connections;
        if let Some(url) = &config.database.url {
            let servers = pg::parse_servers(url.expose())?;
            return Ok(Self { pool: pg::connect(&servers, max).await?, embedded: None });
        }
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("the data directory {}", config.data_dir.display()))?;
        // Beside a running `muster serve` its server is used, as the command line does.
        if let Some(options) = pg::running(&config.data_dir) {
            return Ok(Self { pool: pg::connect(&[options], max).await?, embedded: None });
        }
        let bin = config.database.postgres_bin.as_deref();
        let embedded = EmbeddedPostgres::start(&config.data_dir, bin).await?;
        let pool = pg::connect(&[embedded.connect_options()], max).await?;
        Ok(Self { pool, embedded: Some(embedded) })
    }

    /// Closes the connections and stops the embedded server.
    pub async fn close(self) {
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
    let pool = database.pool.clone();
    let outcome = serve_with(config, keys, pool, metrics, stop).await;
    database.close().await;
    tracing::info!("stopped");
    outcome
}

async fn serve_with(
    config: Config,
    keys: Keys,
    pool: PgPool,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    store::migrate(&pool, clock::now()).await.context("the database schema")?;
    let app = app(config, keys, pool)?;
    let mut tasks = JoinSet::new();
    listeners(&app, metrics, &stop, &mut tasks).await?;
    tasks.spawn(background(app.clone(), stop.clone()));
    let waker = app.clone();
    let waker_stop = stop.clone();
    tasks.spawn(async move {
        acs::waker::run(waker, waker_stop).await;
        Ok(())
    });
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
    outcome
}

fn app(config: Config, keys: Keys, pool: PgPool) -> anyhow::Result<Shared> {
    let files = FileStore::open(&config.artifact_dir())
        .map_err(|e| anyhow::anyhow!("the artifact store: {}", e.private()))?;
    let node = node_name();
    Ok(Arc::new(App {
        sessions: Sessions::new(config.acs.max_sessions, config.acs.max_sessions_per_address),
        informs: InformWriter::start(pool.clone(), node.clone()),
        enrolment: Enrolment::from_keys(&keys),
        wake_hint: Notify::new(),
        config,
        pool,
        keys,
        files,
        node,
    }))
}

async fn listeners(
    app: &Shared,
    metrics: PrometheusHandle,
    stop: &CancellationToken,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let config = &app.config;
    let certificate = certificate(config)?;
    let cwmp = files::serve::router()
        .merge(files::receive::router())
        .with_state(app.clone())
        .merge(acs::route::router(app.clone()));
    let health = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(app.clone());
    let people = api::router().merge(web::router()).with_state(app.clone()).merge(health.clone());
    let numbers = telemetry::metrics_router(metrics).merge(health);
    for (addr, tls, router, options) in [
        (config.acs.listen, certificate, cwmp, cwmp_options(config)),
        (config.web.listen, None, people, people_options("web")),
        (config.metrics.listen, None, numbers, people_options("metrics")),
    ] {
        let name = options.name;
        let tcp = net::bind(addr).await.with_context(|| format!("the {name} port {addr}"))?;
        let stop = stop.clone();
        tasks.spawn(async move {
            net::serve(tcp, tls, router, options, stop)
                .await
                .with_context(|| format!("the {name} listener"))
        });
    }
    Ok(())
}

fn certificate(config: &Config) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    let acs = &config.acs;
    let files = match acs.tls {
        TlsMode::Off => return Ok(None),
        TlsMode::Files => CertificateFiles {
            certificate: acs.tls_cert.clone().context("acs.tls_cert is not set")?,
            key: acs.tls_key.clone().context("acs.tls_key is not set")?,
        },
        TlsMode::SelfMade => {
            let url = acs.public_url.as_deref().and_then(|u| url::Url::parse(u).ok());
            let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("localhost");
            tls::self_made(&config.data_dir, &[host.to_owned()])?
        }
    };
    Ok(Some(tls::server_config(&files, acs.tls_client_ca.as_deref())?))
}

fn cwmp_options(config: &Config) -> ServeOptions {
    let acs = &config.acs;
    ServeOptions {
        name: "cwmp",
        max_connections: acs.max_connections,
        max_connections_per_address: acs.max_connections_per_address,
        header_read_timeout: Duration::from_secs(10),
        // A session may wait this long between two messages; file transfers move bytes.
        idle_timeout: Duration::from_secs(acs.session_timeout_seconds + 5),
        tls_handshake_timeout: Duration::from_secs(20),
        title_case_headers: true,
        drain: DRAIN,
    }
}

fn people_options(name: &'static str) -> ServeOptions {
    ServeOptions {
        name,
        max_connections: 2_000,
        max_connections_per_address: 1_000,
        header_read_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(120),
        tls_handshake_timeout: Duration::from_secs(10),
        title_case_headers: false,
        drain: DRAIN,
    }
}

/// 200 while the database answers: a load balancer sends devices elsewhere otherwise.
async fn ready(State(app): State<Shared>) -> (StatusCode, &'static str) {
    let asked =
        tokio::time::timeout(Duration::from_secs(2), sqlx::query("select 1").execute(&app.pool));
    match asked.await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// The reconcilers that run by the clock.
async fn background(app: Shared, stop: CancellationToken) -> anyhow::Result<()> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks: u64 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = second.tick() => {}
        }
        acs::route::expire_sessions(&app).await;
        if ticks.is_multiple_of(5) {
            sweep(&app).await;
        }
        if ticks % 3_600 == 3_599
            && let Err(e) = store::events::make_partitions(&app.pool, clock::now()).await
        {
            tracing::error!("partitions for events were not made: {e}");
        }
        ticks += 1;
    }
}

async fn sweep(app: &Shared) {
    loop {
        match jobs::sweep::pass(&app.pool, clock::now()).await {
            Ok(true) => {}
            Ok(false) => return,
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
