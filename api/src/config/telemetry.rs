//! `telemetry`: logs, traces and metrics.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use url::Url;

/// What is told, and to whom.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `pretty` for people (the default) or `json` for machines.
    pub log_format: LogFormat,
    /// What is logged, in the form of `RUST_LOG`. Default
    /// `info,rmcp=warn,rmcp::service=error,lance=warn,sqlx::postgres::notice=warn`: rmcp tells of every request and of
    /// each mistake of a client, lance of every write, and PostgreSQL of what a migration did not have to drop.
    pub log_filter: String,
    /// Base address of an OpenTelemetry collector (OTLP over HTTP), such as `http://localhost:4318`. Traces
    /// go nowhere without it.
    pub otlp_endpoint: Option<Url>,
}

/// The forms of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is no log format; write pretty or json")),
        }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Pretty,
            log_filter: "info,rmcp=warn,rmcp::service=error,lance=warn,sqlx::postgres::notice=warn"
                .to_owned(),
            otlp_endpoint: None,
        }
    }
}

impl TelemetryConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        EnvFilter::try_new(&self.log_filter).map(drop).map_err(|error| {
            ConfigError::new(format!(
                "telemetry.log_filter `{}` is not a filter ({error}); write for example info,api=debug",
                self.log_filter
            ))
        })
    }
}
