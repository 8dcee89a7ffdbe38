//! Which table of the index is the live one. A rebuild writes another table and names it in
//! `search.index_table`; every process follows within a second.

use super::embed::Embedder;
use super::error::SearchError;
use super::index::SearchIndex;
use crate::error::ProjectionError;
use crate::store::Database;
use sqlx::{Connection, PgConnection};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a process looks whether a rebuild has swapped the table.
const LOOK: Duration = Duration::from_secs(1);

/// The live index of this process. Cheap to clone.
#[derive(Clone)]
pub struct CurrentIndex {
    uri: Arc<str>,
    embedder: Arc<dyn Embedder>,
    live: Arc<RwLock<(String, SearchIndex)>>,
}

impl CurrentIndex {
    /// Opens the table that Postgres names.
    ///
    /// # Errors
    /// [`ProjectionError`] when Postgres or the index cannot be reached, or the table belongs to another
    /// embedding model: then the process that projects has to start first, see [`Self::open_or_replace`].
    pub async fn open(
        uri: &str,
        embedder: Arc<dyn Embedder>,
        connection: &mut PgConnection,
    ) -> Result<Self, ProjectionError> {
        let name = live_table(connection).await?;
        let index = SearchIndex::open(uri, &name, Arc::clone(&embedder)).await?;
        Ok(Self {
            uri: uri.into(),
            embedder,
            live: Arc::new(RwLock::new((name, index))),
        })
    }

    /// The same for a process that projects: a table of another embedding model, or of an older layout, is
    /// replaced by an empty one, and the projector begins again at the start of the log. Until it is done,
    /// search finds what is indexed so far, and readiness shows the lag.
    ///
    /// # Errors
    /// [`ProjectionError`] when Postgres or the index cannot be reached.
    pub async fn open_or_replace(
        uri: &str,
        embedder: Arc<dyn Embedder>,
        connection: &mut PgConnection,
    ) -> Result<Self, ProjectionError> {
        match Self::open(uri, Arc::clone(&embedder), connection).await {
            Err(ProjectionError::Search(
                SearchError::OtherModel { .. } | SearchError::OtherLayout { .. },
            )) => {}
            other => return other,
        }
        let old = live_table(connection).await?;
        let new = other_table(&old);
        tracing::warn!(%old, %new, "the search index is of another model or layout; indexing anew");
        SearchIndex::drop(uri, new).await?;
        SearchIndex::open(uri, new, Arc::clone(&embedder)).await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("UPDATE search.index_table SET table_name = $1")
            .bind(new)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE metamcp.checkpoints SET stream_sequence = 0, commit_hash = NULL WHERE projector = $1",
        )
        .bind(super::NAME)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Self::open(uri, embedder, connection).await
    }

    /// The index to ask now.
    #[must_use]
    pub fn get(&self) -> SearchIndex {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// The index to write inside a transaction that holds the projector's checkpoint.
    pub(super) async fn named_by(
        &self,
        connection: &mut PgConnection,
    ) -> Result<SearchIndex, ProjectionError> {
        let name = live_table(connection).await?;
        self.follow(name).await?;
        Ok(self.get())
    }

    /// Opens a table beside the live one, which gives its vectors.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn open_beside(&self, name: &str) -> Result<SearchIndex, SearchError> {
        let beside = SearchIndex::open(&self.uri, name, Arc::clone(&self.embedder)).await?;
        Ok(beside.with_vectors_of(&self.get()))
    }

    /// Removes a table.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn drop_table(&self, name: &str) -> Result<(), SearchError> {
        SearchIndex::drop(&self.uri, name).await
    }

    /// Follows swaps until `stop` is cancelled.
    pub fn watch(&self, database: &Database, stop: &CancellationToken) {
        let (current, pool, stop) = (self.clone(), database.owner_pool(1), stop.clone());
        tokio::spawn(async move {
            while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
                let Ok(mut connection) = pool.acquire().await else {
                    continue;
                };
                if let Err(error) = current.named_by(&mut connection).await {
                    tracing::warn!(%error, "cannot follow the live search table");
                }
            }
        });
    }

    async fn follow(&self, name: String) -> Result<(), SearchError> {
        let known = self
            .live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone();
        if known != name {
            let index = SearchIndex::open(&self.uri, &name, Arc::clone(&self.embedder)).await?;
            *self.live.write().unwrap_or_else(PoisonError::into_inner) = (name, index);
        }
        Ok(())
    }
}

/// The table that a rebuild writes beside the live one.
pub(crate) fn other_table(live: &str) -> &'static str {
    if live == "tools" { "tools_b" } else { "tools" }
}

pub(crate) async fn live_table(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT table_name FROM search.index_table")
        .fetch_one(connection)
        .await
}
