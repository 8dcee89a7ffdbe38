//! How good: 1 to 5.

use super::ReviewError;
use serde::{Deserialize, Serialize};

/// A number of stars, 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Rating(u8);

impl Rating {
    /// Takes a number of stars.
    ///
    /// # Errors
    /// [`ReviewError::RatingOutOfRange`].
    pub fn new(stars: i64) -> Result<Self, ReviewError> {
        match u8::try_from(stars) {
            Ok(stars @ 1..=5) => Ok(Self(stars)),
            _ => Err(ReviewError::RatingOutOfRange { given: stars }),
        }
    }

    /// The number of stars.
    #[must_use]
    pub fn stars(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Rating {
    type Error = ReviewError;
    fn try_from(stars: i64) -> Result<Self, ReviewError> {
        Self::new(stars)
    }
}

impl From<Rating> for i64 {
    fn from(rating: Rating) -> Self {
        Self::from(rating.0)
    }
}
