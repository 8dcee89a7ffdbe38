//! The routes that are neither GraphQL nor MCP: health, metrics, keys and metadata. All are open to
//! strangers and tell nothing of any tenant.

pub mod correlation;
pub mod health;
pub mod layers;
pub mod metrics;
pub mod well_known;

use axum::http::{HeaderMap, header};

/// Whether a request says that its body is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
