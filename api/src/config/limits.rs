//! `limits`: what one request may cost.

use super::{ConfigError, values};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bounds of one request. What exceeds one is refused with the limit named.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Deepest nesting of a GraphQL query. Default 16.
    pub graphql_depth: usize,
    /// Highest complexity of a GraphQL query: fields, times the length of the lists around them.
    /// Default 5000.
    pub graphql_complexity: usize,
    /// Most aliases in a GraphQL document. Default 30.
    pub graphql_aliases: usize,
    /// Most directives in a GraphQL document. Default 20.
    pub graphql_directives: usize,
    /// Most items of one GraphQL page. Default 100.
    pub graphql_page: usize,
    /// Largest body of a GraphQL request, in bytes. Default 1 MiB.
    pub body_bytes: usize,
    /// Largest body of a request to the MCP endpoint, in bytes. Default 1 MiB.
    pub mcp_body_bytes: usize,
    /// Time for one request, after which it is answered `UNAVAILABLE`. Default `15s`.
    #[serde(with = "values::duration")]
    pub request_deadline: Duration,
    /// Most WebSocket connections of one process. Default 1000.
    pub live_connections: usize,
    /// Most WebSocket connections of one principal to one process. Default 20.
    pub live_connections_per_principal: usize,
    /// Most subscriptions of one WebSocket connection. Default 16.
    pub live_subscriptions: usize,
    /// How many commits of its tenant a subscription may be behind before it is ended. Default 1024.
    pub live_buffer: usize,
    /// Refusals of the same thing within this time become one event and a count. Default `60s`.
    #[serde(with = "values::duration")]
    pub denial_window: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            graphql_depth: 16,
            graphql_complexity: 5_000,
            graphql_aliases: 30,
            graphql_directives: 20,
            graphql_page: 100,
            body_bytes: 1 << 20,
            mcp_body_bytes: 1 << 20,
            request_deadline: Duration::from_secs(15),
            live_connections: 1_000,
            live_connections_per_principal: 20,
            live_subscriptions: 16,
            live_buffer: 1_024,
            denial_window: Duration::from_secs(60),
        }
    }
}

impl LimitsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("graphql_depth", self.graphql_depth),
            ("graphql_complexity", self.graphql_complexity),
            ("graphql_page", self.graphql_page),
            ("body_bytes", self.body_bytes),
            ("mcp_body_bytes", self.mcp_body_bytes),
            ("live_buffer", self.live_buffer),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::new(format!("limits.{key} must be above 0")));
        }
        if self.request_deadline < Duration::from_secs(1) {
            return Err(ConfigError::new(
                "limits.request_deadline must be 1s or more",
            ));
        }
        if self.denial_window < Duration::from_secs(1) {
            return Err(ConfigError::new("limits.denial_window must be 1s or more"));
        }
        Ok(())
    }
}
