//! From sums to ratings. The formulas stand in `docs/reviews.md`.

use std::collections::HashMap;

/// `C`: how many reviews the mean of all of them weighs as.
pub const PRIOR_WEIGHT: f64 = 5.0;
/// `m` where no review counts: the middle of the scale.
pub const PRIOR_MEAN: f64 = 3.0;

/// How many reviews gave 1, 2, 3, 4 and 5 stars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram(pub [i64; 5]);

impl Histogram {
    /// How many reviews.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The plain mean; none without a review.
    #[must_use]
    pub fn average(&self) -> Option<f64> {
        (self.count() > 0).then(|| real(self.stars()) / real(self.count()))
    }

    /// The Bayesian average: the mean as if `C` more reviews had given the prior mean `m`,
    /// `(C·m + Σ) / (C + n)`. Few reviews stay near `m`; many outweigh it.
    #[must_use]
    pub fn bayesian(&self, prior_mean: f64) -> f64 {
        (PRIOR_WEIGHT * prior_mean + real(self.stars())) / (PRIOR_WEIGHT + real(self.count()))
    }

    /// All stars together.
    fn stars(&self) -> i64 {
        self.0.iter().zip(1..).map(|(n, stars)| n * stars).sum()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (mine, more) in sum.0.iter_mut().zip(other.0) {
            *mine += more;
        }
        sum
    }
}

/// What is thought of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolRating {
    /// Over all versions.
    pub overall: Histogram,
    /// By version; versions without a counted review are absent.
    pub by_version: HashMap<String, Histogram>,
    /// `m`: the mean of all reviews that count for the tenant, its members' and the public ones, or
    /// [`PRIOR_MEAN`].
    pub prior_mean: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of reviews are far below 2^52"
)]
fn real(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn without_reviews_the_prior_alone_speaks() {
        let none = Histogram::default();
        assert_eq!((none.count(), none.average()), (0, None));
        close(none.bayesian(4.25), 4.25);
    }

    #[test]
    fn the_average_of_few_stays_near_the_prior_and_that_of_many_does_not() {
        let one = Histogram([0, 0, 0, 0, 1]);
        close(one.average().unwrap(), 5.0);
        // (5 · 3 + 5) / (5 + 1)
        close(one.bayesian(3.0), 20.0 / 6.0);
        let many = Histogram([0, 0, 0, 0, 1_000]);
        assert!(many.bayesian(3.0) > 4.98);
        let mixed = Histogram([1, 0, 2, 0, 3]);
        close(mixed.average().unwrap(), 22.0 / 6.0);
        close(mixed.bayesian(3.0), 37.0 / 11.0);
    }

    #[test]
    fn sums_add_up_star_by_star() {
        let sum = Histogram([1, 2, 3, 4, 5]).plus(&Histogram([1, 0, 0, 0, 1]));
        assert_eq!(sum, Histogram([2, 2, 3, 4, 6]));
    }
}
