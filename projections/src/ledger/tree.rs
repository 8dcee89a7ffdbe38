//! Roots and proofs from the stored subtrees: one statement of O(log n) rows each.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::QueryError;
use domain::merkle::{
    Frontier, Subtree, TreeHash, consistency_ranges, inclusion_ranges, range_hash, subtrees,
};
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use std::ops::Range;

const NODES: &str = "ledger.nodes";

/// How many commits the tree covers.
///
/// # Errors
/// [`QueryError`].
pub async fn size(connection: &mut PgConnection) -> Result<u64, QueryError> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(number) FROM ledger.nodes WHERE level = 0")
            .fetch_one(connection)
            .await?;
    Ok(last.map_or(0, |last| to_u64(last) + 1))
}

/// The tree of the first `size` commits; none when the ledger has not come so far.
///
/// # Errors
/// [`QueryError`].
pub async fn frontier(
    connection: &mut PgConnection,
    size: u64,
) -> Result<Option<Frontier>, QueryError> {
    let peaks = subtrees(&(0..size));
    let known = fetch(connection, NODES, &peaks).await?;
    let hashes: Option<Vec<_>> = peaks.iter().map(|peak| known.get(peak).copied()).collect();
    Ok(hashes.and_then(|hashes| Frontier::new(size, hashes)))
}

/// The leaf of a commit, by its position in the log.
///
/// # Errors
/// [`QueryError`].
pub async fn leaf(
    connection: &mut PgConnection,
    stream_sequence: u64,
) -> Result<Option<TreeHash>, QueryError> {
    let Some(number) = stream_sequence.checked_sub(1) else {
        return Ok(None);
    };
    let leaf = Subtree { level: 0, number };
    Ok(fetch(connection, NODES, &[leaf]).await?.remove(&leaf))
}

/// The hashes that prove that the commit at a position is in the tree of `size` commits, from the leaf
/// upwards; none when it is not.
///
/// # Errors
/// [`QueryError`].
pub async fn inclusion(
    connection: &mut PgConnection,
    stream_sequence: u64,
    size: u64,
) -> Result<Option<Vec<TreeHash>>, QueryError> {
    let index = stream_sequence.checked_sub(1);
    match index.and_then(|index| inclusion_ranges(index, size)) {
        Some(ranges) => path(connection, &ranges).await,
        None => Ok(None),
    }
}

/// The hashes that prove that the tree of `new` commits begins with that of `old`.
///
/// # Errors
/// [`QueryError`].
pub async fn consistency(
    connection: &mut PgConnection,
    old: u64,
    new: u64,
) -> Result<Option<Vec<TreeHash>>, QueryError> {
    match consistency_ranges(old, new) {
        Some(ranges) => path(connection, &ranges).await,
        None => Ok(None),
    }
}

async fn path(
    connection: &mut PgConnection,
    ranges: &[Range<u64>],
) -> Result<Option<Vec<TreeHash>>, QueryError> {
    let wanted: Vec<Subtree> = ranges.iter().flat_map(subtrees).collect();
    let known = fetch(connection, NODES, &wanted).await?;
    let hash = |range| range_hash(range, |subtree| known.get(subtree).copied());
    Ok(ranges.iter().map(hash).collect())
}

/// The hashes of those subtrees that are stored.
pub(super) async fn fetch(
    connection: &mut PgConnection,
    table: &'static str,
    wanted: &[Subtree],
) -> Result<HashMap<Subtree, TreeHash>, sqlx::Error> {
    let level = |one: &Subtree| i16::try_from(one.level).unwrap_or(i16::MAX);
    let levels: Vec<i16> = wanted.iter().map(level).collect();
    let numbers: Vec<i64> = wanted.iter().map(|one| to_i64(one.number)).collect();
    let rows = sqlx::query(&format!(
        "SELECT level, number, hash FROM {table}
         JOIN unnest($1::smallint[], $2::bigint[]) AS wanted (level, number) USING (level, number)"
    ))
    .bind(levels)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let level: i16 = row.try_get(0)?;
        let subtree = Subtree {
            level: u32::try_from(level).unwrap_or(u32::MAX),
            number: to_u64(row.try_get(1)?),
        };
        // The table holds hashes of 32 bytes only.
        if let Some(hash) = TreeHash::from_slice(row.try_get(2)?) {
            known.insert(subtree, hash);
        }
    }
    Ok(known)
}
