//! Whether a projector has passed a commit without applying it.

use super::Positions;
use crate::checkpoint::to_i64;
use crate::error::QueryError;
use std::time::Duration;

/// How long the database may take to answer.
const ANSWERED: Duration = Duration::from_secs(2);

impl Positions {
    /// The first of several projectors that has parked a commit, so that its model does not show it although it
    /// has reached the position. To be asked once it has.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] when the database does not answer.
    pub async fn parked_by(
        &self,
        projectors: &[&'static str],
        stream_sequence: u64,
    ) -> Result<Option<&'static str>, QueryError> {
        let found = sqlx::query_scalar::<_, String>(
            "SELECT projector FROM metamcp.dead_letters
             WHERE projector = ANY($1) AND stream_sequence = $2",
        )
        .bind(projectors)
        .bind(to_i64(stream_sequence))
        .fetch_all(&self.inner.pool);
        let found = tokio::time::timeout(ANSWERED, found).await;
        let found = found.map_err(|_elapsed| sqlx::Error::PoolTimedOut)??;
        let parked = |projector: &&str| found.iter().any(|one| one.as_str() == *projector);
        Ok(projectors.iter().copied().find(parked))
    }
}
