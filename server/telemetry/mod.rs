//! Logs, traces and metrics: what the process says about itself.
//!
//! Owns the subscriber, the export of spans and the metrics recorder. It must never decide what is
//! worth saying: that is for the code that knows.

mod filter;
mod metrics;
mod otlp;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use self::filter::Asked;
use crate::config::{LogFormat, TelemetryConfig};

pub use self::metrics::{install_metrics, metrics_router};

/// How long the last spans may take to leave.
const FLUSH: Duration = Duration::from_secs(5);

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends the last spans when dropped, which blocks for at most five seconds: drop it outside the
/// runtime's workers, while the runtime still lives.
#[derive(Debug)]
#[must_use = "dropping it ends the export of spans"]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

/// Installs the process's subscriber: the log on standard error, and the export of spans when a
/// collector is configured. For the export, call it inside the runtime and after the TLS provider
/// was installed.
///
/// # Errors
/// When the filter or the collector's address is not valid, or a subscriber is installed already.
pub fn init(config: &TelemetryConfig) -> anyhow::Result<TelemetryGuard> {
    let filter = EnvFilter::try_new(&config.filter).context("telemetry.filter")?;
    let mut layers: Vec<BoxedLayer> = vec![log(config.log).with_filter(Asked(filter)).boxed()];
    let mut provider = None;
    if let Some(endpoint) = &config.otlp_endpoint {
        let (layer, exporting) = otlp::layer(endpoint).context("telemetry.otlp_endpoint")?;
        layers.push(layer);
        provider = Some(exporting);
    }
    tracing_subscriber::registry().with(layers).try_init().context("install the subscriber")?;
    Ok(TelemetryGuard { provider })
}

fn log(format: LogFormat) -> BoxedLayer {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Human => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH)
        {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}
