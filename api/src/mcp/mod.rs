//! The MCP endpoint `/mcp`: agents find a tool by describing a task, and read its definition. A handful
//! of fixed tools stands for all registered ones, so that ten thousand definitions need no room in a
//! model's context.
//!
//! **Revisions.** rmcp serves both over Streamable HTTP and tells them apart request by request:
//! - *2025-11-25 and older, stateful*: `initialize` opens a session, whose id (`Mcp-Session-Id`) comes with
//!   every further request; answers are event streams. A session belongs to the principal and the route
//!   that opened it; see `sessions`.
//! - *2026-07-28, stateless*: every request is a POST of its own, answered with JSON. It names the revision
//!   in the header `MCP-Protocol-Version` and again in `_meta`, and its method in `Mcp-Method` (and the tool
//!   in `Mcp-Name`), so that a proxy can route it unread:
//!
//! ```sh
//! curl -s http://127.0.0.1:8080/mcp -H "Authorization: Bearer $TOKEN" \
//!   -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
//!   -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: search_tools' \
//!   -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
//!         "name": "search_tools", "arguments": {"query": "create a ticket"},
//!         "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
//!                   "io.modelcontextprotocol/clientInfo": {"name": "curl", "version": "1"},
//!                   "io.modelcontextprotocol/clientCapabilities": {}}}}'
//! ```
//!
//! **Invariants.** `Host` and `Origin` are checked. The caller comes from each request's own token, and
//! decides what is found before it is ranked. What a caller may not see is as absent as what does not
//! exist. Wrong arguments and failures of a tool are results that a model reads (`isError`), with the code
//! of [`crate::error::ApiError`] in front. Everything here reads; nothing commits.
//!
//! Reading order: `server`, `meta_tool`, `search_tools`, `receipt`, `facets`, `describe_tool`, `described`,
//! `versions`, `rated`, `describe_many`, `beside`, `recommend_tools`, `compare_tools`, `text`, `budget`; `guard` and
//! `sessions` for what surrounds them.

mod beside;
mod budget;
mod compare_tools;
mod describe_many;
mod describe_tool;
mod described;
mod facets;
mod guard;
mod meta_tool;
mod rated;
mod receipt;
mod recommend_tools;
mod search_tools;
mod server;
mod sessions;
mod text;
mod versions;

use crate::config::Config;
use crate::state::AppState;
use axum::Router;
use axum::middleware::from_fn_with_state;
use rmcp::handler::server::ServerHandler;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use server::McpServer;
use sessions::Sessions;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The routes below `/mcp`; to be nested inside the authentication layer. When `shutdown` is cancelled,
/// sessions and open streams end, so that a listener can stop in order.
pub fn routes(state: &AppState, shutdown: &CancellationToken) -> Router<AppState> {
    let transport = transport(&state.config, shutdown);
    let state = state.clone();
    mount(move || McpServer::new(state.clone()), transport)
}

/// A server of rmcp's behind the guard of its sessions.
fn mount<H: ServerHandler, S: Clone + Send + Sync + 'static>(
    server: impl Fn() -> H + Send + Sync + 'static,
    transport: StreamableHttpServerConfig,
) -> Router<S> {
    let sessions = Arc::new(Sessions::new());
    let service =
        StreamableHttpService::new(move || Ok(server()), Arc::clone(&sessions), transport);
    Router::new()
        .route_service("/", service)
        .layer(from_fn_with_state(sessions, guard::admit))
}

/// Neither list is ever empty: an empty one would switch its check off.
fn transport(config: &Config, shutdown: &CancellationToken) -> StreamableHttpServerConfig {
    let origins = config.http.origins();
    StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_allowed_hosts(config.http.hosts())
        .with_allowed_origins(origins.iter().map(|origin| with_port(origin)))
        .enforce_origin_validation()
        .with_max_request_body_bytes(config.limits.mcp_body_bytes)
        .with_cancellation_token(shutdown.clone())
}

/// An origin without a port means its scheme's own port (RFC 6454 section 4); rmcp would take it for any.
fn with_port(origin: &str) -> String {
    let url = Url::parse(origin).ok().filter(|url| url.port().is_none());
    match url.and_then(|url| url.port_or_known_default()) {
        Some(port) => format!("{}:{port}", origin.trim_end_matches('/')),
        None => origin.to_owned(),
    }
}

#[cfg(test)]
mod session_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_exactly_one_port() {
        for (origin, expected) in [
            (
                "https://console.example.com",
                "https://console.example.com:443",
            ),
            ("http://localhost/", "http://localhost:80"),
            ("http://localhost:6274", "http://localhost:6274"),
            ("http://localhost:*", "http://localhost:*"),
            ("null", "null"),
        ] {
            assert_eq!(with_port(origin), expected);
        }
    }

    #[test]
    fn host_and_origin_are_always_checked() {
        let transport = transport(&Config::default(), &CancellationToken::new());
        assert_eq!(
            transport.allowed_hosts,
            ["127.0.0.1:8080", "localhost:8080"]
        );
        assert!(!transport.allowed_origins.is_empty());
        assert_eq!(transport.max_request_body_bytes, 1 << 20);
    }
}
