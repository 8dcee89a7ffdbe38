//! Where a projector stands. Read and moved inside the transaction that writes the rows.

use crate::error::ProjectionError;
use sqlx::{PgConnection, Row};

/// A position and the commit that lies there, which identifies the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) stream_sequence: u64,
    pub(crate) commit_hash: Option<String>,
}

/// Reads a checkpoint, and begins one at zero where there is none.
pub(crate) async fn read(
    connection: &mut PgConnection,
    projector: &str,
) -> Result<Checkpoint, ProjectionError> {
    sqlx::query(
        "INSERT INTO metamcp.checkpoints (projector, stream_sequence) VALUES ($1, 0)
         ON CONFLICT DO NOTHING",
    )
    .bind(projector)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query(
        "SELECT stream_sequence, commit_hash FROM metamcp.checkpoints WHERE projector = $1",
    )
    .bind(projector)
    .fetch_one(connection)
    .await?;
    Ok(Checkpoint {
        stream_sequence: to_u64(row.try_get(0)?),
        commit_hash: row.try_get(1)?,
    })
}

/// Takes the row's lock first, so that nobody else moves or swaps under the transaction, and checks that
/// nobody has: a deposed runner cannot write.
pub(crate) async fn fence(
    connection: &mut PgConnection,
    projector: &str,
    expected: u64,
) -> Result<(), ProjectionError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1 FOR UPDATE",
    )
    .bind(projector)
    .fetch_optional(connection)
    .await?;
    if found.map(to_u64) == Some(expected) {
        Ok(())
    } else {
        Err(ProjectionError::Deposed)
    }
}

/// What [`enter`] found.
pub(crate) struct Entered {
    /// Where the projector stands.
    pub(crate) at: Checkpoint,
    /// Whether commits are parked, behind which those of the same object have to wait.
    pub(crate) has_parked: bool,
}

/// Takes the row's lock as [`fence`] does, puts the schema of the model first in the transaction's search
/// path, and lets the commit not wait for the disk unless `durable`, in one round trip. The caller compares
/// the position.
pub(crate) async fn enter(
    connection: &mut PgConnection,
    projector: &str,
    schema: &str,
    durable: bool,
) -> Result<Entered, ProjectionError> {
    let found: Option<(i64, Option<String>, bool, String, String)> = sqlx::query_as(
        "SELECT stream_sequence, commit_hash,
                EXISTS (SELECT FROM metamcp.dead_letters d WHERE d.projector = $1),
                set_config('search_path', quote_ident($2) || ', public', true),
                set_config('synchronous_commit',
                           CASE WHEN $3 THEN current_setting('synchronous_commit') ELSE 'off' END, true)
         FROM metamcp.checkpoints WHERE projector = $1 FOR UPDATE",
    )
    .bind(projector)
    .bind(schema)
    .bind(durable)
    .fetch_optional(connection)
    .await?;
    let (at, commit_hash, has_parked, _, _) = found.ok_or(ProjectionError::Deposed)?;
    Ok(Entered {
        at: Checkpoint {
            stream_sequence: to_u64(at),
            commit_hash,
        },
        has_parked,
    })
}

/// Moves a fenced checkpoint.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    projector: &str,
    to: &Checkpoint,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "UPDATE metamcp.checkpoints
         SET stream_sequence = $2, commit_hash = $3, updated_at = now()
         WHERE projector = $1",
    )
    .bind(projector)
    .bind(to_i64(to.stream_sequence))
    .bind(to.commit_hash.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

/// Positions are far below 2^63.
pub(crate) fn to_i64(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(crate) fn to_u64(sequence: i64) -> u64 {
    u64::try_from(sequence).unwrap_or(0)
}
