//! One taxonomy of errors and its three outward forms: HTTP problem documents (RFC 9457), GraphQL
//! extensions and MCP tool errors. What a stranger sees is the text here; what the operator sees is
//! the chain, logged once where [`ApiError::internal`] or a `From` of `conversions.rs` made the error.

mod conversions;

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Value, json};
use std::error::Error;
use uuid::Uuid;

/// Seconds after which a client may retry what was [`ApiError::Unavailable`].
const RETRY_AFTER: &str = "1";

/// Everything that a request can be answered instead of success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The domain refuses: the caller's mistake, with the domain's stable code.
    #[error("{message}")]
    Rejected {
        /// Stable, upper-case.
        code: &'static str,
        /// Which rule, in words.
        message: String,
    },
    /// The domain refuses, and says more than a text: these members stand beside the code.
    #[error("{message}")]
    RejectedWith {
        /// Stable, upper-case.
        code: &'static str,
        /// Which rule, in words.
        message: String,
        /// An object.
        details: Box<Value>,
    },
    /// Others changed the same thing at the same moment, several times in a row: try again.
    #[error("others changed this at the same moment; try again")]
    Conflict,
    /// There is no such thing, or the caller may not see it: the two are not told apart.
    #[error("there is no such object")]
    NotFound,
    /// The request carries no acceptable token.
    #[error("{0}")]
    Unauthenticated(TokenProblem),
    /// The caller may not do this.
    #[error("{message}")]
    Forbidden {
        /// What is not allowed.
        message: String,
    },
    /// A part that the answer needs is away or behind: retry later.
    #[error("{message}")]
    Unavailable {
        /// Which part, without addresses.
        message: String,
    },
    /// The request itself is wrong: malformed, too large, too complex.
    #[error("{message}")]
    Invalid {
        /// Stable, upper-case.
        code: &'static str,
        /// What is wrong, with the limit named where there is one.
        message: String,
    },
    /// A fault of ours; the log has the chain beside this id.
    #[error("internal error {id}")]
    Internal {
        /// Names the entry of the log.
        id: Uuid,
    },
}

/// What is wrong with the token of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// There is none. Send `Authorization: Bearer …`.
    #[error("this needs a bearer token")]
    Missing,
    /// There is one, and it is not accepted. The text says no more than a stranger may know.
    #[error("the token is not accepted: {0}")]
    Invalid(&'static str),
}

impl ApiError {
    /// A body or a message larger than its limit.
    pub const TOO_LARGE: &'static str = "TOO_LARGE";
    /// A `Host` or `Origin` that is not one of ours.
    pub const ORIGIN_NOT_ALLOWED: &'static str = "ORIGIN_NOT_ALLOWED";
    /// An MCP session that has ended, or is somebody else's.
    pub const SESSION_NOT_FOUND: &'static str = "SESSION_NOT_FOUND";
    /// A method that the route does not serve.
    pub const METHOD_NOT_ALLOWED: &'static str = "METHOD_NOT_ALLOWED";
    /// A content type that the route does not accept.
    pub const UNSUPPORTED_MEDIA_TYPE: &'static str = "UNSUPPORTED_MEDIA_TYPE";

    /// There is no such tool, or the caller may not see it, with what to do: [`Self::NotFound`] for whoever names a tool
    /// by its server and its name. One text for both, which repeats nothing, so that the two are not told apart.
    #[must_use]
    pub fn no_such_tool() -> Self {
        Self::Rejected {
            code: Self::NotFound.code(),
            message: "there is no such tool, or none that you may see: check the server's slug and the tool's name, or \
                      register the tool first"
                .to_owned(),
        }
    }

    /// Hides a fault of ours behind an id, and logs its chain once.
    #[must_use]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let id = Uuid::now_v7();
        tracing::error!(%id, error = %chain(error), "internal error");
        Self::Internal { id }
    }

    /// A part that is away, logged once with its chain.
    #[must_use]
    pub fn unavailable(part: &str, error: &(dyn Error + 'static)) -> Self {
        tracing::warn!(part, error = %chain(error), "unavailable");
        Self::Unavailable {
            message: format!("{part} is unavailable; retry later"),
        }
    }

    /// Stable, upper-case identifier, the same on every surface.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { code, .. }
            | Self::RejectedWith { code, .. }
            | Self::Invalid { code, .. } => code,
            Self::Conflict => "CONFLICT",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden { .. } => "FORBIDDEN",
            Self::Unavailable { .. } => "UNAVAILABLE",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Rejected { .. } | Self::RejectedWith { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Invalid {
                code: Self::TOO_LARGE,
                ..
            } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid {
                code: Self::METHOD_NOT_ALLOWED,
                ..
            } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid {
                code: Self::UNSUPPORTED_MEDIA_TYPE,
                ..
            } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid {
                code: Self::ORIGIN_NOT_ALLOWED,
                ..
            } => StatusCode::FORBIDDEN,
            Self::Invalid {
                code: Self::SESSION_NOT_FOUND,
                ..
            } => StatusCode::NOT_FOUND,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// True when the same request may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict | Self::Unavailable { .. })
    }

    /// The problem document (RFC 9457 section 3); `code` and `retryable` are our extension members.
    #[must_use]
    pub fn problem(&self) -> Value {
        let mut problem = json!({
            "type": "about:blank",
            "title": self.status().canonical_reason(),
            "status": self.status().as_u16(),
            "detail": self.to_string(),
            "code": self.code(),
            "retryable": self.is_retryable(),
        });
        for (name, value) in self.details() {
            problem[name] = value.clone();
        }
        problem
    }

    /// What a refusal says beside code and text.
    fn details(&self) -> impl Iterator<Item = (&String, &Value)> {
        let details = match self {
            Self::RejectedWith { details, .. } => details.as_object(),
            _ => None,
        };
        details.into_iter().flatten()
    }

    /// The answer of an MCP tool that failed (specification 2025-11-25, "Tools", error handling): a
    /// result that the model reads, so that it can mend its call. The code leads the text and stands in
    /// `_meta`; structured content would have to match the tool's output schema, and clients check.
    #[must_use]
    pub fn to_tool_result(&self) -> CallToolResult {
        let text = format!("{}: {self}", self.code());
        let mut error = json!({ "code": self.code(), "retryable": self.is_retryable() });
        for (name, value) in self.details() {
            error[name] = value.clone();
        }
        let meta = MetaObject([("metamcp/error".to_owned(), error)].into_iter().collect());
        CallToolResult::error(vec![ContentBlock::text(text)]).with_meta(Some(meta))
    }

    /// Puts code and retryability into a GraphQL error that a resolver made of an [`ApiError`] with `?`;
    /// other errors stay as they are. The endpoint calls this for each error of a response.
    pub fn extend_graphql(error: &mut ServerError) {
        let Some(api) = error.source::<Self>().cloned() else {
            return;
        };
        let extensions = error
            .extensions
            .get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", api.code());
        extensions.set("retryable", api.is_retryable());
        for (name, value) in api.details() {
            if let Ok(value) = async_graphql::Value::from_json(value.clone()) {
                extensions.set(name, value);
            }
        }
    }

    /// The `WWW-Authenticate` challenge (RFC 6750 section 3); the router adds `resource_metadata`.
    fn challenge(&self) -> Option<String> {
        match self {
            Self::Unauthenticated(TokenProblem::Missing) => Some("Bearer".to_owned()),
            Self::Unauthenticated(TokenProblem::Invalid(reason)) => Some(format!(
                "Bearer error=\"invalid_token\", error_description=\"{reason}\""
            )),
            Self::Forbidden { .. } => Some("Bearer error=\"insufficient_scope\"".to_owned()),
            Self::Rejected { .. }
            | Self::RejectedWith { .. }
            | Self::Conflict
            | Self::NotFound
            | Self::Unavailable { .. }
            | Self::Invalid { .. }
            | Self::Internal { .. } => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.problem().to_string();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self
            .challenge()
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// An error and its causes, as one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests;
