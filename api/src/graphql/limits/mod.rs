//! What a GraphQL document may cost, decided before anything of it is executed.
//!
//! Two passes, each linear in the document's size. The first reads the source's tokens before the
//! parser does, because the parser is recursive. The second walks the parsed document and counts with
//! fragments expanded, but visits each fragment once: a few lines of fragments that spread one another
//! can stand for billions of fields. Complexity, which needs the schema, is async-graphql's pass; by
//! then the expanded document is known to be small.

mod document;
mod source;
#[cfg(test)]
mod tests;

pub(super) use document::{MAX_RECURSION, check_document};
pub(super) use source::check_source;

use crate::config::LimitsConfig;
use crate::error::ApiError;

pub(super) fn too_complex(limit: usize) -> ApiError {
    refused(
        "QUERY_TOO_COMPLEX",
        format!(
            "the query costs more than {limit} (limits.graphql_complexity): ask for fewer fields or shorter pages"
        ),
    )
}

fn refused(code: &'static str, message: String) -> ApiError {
    ApiError::Invalid { code, message }
}

/// Checks the length of a page.
///
/// # Errors
/// [`ApiError::Invalid`] with `INVALID_PAGE_SIZE`.
pub(super) fn check_first(first: i64, limits: &LimitsConfig) -> Result<usize, ApiError> {
    let most = limits.graphql_page;
    usize::try_from(first)
        .ok()
        .filter(|first| (1..=most).contains(first))
        .ok_or_else(|| {
            refused(
                "INVALID_PAGE_SIZE",
                format!("`first` is {first}; it must be from 1 to {most} (limits.graphql_page)"),
            )
        })
}
