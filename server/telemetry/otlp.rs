//! Spans to an OpenTelemetry collector: OTLP, protobuf over HTTP. Must never slow a session down:
//! spans queue in memory, and are dropped when the collector is slower than the devices.

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer as _, Registry};
use uuid::Uuid;

use super::BoxedLayer;
use super::filter::Asked;

/// The layer that turns Muster's own spans into exported ones, and the provider to shut down in the
/// end.
pub(super) fn layer(endpoint: &str) -> anyhow::Result<(BoxedLayer, SdkTracerProvider)> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()?;
    let runtime = Handle::try_current().context("spans are exported from within the runtime")?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(OnRuntime { exporter, runtime })
        .with_resource(resource())
        .build();
    // Own spans only: those of the HTTP client that exports would beget others for ever.
    let own = filter_fn(|span| span.target().starts_with("muster") && *span.level() <= Level::INFO);
    let layer = tracing_opentelemetry::layer::<Registry>().with_tracer(provider.tracer("muster"));
    Ok((layer.with_filter(Asked(own)).boxed(), provider))
}

/// One process is one instance, also on a host that runs several.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name("muster")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
        ])
        .build()
}

/// The SDK exports from a thread of its own, which has no runtime; the HTTP client needs one.
#[derive(Debug)]
struct OnRuntime {
    exporter: opentelemetry_otlp::SpanExporter,
    runtime: Handle,
}

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.runtime.block_on(self.exporter.export(batch))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
