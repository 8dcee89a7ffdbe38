//! The last look at each error before it leaves: every one carries `extensions.code`.
//!
//! Resolvers return [`ApiError`] with `?`; async-graphql keeps it as the error's source, from which the
//! taxonomy's code is read. What remains are the library's own refusals, which get a code here.

use super::limits;
use crate::config::LimitsConfig;
use crate::error::ApiError;
use async_graphql::{ErrorExtensionValues, Response, ServerError};

/// The document is not GraphQL.
const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document does not fit the schema.
const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// A value does not fit its argument.
const INVALID_ARGUMENT: &str = "INVALID_ARGUMENT";

/// What async-graphql says of a query above the complexity limit.
const LIBRARY_TOO_COMPLEX: &str = "Query is too complex.";

/// A response that is nothing but a refusal.
pub(super) fn refusal(error: ApiError) -> Response {
    let mut refused =
        async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default());
    refused.locations.clear();
    ApiError::extend_graphql(&mut refused);
    Response::from_errors(vec![refused])
}

/// A response to a source that the parser refuses.
pub(super) fn parse_failed(mut error: ServerError) -> Response {
    set_code(&mut error, PARSE_FAILED);
    Response::from_errors(vec![error])
}

/// Gives each error of a response its code.
pub(super) fn finish(response: &mut Response, limits: &LimitsConfig) {
    for error in &mut response.errors {
        ApiError::extend_graphql(error);
        if has_code(error) {
            continue;
        }
        if error.message == LIBRARY_TOO_COMPLEX {
            let api = limits::too_complex(limits.graphql_complexity);
            error.message = api.to_string();
            set_code(error, api.code());
        } else if error.path.is_empty() {
            set_code(error, VALIDATION_FAILED);
        } else {
            set_code(error, INVALID_ARGUMENT);
        }
    }
}

/// The code of an error, when it has one.
pub(super) fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(code),
        _ => None,
    }
}

fn has_code(error: &ServerError) -> bool {
    code(error).is_some()
}

fn set_code(error: &mut ServerError, code: &str) {
    let extensions = error
        .extensions
        .get_or_insert_with(ErrorExtensionValues::default);
    extensions.set("code", code);
    extensions.set("retryable", false);
}
