//! What can go wrong in search, and what the caller should do about it.

use super::embed::EmbedError;

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
    /// The query holds nothing to search for. The caller's mistake.
    #[error("the search query is empty")]
    EmptyQuery,
    /// The embedder failed while documents were indexed. Whether a retry helps is told by the source.
    #[error("the documents could not be embedded")]
    Embed(#[from] EmbedError),
    /// LanceDB failed: retry later.
    #[error("the search table could not be read or written")]
    Lance(#[from] lancedb::Error),
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

impl From<arrow_schema::ArrowError> for SearchError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Damaged(error.to_string())
    }
}
