//! The layers around every route, outermost first: one span and one measurement for each request
//! ([`observe`]), the challenge of refusals ([`challenge`]) and a deadline ([`bound`]). The size of a body
//! is bounded where it is read, because each surface has its own limit.

use crate::error::ApiError;
use crate::http::correlation::{self, CORRELATION_ID};
use crate::http::well_known::RESOURCE_METADATA;
use crate::telemetry::{self, HTTP_REQUEST_SECONDS};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

/// Opens the request's span, as a child of the caller's `traceparent` (W3C Trace Context), and measures.
/// The authentication layer adds tenant and principal to the span. The answer names the request's
/// correlation id.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let correlation_id = correlation::choose(request.headers());
    request.extensions_mut().insert(correlation_id);
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = info_span!(
        "request", otel.name = %format_args!("{method} {route}"), otel.kind = "server", %method, route,
        status = Empty, tenant = Empty, principal = Empty, %correlation_id
    );
    telemetry::continue_trace(&span, request.headers());
    let start = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(value) = correlation::header_value(correlation_id) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    let status = response.status();
    span.record("status", status.as_u16());
    let elapsed = start.elapsed();
    metrics::histogram!(
        HTTP_REQUEST_SECONDS,
        "method" => known(method.as_str()), "route" => route, "status" => status.as_u16().to_string()
    )
    .record(elapsed.as_secs_f64());
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ?elapsed, "answered"));
    response
}

/// Strangers must not make up label values.
fn known(method: &str) -> &'static str {
    let all = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    all.into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

/// Names the metadata of our resource in the challenge of a 401 or 403 (RFC 9728 section 5.1).
pub async fn challenge(State(base): State<String>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let suffix = ["/mcp", "/graphql"]
        .into_iter()
        .find(|resource| path.starts_with(resource));
    let metadata = format!("{base}{RESOURCE_METADATA}{}", suffix.unwrap_or_default());
    let mut response = next.run(request).await;
    let Some(given) = response.headers().get(header::WWW_AUTHENTICATE) else {
        return response;
    };
    let given = given.to_str().unwrap_or("Bearer");
    let separator = if given.contains('=') { "," } else { "" };
    let named = format!("{given}{separator} resource_metadata=\"{metadata}\"");
    if let Ok(value) = HeaderValue::try_from(named) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// Ends a request that takes too long, and turns a panic into a logged 500. A stream is bound up to its
/// first byte only.
pub async fn bound(State(deadline): State<Duration>, request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::internal(&Panicked(words(panic.as_ref()))).into_response(),
        Err(_) => {
            tracing::warn!(?deadline, "the request took too long");
            let message = format!("no answer within {deadline:?}; retry later");
            ApiError::Unavailable { message }.into_response()
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
