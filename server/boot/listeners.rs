//! The ports of devices, of people and of metrics: what each serves, by which certificate, and how much
//! of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hyper::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, TlsMode};
use crate::ctx::Shared;
use crate::net::tls::{self, CertificateFiles};
use crate::net::{self, ServeOptions};
use crate::{acs, api, files, telemetry, web};

/// How long requests under way may take when the process stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Opens the ports, each with a task that serves it until the process stops.
pub(super) async fn open(
    app: &Shared,
    metrics: PrometheusHandle,
    stop: &CancellationToken,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let config = &app.config;
    let certificate = certificate(config)?;
    let web_certificate = web_certificate(config)?;
    let cwmp = files::serve::router()
        .merge(files::receive::router())
        .with_state(app.clone())
        .merge(acs::route::router(app.clone()));
    let health = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(app.clone());
    let people =
        api::router(app).merge(web::router(app)).with_state(app.clone()).merge(health.clone());
    let people = web::compressed(people);
    let numbers = telemetry::metrics_router(metrics).merge(health);
    for (addr, tls, router, options) in [
        (config.acs.listen, certificate, cwmp, cwmp_options(config)),
        (config.web.listen, web_certificate, people, people_options("web")),
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

fn web_certificate(config: &Config) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    let web = &config.web;
    let files = match web.tls {
        TlsMode::Off => return Ok(None),
        TlsMode::Files => CertificateFiles {
            certificate: web.tls_cert.clone().context("web.tls_cert is not set")?,
            key: web.tls_key.clone().context("web.tls_key is not set")?,
        },
        TlsMode::SelfMade => {
            let names = tls::web_names(web.public_url.as_deref(), web.listen.ip());
            tls::self_made_web(&config.data_dir, &names)?
        }
    };
    Ok(Some(tls::server_config(&files, None)?))
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
        half_close: true,
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
        half_close: false,
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
