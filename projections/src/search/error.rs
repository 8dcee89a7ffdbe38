//! What can go wrong in search, and what the caller should do about it.

use super::embed::EmbedError;
use super::language::LanguageError;

/// A failure of the search index or of a query.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The table was built by another embedding model, or by none. Vectors of two models cannot be
    /// compared: rebuild the index (`metamcp rebuild search`), or configure the model that built it.
    #[error(
        "the search table `{table}` was built with the embedding model `{built}`, but `{configured}` is configured; run `metamcp rebuild search`, or configure `{built}` again"
    )]
    OtherModel {
        /// The table that was opened.
        table: String,
        /// The model that made its vectors, with its dimensions.
        built: String,
        /// The model of the embedder that was given.
        configured: String,
    },
    /// The table has another layout than this program writes. Rebuild the index.
    #[error(
        "the search table `{table}` has the layout `{found}`, this program writes `{expected}`; run `metamcp rebuild search`"
    )]
    OtherLayout {
        /// The table that was opened.
        table: String,
        /// The layout it carries.
        found: String,
        /// The layout of this program.
        expected: String,
    },
    /// The query holds nothing to search for: neither words nor a filter. The caller's mistake.
    #[error("the search query is empty: say what you want to do, or give a filter")]
    EmptyQuery,
    /// A filter of the query is wrong. The caller's mistake.
    #[error(transparent)]
    Query(#[from] LanguageError),
    /// The cursor is not one that this search gave to this caller. The caller's mistake.
    #[error(
        "the cursor was not given by this search: send it with the query, filter and sort that it came from"
    )]
    InvalidCursor,
    /// The version of the index that the cursor belongs to is gone: search again without the cursor.
    #[error("the cursor has expired; search again without it for a fresh first page")]
    CursorExpired,
    /// The embedder failed while documents were indexed. Whether a retry helps is told by the source.
    #[error("the documents could not be embedded")]
    Embed(#[from] EmbedError),
    /// LanceDB failed: retry later.
    #[error("the search table could not be read or written")]
    Lance(#[from] lancedb::Error),
    /// PostgreSQL, which names the live table, did not: retry later.
    #[error("which search table is the live one could not be read")]
    Unnamed(#[source] Box<crate::error::ProjectionError>),
    /// A row of the table does not have the shape that this program writes.
    #[error("the search table is damaged: {0}; run `metamcp rebuild search`")]
    Damaged(String),
    /// A benchmark file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why, with the line where there is one.
        reason: String,
    },
}

impl SearchError {
    /// A filter that DataFusion cannot evaluate: a defect of this program.
    pub(super) fn filter(error: lancedb::datafusion::error::DataFusionError) -> Self {
        Self::Lance(lancedb::Error::Other {
            message: "a filter could not be evaluated".to_owned(),
            source: Some(Box::new(error)),
        })
    }
}

impl From<arrow_schema::ArrowError> for SearchError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Damaged(error.to_string())
    }
}
