//! What reviews say of a tool, in numbers: in two for a receipt, in full beside a definition.

use projections::reviews::ToolRating;
use schemars::JsonSchema;
use serde::Serialize;

/// What the reviews of a tool say, in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct Rated {
    /// The mean of all ratings, 1 to 5.
    pub(super) average: f64,
    /// How many reviews count.
    pub(super) count: i64,
}

impl Rated {
    /// None without a review that counts.
    pub(super) fn of(rating: &ToolRating) -> Option<Self> {
        let average = hundredths(rating.overall.average()?);
        let count = rating.overall.count();
        Some(Self { average, count })
    }

    pub(super) fn render(self) -> String {
        let reviews = if self.count == 1 { "review" } else { "reviews" };
        format!("{:.1} of 5 ({} {reviews})", self.average, self.count)
    }
}

/// What the reviews of a tool say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct RatedInFull {
    #[serde(flatten)]
    pub(super) short: Rated,
    /// The average that searches filter and sort by: as if 5 more reviews had given the mean of all.
    pub(super) bayesian: f64,
    /// How many reviews gave 1, 2, 3, 4 and 5 stars.
    pub(super) histogram: [i64; 5],
}

impl RatedInFull {
    /// None without a review that counts.
    pub(super) fn of(rating: &ToolRating) -> Option<Self> {
        Some(Self {
            short: Rated::of(rating)?,
            bayesian: hundredths(rating.overall.bayesian(rating.prior_mean)),
            histogram: rating.overall.0,
        })
    }
}

/// What a reader can use, and few tokens.
fn hundredths(stars: f64) -> f64 {
    (stars * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use projections::reviews::Histogram;
    use std::collections::HashMap;

    #[test]
    fn an_unreviewed_tool_has_no_rating_and_a_reviewed_one_both_averages() {
        let rating = |overall| ToolRating {
            overall,
            by_version: HashMap::new(),
            prior_mean: 3.0,
        };
        assert_eq!(RatedInFull::of(&rating(Histogram::default())), None);
        let one = RatedInFull::of(&rating(Histogram([0, 0, 0, 0, 1]))).unwrap();
        assert_eq!((one.short.average, one.short.count), (5.0, 1));
        assert_eq!((one.bayesian, one.histogram), (3.33, [0, 0, 0, 0, 1]));
        assert_eq!(one.short.render(), "5.0 of 5 (1 review)");
    }
}
