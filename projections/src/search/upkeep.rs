//! Keeping the table small and fast: every write leaves a fragment and a version behind, and rows that
//! the full-text index does not hold yet are found by reading them one by one.

use std::time::Duration;

use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};

use super::error::SearchError;
use super::index::SearchIndex;

/// Name that LanceDB gives to the full-text index.
const TEXT_INDEX: &str = "text_idx";
/// Rows outside the full-text index above which upkeep is due. Until then they are scanned at each query.
const MAX_UNINDEXED_ROWS: usize = 512;
/// Small fragments above which upkeep is due: a scan opens each of them.
const MAX_FRAGMENTS: usize = 32;
/// Segments of one index that are merged into one.
const MERGED_SEGMENTS: usize = 64;
/// How long an old version stays readable: longer than any query that may still read it.
pub const KEEP_VERSIONS: Duration = Duration::from_secs(120);

impl SearchIndex {
    /// Does [`Self::optimize`] when enough has been written since the last time, and nothing otherwise.
    /// Cheap: call it after every batch. Returns whether it did.
    ///
    /// # Errors
    /// [`SearchError::Lance`].
    pub async fn optimize_if_due(&self) -> Result<bool, SearchError> {
        let stats = self.table.stats().await?;
        let unindexed = self
            .table
            .index_stats(TEXT_INDEX)
            .await?
            .map_or(0, |index| index.num_unindexed_rows);
        let due =
            unindexed > MAX_UNINDEXED_ROWS || stats.fragment_stats.num_fragments > MAX_FRAGMENTS;
        if due {
            self.optimize(KEEP_VERSIONS).await?;
        }
        Ok(due)
    }

    /// Merges fragments, brings all rows into the indexes and removes versions older than `keep`.
    /// With `keep` zero nothing remains of rows that were deleted or replaced, which an erasure needs;
    /// a query that runs at that moment in another process may then fail once.
    ///
    /// # Errors
    /// [`SearchError::Lance`]; the table stays readable.
    pub async fn optimize(&self, keep: Duration) -> Result<(), SearchError> {
        let compact = OptimizeAction::Compact {
            options: CompactionOptions::default(),
            remap_options: None,
        };
        self.table.optimize(compact).await?;
        self.table
            .optimize(OptimizeAction::Index(OptimizeOptions::merge(
                MERGED_SEGMENTS,
            )))
            .await?;
        let older_than =
            lancedb::table::Duration::from_std(keep).unwrap_or(lancedb::table::Duration::MAX);
        let prune = OptimizeAction::Prune {
            older_than: Some(older_than),
            delete_unverified: None,
            error_if_tagged_old_versions: None,
        };
        self.table.optimize(prune).await?;
        Ok(())
    }
}
