//! Keeps `nodes`: each complete subtree of the tree over the log.

use super::{NAME, tree};
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use bus::LogEntry;
use domain::AnyEvent;
use domain::merkle::{Frontier, Subtree, TreeHash, leaf_hash, subtrees};
use sqlx::PgConnection;
use std::time::Duration;

/// Keeps the tree.
#[derive(Debug)]
pub struct LedgerProjector;

#[async_trait]
impl Projector for LedgerProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn decodes(&self) -> bool {
        false
    }

    fn listens_to(&self, _: &AnyEvent) -> bool {
        true
    }

    fn tables(&self) -> &'static [&'static str] {
        &["nodes"]
    }

    /// A tree with a hole is no tree. Nothing in a commit can poison it: only its bytes are looked at.
    fn on_poison(&self) -> OnPoison {
        OnPoison::Stop
    }

    fn batch_size(&self) -> usize {
        1_000
    }

    /// Who asks for a proof of the last commit waits no longer than this.
    fn gathers(&self) -> Duration {
        Duration::from_millis(25)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let leaf = |one: &Recorded| (one.stream_sequence, leaf_hash(&one.body));
        grow(connection, batch.iter().map(leaf).collect()).await
    }

    async fn apply_entries(
        &self,
        connection: &mut PgConnection,
        entries: &[LogEntry],
    ) -> Result<(), ProjectionError> {
        let leaf = |one: &LogEntry| (one.stream_sequence, leaf_hash(&one.body));
        grow(connection, entries.iter().map(leaf).collect()).await
    }
}

/// One column a vector: the shape that `unnest` takes.
#[derive(Default)]
struct Columns {
    level: Vec<i16>,
    number: Vec<i64>,
    hash: Vec<Vec<u8>>,
}

impl Columns {
    fn push(&mut self, subtree: Subtree, hash: TreeHash) {
        // A tree has at most 64 levels.
        self.level
            .push(i16::try_from(subtree.level).unwrap_or(i16::MAX));
        self.number.push(to_i64(subtree.number));
        self.hash.push(hash.0.to_vec());
    }
}

/// Adds leaves: one read of the tree's edge, one insert of every subtree that they complete.
async fn grow(
    connection: &mut PgConnection,
    leaves: Vec<(u64, TreeHash)>,
) -> Result<(), ProjectionError> {
    let Some((first, _)) = leaves.first() else {
        return Ok(());
    };
    let mut frontier = edge(connection, *first).await?;
    let mut columns = Columns::default();
    for (position, leaf) in leaves {
        if position != frontier.size() + 1 {
            return Err(inconsistent(position, frontier.size()));
        }
        frontier.push(leaf, |subtree, hash| columns.push(subtree, hash));
    }
    sqlx::query(
        "INSERT INTO nodes (level, number, hash)
         SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])",
    )
    .bind(columns.level)
    .bind(columns.number)
    .bind(columns.hash)
    .execute(connection)
    .await?;
    Ok(())
}

/// The tree before the commit at a position.
async fn edge(connection: &mut PgConnection, position: u64) -> Result<Frontier, ProjectionError> {
    let size = position.saturating_sub(1);
    let peaks = subtrees(&(0..size));
    let known = tree::fetch(connection, "nodes", &peaks).await?;
    let hashes: Option<Vec<_>> = peaks.iter().map(|peak| known.get(peak).copied()).collect();
    let frontier = hashes.and_then(|hashes| Frontier::new(size, hashes));
    frontier.ok_or_else(|| inconsistent(position, size))
}

fn inconsistent(stream_sequence: u64, size: u64) -> ProjectionError {
    ProjectionError::Inconsistent {
        stream_sequence,
        reason: format!("it does not follow on a tree of {size} commits"),
    }
}
