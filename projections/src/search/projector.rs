//! Read model `search`: feeds the index from the log.
//!
//! A commit only says which tools are concerned; their documents are read from the models that it changes, of
//! [`SOURCES`], which have to be as far. LanceDB cannot join the transaction, so documents are written first and the
//! checkpoint moves afterwards: after a crash some are written again, which leaves the same rows.

use super::current::{CurrentIndex, REBUILD, live_table, other_table};
use super::document::ToolDocument;
use super::documents::{Key, Models, Of, SOURCES, concerned};
use crate::checkpoint::{to_i64, to_u64};
use crate::error::ProjectionError;
use crate::lease;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::principal::PrincipalEvent;
use domain::publisher::PublisherEvent;
use domain::review::ReviewEvent;
use domain::server::ServerEvent;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The projector's name.
pub const NAME: &str = "search";

/// How long the other models may take to reach a batch.
const PATIENCE: Duration = Duration::from_secs(30);
/// Documents written at once.
const WRITE: usize = 512;

/// Keeps the index.
#[derive(Clone)]
pub struct SearchProjector {
    index: CurrentIndex,
    progress: Arc<dyn Fn(usize) + Send + Sync>,
}

impl SearchProjector {
    /// A projector that writes to an index. `progress` is told how many texts more were embedded.
    #[must_use]
    pub fn new(index: CurrentIndex, progress: Arc<dyn Fn(usize) + Send + Sync>) -> Self {
        Self { index, progress }
    }

    /// The index that it keeps.
    #[must_use]
    pub fn index(&self) -> &CurrentIndex {
        &self.index
    }
}

#[async_trait]
impl Projector for SearchProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            // An erasure removes the index's older versions.
            AnyEvent::Server(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Principal(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Review(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Installation(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    /// Small enough that an interrupted indexing loses seconds of embedding.
    fn batch_size(&self) -> usize {
        WRITE
    }

    /// A write to LanceDB makes a new version of the table, which costs the same for one document and for
    /// many.
    fn gathers(&self) -> Duration {
        Duration::from_millis(50)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let concerned = Concerned::by(batch);
        let sources = concerned.sources();
        if let Some(last) = batch.last().filter(|_| !sources.is_empty()) {
            wait_for(connection, &sources, last.stream_sequence).await?;
            let position = position(connection, last.stream_sequence).await?;
            let documents = concerned.documents(connection, Models::Live).await?;
            self.write(connection, position, &documents).await?;
        }
        self.forget_versions(connection, concerned.erased).await
    }
}

impl SearchProjector {
    /// Writes what one of the [`SOURCES`] has got late: of a server, even of one just registered, all tools. The
    /// projector stands at `at`, and so far everything else is current.
    pub(crate) async fn write_late(
        &self,
        connection: &mut PgConnection,
        at: u64,
        recorded: &Recorded,
    ) -> Result<(), ProjectionError> {
        let its = BTreeSet::from([key(recorded)]);
        let late = Concerned {
            tools: its.clone(),
            servers: its.clone(),
            reviews: its.clone(),
            publishers: its,
            erased: false,
        };
        let position = position(connection, at).await?;
        let documents = late.documents(connection, Models::Live).await?;
        self.write(connection, position, &documents).await
    }

    /// Writes documents that hold what the log says up to `position`, inside a transaction that holds the projector's
    /// checkpoint. A writer that was deposed may not begin, and what it has begun changes no row that is further.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        position: u64,
        documents: &[ToolDocument],
    ) -> Result<(), ProjectionError> {
        let index = self.index.named_by(connection).await?;
        for documents in documents.chunks(WRITE) {
            let written = index.upsert_at(position, documents, &*self.progress);
            lease::hold(connection, written).await??;
        }
        if lease::hold(connection, index.optimize_if_due()).await?? {
            tracing::debug!("compacted the search index");
        }
        Ok(())
    }

    /// When a person was erased, nothing stays of texts that were replaced: a name may have been taken out
    /// of a description just before. The table that a rebuild has replaced goes, too, unless another
    /// rebuild is filling it with the texts of now.
    async fn forget_versions(
        &self,
        connection: &mut PgConnection,
        erased: bool,
    ) -> Result<(), ProjectionError> {
        if erased {
            let index = self.index.named_by(connection).await?;
            lease::hold(connection, index.optimize(Duration::ZERO)).await??;
            if lease::try_lock_for_transaction(connection, REBUILD).await? {
                let live = live_table(connection).await?;
                let dropped = self.index.drop_table(other_table(&live));
                lease::hold(connection, dropped).await??;
            }
        }
        Ok(())
    }
}

/// The ids of the tools whose documents commits change.
pub(crate) async fn changed_by(
    connection: &mut PgConnection,
    models: Models,
    batch: &[Recorded],
) -> Result<BTreeSet<String>, ProjectionError> {
    let concerned = Concerned::by(batch);
    let documents = concerned.documents(connection, models).await?;
    Ok(documents.into_iter().map(|one| one.tool_id).collect())
}

fn key(recorded: &Recorded) -> Key {
    let commit = &recorded.commit;
    (commit.tenant.to_string(), commit.aggregate_id.clone())
}

/// What a batch is about.
#[derive(Default)]
struct Concerned {
    tools: BTreeSet<Key>,
    servers: BTreeSet<Key>,
    reviews: BTreeSet<Key>,
    publishers: BTreeSet<Key>,
    erased: bool,
}

impl Concerned {
    fn by(batch: &[Recorded]) -> Self {
        let mut concerned = Self::default();
        for recorded in batch {
            for event in &recorded.events {
                concerned.take(event, || key(recorded));
            }
        }
        concerned
    }

    fn take(&mut self, event: &AnyEvent, id: impl Fn() -> Key) {
        match event {
            AnyEvent::Tool(_) => drop(self.tools.insert(id())),
            AnyEvent::Server(
                ServerEvent::Described(_) | ServerEvent::Retired(_) | ServerEvent::Restored(_),
            ) => drop(self.servers.insert(id())),
            AnyEvent::Review(
                ReviewEvent::Written(_)
                | ReviewEvent::Revised(_)
                | ReviewEvent::Withdrawn(_)
                | ReviewEvent::Hidden(_)
                | ReviewEvent::Restored(_)
                | ReviewEvent::AppealDecided(_),
            ) => drop(self.reviews.insert(id())),
            AnyEvent::Publisher(
                PublisherEvent::Verified(_)
                | PublisherEvent::Lapsed(_)
                | PublisherEvent::Revoked(_),
            ) => drop(self.publishers.insert(id())),
            AnyEvent::Principal(PrincipalEvent::Erased(_)) => self.erased = true,
            // A new server has no tools yet; what it publishes says nothing of them.
            AnyEvent::Server(
                ServerEvent::Registered(_)
                | ServerEvent::ManifestPublished(_)
                | ServerEvent::ManifestStatusChanged(_),
            )
            // A claim proves nothing, and an appeal changes no rating before it is decided.
            | AnyEvent::Publisher(PublisherEvent::Claimed(_))
            | AnyEvent::Review(ReviewEvent::Appealed(_))
            | AnyEvent::Principal(
                PrincipalEvent::Registered(_)
                | PrincipalEvent::Described(_)
                | PrincipalEvent::RoleGranted(_)
                | PrincipalEvent::RoleRevoked(_)
                | PrincipalEvent::TeamJoined(_)
                | PrincipalEvent::TeamLeft(_)
                | PrincipalEvent::Deactivated(_)
                | PrincipalEvent::Reactivated(_)
                | PrincipalEvent::TokensRevoked(_),
            )
            | AnyEvent::Tenant(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Installation(_) => {}
        }
    }

    /// What has to be as far as the batch: that every earlier batch waited in the same way makes the rest current.
    fn sources(&self) -> Vec<&'static str> {
        let no_tools = self.tools.is_empty() && self.servers.is_empty();
        let [catalog, publishers, reviews] = SOURCES;
        let sources = [
            (catalog, no_tools),
            (publishers, self.publishers.is_empty()),
            (reviews, self.reviews.is_empty()),
        ];
        let needed = sources.into_iter().filter(|(_, needless)| !needless);
        needed.map(|(name, _)| name).collect()
    }

    async fn documents(
        &self,
        connection: &mut PgConnection,
        models: Models,
    ) -> Result<Vec<ToolDocument>, ProjectionError> {
        let mut found = Vec::new();
        for (of, ids) in [
            (Of::Tools, &self.tools),
            (Of::Servers, &self.servers),
            (Of::Reviews, &self.reviews),
            (Of::Publishers, &self.publishers),
        ] {
            found.extend(concerned(connection, models, of, ids).await?);
        }
        Ok(found)
    }
}

/// Up to where documents that are read from now on hold what the log says, which is at least `known`.
pub(super) async fn position(
    connection: &mut PgConnection,
    known: u64,
) -> Result<u64, ProjectionError> {
    let least: Option<i64> = sqlx::query_scalar(
        "SELECT min(stream_sequence) FROM metamcp.checkpoints WHERE projector = ANY ($1)",
    )
    .bind(SOURCES)
    .fetch_one(connection)
    .await?;
    Ok(known.max(least.map_or(0, to_u64)))
}

/// Waits until models have reached a position. They move by themselves, so waiting for them ends.
async fn wait_for(
    connection: &mut PgConnection,
    models: &[&'static str],
    stream_sequence: u64,
) -> Result<(), ProjectionError> {
    let begun = Instant::now();
    loop {
        let reached: Vec<String> = sqlx::query_scalar(
            "SELECT projector FROM metamcp.checkpoints
             WHERE projector = ANY ($1) AND stream_sequence >= $2",
        )
        .bind(models)
        .bind(to_i64(stream_sequence))
        .fetch_all(&mut *connection)
        .await?;
        let behind = |model: &&&str| !reached.iter().any(|reached| reached == *model);
        let Some(behind) = models.iter().find(behind) else {
            return Ok(());
        };
        if begun.elapsed() > PATIENCE {
            return Err(ProjectionError::WaitedFor(behind));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
