//! `/.well-known`: the public keys of our issuer, and the metadata of our resources.

use crate::config::HttpConfig;
use crate::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::error::ApiError;

/// Where the metadata of the root resource lies.
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// The key set (RFC 7517), for other services that verify our tokens.
pub async fn jwks(State(state): State<AppState>) -> Json<Value> {
    Json(state.tokens.keys().jwks())
}

/// Metadata of all of MetaMCP as one protected resource (RFC 9728).
pub async fn resource(State(state): State<AppState>) -> Json<Value> {
    Json(metadata(&state.config.http.base_url()))
}

/// Metadata of one of its resources, whose path stands behind the well-known one (RFC 9728 section 3.1).
///
/// # Errors
/// 404 for a path that is no resource of ours.
pub async fn resource_at(
    State(state): State<AppState>,
    Path(path): Path<String>,
) -> Result<Json<Value>, ApiError> {
    find(&state.config.http, &path).map(|resource| Json(metadata(&resource)))
}

fn find(http: &HttpConfig, path: &str) -> Result<String, ApiError> {
    let wanted = format!("{}/{path}", http.base_url());
    http.resources()
        .into_iter()
        .find(|resource| *resource == wanted)
        .ok_or(ApiError::NotFound)
}

/// No `authorization_servers`: tokens come from `metamcp token`, and no server hands them out yet.
fn metadata(resource: &str) -> Value {
    json!({
        "resource": resource,
        "resource_name": "MetaMCP",
        "bearer_methods_supported": ["header"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_resources_have_metadata() {
        let http = HttpConfig::default();
        assert_eq!(
            find(&http, "mcp").as_deref(),
            Ok("http://127.0.0.1:8080/mcp")
        );
        assert_eq!(find(&http, "metrics"), Err(ApiError::NotFound));
        assert_eq!(metadata("https://a/mcp")["resource"], "https://a/mcp");
    }
}
