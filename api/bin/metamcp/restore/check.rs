//! What a restore holds its source and its outcome to: the keys that are trusted, the export or the archive as a
//! whole, the read models that are there.

use super::chains::Chains;
use super::signed::SignedTree;
use super::{Heads, Loss, Source};
use crate::audit::{self, Fault, Verifier, bar, verify_file};
use anyhow::Context;
use api::config::Config;
use projections::Database;
use projections::archived::ArchivedError;
use projections::ledger::{LedgerKeys, VerifyingKey};
use projections::position::checkpoints;
use sqlx::PgConnection;
use std::path::Path;

/// PostgreSQL's code for a table that is not there: the database has never held read models.
const NO_TABLE: &str = "42P01";

/// The keys that are trusted: those of the installation, and those of a file.
pub(super) fn keys(config: &Config, file: Option<&Path>) -> anyhow::Result<Vec<VerifyingKey>> {
    let own = LedgerKeys::new(&config.ledger.keys_dir).all()?;
    let mut keys: Vec<_> = own.iter().map(|key| key.verifying().clone()).collect();
    if let Some(file) = file {
        keys.extend(audit::keys(file)?);
    }
    Ok(keys)
}

/// Verifies an export, as `metamcp audit verify` does, with the keys of the log's present name. Where none of them
/// has signed, the commits and their order are all that can be verified; the outcome says so.
pub(super) fn export(
    path: &Path,
    origin: Option<&str>,
    keys: &[VerifyingKey],
) -> anyhow::Result<()> {
    let of_this_log = |key: &&VerifyingKey| Some(key.name()) == origin;
    let keys = keys.iter().filter(of_this_log).cloned().collect();
    let bar = bar("{bar:30} {bytes} verified ({bytes_per_sec})")?;
    let verifier = Verifier::new(keys, Vec::new())?;
    let verified = verify_file(path, verifier, &|at| bar.set_position(at))?;
    bar.finish_and_clear();
    match verified {
        Ok(_) | Err(Fault::Unsigned) => Ok(()),
        Err(fault) => Err(fault).context(
            "the export does not verify, so nothing of it was written: take another copy, or `--from archive`",
        ),
    }
}

/// Verifies the archive as an export is: every position, the hash of each commit, the numbering and the chain of each
/// object, and the root at every signed head. Answers the position at which it ends. Memory grows with the number of
/// objects (a hash each), not with that of commits.
pub(super) async fn archive(
    connection: &mut PgConnection,
    tree: SignedTree,
    loss: Loss,
) -> anyhow::Result<u64> {
    let positions = checkpoints(connection).await?;
    let of_archive = |(name, _): &&(String, u64)| name == projections::archive::NAME;
    let applied = positions.iter().find(of_archive).map_or(0, |(_, at)| *at);
    let verified = verify_archive(connection, tree, applied, loss).await;
    verified.map_err(|error| {
        // An archive that cannot be read was not found to be altered.
        let unread = matches!(
            error.downcast_ref::<ArchivedError>(),
            Some(ArchivedError::Database(_))
        );
        match unread {
            true => error,
            false => error.context(
                "the archive does not verify, so nothing of it was written: restore from an export (`--from FILE`), or \
                 bring back a copy of the database that is older than the damage",
            ),
        }
    })
}

async fn verify_archive(
    connection: &mut PgConnection,
    mut tree: SignedTree,
    applied: u64,
    loss: Loss,
) -> anyhow::Result<u64> {
    let bar = bar("{bar:30} {pos}/{len} commits verified ({per_sec})")?;
    bar.set_length(applied);
    let (mut source, mut chains) = (Source::archive(connection), Chains::default());
    while let Some(commit) = source.next().await? {
        chains.push(&commit)?;
        tree.push(&commit.body)?;
        bar.set_position(commit.stream_sequence);
    }
    bar.finish_and_clear();
    let found = tree.frontier.size();
    let is_accepted = found < applied && loss == Loss::Accept;
    if found != applied && !is_accepted {
        return Err(ArchivedError::End { found, applied }.into());
    }
    Ok(found)
}

/// The heads of which the database has a copy; none when it cannot be asked.
pub(super) async fn kept_heads(database: &Database) -> Option<Heads> {
    match super::heads::kept(database).await {
        Ok(heads) => Some(heads),
        Err(error) => {
            tracing::info!(%error, "no tree heads in a database to compare the source with");
            None
        }
    }
}

/// The read models that have seen more than `end`; none when the database cannot be asked.
pub(super) async fn ahead(database: &Database, end: u64) -> Option<Vec<(String, u64)>> {
    let positions = async {
        let mut connection = database.connect().await?;
        projections::position::checkpoints(&mut connection).await
    };
    match positions.await {
        Ok(positions) => Some(positions.into_iter().filter(|(_, at)| *at > end).collect()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_TABLE) => {
            Some(Vec::new())
        }
        Err(error) => {
            tracing::warn!(%error, "the read models cannot be compared with the restored log");
            None
        }
    }
}
