//! The signed tree heads in Postgres: a copy of their stream, for lists and for the day that NATS is lost.

use super::note::SignedHead;
use super::signer::SignError;
use super::tree;
use crate::checkpoint::{to_i64, to_u64};
use crate::error::QueryError;
use bus::{StoredHead, TreeHeads};
use sqlx::{PgConnection, Row};

/// Heads copied at once.
const PAGE: usize = 1_000;

/// The last heads whose size is below `before`, newest first.
///
/// # Errors
/// [`QueryError`].
pub async fn latest(
    connection: &mut PgConnection,
    before: Option<u64>,
    most: u32,
) -> Result<Vec<SignedHead>, QueryError> {
    let notes: Vec<String> = sqlx::query_scalar(
        "SELECT note FROM metamcp.tree_heads WHERE size < $1 ORDER BY size DESC, sequence DESC LIMIT $2",
    )
    .bind(before.map_or(i64::MAX, to_i64))
    .bind(i64::from(most))
    .fetch_all(connection)
    .await?;
    notes.iter().map(|note| parsed(note)).collect()
}

/// The first head that covers `size` commits or more and agrees with the present tree; none when the log's end is
/// not signed yet. A log that was restored with a loss keeps the heads over what was lost: they are of another tree.
///
/// # Errors
/// [`QueryError`].
pub async fn covering(
    connection: &mut PgConnection,
    size: u64,
) -> Result<Option<SignedHead>, QueryError> {
    let mut after = (to_i64(size), 0);
    loop {
        let next: Option<(i64, i64, String)> = sqlx::query_as(
            "SELECT size, sequence, note FROM metamcp.tree_heads
             WHERE (size, sequence) > ($1, $2) ORDER BY size, sequence LIMIT 1",
        )
        .bind(after.0)
        .bind(after.1)
        .fetch_optional(&mut *connection)
        .await?;
        let Some((size, sequence, note)) = next else {
            return Ok(None);
        };
        after = (size, sequence);
        let signed = parsed(&note)?;
        match agrees(connection, &signed).await? {
            Some(true) => return Ok(Some(signed)),
            Some(false) => {}
            // Those that follow cover no fewer.
            None => return Ok(None),
        }
    }
}

/// Whether a head is one of the present tree; none when it lies beyond the tree's end, where nothing is there to
/// compare it with.
///
/// # Errors
/// [`QueryError`].
pub async fn agrees(
    connection: &mut PgConnection,
    signed: &SignedHead,
) -> Result<Option<bool>, QueryError> {
    let head = signed.head();
    let present = tree::frontier(connection, head.size).await?;
    Ok(present.map(|present| present.root() == head.root))
}

/// The last head that was copied, by its position in the stream.
///
/// # Errors
/// [`QueryError`].
pub async fn last(connection: &mut PgConnection) -> Result<Option<StoredHead>, QueryError> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "SELECT sequence, note FROM metamcp.tree_heads ORDER BY sequence DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(sequence, note)| StoredHead {
        sequence: to_u64(sequence),
        note,
    }))
}

/// Up to `most` kept heads from a position of their stream on.
///
/// # Errors
/// [`QueryError`].
pub async fn page(
    connection: &mut PgConnection,
    from: u64,
    most: u32,
) -> Result<Vec<StoredHead>, QueryError> {
    let rows = sqlx::query(
        "SELECT sequence, note FROM metamcp.tree_heads WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
    )
    .bind(to_i64(from))
    .bind(i64::from(most))
    .fetch_all(connection)
    .await?;
    let head = |row: &sqlx::postgres::PgRow| {
        Ok(StoredHead {
            sequence: to_u64(row.try_get(0)?),
            note: row.try_get(1)?,
        })
    };
    rows.iter().map(head).collect()
}

/// Copies what the stream has more. A stream that has less, or another head where one was copied, has lost
/// heads: nothing is copied then.
///
/// # Errors
/// [`SignError::HeadsLost`], or what the log or the database says.
pub async fn copy(connection: &mut PgConnection, heads: &TreeHeads) -> Result<(), SignError> {
    let mut next = 1;
    if let Some(kept) = last(connection).await? {
        next = kept.sequence + 1;
        if heads.page(kept.sequence, 1).await?.first() != Some(&kept) {
            return Err(SignError::HeadsLost(kept.sequence));
        }
    }
    loop {
        let page = heads.page(next, PAGE).await?;
        let Some(last) = page.last().map(|head| head.sequence) else {
            return Ok(());
        };
        next = last + 1;
        let (mut sequences, mut sizes, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for head in page {
            // What is no head does not become one by being copied.
            let Ok(signed) = SignedHead::parse(&head.note) else {
                tracing::warn!(
                    sequence = head.sequence,
                    "the stream of tree heads holds something else"
                );
                continue;
            };
            sequences.push(to_i64(head.sequence));
            sizes.push(to_i64(signed.head().size));
            notes.push(head.note);
        }
        sqlx::query(
            "INSERT INTO metamcp.tree_heads (sequence, size, note)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING",
        )
        .bind(sequences)
        .bind(sizes)
        .bind(notes)
        .execute(&mut *connection)
        .await?;
    }
}

fn parsed(note: &str) -> Result<SignedHead, QueryError> {
    SignedHead::parse(note).map_err(|source| QueryError::Corrupt(Box::new(source)))
}
