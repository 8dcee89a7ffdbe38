//! Logs, traces and metrics of a process: set up once, flushed at the end.
//!
//! Logs go to standard error. Traces go to an OpenTelemetry collector when one is configured; the trace
//! context follows the W3C recommendation, in from `traceparent` and on into the log's headers.

use crate::config::{LogFormat, TelemetryConfig};
use axum::http::{HeaderMap, HeaderName};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// Commands by aggregate and outcome.
pub const COMMANDS: &str = "metamcp_commands_total";
/// Commits that lost a race and were decided again.
pub const COMMAND_CONFLICTS: &str = "metamcp_command_conflicts_total";
/// Commits of the log that a projector has not applied.
pub const PROJECTOR_LAG: &str = "metamcp_projector_lag";
/// Events that a projector could not apply.
pub const PROJECTOR_PARKED: &str = "metamcp_projector_parked";
/// Time of a search, the query's embedding included.
pub const SEARCH_SECONDS: &str = "metamcp_search_seconds";
/// Time of a request up to the first byte of its answer.
pub const HTTP_REQUEST_SECONDS: &str = "metamcp_http_request_seconds";
/// Sessions of MCP clients that live in this process.
pub const MCP_SESSIONS: &str = "metamcp_mcp_sessions";
/// Calls of MCP tools by tool and outcome (`ok`, or the code of the error).
pub const MCP_TOOL_CALLS: &str = "metamcp_mcp_tool_calls_total";
/// Time of a call of an MCP tool.
pub const MCP_TOOL_CALL_SECONDS: &str = "metamcp_mcp_tool_call_seconds";
/// Refusals by what became of their record (`recorded`, `counted`, `failed` and tried again, `lost`).
pub const DENIALS: &str = "metamcp_denials_total";
/// WebSocket connections of this process that follow the log.
pub const LIVE_CONNECTIONS: &str = "metamcp_live_connections";
/// Time of a GraphQL operation by kind and outcome.
pub const GRAPHQL_SECONDS: &str = "metamcp_graphql_seconds";

/// Bounds of the histograms, in seconds.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Time for the last traces to leave.
const FLUSH: Duration = Duration::from_secs(3);
/// How often histograms are gathered.
const UPKEEP: Duration = Duration::from_secs(5);

/// What must live as long as the process.
pub struct Telemetry {
    metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.log_filter` is no filter.
    #[error("telemetry.log_filter is not a filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// `telemetry.otlp_endpoint` cannot be used.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The process has telemetry already: a defect.
    #[error("telemetry is already set up ({0})")]
    Twice(String),
}

impl Telemetry {
    /// Sets up logs, traces and metrics for the whole process. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let traces = config.otlp_endpoint.as_ref().map(exporter).transpose()?;
        let spans = traces
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("metamcp")));
        let lines = match config.log_format {
            LogFormat::Pretty => {
                let colours = std::io::stderr().is_terminal();
                fmt::layer()
                    .with_ansi(colours)
                    .with_writer(std::io::stderr)
                    .boxed()
            }
            LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        };
        let filter = EnvFilter::try_new(&config.log_filter)?;
        let twice = |error: &dyn std::fmt::Display| TelemetryError::Twice(error.to_string());
        registry()
            .with(filter)
            .with(lines)
            .with(spans)
            .try_init()
            .map_err(|e| twice(&e))?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        let metrics = recorder()?.install_recorder().map_err(|e| twice(&e))?;
        describe();
        tokio::spawn(upkeep(metrics.clone()));
        Ok(Self { metrics, traces })
    }

    /// Renders the metrics.
    #[must_use]
    pub fn metrics(&self) -> PrometheusHandle {
        self.metrics.clone()
    }

    /// Sends what is left; bounded, because a collector may be away.
    pub async fn stop(self) {
        let Some(traces) = self.traces else { return };
        let flushed =
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces did not reach the collector");
        }
    }
}

/// Makes a request's span a child of the span that its `traceparent` names, if it names one.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(headers)));
    if let Err(error) = span.set_parent(parent) {
        tracing::trace!(?error, "the trace is not continued");
    }
}

struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

fn exporter(endpoint: &url::Url) -> Result<SdkTracerProvider, TelemetryError> {
    let address = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let inner = SpanExporter::builder()
        .with_http()
        .with_endpoint(address)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("metamcp")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let exporter = OnRuntime {
        inner: Arc::new(inner),
        runtime: Handle::current(),
    };
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// The batch processor runs on a thread of its own; the exporter's HTTP client needs Tokio's reactor.
#[derive(Debug)]
struct OnRuntime {
    inner: Arc<SpanExporter>,
    runtime: Handle,
}

impl opentelemetry_sdk::trace::SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = Arc::clone(&self.inner);
        let sent = self.runtime.spawn(async move {
            opentelemetry_sdk::trace::SpanExporter::export(inner.as_ref(), batch).await
        });
        sent.await
            .unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }
}

fn recorder() -> Result<PrometheusBuilder, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets(BUCKETS)
        .map_err(|error| TelemetryError::Twice(error.to_string()))
}

/// Takes in what histograms have recorded, so that it does not pile up when nobody looks.
async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// The names and meanings of all metrics.
fn describe() {
    describe_counter!(COMMANDS, "Commands by aggregate and outcome");
    describe_counter!(
        COMMAND_CONFLICTS,
        "Commits that lost a race and were decided again"
    );
    describe_gauge!(
        PROJECTOR_LAG,
        "Commits of the log that a projector has not applied"
    );
    describe_gauge!(PROJECTOR_PARKED, "Events that a projector could not apply");
    describe_histogram!(
        SEARCH_SECONDS,
        Unit::Seconds,
        "Time of a search, embedding included"
    );
    describe_histogram!(
        GRAPHQL_SECONDS,
        Unit::Seconds,
        "Time of a GraphQL operation"
    );
    describe_histogram!(
        HTTP_REQUEST_SECONDS,
        Unit::Seconds,
        "Time of a request to its first byte"
    );
    describe_gauge!(
        MCP_SESSIONS,
        "Sessions of MCP clients that live in this process"
    );
    describe_counter!(DENIALS, "Refusals by what became of their record");
    describe_gauge!(
        LIVE_CONNECTIONS,
        "WebSocket connections that follow the log"
    );
    describe_counter!(MCP_TOOL_CALLS, "Calls of MCP tools by tool and outcome");
    describe_histogram!(
        MCP_TOOL_CALL_SECONDS,
        Unit::Seconds,
        "Time of a call of an MCP tool"
    );
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
