//! The signed heads that a restore from an export brings back.
//!
//! An export has the heads over what it holds, by their sizes. PostgreSQL keeps all that were signed, in the order of their
//! stream; so does a stream that has outlived the commits. A signer goes on only behind a stream that has all
//! of the kept heads, each at its position: so they come first, and what only the export has behind them.

use super::Heads;
use crate::audit::Shelf;
use bus::{Log, StoredHead};
use projections::Database;
use projections::ledger::{SignedHead, VerifyingKey};
use std::collections::HashSet;

/// The heads of an export, those of the log's present name behind those of names that were given up. The present
/// name is that of the last head whose name a known key has; that of the last one, if none has.
pub(super) fn of_export(heads: Vec<SignedHead>, keys: &[VerifyingKey]) -> Heads {
    let known = |head: &&SignedHead| keys.iter().any(|key| key.name() == head.head().origin);
    let present = heads.iter().rfind(known).or(heads.last());
    let present = present.map(|head| head.head().origin.clone());
    let is_present = |head: &SignedHead| Some(&head.head().origin) == present.as_ref();
    let (now, before): (Vec<_>, Vec<_>) = heads.into_iter().partition(is_present);
    (1..).zip(before.into_iter().chain(now)).collect()
}

/// The heads that lie in the log's own stream, which may have outlived its commits.
pub(super) async fn of_stream(log: &Log) -> anyhow::Result<Heads> {
    let all = Shelf::stream(log.tree_heads().await?).all().await?;
    // What is no head tells nothing of what was signed.
    let read = |head: StoredHead| Some((head.sequence, SignedHead::parse(&head.note).ok()?));
    Ok(all.into_iter().filter_map(read).collect())
}

/// The heads of which PostgreSQL has a copy.
pub(super) async fn kept(database: &Database) -> anyhow::Result<Heads> {
    let all = Shelf::kept(database).all().await?;
    let read = |head: StoredHead| Ok((head.sequence, SignedHead::parse(&head.note)?));
    all.into_iter().map(read).collect()
}

/// The longer of two lists that begin alike, and behind it what only the export has. Two that do not are found
/// to differ when they are compared with the stream.
pub(super) fn together([kept, there]: [Heads; 2], export: Heads) -> Heads {
    let mut all = match kept.len() >= there.len() {
        true => kept,
        false => there,
    };
    let known: HashSet<String> = all.iter().map(|(_, head)| head.note().to_owned()).collect();
    let new = export
        .into_iter()
        .map(|(_, head)| head)
        .filter(|head| !known.contains(head.note()));
    for head in new {
        let next = all.last().map_or(1, |(sequence, _)| sequence + 1);
        all.push((next, head));
    }
    all
}
