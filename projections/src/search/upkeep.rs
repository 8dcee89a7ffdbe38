//! Keeping the table small and fast: every write leaves a fragment and a version behind, and rows that
//! the indexes do not hold yet are found by reading them one by one.
//!
//! Upkeep delays the writes behind it, and what it moves is read again by whoever holds the table in memory. So it
//! touches what is small: full fragments stay where they are, and indexes grow by segments.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};

use super::error::SearchError;
use super::index::SearchIndex;

/// Name that LanceDB gives to the full-text index.
pub(super) const TEXT_INDEX: &str = "text_idx";
/// Rows outside the full-text index above which upkeep is due where searches read it: they scan those rows.
const MAX_UNINDEXED_ROWS: usize = 512;
/// The same where searches read memory.
const MAX_UNINDEXED_ROWS_HELD: usize = 4_096;
/// Rows of a full fragment.
const FRAGMENT_ROWS: usize = 1_024;
/// Fragments that could be merged above which upkeep is due: a scan opens each of them.
const MAX_FRAGMENTS: usize = 32;
/// Segments of an index above which they become one.
const MAX_SEGMENTS: u32 = 16;
/// Segments of one index that are merged into one.
const MERGED_SEGMENTS: usize = 64;
/// Share of a fragment's rows that are gone above which upkeep rewrites it.
const MAX_GONE: f32 = 0.25;
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
        let text = self.table.index_stats(TEXT_INDEX).await?;
        let unindexed = text.as_ref().map_or(0, |text| text.num_unindexed_rows);
        let is_held = self.memory.holds(self.table.count_rows(None).await?);
        let most = if is_held {
            MAX_UNINDEXED_ROWS_HELD
        } else {
            MAX_UNINDEXED_ROWS
        };
        let (fragmented, unindexed) = (self.mergeable().await? > MAX_FRAGMENTS, unindexed > most);
        if fragmented {
            self.compact(MAX_GONE).await?;
        }
        if unindexed {
            let segments = text.and_then(|text| text.num_indices).unwrap_or(0);
            let merged = if segments > MAX_SEGMENTS {
                MERGED_SEGMENTS
            } else {
                0
            };
            self.index(merged).await?;
        }
        let due = fragmented || unindexed;
        if due {
            self.follow().await;
        }
        if due && self.pruned.is_due(PRUNE_EVERY) {
            let keep = self.keep_since(KEEP_VERSIONS).await?;
            self.prune(keep).await?;
        }
        Ok(due)
    }

    /// How many fragments stand beside another one and are both not full: compaction merges those, and no others.
    async fn mergeable(&self) -> Result<usize, SearchError> {
        let Some(table) = self.table.dataset() else {
            return Ok(0);
        };
        let dataset = table.get().await?;
        let is_small = |rows: Option<usize>| rows.is_none_or(|rows| rows < FRAGMENT_ROWS);
        let fragments = dataset.fragments().iter();
        let small: Vec<bool> = fragments
            .map(|fragment| is_small(fragment.num_rows()))
            .collect();
        let runs = small.chunk_by(|a, b| a == b);
        Ok(runs
            .filter(|run| run[0] && run.len() > 1)
            .map(<[bool]>::len)
            .sum())
    }

    /// Merges fragments, brings all rows into the indexes and removes versions older than `keep`.
    /// With `keep` zero nothing remains of rows that were deleted or replaced, which an erasure needs;
    /// a query that runs at that moment in another process may then fail once.
    ///
    /// # Errors
    /// [`SearchError::Lance`]; the table stays readable.
    pub async fn optimize(&self, keep: Duration) -> Result<(), SearchError> {
        self.compact(0.0).await?;
        self.index(MERGED_SEGMENTS).await?;
        self.follow().await;
        self.prune(keep).await
    }

    async fn compact(&self, most_gone: f32) -> Result<(), SearchError> {
        let compact = OptimizeAction::Compact {
            options: CompactionOptions {
                target_rows_per_fragment: FRAGMENT_ROWS,
                materialize_deletions_threshold: most_gone,
                ..CompactionOptions::default()
            },
            remap_options: None,
        };
        self.table.optimize(compact).await?;
        Ok(())
    }

    /// Brings all rows into the indexes: as a new segment, or merged with so many others.
    async fn index(&self, merged: usize) -> Result<(), SearchError> {
        let index = OptimizeOptions::merge(merged);
        self.table.optimize(OptimizeAction::Index(index)).await?;
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
