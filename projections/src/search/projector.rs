//! Read model `search`: feeds the index from the log.
//!
//! A commit only says which tools are concerned; their documents are read from `catalog`, which has to be
//! as far. LanceDB cannot join the transaction, so documents are written first and the checkpoint moves
//! afterwards: after a crash some are written again, which leaves the same rows.

use super::current::{CurrentIndex, REBUILD, live_table, other_table};
use super::document::ToolDocument;
use crate::access::corrupt;
use crate::checkpoint::to_u64;
use crate::error::ProjectionError;
use crate::lease;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::principal::PrincipalEvent;
use domain::server::ServerEvent;
use serde_json::Value;
use sqlx::{PgConnection, Row};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The projector's name.
pub const NAME: &str = "search";

/// How long `catalog` may take to reach a batch.
const WAIT_FOR_CATALOG: Duration = Duration::from_secs(30);
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
            AnyEvent::Server(_) | AnyEvent::Tool(_) | AnyEvent::Principal(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Review(_)
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
        let (mut tools, mut servers, mut erased) = (BTreeSet::new(), BTreeSet::new(), false);
        for recorded in batch {
            let id = key(recorded);
            for event in &recorded.events {
                match event {
                    AnyEvent::Tool(_) => drop(tools.insert(id.clone())),
                    AnyEvent::Server(
                        ServerEvent::Described(_)
                        | ServerEvent::Retired(_)
                        | ServerEvent::Restored(_),
                    ) => {
                        servers.insert(id.clone());
                    }
                    AnyEvent::Principal(PrincipalEvent::Erased(_)) => erased = true,
                    // A new server has no tools yet; what it publishes says nothing of them.
                    AnyEvent::Server(
                        ServerEvent::Registered(_)
                        | ServerEvent::ManifestPublished(_)
                        | ServerEvent::ManifestStatusChanged(_),
                    )
                    | AnyEvent::Tenant(_)
                    | AnyEvent::Principal(
                        PrincipalEvent::Registered(_)
                        | PrincipalEvent::Described(_)
                        | PrincipalEvent::RoleGranted(_)
                        | PrincipalEvent::RoleRevoked(_)
                        | PrincipalEvent::Deactivated(_)
                        | PrincipalEvent::Reactivated(_)
                        | PrincipalEvent::TokensRevoked(_),
                    )
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Publisher(_) => {}
                    AnyEvent::Taxonomy(_) | AnyEvent::Review(_) => {}
                    AnyEvent::Installation(_) => {}
                }
            }
        }
        if tools.is_empty() && servers.is_empty() {
            return self.forget_versions(connection, erased).await;
        }
        if let Some(last) = batch.last() {
            wait_for_catalog(connection, last.stream_sequence).await?;
        }
        self.write(connection, &tools, &servers).await?;
        self.forget_versions(connection, erased).await
    }
}

impl SearchProjector {
    /// Writes what the catalogue holds of the object of a commit, which it has got late: of a server, even
    /// of one just registered, all tools.
    pub(crate) async fn write_late(
        &self,
        connection: &mut PgConnection,
        recorded: &Recorded,
    ) -> Result<(), ProjectionError> {
        let its = BTreeSet::from([key(recorded)]);
        self.write(connection, &its, &its).await
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        tools: &BTreeSet<Key>,
        servers: &BTreeSet<Key>,
    ) -> Result<(), ProjectionError> {
        let index = self.index.named_by(connection).await?;
        let mut documents = read_documents(connection, BY_TOOL, tools).await?;
        documents.extend(read_documents(connection, BY_SERVER, servers).await?);
        for documents in documents.chunks(WRITE) {
            // Outside of PostgreSQL nothing fences a writer that was deposed: it may only begin while it leads.
            lease::hold(connection, index.upsert(documents, &*self.progress)).await??;
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

/// (tenant, aggregate id).
type Key = (String, String);

fn key(recorded: &Recorded) -> Key {
    let commit = &recorded.commit;
    (commit.tenant.to_string(), commit.aggregate_id.clone())
}

async fn wait_for_catalog(
    connection: &mut PgConnection,
    stream_sequence: u64,
) -> Result<(), ProjectionError> {
    let begun = Instant::now();
    while begun.elapsed() < WAIT_FOR_CATALOG {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1",
        )
        .bind(crate::catalog::NAME)
        .fetch_optional(&mut *connection)
        .await?;
        if at.is_some_and(|at| to_u64(at) >= stream_sequence) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(ProjectionError::WaitedFor(crate::catalog::NAME))
}

const DOCUMENT: &str = "SELECT t.tenant, t.tool_id, t.server_id, t.server, s.name AS server_name, t.name,
        t.title, t.description, t.input_schema, t.annotations, t.category, t.tags, t.tool_version, t.visibility,
        t.status, t.updated_at
     FROM catalog.tools t JOIN catalog.servers s USING (tenant, server_id)";
const BY_TOOL: &str =
    "JOIN unnest($1::text[], $2::text[]) AS wanted (x, y) ON t.tenant = x AND t.tool_id = y";
const BY_SERVER: &str =
    "JOIN unnest($1::text[], $2::text[]) AS wanted (x, y) ON t.tenant = x AND t.server_id = y";

async fn read_documents(
    connection: &mut PgConnection,
    wanted: &str,
    ids: &BTreeSet<Key>,
) -> Result<Vec<ToolDocument>, ProjectionError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) = ids
        .iter()
        .map(|(tenant, id)| (tenant.as_str(), id.as_str()))
        .unzip();
    let statement = format!("{DOCUMENT} {wanted}");
    let rows = sqlx::query(&statement)
        .bind(tenants)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| read_document(row).map_err(ProjectionError::Database))
        .collect()
}

/// Every document of the catalogue, as the index should hold them.
pub(crate) async fn all_documents(
    connection: &mut PgConnection,
) -> Result<Vec<ToolDocument>, ProjectionError> {
    let rows = sqlx::query(DOCUMENT).fetch_all(connection).await?;
    rows.iter()
        .map(|row| read_document(row).map_err(ProjectionError::Database))
        .collect()
}

fn read_document(row: &sqlx::postgres::PgRow) -> Result<ToolDocument, sqlx::Error> {
    let tenant: String = row.try_get("tenant")?;
    let schema: Option<Value> = row.try_get("input_schema")?;
    Ok(ToolDocument {
        tenant: tenant
            .try_into()
            .map_err(|e| sqlx::Error::Decode(corrupt(e).into()))?,
        tool_id: row.try_get("tool_id")?,
        server_id: row.try_get("server_id")?,
        server: row.try_get("server")?,
        server_name: row.try_get("server_name")?,
        name: row.try_get("name")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        input_schema: schema.unwrap_or(Value::Null),
        annotations: row.try_get("annotations")?,
        category: row.try_get("category")?,
        tags: row.try_get("tags")?,
        tool_version: row.try_get("tool_version")?,
        visibility: row.try_get("visibility")?,
        status: row.try_get("status")?,
        updated_at: row.try_get("updated_at")?,
    })
}
