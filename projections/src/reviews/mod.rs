//! Read model `reviews`: what principals think of versions of tools, and the sums that ratings are made of.
//!
//! Counted are reviews that are published and that no moderator has hidden. The sums hold how many of
//! them gave how many stars; means are computed when they are read, so they do not depend on the order in
//! which reviews came and went. Like `access`, the model shows personal fields in plain: erasing an author
//! wipes them here, and leaves the rating.
//!
//! Reviews of a tenant's own tools are the tenant's (`ratings`, `totals`). Those of tools of others are public as
//! long as they count and the tool is offered: `public_reviews`, `public_ratings` and `public_totals` hold what
//! everybody may see of them, and row-level security shows it while the tool is listed.

mod projector;
mod public;
mod queries;
mod rating;
mod rows;
mod tools;

pub use projector::ReviewsProjector;
pub(crate) use queries::SUMS;
pub use queries::{
    PublicRange, PublicReview, Review, ReviewRange, View, public_reviews_by_tool, ratings_by_tool,
    reviews_by_id, reviews_by_tool,
};
pub use rating::{Histogram, PRIOR_MEAN, PRIOR_WEIGHT, ToolRating};

/// The projector's name.
pub const NAME: &str = "reviews";
