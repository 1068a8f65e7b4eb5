//! The metrics recorder, `/metrics`, and what each metric means.

use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// The upper bounds of the buckets of every `_seconds` histogram: from an inform on an idle machine
/// to the longest session.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Buckets of metrics whose name ends in `_rows`.
const ROWS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 512.0];

/// Histograms keep each sample until they are drained, scraped or not.
const UPKEEP: Duration = Duration::from_secs(5);

const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric there is; a test holds this and the code together.
const METRICS: [(Kind, &str, &str); 23] = [
    (Kind::Gauge, "muster_bench_armed", "1 while the bench on an interface is armed."),
    (
        Kind::Counter,
        "muster_bench_boards_total",
        "Boards at the bench that came to another state, by new state.",
    ),
    (
        Kind::Histogram,
        "muster_bench_decision_seconds",
        "From the request of a board to what it gets.",
    ),
    (
        Kind::Counter,
        "muster_bench_late_answers_total",
        "Reads of boards that were answered later than boards of their profile wait.",
    ),
    (
        Kind::Counter,
        "muster_bench_requests_total",
        "BOOTP and DHCP requests heard, by kind of board.",
    ),
    (
        Kind::Counter,
        "muster_bench_requests_dropped_total",
        "BOOTP and DHCP requests left alone, by reason: too many new boards, a relay, another network, an \
         installation under way.",
    ),
    (
        Kind::Counter,
        "muster_transcripts_dropped_total",
        "Transcripts of sessions that were not kept: too many waited, or the database did not take them.",
    ),
    (
        Kind::Counter,
        "muster_notifications_total",
        "Events that webhooks were told, by transport and result.",
    ),
    (Kind::Counter, "muster_connection_requests_total", "Connection requests sent, by result."),
    (
        Kind::Counter,
        "muster_login_failures_total",
        "Log-ins that failed: a wrong name, password or code, or nobody's at single sign-on.",
    ),
    (Kind::Counter, "muster_rollout_states_total", "Rollouts that changed state, by new state."),
    (Kind::Gauge, "muster_connections_open", "Connections open, by listener."),
    (
        Kind::Counter,
        "muster_connections_refused_total",
        "Connections refused because of a limit, by listener and reason.",
    ),
    (Kind::Counter, "muster_cwmp_auth_failures_total", "Wrong credentials from devices."),
    (Kind::Counter, "muster_cwmp_rejected_total", "CWMP messages refused, by reason."),
    (
        Kind::Counter,
        "muster_file_requests_refused_total",
        "File requests with a bad or expired link, by kind.",
    ),
    (Kind::Histogram, "muster_inform_batch_rows", "Informs written by one statement."),
    (Kind::Counter, "muster_informs_total", "Informs that passed authentication."),
    (Kind::Counter, "muster_jobs_total", "Jobs that changed state, by kind and new state."),
    (
        Kind::Counter,
        "muster_postgres_restarts_total",
        "Times the embedded PostgreSQL ended on its own and was started again.",
    ),
    (
        Kind::Counter,
        "muster_sessions_expired_total",
        "Sessions ended because their device fell silent.",
    ),
    (Kind::Gauge, "muster_sessions_open", "CWMP sessions open on this node."),
    (
        Kind::Counter,
        "muster_sessions_superseded_total",
        "Sessions ended because their device opened a new one.",
    ),
];

/// Installs the process's recorder; metrics touched before are lost. Call it inside the runtime,
/// once.
///
/// # Errors
/// When a recorder is installed already.
pub fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)?
        .install_recorder()
        .context("install the metrics recorder")?;
    for (kind, name, meaning) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, meaning),
            Kind::Gauge => metrics::describe_gauge!(name, meaning),
            Kind::Histogram => metrics::describe_histogram!(name, meaning),
        }
    }
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// `GET /metrics` in the Prometheus text form.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(render)).with_state(handle)
}

async fn render(State(handle): State<PrometheusHandle>) -> impl IntoResponse {
    ([(CONTENT_TYPE, CONTENT)], handle.render())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use tower::ServiceExt as _;

    use super::*;

    /// The names given to `counter!`, `gauge!` and `histogram!` in every source file below `dir`.
    fn used(dir: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                used(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for keyword in ["counter!(", "gauge!(", "histogram!("] {
                    let calls = text.split(keyword).skip(1).map(str::trim_start);
                    let literals = calls.filter_map(|call| call.strip_prefix('"')?.split_once('"'));
                    names.extend(literals.map(|(name, _)| name.to_owned()));
                }
            }
        }
    }

    #[test]
    fn every_metric_in_the_code_is_described_and_no_other() {
        let mut names = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("server"), &mut names);
        names.retain(|name| name.starts_with("muster_"));
        let described: BTreeSet<String> =
            METRICS.iter().map(|(_, name, _)| (*name).to_owned()).collect();
        assert_eq!(names, described);
    }

    #[tokio::test]
    async fn metrics_are_served_as_text() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let router = metrics_router(recorder.handle());
        metrics::with_local_recorder(&recorder, || metrics::counter!("served_total").increment(2));
        let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], CONTENT);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(String::from_utf8(body.to_vec()).unwrap().contains("served_total 2"));
    }
}
