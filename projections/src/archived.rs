//! Commits written again from the archive, byte for byte, in the order of the log. Each is compared with the
//! hash that the archive recorded when it read the commit from the log. That hash lies in the same row, so whoever
//! must know that nobody has changed both compares the objects' chains and the signed tree heads as well.
//! What nobody could read was parked with its bytes, and is taken from there.

use crate::archive;
use crate::checkpoint::to_u64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::envelope::{Actor, Commit, StoredEvent, body_hash};
use domain::id::{CommandId, CommitId, CorrelationId, InvalidId, TenantId};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// Why the archive does not give a commit back.
#[derive(Debug, thiserror::Error)]
pub enum ArchivedError {
    /// Postgres failed.
    #[error("the archive's database failed")]
    Database(#[from] sqlx::Error),
    /// A row cannot be read.
    #[error("the archive's row of commit {0} cannot be read: it was damaged")]
    Unreadable(u64, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// A commit is not what was archived.
    #[error(
        "commit {0} of the archive does not have the hash that it was archived with: its rows were altered"
    )]
    Altered(u64),
    /// A commit is not there.
    #[error("the archive holds commit {found} after {after}: those between are missing")]
    Missing {
        /// The last one that is there.
        after: u64,
        /// The next one that is there.
        found: u64,
    },
    /// The last commit is not the one that was archived last.
    #[error(
        "the archive holds commits up to {found}, and its projector has applied those up to {applied}: rows at its end were removed or added. What is left of one that lost rows is restored with `--accept-loss`"
    )]
    End {
        /// The last one that is there.
        found: u64,
        /// The position of the archive's checkpoint.
        applied: u64,
    },
}

/// A commit as the log held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedCommit {
    /// Its position.
    pub stream_sequence: u64,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The whole subject of a body that nobody can read; that of another follows from the commit.
    pub parked_at: Option<String>,
}

/// What the archive keeps of a commit beside its events.
#[derive(Deserialize)]
struct Metadata {
    commit_id: CommitId,
    actor: Actor,
    command_id: CommandId,
    correlation_id: CorrelationId,
    previous_hash: Option<String>,
    hash: String,
}

/// Reads the whole archive in one statement, in constant memory.
pub struct ArchiveReader<'c> {
    rows: BoxStream<'c, Result<PgRow, sqlx::Error>>,
    ahead: Option<PgRow>,
    position: u64,
}

/// A reader over the owner's connection.
#[must_use]
pub fn read(connection: &mut PgConnection) -> ArchiveReader<'_> {
    let rows = sqlx::query(
        "SELECT stream_sequence, event_index, tenant, aggregate_type, aggregate_id, sequence,
                payload::text, metadata::text, recorded_at, NULL::text AS subject, NULL::bytea AS body
         FROM archive.events
         UNION ALL
         SELECT stream_sequence, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, subject, body
         FROM metamcp.dead_letters WHERE projector = $1
         ORDER BY 1, 2",
    )
    .bind(archive::NAME)
    .fetch(connection);
    ArchiveReader {
        rows,
        ahead: None,
        position: 0,
    }
}

impl ArchiveReader<'_> {
    /// The next commit; none at the end.
    ///
    /// # Errors
    /// [`ArchivedError`].
    pub async fn next(&mut self) -> Result<Option<ArchivedCommit>, ArchivedError> {
        let first = match self.ahead.take() {
            Some(row) => row,
            None => match self.rows.next().await.transpose()? {
                Some(row) => row,
                None => return Ok(None),
            },
        };
        let stream_sequence = position(&first)?;
        let mut rows = vec![first];
        while let Some(row) = self.rows.next().await.transpose()? {
            if position(&row)? != stream_sequence {
                self.ahead = Some(row);
                break;
            }
            rows.push(row);
        }
        let after = std::mem::replace(&mut self.position, stream_sequence);
        if stream_sequence != after + 1 {
            let found = stream_sequence;
            return Err(ArchivedError::Missing { after, found });
        }
        archived(stream_sequence, &rows).map(Some)
    }
}

fn position(row: &PgRow) -> Result<u64, ArchivedError> {
    Ok(to_u64(row.try_get("stream_sequence")?))
}

fn archived(stream_sequence: u64, rows: &[PgRow]) -> Result<ArchivedCommit, ArchivedError> {
    let unreadable = |source| ArchivedError::Unreadable(stream_sequence, source);
    let parked_at: Option<String> = rows[0].try_get("subject")?;
    if parked_at.is_some() {
        let body: Vec<u8> = rows[0].try_get("body")?;
        let body = body.into();
        return Ok(ArchivedCommit {
            stream_sequence,
            body,
            parked_at,
        });
    }
    let (commit, hash) = commit(rows).map_err(unreadable)?;
    let body = commit.to_canonical().map_err(|e| unreadable(e.into()))?;
    if body_hash(&body) != hash {
        return Err(ArchivedError::Altered(stream_sequence));
    }
    Ok(ArchivedCommit {
        stream_sequence,
        body: body.into(),
        parked_at,
    })
}

/// The commit, and the hash that its body had.
fn commit(rows: &[PgRow]) -> Result<(Commit, String), Box<dyn std::error::Error + Send + Sync>> {
    let row = &rows[0];
    let metadata: Metadata = serde_json::from_str(row.try_get("metadata")?)?;
    let tenant: Result<TenantId, InvalidId> = row.try_get::<String, _>("tenant")?.try_into();
    let event = |row: &PgRow| -> Result<StoredEvent, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::from_str(row.try_get("payload")?)?)
    };
    let recorded_at: DateTime<Utc> = row.try_get("recorded_at")?;
    let commit = Commit {
        commit_id: metadata.commit_id,
        tenant: tenant?,
        aggregate: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        sequence: to_u64(row.try_get("sequence")?),
        actor: metadata.actor,
        command_id: metadata.command_id,
        correlation_id: metadata.correlation_id,
        recorded_at,
        previous_hash: metadata.previous_hash,
        events: rows.iter().map(event).collect::<Result<_, _>>()?,
    };
    Ok((commit, metadata.hash))
}
