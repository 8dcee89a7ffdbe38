//! Errors in the official API's form: `{"error": "…"}`, with our stable code beside it.

use crate::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use projections::QueryError;
use serde_json::json;

/// What goes wrong here is what goes wrong everywhere; only the form is another.
#[derive(Debug)]
pub(super) struct RegistryError(ApiError);

impl From<ApiError> for RegistryError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<QueryError> for RegistryError {
    fn from(error: QueryError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let text = match &self.0 {
            ApiError::NotFound => "Server not found".to_owned(),
            other => other.to_string(),
        };
        let body = json!({ "error": text, "code": self.0.code() });
        // Status, challenge and the time to retry are those of every surface.
        let mut response = self.0.into_response();
        *response.body_mut() = Body::from(body.to_string());
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        response
    }
}
