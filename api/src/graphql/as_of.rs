//! The moment that a query looks at, as a client names it, and what the answer lacks as of it.

use super::scalars::Sequence;
use super::session::{Session, WAIT};
use crate::error::ApiError;
use async_graphql::{OneofObject, Response, Value};
use chrono::{DateTime, Utc};
use projections::{Moment, catalog, dead_letter};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The extension of a response that names the commits that it lacks.
const PARKED: &str = "parked";
/// The extension of a response that says what they mean, and what to do.
const NOTICE: &str = "notice";

/// The commits that are missing from what a request is shown of the past, because the catalogue has set them aside.
#[derive(Debug, Clone, Default)]
pub(super) struct Missing(Arc<Mutex<BTreeSet<u64>>>);

impl Missing {
    fn add(&self, positions: Vec<u64>) {
        self.positions().extend(positions);
    }

    /// Tells it beside the data, which is what there is: a list that lacks a commit is still worth reading.
    pub(super) fn tell(&self, response: &mut Response) {
        let positions = self.positions();
        if positions.is_empty() {
            return;
        }
        let parked = positions.iter().copied().map(Value::from).collect();
        let notice = "The catalogue could not apply the commits at the positions in `parked` and has put them \
                      aside: what is shown as of there or later lacks what they changed, and will differ once \
                      they are applied. An operator finds the cause with `metamcp dead-letter list`, and has \
                      them applied with `metamcp dead-letter retry`.";
        let told = [(PARKED, Value::List(parked)), (NOTICE, Value::from(notice))];
        let told = told.map(|(name, value)| (name.to_owned(), value));
        response.extensions.extend(told);
    }

    fn positions(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The moment that a client named, or now. Of what the catalogue lacks as of it, the response tells.
    ///
    /// # Errors
    /// As [`Session::position`].
    pub(super) async fn moment(
        &self,
        projector: &'static str,
        as_of: Option<AsOf>,
    ) -> Result<Moment, ApiError> {
        let Some(as_of) = as_of else {
            return Ok(Moment::Now);
        };
        let position = self.position(projector, as_of).await?;
        // The other model that has a past, `access`, parks nothing.
        if projector == catalog::NAME {
            let mut reads = self.reads().await?;
            let missing = dead_letter::missing_from_catalog(&mut reads, position).await?;
            reads.keep();
            self.missing.add(missing);
        }
        Ok(Moment::At(position))
    }

    /// Waits until the catalogue has come to the end of the log, and tells what it lacks there.
    ///
    /// # Errors
    /// As [`Session::position`].
    pub(super) async fn at_the_end(&self) -> Result<(), ApiError> {
        let head = AsOf::Sequence(Sequence(self.state.log.head().await?));
        self.moment(catalog::NAME, Some(head)).await.map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_tells_what_it_lacks_once_and_nothing_else() {
        let missing = Missing::default();
        let mut response = Response::default();
        missing.tell(&mut response);
        assert!(response.extensions.is_empty());
        // Two moments of one request lack the same commit.
        missing.add(vec![7]);
        missing.clone().add(vec![3, 7]);
        missing.tell(&mut response);
        let expected = Value::List(vec![Value::from(3), Value::from(7)]);
        assert_eq!(response.extensions.get(PARKED), Some(&expected));
        assert!(response.extensions.contains_key(NOTICE));
    }
}
