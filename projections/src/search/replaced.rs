//! The table of the previous embedding model, which answers by words until the new one is filled.
//!
//! Nothing is written down for it: a table beside the live one that is of *another model* is one that is
//! being replaced, because a rebuild's is of the same. It is dropped as soon as the new one holds what
//! `catalog` held when the replacement was first seen, so it is never taken for one again.

use super::current::other_table;
use super::error::SearchError;
use super::index::SearchIndex;
use super::query::{Mode, SearchAnswer, SearchRequest};
use super::rows;
use super::similar::{Similar, SimilarRequest};
use crate::error::ProjectionError;
use sqlx::PgConnection;

const NOTICE: &str = "the search index is being built anew for another embedding model: until then, results \
     match words only and are those of the previous index";

/// A table that is being replaced by the live one.
#[derive(Clone)]
pub(super) struct Replaced {
    index: SearchIndex,
    until: i64,
}

impl Replaced {
    /// The table beside the live one, if it is being replaced.
    pub(super) async fn find(
        uri: &str,
        live: (&str, &SearchIndex),
        connection: &mut PgConnection,
    ) -> Result<Option<Self>, ProjectionError> {
        let (name, live) = live;
        let Some((index, model)) = SearchIndex::open_for_words(uri, other_table(name)).await?
        else {
            return Ok(None);
        };
        if model == rows::model_mark(live.embedder.as_ref()) {
            return Ok(None);
        }
        let until = checkpoint(connection, crate::catalog::NAME).await?;
        Ok(Some(Self { index, until }))
    }

    /// Whether the new table holds what the old one held.
    pub(super) async fn is_over(
        &self,
        connection: &mut PgConnection,
    ) -> Result<bool, ProjectionError> {
        Ok(checkpoint(connection, super::NAME).await? >= self.until)
    }

    /// Searches by words, and says why only so.
    pub(super) async fn search(
        &self,
        request: &SearchRequest,
    ) -> Result<SearchAnswer, SearchError> {
        let mut answer = self.index.search_by(request, Mode::Text).await?;
        answer.notice = Some(NOTICE.to_owned());
        Ok(answer)
    }

    /// What shares words with a tool: this index is opened without its model.
    pub(super) async fn similar(
        &self,
        request: &SimilarRequest,
    ) -> Result<Vec<Similar>, SearchError> {
        self.index.similar(request).await
    }
}

pub(super) async fn checkpoint(
    connection: &mut PgConnection,
    projector: &str,
) -> Result<i64, sqlx::Error> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1")
            .bind(projector)
            .fetch_optional(connection)
            .await?;
    Ok(at.unwrap_or(0))
}
