//! The index of the whole HTTP surface: every route, and the layers around them.

use crate::authn::authenticate;
use crate::error::ApiError;
use crate::http::{health, layers, metrics, well_known};
use crate::state::AppState;
use crate::{graphql, mcp, registry};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// GraphQL and MCP end their own work at `limits.request_deadline` and say how to go on; the layer around
/// them waits this much longer.
const GRACE: Duration = Duration::from_secs(2);

/// All routes. When `shutdown` is cancelled, open event streams end.
pub fn router(state: &AppState, shutdown: &CancellationToken) -> Router {
    let limits = &state.config.limits;
    let authenticated = from_fn_with_state(state.clone(), authenticate);
    let operations = graphql::operations(limits).route_layer(authenticated.clone());
    let routes = Router::new()
        // For people and their scripts: the page is open, operations need a caller.
        .route("/graphql", operations.merge(graphql::page()))
        .route("/graphql/assets/{file}", graphql::assets())
        .route("/graphql/ws", graphql::subscriptions(limits, shutdown))
        // For agents.
        .nest("/mcp", mcp::routes(state, shutdown).layer(authenticated))
        // For clients and mirrors of the official registry; says itself who may read.
        .nest(registry::ROOT, registry::routes())
        .merge(operators())
        // For clients that look for keys and metadata; open.
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route(well_known::RESOURCE_METADATA, get(well_known::resource))
        .route(
            &format!("{}/{{*path}}", well_known::RESOURCE_METADATA),
            get(well_known::resource_at),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    surround(routes, state)
}

/// What a process without the role of the API serves: nothing but probes and metrics.
pub fn for_operators(state: &AppState) -> Router {
    surround(operators().fallback(not_found), state)
}

/// For operators and probes; open.
fn operators() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
}

fn surround(routes: Router<AppState>, state: &AppState) -> Router {
    let limits = &state.config.limits;
    routes
        // The last layer is the outermost.
        .layer(from_fn_with_state(
            limits.request_deadline + GRACE,
            layers::bound,
        ))
        .layer(from_fn_with_state(
            state.config.http.base_url(),
            layers::challenge,
        ))
        .layer(from_fn(layers::observe))
        .with_state(state.clone())
}

async fn not_found() -> ApiError {
    ApiError::NotFound
}

async fn method_not_allowed() -> ApiError {
    let message = "this address does not serve that method".to_owned();
    ApiError::Invalid {
        code: ApiError::METHOD_NOT_ALLOWED,
        message,
    }
}
