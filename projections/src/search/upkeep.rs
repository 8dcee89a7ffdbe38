//! Keeping the table small and fast: every write leaves a fragment and a version behind, and rows that
//! the full-text index does not hold yet are found by reading them one by one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
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
/// How long a version stays readable after another has taken its place: for queries that read it, and for the
/// cursors that name it.
pub const KEEP_VERSIONS: Duration = Duration::from_secs(300);
/// How often old versions are removed. It reads the manifest of every version, a thousand after minutes of writing,
/// which is no work to do beside each compaction.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Between our reading of the clock and LanceDB's.
const CLOCK_MARGIN: Duration = Duration::from_secs(1);

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
            self.compact().await?;
        }
        if due && self.pruned.is_due(PRUNE_EVERY) {
            let keep = self.keep_since(KEEP_VERSIONS).await?;
            self.prune(keep).await?;
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
        self.compact().await?;
        self.prune(keep).await
    }

    async fn compact(&self) -> Result<(), SearchError> {
        let compact = OptimizeAction::Compact {
            options: CompactionOptions::default(),
            remap_options: None,
        };
        self.table.optimize(compact).await?;
        let merge = OptimizeOptions::merge(MERGED_SEGMENTS);
        self.table.optimize(OptimizeAction::Index(merge)).await?;
        Ok(())
    }

    async fn prune(&self, keep: Duration) -> Result<(), SearchError> {
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

    /// The age of the version that was the newest one `keep` ago. LanceDB removes by the time at which a version was
    /// made; one that was made a day ago may have been replaced a moment ago.
    async fn keep_since(&self, keep: Duration) -> Result<Duration, SearchError> {
        let now = Utc::now();
        let made = self.table.list_versions().await?;
        let ages = made
            .iter()
            .filter_map(|version| (now - version.timestamp).to_std().ok());
        Ok(age_to_keep(ages, keep))
    }
}

fn age_to_keep(ages: impl Iterator<Item = Duration>, keep: Duration) -> Duration {
    let newest_then = ages.filter(|age| *age >= keep).min();
    newest_then.unwrap_or(keep) + CLOCK_MARGIN
}

/// When something was done last, shared by all handles of an index.
#[derive(Debug, Clone, Default)]
pub(super) struct Last(Arc<Mutex<Option<Instant>>>);

impl Last {
    /// Whether it is to be done now; then it counts as done.
    fn is_due(&self, every: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= every);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_was_the_newest_is_kept_however_old_it_is() {
        let keep = |ages: &[u64]| {
            let ages = ages.iter().map(|age| Duration::from_secs(*age));
            age_to_keep(ages, Duration::from_secs(300)).as_secs()
        };
        assert_eq!(keep(&[1, 86_400, 90_000]), 86_401);
        assert_eq!(keep(&[1, 299, 301, 400]), 302);
        assert_eq!(keep(&[1]), 301);
    }
}
