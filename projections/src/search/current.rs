//! Which table of the index is the live one. A rebuild writes another table and names it in
//! `search.index_table`; every process follows within a second.

use super::embed::Embedder;
use super::error::SearchError;
use super::index::SearchIndex;
use crate::error::ProjectionError;
use crate::store::Database;
use sqlx::PgConnection;
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
    /// embedding model.
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

pub(crate) async fn live_table(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT table_name FROM search.index_table")
        .fetch_one(connection)
        .await
}
