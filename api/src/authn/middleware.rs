//! The layer in front of GraphQL and MCP: no request passes without a caller.

use crate::context::Caller;
use crate::error::{ApiError, TokenProblem};
use crate::http::correlation;
use crate::state::AppState;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use domain::id::CorrelationId;
use projections::access;
use tracing::Span;

/// Verifies the bearer token, looks its principal up and leaves a [`crate::context::Caller`] in the
/// request. The token itself is taken out: nothing behind this layer can pass it on.
///
/// # Errors
/// 401 for a token that is not accepted; 503 when the permissions are away or too far behind the log,
/// because a role may have been revoked in what is missing.
pub async fn authenticate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let token = bearer(request.headers())?;
    let correlation_id = correlation::of(request.extensions());
    let caller = admit(&state, token, correlation_id).await?;
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The caller behind a token, when it is accepted at this moment.
///
/// # Errors
/// As [`authenticate`].
pub(crate) async fn admit(
    state: &AppState,
    token: &str,
    correlation_id: CorrelationId,
) -> Result<Caller, ApiError> {
    let claims = state.tokens.verify(token)?;
    let span = Span::current();
    span.record("tenant", claims.tenant.as_str());
    span.record("principal", claims.sub.as_str());
    if state.positions.staleness(access::NAME) > state.config.auth.max_access_lag {
        return Err(ApiError::Unavailable {
            message: "the permissions are behind the log; retry later".into(),
        });
    }
    let principals = &state.principals;
    principals
        .caller(&state.reads, claims, correlation_id)
        .await
}

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1). Tokens in the query or the body are
/// not looked for.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, TokenProblem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(if headers.contains_key(header::AUTHORIZATION) {
            TokenProblem::Invalid("there is more than one")
        } else {
            TokenProblem::Missing
        });
    };
    let text = value
        .to_str()
        .map_err(|_| TokenProblem::Invalid("it is malformed"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(TokenProblem::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_bearer_token_is_taken() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Ok("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Ok("abc"));
    }

    #[test]
    fn everything_else_is_no_token() {
        for none in [&[] as &[&str], &["Basic abc"], &["Bearer"], &["abc"]] {
            assert_eq!(
                bearer(&headers(none)),
                Err(TokenProblem::Missing),
                "{none:?}"
            );
        }
        assert!(matches!(
            bearer(&headers(&["Bearer a", "Bearer b"])),
            Err(TokenProblem::Invalid(_))
        ));
    }
}
