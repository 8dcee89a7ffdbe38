//! Which table of the index is the live one. A rebuild writes another table and names it in
//! `search.index_table`; every process follows within a second. While a table of another embedding model
//! is being replaced, it goes on answering ([`super::replaced`]).

use super::embed::Embedder;
use super::error::SearchError;
use super::index::SearchIndex;
use super::query::{SearchAnswer, SearchRequest};
use super::replaced::{Replaced, checkpoint};
use super::rows::model_mark;
use super::similar::{Similar, SimilarRequest};
use crate::error::ProjectionError;
use crate::lease;
use crate::store::Database;
use sqlx::{Connection, PgConnection, PgPool};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a process looks whether a rebuild has swapped the table.
const LOOK: Duration = Duration::from_secs(1);
/// How long a look may take: shorter than a projector's lease, which waits for it.
const HANGING: Duration = Duration::from_secs(10);
/// How long a search waits for the name of the live table.
const PATIENCE: Duration = Duration::from_secs(2);

/// The live index of this process. Cheap to clone.
#[derive(Clone)]
pub struct CurrentIndex {
    uri: Arc<str>,
    embedder: Arc<dyn Embedder>,
    live: Arc<RwLock<Live>>,
    /// Where the live table is named; none before it is watched.
    names: Arc<OnceLock<PgPool>>,
    looking: Arc<tokio::sync::Mutex<()>>,
    /// Whether this process writes the index, and so drops a table that has been replaced.
    projects: bool,
}

#[derive(Clone)]
struct Live {
    name: String,
    index: SearchIndex,
    replaced: Option<Replaced>,
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
        let live = Live::open(uri, name, &embedder, connection).await?;
        Ok(Self {
            uri: uri.into(),
            embedder,
            live: Arc::new(RwLock::new(live)),
            names: Arc::default(),
            looking: Arc::default(),
            projects: false,
        })
    }

    /// The same for a process that projects: a table of another embedding model, or of an older layout, is
    /// replaced by an empty one, and the projector begins again at the start of the log. Until it is done,
    /// the table of the other model answers by words, and readiness shows the lag. Going back to the
    /// model of a table that is not replaced yet keeps that table with its vectors. A table that was lost is filled
    /// again in the same way.
    ///
    /// # Errors
    /// [`ProjectionError`] when Postgres or the index cannot be reached.
    pub async fn open_or_replace(
        uri: &str,
        embedder: Arc<dyn Embedder>,
        connection: &mut PgConnection,
    ) -> Result<Self, ProjectionError> {
        let opened = Self::open(uri, Arc::clone(&embedder), connection).await;
        let mut current = match opened {
            Err(error) if is_of_another(&error) => {
                replace(uri, &embedder, connection).await?;
                Self::open(uri, embedder, connection).await?
            }
            opened => opened?,
        };
        current.projects = true;
        let index = current.get();
        if !index.is_complete().await? {
            let mut held = connection.begin().await?;
            lease::lock_for_transaction(&mut held, TABLES).await?;
            if !index.is_complete().await? {
                lease::hold(&mut held, index.complete()).await??;
            }
            held.commit().await?;
        }
        let is_empty = index.count().await? == 0;
        match checkpoint(connection, super::NAME).await? {
            0 if !is_empty => index.forget_positions().await?,
            0 => {}
            _ if is_empty && has_tools(connection).await? => {
                tracing::warn!("the search index is empty and the catalogue is not; indexing anew");
                begin_again(connection).await?;
            }
            _ => {}
        }
        Ok(current)
    }

    /// Searches the live index, or the one that it is replacing until it is filled.
    ///
    /// # Errors
    /// As [`SearchIndex::search`].
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchAnswer, SearchError> {
        if request.current {
            // What the caller has written may have come after a swap that this process has not followed yet.
            let looked = self.look().await;
            looked.map_err(|error| SearchError::Unnamed(Box::new(error)))?;
        }
        let live = self.live();
        if let Some(replaced) = &live.replaced {
            match replaced.search(request).await {
                Err(error @ SearchError::Lance(_)) => {
                    // Dropped meanwhile, because the new one is filled.
                    tracing::debug!(%error, "the previous index does not answer any more");
                }
                answer => return answer,
            }
        }
        live.index.search(request).await
    }

    /// The tools most like one, from the index that searches are answered by.
    ///
    /// # Errors
    /// As [`SearchIndex::similar`].
    pub async fn similar(&self, request: &SimilarRequest) -> Result<Vec<Similar>, SearchError> {
        let live = self.live();
        if let Some(replaced) = &live.replaced {
            match replaced.similar(request).await {
                Err(error @ SearchError::Lance(_)) => {
                    tracing::debug!(%error, "the previous index does not answer any more");
                }
                answer => return answer,
            }
        }
        live.index.similar(request).await
    }

    fn live(&self) -> Live {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The index that is written now. [`Self::search`] asks it, or the one that it replaces.
    #[must_use]
    pub fn get(&self) -> SearchIndex {
        self.live().index
    }

    /// The live index as PostgreSQL names it now: what is written inside a transaction that holds the projector's
    /// checkpoint, and what a rebuild compares with.
    pub(crate) async fn named_by(
        &self,
        connection: &mut PgConnection,
    ) -> Result<SearchIndex, ProjectionError> {
        // One after the other, so that who has read an older name does not come back to it.
        let _one = self.looking.lock().await;
        let name = live_table(connection).await?;
        let known = self.live();
        if known.name == name {
            return Ok(known.index);
        }
        let live = Live::open(&self.uri, name, &self.embedder, connection).await?;
        let index = live.index.clone();
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        Ok(index)
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
        let pool = self.names.get_or_init(|| database.owner_pool(2)).clone();
        let (current, stop) = (self.clone(), stop.clone());
        tokio::spawn(async move {
            while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
                let following = async {
                    let mut connection = pool.acquire().await?;
                    current.named_by(&mut connection).await?;
                    current.retire_replaced(&mut connection).await
                };
                match tokio::time::timeout(HANGING, following).await {
                    // Without PostgreSQL there is nothing to follow.
                    Ok(Ok(()) | Err(ProjectionError::Database(_))) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "cannot follow the live search table");
                    }
                    Err(_elapsed) => tracing::warn!("looking for the live search table hangs"),
                }
            }
        });
    }

    /// Follows a swap, if there was one, before it is searched.
    async fn look(&self) -> Result<(), ProjectionError> {
        let Some(pool) = self.names.get() else {
            return Ok(());
        };
        let looking = async {
            let mut connection = pool.acquire().await?;
            self.named_by(&mut connection).await.map(drop)
        };
        let looked = tokio::time::timeout(PATIENCE, looking).await;
        looked.unwrap_or(Err(sqlx::Error::PoolTimedOut.into()))
    }

    /// Lets go of a replaced table, and of one that gives its vectors, when the new one is filled.
    async fn retire_replaced(&self, connection: &mut PgConnection) -> Result<(), ProjectionError> {
        let live = self.live();
        if live.index.donor.is_some() && !is_filling(connection).await? {
            let mut current = self.live.write().unwrap_or_else(PoisonError::into_inner);
            if current.name == live.name {
                current.index.donor = None;
            }
        }
        let Some(replaced) = &live.replaced else {
            return Ok(());
        };
        if !replaced.is_over(connection).await? {
            return Ok(());
        }
        if self.projects {
            // Looked up once more: a rebuild may have put a table of its own there.
            let other = (live.name.as_str(), &live.index);
            if Replaced::find(&self.uri, other, connection)
                .await?
                .is_some()
            {
                self.drop_table(other_table(&live.name)).await?;
            }
        }
        let mut current = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if current.name == live.name {
            current.replaced = None;
        }
        tracing::info!(table = %live.name, "the search index of the new model answers from now on");
        Ok(())
    }
}

impl Live {
    async fn open(
        uri: &str,
        name: String,
        embedder: &Arc<dyn Embedder>,
        connection: &mut PgConnection,
    ) -> Result<Self, ProjectionError> {
        let existing = SearchIndex::existing(uri, &name, Arc::clone(embedder)).await?;
        let mut index = match existing {
            Some(index) => index,
            None => create(uri, &name, embedder, connection).await?,
        };
        if is_filling(connection).await? {
            // After a change of layout, the texts are the old ones, and so are their vectors.
            index.donor = SearchIndex::older(uri, other_table(&name), embedder.as_ref()).await?;
        }
        let replaced = Replaced::find(uri, (&name, &index), connection).await?;
        Ok(Self {
            name,
            index,
            replaced,
        })
    }
}

/// Processes of one installation start at the same time, and one of them creates the table.
async fn create(
    uri: &str,
    name: &str,
    embedder: &Arc<dyn Embedder>,
    connection: &mut PgConnection,
) -> Result<SearchIndex, ProjectionError> {
    let mut held = connection.begin().await?;
    lease::lock_for_transaction(&mut held, TABLES).await?;
    let opening = SearchIndex::open(uri, name, Arc::clone(embedder));
    let index = lease::hold(&mut held, opening).await??;
    held.commit().await?;
    Ok(index)
}

/// Whether a table is there, but not one of the configured model and the present layout.
fn is_of_another(error: &ProjectionError) -> bool {
    matches!(
        error,
        ProjectionError::Search(SearchError::OtherModel { .. } | SearchError::OtherLayout { .. })
    )
}

/// Whether the index holds less than the catalogue does.
async fn is_filling(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let at = checkpoint(connection, super::NAME).await?;
    Ok(at < checkpoint(connection, crate::catalog::NAME).await?)
}

/// Makes a table of the configured model the live one and sends the projector back to the beginning, unless another
/// process has done it meanwhile.
async fn replace(
    uri: &str,
    embedder: &Arc<dyn Embedder>,
    connection: &mut PgConnection,
) -> Result<(), ProjectionError> {
    let mut held = connection.begin().await?;
    lease::lock_for_transaction(&mut held, TABLES).await?;
    let old = live_table(&mut held).await?;
    match SearchIndex::existing(uri, &old, Arc::clone(embedder)).await {
        Err(SearchError::OtherModel { .. } | SearchError::OtherLayout { .. }) => {}
        looked => return looked.map(drop).map_err(Into::into),
    }
    if !lease::try_lock_for_transaction(&mut held, REBUILD).await? {
        return Err(ProjectionError::RebuildRuns(super::NAME));
    }
    let new = other_table(&old);
    tracing::warn!(%old, %new, "the search index is of another model or layout; indexing anew");
    let unfinished = SearchIndex::open_for_words(uri, new).await?;
    let went_back = unfinished.is_some_and(|(_, model)| model == model_mark(embedder.as_ref()));
    if !went_back {
        SearchIndex::drop(uri, new).await?;
        let opening = SearchIndex::open(uri, new, Arc::clone(embedder));
        lease::hold(&mut held, opening).await??;
    }
    sqlx::query("UPDATE search.index_table SET table_name = $1")
        .bind(new)
        .execute(&mut *held)
        .await?;
    begin_again(&mut held).await?;
    held.commit().await?;
    if went_back {
        // It is filled already; what was begun in its place must not answer for it.
        SearchIndex::drop(uri, &old).await?;
    }
    Ok(())
}

/// Whether there is something to index.
async fn has_tools(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let has_tools = sqlx::query_scalar("SELECT EXISTS (SELECT FROM catalog.tools)");
    has_tools.fetch_one(connection).await
}

/// Sends the projector back to the beginning of the log, where nothing is parked yet.
async fn begin_again(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH nothing_parked AS (DELETE FROM metamcp.dead_letters WHERE projector = $1)
         UPDATE metamcp.checkpoints SET stream_sequence = 0, commit_hash = NULL WHERE projector = $1",
    )
    .bind(super::NAME)
    .execute(connection)
    .await?;
    Ok(())
}

/// The lock of who may create a table.
const TABLES: &str = "search_tables";
/// The lock of who works on the table beside the live one.
pub(crate) const REBUILD: &str = "search_rebuild";

/// The table that a rebuild writes beside the live one.
pub(crate) fn other_table(live: &str) -> &'static str {
    if live == "tools" { "tools_b" } else { "tools" }
}

pub(crate) async fn live_table(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT table_name FROM search.index_table")
        .fetch_one(connection)
        .await
}
