//! The LanceDB table: one row for each tool of each tenant.
//!
//! Invariants: the projector is the only writer; the key is (`tenant`, `tool_id`), and writing the same
//! document twice leaves one row; a row says up to which commit it holds what the log says of its tool, and nothing
//! that knew less takes its place, however late it is written; a table belongs to one embedding model and one layout,
//! and opening it with another is an error. What is written, this process's searches see at once, and others' a moment
//! later (`reading`).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, RecordBatchIterator};
use arrow_schema::SchemaRef;
use domain::id::TenantId;
use futures::TryStreamExt;
use lancedb::expr::{col, is_in, lit};
use lancedb::index::Index;
use lancedb::index::scalar::{BitmapIndexBuilder, FtsIndexBuilder};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{Connection, Table};
use sha2::{Digest, Sha256};

use super::document::ToolDocument;
use super::embed::{Embedder, NoEmbedder};
use super::error::SearchError;
use super::memory::Memory;
use super::reading::Latest;
use super::rows;
use super::upkeep::{Last, TEXT_INDEX};
use super::vectors::Source;

/// Columns by which most queries are filtered, each with an index, so that such a filter reads no rows. Not both of the key's:
/// where all columns of a merge's key have one, Lance looks keys up in them and does not see who inserts the same key.
const FILTERED: &[&str] = &[
    "tenant",
    "visibility",
    "audience",
    "status",
    "server",
    "category",
];

/// The search index: a table, and the embedder that makes its vectors.
#[derive(Clone)]
pub struct SearchIndex {
    pub(super) table: Table,
    pub(super) embedder: Arc<dyn Embedder>,
    schema: SchemaRef,
    pub(super) donor: Option<Table>,
    pub(super) pruned: Last,
    pub(super) memory: Memory,
    pub(super) latest: Latest,
}

impl SearchIndex {
    /// Opens the table `table` in the database at `uri` (a folder or an object-store address), or creates
    /// it. A rebuild gives another name and writes beside the live table. One caller at a time: two that create the
    /// same table would each make it.
    ///
    /// # Errors
    /// [`SearchError::OtherModel`] and [`SearchError::OtherLayout`] when the table has to be rebuilt,
    /// [`SearchError::Lance`] when it cannot be reached.
    pub async fn open(
        uri: &str,
        table: &str,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Self, SearchError> {
        if let Some(index) = Self::existing(uri, table, Arc::clone(&embedder)).await? {
            return Ok(index);
        }
        let schema = rows::schema(embedder.as_ref());
        let created = connect(uri).await?.create_empty_table(table, schema);
        let index = Self::of(created.execute().await?, embedder);
        index.complete().await?;
        Ok(index)
    }

    /// The same for a table that is there; none where there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) async fn existing(
        uri: &str,
        table: &str,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Option<Self>, SearchError> {
        let opened = match connect(uri).await?.open_table(table).execute().await {
            Ok(opened) => opened,
            Err(lancedb::Error::TableNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        check(&opened, table, embedder.as_ref()).await?;
        Ok(Some(Self::of(opened, embedder)))
    }

    fn of(table: Table, embedder: Arc<dyn Embedder>) -> Self {
        Self {
            table,
            schema: rows::schema(embedder.as_ref()),
            embedder,
            donor: None,
            pruned: Last::default(),
            memory: Memory::default(),
            latest: Latest::default(),
        }
    }

    /// Whether the table has its indexes: a process may have died between the two.
    pub(super) async fn is_complete(&self) -> Result<bool, SearchError> {
        Ok(self.table.index_stats(TEXT_INDEX).await?.is_some())
    }

    /// Makes the indexes. The full-text index comes last: where it is, all are.
    pub(super) async fn complete(&self) -> Result<(), SearchError> {
        for column in FILTERED {
            let index = Index::Bitmap(BitmapIndexBuilder::default());
            self.table.create_index(&[column], index).execute().await?;
        }
        let index = Index::FTS(full_text_settings());
        self.table.create_index(&["text"], index).execute().await?;
        Ok(())
    }

    /// Lets every document take the place of the row that is there, whatever position that row has: it may be one of
    /// a log that is gone.
    pub(super) async fn forget_positions(&self) -> Result<(), SearchError> {
        let update = self.table.update().column(rows::POSITION, "0");
        update.execute().await?;
        self.follow().await;
        Ok(())
    }

    /// A table that is there, of whatever model, for full text alone, and the model that built it. `None`
    /// when there is no such table, or when it is of another layout.
    ///
    /// # Errors
    /// [`SearchError::Lance`] when it cannot be reached.
    pub(super) async fn open_for_words(
        uri: &str,
        table: &str,
    ) -> Result<Option<(Self, String)>, SearchError> {
        let table = match connect(uri).await?.open_table(table).execute().await {
            Ok(opened) => opened,
            Err(lancedb::Error::TableNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let schema = table.schema().await?;
        let model = match (
            schema.metadata().get(rows::META_LAYOUT),
            schema.metadata().get(rows::META_MODEL),
        ) {
            (Some(layout), Some(model)) if layout == rows::LAYOUT => model.clone(),
            _ => return Ok(None),
        };
        Ok(Some((Self::of(table, Arc::new(NoEmbedder)), model)))
    }

    /// A table of an older layout, for its vectors. `None` when there is no such table, or when the vectors of this
    /// embedder would be others.
    ///
    /// # Errors
    /// [`SearchError::Lance`] when it cannot be reached.
    pub(super) async fn older(
        uri: &str,
        table: &str,
        embedder: &dyn Embedder,
    ) -> Result<Option<Table>, SearchError> {
        let database = lancedb::connect(uri).execute().await?;
        let table = match database.open_table(table).execute().await {
            Ok(opened) => opened,
            Err(lancedb::Error::TableNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let schema = table.schema().await?;
        let found = |key: &str| schema.metadata().get(key).map_or("", String::as_str);
        let same = rows::SAME_VECTORS.contains(&found(rows::META_LAYOUT))
            && embedder.dimensions().is_some()
            && found(rows::META_MODEL) == rows::model_mark(embedder);
        Ok(same.then_some(table))
    }

    /// Searches read a table of more rows than this from LanceDB's files, and do not hold it in memory.
    #[must_use]
    pub fn held_up_to(mut self, rows: usize) -> Self {
        self.memory = Memory::of(rows);
        self.latest = Latest::default();
        self
    }

    /// Takes vectors of unchanged texts from another table of the same model instead of making them
    /// again: a rebuild beside the live table then takes seconds.
    #[must_use]
    pub fn with_vectors_of(mut self, live: &Self) -> Self {
        let same =
            rows::model_mark(self.embedder.as_ref()) == rows::model_mark(live.embedder.as_ref());
        self.donor = same.then(|| live.table.clone());
        self
    }

    /// Removes a table that no one needs any more, such as the one that a rebuild has replaced. A table
    /// that does not exist is no error.
    ///
    /// # Errors
    /// [`SearchError::Lance`].
    pub async fn drop(uri: &str, table: &str) -> Result<(), SearchError> {
        let database = lancedb::connect(uri).execute().await?;
        match database.drop_table(table, &[]).await {
            Ok(()) | Err(lancedb::Error::TableNotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// [`Self::upsert_at`] of a table that nobody else writes. Whatever the log says later takes the place of it.
    ///
    /// # Errors
    /// [`SearchError`]; then nothing is written.
    pub async fn upsert(
        &self,
        documents: &[ToolDocument],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), SearchError> {
        self.upsert_at(0, documents, progress).await
    }

    /// Writes documents, replacing those that are there. Where a key occurs twice, the last one counts.
    /// A text that did not change keeps its vector: a change of status or visibility embeds nothing.
    /// `progress` is told how many vectors more are made.
    ///
    /// The documents hold what the log says up to `position`. A row that is further than that stays: a writer that was
    /// deposed while it was at work, and ends it later, changes nothing that its successor has written.
    ///
    /// # Errors
    /// [`SearchError`]; then nothing is written.
    pub(crate) async fn upsert_at(
        &self,
        position: u64,
        documents: &[ToolDocument],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), SearchError> {
        let last: HashMap<_, _> = documents
            .iter()
            .map(|d| ((d.tenant.as_str(), d.tool_id.as_str()), d))
            .collect();
        let documents: Vec<&ToolDocument> = last.into_values().collect();
        if documents.is_empty() {
            return Ok(());
        }
        let sources: Vec<Source> = documents.iter().map(|tool| Source::of(tool)).collect();
        let vectors = match self.embedder.dimensions() {
            Some(_) => Some(self.vectors(&sources, progress).await?),
            None => None,
        };
        let digests: Vec<String> = sources.into_iter().map(|source| source.digest).collect();
        let batch = rows::batch(
            &self.schema,
            &documents,
            position,
            &digests,
            vectors.as_deref(),
        )?;
        let as_far = format!("source.{0} >= target.{0}", rows::POSITION);
        let mut merge = self.table.merge_insert(&rows::KEY);
        merge
            .when_matched_update_all(Some(as_far))
            .when_not_matched_insert_all();
        merge
            .execute(Box::new(RecordBatchIterator::new(
                [Ok(batch)],
                Arc::clone(&self.schema),
            )))
            .await?;
        self.follow().await;
        Ok(())
    }

    /// Removes tools of one tenant. Ids that are not there are no error.
    ///
    /// # Errors
    /// [`SearchError::Lance`].
    pub async fn delete(&self, tenant: &TenantId, tool_ids: &[String]) -> Result<(), SearchError> {
        if tool_ids.is_empty() {
            return Ok(());
        }
        let ids = tool_ids.iter().map(|id| lit(id.as_str())).collect();
        let gone = col("tenant")
            .eq(lit(tenant.as_str()))
            .and(is_in(col("tool_id"), ids));
        self.table.delete(&gone).await?;
        self.follow().await;
        Ok(())
    }

    /// Number of rows, of all tenants.
    ///
    /// # Errors
    /// [`SearchError::Lance`].
    pub async fn count(&self) -> Result<usize, SearchError> {
        Ok(self.table.count_rows(None).await?)
    }

    /// The number of rows, without those of some tools, and a digest over their content that does not depend on
    /// their order, without the vectors, whose last bits depend on the machine. Equal tables have equal checksums:
    /// a rebuild proves itself.
    ///
    /// # Errors
    /// [`SearchError`] when a row cannot be read.
    pub async fn checksum(&self, except: &BTreeSet<String>) -> Result<(u64, String), SearchError> {
        let columns = rows::content_columns();
        let mut batches = self
            .table
            .query()
            .select(Select::columns(&columns))
            .execute()
            .await?;
        let (mut rows, mut sum) = (0, [0u64; 4]);
        while let Some(batch) = batches.try_next().await? {
            let ids = rows::strings(&batch, "tool_id")?;
            let columns: Vec<_> = columns
                .iter()
                .map(|name| rows::strings(&batch, name))
                .collect::<Result<_, _>>()?;
            for row in (0..batch.num_rows()).filter(|row| !except.contains(ids.value(*row))) {
                rows += 1;
                let mut hash = Sha256::new();
                for column in &columns {
                    let value = column.is_valid(row).then(|| column.value(row));
                    hash.update(
                        value
                            .map_or(u64::MAX, |value| value.len() as u64)
                            .to_be_bytes(),
                    );
                    hash.update(value.unwrap_or_default());
                }
                for (lane, bytes) in sum.iter_mut().zip(hash.finalize().chunks_exact(8)) {
                    let bytes = bytes
                        .try_into()
                        .map_err(|_| SearchError::Damaged("hash length".into()))?;
                    *lane = lane.wrapping_add(u64::from_be_bytes(bytes));
                }
            }
        }
        let digest = sum.map(|lane| hex::encode(lane.to_be_bytes())).concat();
        Ok((rows, digest))
    }
}

/// How the full-text index reads the column `text`: the words are already cut, lower-case and free of
/// function words (`words.rs`), so that only stemming and accents are left to do.
pub(super) fn full_text_settings() -> FtsIndexBuilder {
    FtsIndexBuilder::default()
        .stem(true)
        .remove_stop_words(false)
        .ascii_folding(true)
        .with_position(false)
}

/// A database whose tables are looked at anew with every read.
async fn connect(uri: &str) -> Result<Connection, SearchError> {
    let database = lancedb::connect(uri).read_consistency_interval(Duration::ZERO);
    Ok(database.execute().await?)
}

async fn check(table: &Table, name: &str, embedder: &dyn Embedder) -> Result<(), SearchError> {
    let schema = table.schema().await?;
    let found = |key: &str| {
        schema
            .metadata()
            .get(key)
            .cloned()
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let (layout, built) = (found(rows::META_LAYOUT), found(rows::META_MODEL));
    let configured = rows::model_mark(embedder);
    if layout != rows::LAYOUT {
        return Err(SearchError::OtherLayout {
            table: name.into(),
            found: layout,
            expected: rows::LAYOUT.into(),
        });
    }
    if built != configured {
        return Err(SearchError::OtherModel {
            table: name.into(),
            built,
            configured,
        });
    }
    Ok(())
}
