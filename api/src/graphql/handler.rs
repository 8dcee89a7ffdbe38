//! The endpoint: one operation in, one answer out.
//!
//! Refused before anything is executed: what is not JSON (forms and `text/plain` are what a foreign page can
//! make a browser send without asking), batches, and documents above a limit. There are no GET queries.

use super::documents::Documents;
use super::error::{code, finish, refusal};
use super::idempotency;
use super::nulls::settle;
use super::schema::{Schema, Schemas};
use super::session::Session;
use crate::config::LimitsConfig;
use crate::context::Caller;
use crate::error::ApiError;
use crate::http::is_json;
use crate::state::AppState;
use crate::telemetry::GRAPHQL_SECONDS;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use async_graphql::{Request, Response};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use std::time::Instant;
use tracing::Instrument;

/// The media type of answers (GraphQL over HTTP, section 4.2); `application/json` for clients that
/// do not ask for it.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// What executes operations.
#[derive(Clone)]
pub(super) struct Endpoint {
    schemas: Schemas,
    documents: Documents,
}

impl Endpoint {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self {
            schemas: Schemas::build(limits),
            documents: Documents::new(),
        }
    }
}

/// Executes one operation.
pub(super) async fn execute(
    State(state): State<AppState>,
    caller: Caller,
    Extension(endpoint): Extension<Endpoint>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> axum::response::Response {
    let modern = accepts_graphql_response(&headers);
    let request = match read(&state, &headers, body) {
        Ok(request) => request,
        Err(error) => return answer(&refusal(error.clone()), error.status(), modern),
    };
    let (response, executed) = run(&state, caller, &endpoint, &headers, request).await;
    // A document that was not executed is a bad request; as `application/json` it is answered 200,
    // because older clients read no other body (GraphQL over HTTP, section 6.4.1).
    let status = if executed || !modern {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    answer(&response, status, modern)
}

/// The request in a body.
fn read(
    state: &AppState,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Request, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::Invalid {
            code: ApiError::UNSUPPORTED_MEDIA_TYPE,
            message: "send the operation as application/json".into(),
        });
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::Invalid {
            code: ApiError::TOO_LARGE,
            message: format!(
                "the body is larger than {} bytes (limits.body_bytes)",
                state.config.limits.body_bytes
            ),
        },
        _ => ApiError::Invalid {
            code: "INVALID_REQUEST",
            message: "the body was cut off".into(),
        },
    })?;
    parse_body(&body)
}

fn parse_body(body: &[u8]) -> Result<Request, ApiError> {
    let refused = |code, message: String| Err(ApiError::Invalid { code, message });
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return refused(
            "BATCH_REFUSED",
            "batches are refused: send one operation a request".into(),
        );
    }
    match serde_json::from_slice::<Request>(body) {
        Ok(request) if request.query.trim().is_empty() => {
            refused("INVALID_REQUEST", "the body has no `query`".into())
        }
        Ok(request) => Ok(request),
        Err(error) => refused(
            "INVALID_REQUEST",
            format!("the body is not a GraphQL request: {error}"),
        ),
    }
}

/// Checks and executes; says whether it came to execution.
async fn run(
    state: &AppState,
    caller: Caller,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    mut request: Request,
) -> (Response, bool) {
    let limits = &state.config.limits;
    let (operation, document) = match endpoint.documents.check(&mut request, limits) {
        Ok(checked) => checked,
        Err(refused) => return (*refused, false),
    };
    let keyed = match idempotency::apply(headers, &mut request) {
        Ok(keyed) => keyed,
        Err(error) => return (refusal(error), false),
    };
    let schema: &Schema = match document.is_valid() && !keyed {
        true => &endpoint.schemas.trusting,
        false => &endpoint.schemas.strict,
    };
    let span = tracing::info_span!(
        "graphql",
        otel.name = %operation.span_name(),
        graphql.operation.type = operation.kind,
        graphql.operation.name = operation.name.as_deref(),
        tenant = %caller.tenant,
    );
    let began = Instant::now();
    let deadline = limits.request_deadline;
    let session = Session::new(state.clone(), caller);
    let missing = session.missing.clone();
    let request = request.data(session);
    let executing = schema.execute(request).instrument(span);
    let (mut response, in_time) = match tokio::time::timeout(deadline, executing).await {
        Ok(response) => (response, true),
        Err(_) => (refusal(past_deadline(&operation, deadline)), false),
    };
    finish(&mut response, limits);
    settle(&mut response, operation.kind == "mutation");
    missing.tell(&mut response);
    if response.is_ok() {
        // With a key, another document was validated.
        if !keyed {
            document.executed();
        }
    } else {
        state.denials.settled().await;
    }
    observe(&operation, &response, began);
    // An error without a path is the validation's, unless it is the deadline's.
    let refused = in_time && !response.is_ok() && response.errors.iter().all(|e| e.path.is_empty());
    (response, !refused)
}

fn past_deadline(operation: &Operation, deadline: std::time::Duration) -> ApiError {
    let hint = if operation.kind == "mutation" {
        "; a command may have been accepted: send it again with the same commandId"
    } else {
        "; ask for less or retry later"
    };
    let seconds = deadline.as_secs();
    ApiError::Unavailable {
        message: format!("no answer within {seconds} s (limits.request_deadline){hint}"),
    }
}

fn observe(operation: &Operation, response: &Response, began: Instant) {
    let outcome = if response.is_ok() { "ok" } else { "error" };
    metrics::histogram!(GRAPHQL_SECONDS, "operation" => operation.kind, "outcome" => outcome)
        .record(began.elapsed());
    for error in &response.errors {
        tracing::debug!(code = code(error), path = ?error.path, "graphql error: {}", error.message);
    }
}

/// Which operation of a document is meant, for traces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) kind: &'static str,
    name: Option<String>,
}

impl Operation {
    pub(super) fn of(document: &ExecutableDocument, wanted: Option<&str>) -> Self {
        let (name, operation) = match &document.operations {
            DocumentOperations::Single(operation) => (None, Some(operation)),
            DocumentOperations::Multiple(operations) => {
                let found = match wanted {
                    Some(wanted) => operations.get_key_value(wanted),
                    None => operations.iter().next().filter(|_| operations.len() == 1),
                };
                (
                    found.map(|(name, _)| name.to_string()),
                    found.map(|(_, operation)| operation),
                )
            }
        };
        let kind = match operation.map(|operation| operation.node.ty) {
            Some(OperationType::Query) => "query",
            Some(OperationType::Mutation) => "mutation",
            Some(OperationType::Subscription) => "subscription",
            None => "unknown",
        };
        Self { kind, name }
    }

    fn span_name(&self) -> String {
        match &self.name {
            Some(name) => format!("{} {name}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

fn accepts_graphql_response(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(GRAPHQL_RESPONSE)
    })
}

fn answer(response: &Response, status: StatusCode, modern: bool) -> axum::response::Response {
    let body = match serde_json::to_vec(response) {
        Ok(body) => body,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    let content_type = if modern {
        GRAPHQL_RESPONSE
    } else {
        "application/json"
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
#[path = "handler_tests.rs"]
mod tests;
