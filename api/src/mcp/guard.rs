//! What happens to an MCP request before rmcp sees it.

use super::sessions::{Owner, Sessions};
use crate::error::{ApiError, TokenProblem};
use crate::http::is_json;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rmcp::model::{ErrorData, JsonRpcError, ProtocolVersion};
use serde_json::json;
use std::sync::Arc;
use tracing::Span;

pub(super) const SESSION_ID: &str = "mcp-session-id";
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// What is read of a refusal of rmcp's, in bytes.
const MAX_REFUSAL: usize = 4096;
/// How it ends when the body was JSON and no message.
const NO_MESSAGE: &[u8] = b"unrecognized JSON-RPC message";

/// The span of the HTTP request: a session answers in a task of its own, which would lose it.
#[derive(Clone)]
pub(super) struct RequestSpan(pub(super) Span);

/// Lets a request use a session that is its own, and answers 404 to every other session id. From
/// revision 2026-07-28 on there are no sessions, and a session id that comes along means nothing.
pub(super) async fn admit(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(owner) = Owner::of(request.extensions(), request.uri()) else {
        return ApiError::Unauthenticated(TokenProblem::Missing).into_response();
    };
    if is_stateless(request.headers()) {
        request.headers_mut().remove(SESSION_ID);
    } else {
        match session_id(request.headers()) {
            SessionHeader::None if sessions.is_full() => return full().into_response(),
            SessionHeader::None => {}
            SessionHeader::One(id) if sessions.admits(id, &owner) => {}
            SessionHeader::One(_) | SessionHeader::Unusable => return unknown_session(),
        }
    }
    request
        .extensions_mut()
        .insert(RequestSpan(Span::current()));
    let sent_json = is_json(request.headers());
    let ends_session = request.method() == Method::DELETE;
    let mut response = next.run(request).await;
    if ends_session && response.status() == StatusCode::ACCEPTED {
        // The session has ended, it is not about to: clients take anything but 200 and 204 for a failure.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    explain(response, sent_json).await
}

/// Gives rmcp's bare refusals the form of every other surface, with a code and what to do; or that of JSON-RPC, where
/// a message was expected.
async fn explain(response: Response, sent_json: bool) -> Response {
    let content = response.headers().get(header::CONTENT_TYPE);
    let has_form = content
        .and_then(|content| content.to_str().ok())
        .is_some_and(|content| content.contains("json") || content.contains("event-stream"));
    if has_form {
        return response;
    }
    let (code, message) = match response.status() {
        StatusCode::FORBIDDEN => (
            ApiError::ORIGIN_NOT_ALLOWED,
            "the `Host` or `Origin` header is not one of ours: see http.allowed_hosts and http.allowed_origins",
        ),
        StatusCode::NOT_FOUND => return unknown_session(),
        StatusCode::PAYLOAD_TOO_LARGE => (
            ApiError::TOO_LARGE,
            "the body is larger than limits.mcp_body_bytes allows",
        ),
        // rmcp's word for a body that it cannot read, too.
        StatusCode::UNSUPPORTED_MEDIA_TYPE if sent_json => return unreadable(response).await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            ApiError::UNSUPPORTED_MEDIA_TYPE,
            "send the message as application/json",
        ),
        _ => return response,
    };
    let message = message.to_owned();
    ApiError::Invalid { code, message }.into_response()
}

/// The refusal of a body that is no message, as an error of JSON-RPC 2.0 (section 5.1). rmcp tells the two kinds apart
/// by its words alone. There is no `id`: it could not be read (MCP 2026-07-28, Basic, Error Responses).
async fn unreadable(refusal: Response) -> Response {
    let words = to_bytes(refusal.into_body(), MAX_REFUSAL).await;
    let data = Some(json!({ "code": "INVALID_REQUEST" }));
    let error = match words.unwrap_or_default().ends_with(NO_MESSAGE) {
        true => ErrorData::invalid_request(
            "the body is no JSON-RPC message: send one object with `jsonrpc`, `method` and `params` \
             (JSON-RPC 2.0 section 4)",
            data,
        ),
        false => ErrorData::parse_error(
            "the body is no JSON, or nests deeper than 127 levels: send one JSON-RPC message in UTF-8",
            data,
        ),
    };
    let body = Json(JsonRpcError::new(None, error));
    (StatusCode::BAD_REQUEST, body).into_response()
}

/// Revisions are dates, so their text compares as their age.
fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers
        .get(PROTOCOL_VERSION)
        .and_then(|value| value.to_str().ok());
    version.is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE.as_str())
}

#[derive(Debug, PartialEq)]
enum SessionHeader<'a> {
    None,
    One(&'a str),
    Unusable,
}

/// Several ids, of which rmcp would take the first, are as good as a wrong one.
fn session_id(headers: &HeaderMap) -> SessionHeader<'_> {
    let mut values = headers.get_all(SESSION_ID).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => SessionHeader::None,
        (Some(Ok(id)), None) => SessionHeader::One(id),
        (Some(_), _) => SessionHeader::Unusable,
    }
}

/// One answer for a session that has ended, is somebody else's, or never was.
fn unknown_session() -> Response {
    let message =
        "Session not found: it has ended or is not yours; initialize a new one".to_owned();
    ApiError::Invalid {
        code: ApiError::SESSION_NOT_FOUND,
        message,
    }
    .into_response()
}

fn full() -> ApiError {
    let message = "too many MCP sessions are open; retry later, or use revision 2026-07-28";
    ApiError::Unavailable {
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn reads_exactly_one_session_id() {
        assert_eq!(session_id(&headers(&[])), SessionHeader::None);
        assert_eq!(
            session_id(&headers(&[(SESSION_ID, b"a")])),
            SessionHeader::One("a")
        );
        for bad in [
            headers(&[(SESSION_ID, b"a"), (SESSION_ID, b"b")]),
            headers(&[(SESSION_ID, b"\xff")]),
        ] {
            assert_eq!(session_id(&bad), SessionHeader::Unusable);
        }
    }

    #[test]
    fn only_revisions_without_a_handshake_are_stateless() {
        for (version, stateless) in [
            ("2025-11-25", false),
            ("2025-03-26", false),
            ("2026-07-28", true),
            ("2027-01-01", true),
        ] {
            let headers = headers(&[(PROTOCOL_VERSION, version.as_bytes())]);
            assert_eq!(is_stateless(&headers), stateless, "{version}");
        }
        assert!(!is_stateless(&HeaderMap::new()));
    }
}
