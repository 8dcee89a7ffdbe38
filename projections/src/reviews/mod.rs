//! Read model `reviews`: what principals think of versions of tools, and the sums that ratings are made of.
//!
//! Counted are reviews that are published and that no moderator has hidden. The sums hold how many of
//! them gave how many stars, per version and per tenant; means are computed when they are read, so they
//! do not depend on the order in which reviews came and went. Like `access`, the model shows personal
//! fields in plain: erasing an author wipes them here, and leaves the rating.

mod projector;
mod queries;
mod rating;
mod rows;

pub use projector::ReviewsProjector;
pub use queries::{Review, ReviewRange, View, ratings_by_tool, reviews_by_id, reviews_by_tool};
pub use rating::{Histogram, PRIOR_MEAN, PRIOR_WEIGHT, ToolRating};

/// The projector's name.
pub const NAME: &str = "reviews";
