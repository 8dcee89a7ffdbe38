//! The moment that a query looks at, as a client names it.

use super::scalars::Sequence;
use super::session::{Session, WAIT};
use crate::error::ApiError;
use async_graphql::OneofObject;
use chrono::{DateTime, Utc};
use projections::{Moment, catalog};
use std::time::Duration;

/// A moment of the registry. Everything nested in the answer is of the same moment.
#[derive(Debug, Clone, Copy, OneofObject)]
pub(super) enum AsOf {
    /// After the commit at this position of the log, and before the next one. 0 is before the first.
    Sequence(Sequence),
    /// After the last commit that was recorded at or before this time. The order of the log counts: a commit
    /// that follows a later one belongs to that one's time, whatever its own clock said. For a time within
    /// the last seconds, commits that are under way may still be added.
    Time(DateTime<Utc>),
}

/// The moment lies behind the end of the log.
const IN_THE_FUTURE: &str = "AS_OF_IN_THE_FUTURE";

impl Session {
    /// The moment that a client named, or now.
    ///
    /// # Errors
    /// As [`Session::position`].
    pub(super) async fn moment(
        &self,
        projector: &'static str,
        as_of: Option<AsOf>,
    ) -> Result<Moment, ApiError> {
        Ok(match as_of {
            None => Moment::Now,
            Some(as_of) => Moment::At(self.position(projector, as_of).await?),
        })
    }

    /// The position of a moment, when the read model has come so far.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for a moment that has not come yet, [`ApiError::Unavailable`] when the log
    /// is away or the read model behind.
    pub(super) async fn position(
        &self,
        projector: &'static str,
        as_of: AsOf,
    ) -> Result<u64, ApiError> {
        match as_of {
            AsOf::Sequence(Sequence(position)) => {
                self.check_position(projector, position).await?;
                Ok(position)
            }
            AsOf::Time(time) => self.position_of(projector, time).await,
        }
    }

    async fn check_position(&self, projector: &'static str, position: u64) -> Result<(), ApiError> {
        let positions = &self.state.positions;
        // Most moments lie far back: what was applied is surely part of the log.
        let applied = positions.wait_for(projector, position, Duration::ZERO);
        if applied.await.is_ok() {
            return Ok(());
        }
        let head = self.state.log.head().await?;
        if position > head {
            return Err(ApiError::Invalid {
                code: IN_THE_FUTURE,
                message: format!("the log ends at position {head}; {position} has not come yet"),
            });
        }
        Ok(positions.wait_for(projector, position, WAIT).await?)
    }

    /// A time is looked up in `catalog`, which must have come to the end of the log: what was recorded up
    /// to now may belong to it.
    async fn position_of(
        &self,
        projector: &'static str,
        time: DateTime<Utc>,
    ) -> Result<u64, ApiError> {
        if time > Utc::now() {
            return Err(ApiError::Invalid {
                code: IN_THE_FUTURE,
                message: format!("{time} has not come yet; leave `asOf` out to see the present"),
            });
        }
        let head = self.state.log.head().await?;
        for model in [catalog::NAME, projector] {
            self.state.positions.wait_for(model, head, WAIT).await?;
        }
        let mut reads = self.reads().await?;
        let position = catalog::position_at(&mut reads, time).await?;
        Ok(position.unwrap_or(head))
    }
}
