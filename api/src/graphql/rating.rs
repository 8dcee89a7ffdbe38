//! What members think of a tool, in numbers. The formulas stand in `docs/reviews.md`.

use super::loaders::Loaders;
use super::session::Session;
use crate::error::ApiError;
use async_graphql::dataloader::Loader;
use async_graphql::{Object, SimpleObject};
use domain::id::ToolId;
use projections::reviews::{self, Histogram, ToolRating};
use semver::Version;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// The rating of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RatingOf(pub(super) ToolId);

impl Loader<RatingOf> for Loaders {
    type Value = Arc<ToolRating>;
    type Error = ApiError;

    async fn load(&self, keys: &[RatingOf]) -> Result<HashMap<RatingOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let found = reviews::ratings_by_tool(&mut reads, &ids).await?;
        let keyed = |(id, rating)| (RatingOf(id), Arc::new(rating));
        Ok(found.into_iter().map(keyed).collect())
    }
}

/// The rating of a tool as it is now.
pub(super) async fn of_tool(session: &Session, id: &ToolId) -> Result<Rating, ApiError> {
    let found = session.loaders.load_one(RatingOf(id.clone())).await?;
    // The query has an entry for each tool that it is asked for.
    found.map(Rating).ok_or(ApiError::NotFound)
}

/// What members think of all versions of a tool together.
pub(super) struct Rating(Arc<ToolRating>);

/// What is thought of a tool: the reviews that are published and not hidden, of your tenant's members for its own
/// tools, and the public ones of a tool that is offered to all.
#[Object]
impl Rating {
    /// The mean of all ratings, 1 to 5; null without a review.
    async fn average(&self) -> Option<f64> {
        self.0.overall.average()
    }

    /// The Bayesian average, `(C·m + Σ) / (C + n)`: the mean as if 5 more reviews had given the mean of
    /// all reviews that your tenant sees. Sort by this one: a single review does not make a best tool.
    async fn bayesian(&self) -> f64 {
        self.0.overall.bayesian(self.0.prior_mean)
    }

    /// How many reviews count.
    async fn count(&self) -> i64 {
        self.0.overall.count()
    }

    /// How many of them gave 1, 2, 3, 4 and 5 stars.
    async fn histogram(&self) -> Vec<i64> {
        histogram(&self.0.overall)
    }

    /// The same by version, the highest first; versions without a counted review are absent.
    async fn by_version(&self) -> Vec<VersionRating> {
        let mut versions: Vec<_> = self.0.by_version.iter().collect();
        versions.sort_by_key(|(version, _)| Reverse(Version::parse(version).ok()));
        let shown = versions.into_iter().map(|(version, sums)| VersionRating {
            version: version.clone(),
            average: sums.average(),
            bayesian: sums.bayesian(self.0.prior_mean),
            count: sums.count(),
            histogram: histogram(sums),
        });
        shown.collect()
    }
}

fn histogram(sums: &Histogram) -> Vec<i64> {
    sums.0.to_vec()
}

/// What members think of one version of a tool.
#[derive(SimpleObject)]
struct VersionRating {
    /// The version.
    version: String,
    /// The mean of its ratings, 1 to 5.
    average: Option<f64>,
    /// The Bayesian average, as that of the tool.
    bayesian: f64,
    /// How many reviews of it count.
    count: i64,
    /// How many of them gave 1, 2, 3, 4 and 5 stars.
    histogram: Vec<i64>,
}
