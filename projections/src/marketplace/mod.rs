//! Read model `marketplace`: what tenants offer to all others (listings), who has installed it
//! (installations), and the same for its publisher (dependents).
//!
//! Invariant: a tool that is not public, or out of use, is shown to nobody here, not even to its own
//! tenant. Row-level security says so (`listed_for_all` in `migrations/0008_marketplace.sql`), for the
//! definitions too; so no query needs to remember it. Installations belong to the installer's tenant,
//! dependents to the publisher's.

mod installations;
mod installed;
mod listings;
mod projector;
mod rated;
mod rows;
mod statements;
mod versions;

pub use installations::{
    Dependent, Installation, dependents_by_tool, installations, installations_by_id,
};
pub use installed::Installed;
pub use listings::{Listing, ListingFilter, count_listings, listings, listings_at, listings_by_id};
pub use projector::MarketplaceProjector;
pub use versions::{ListedVersion, definitions, version_pages, versions_by_listing};

/// The projector's name.
pub const NAME: &str = "marketplace";

/// A version as a table has it.
fn version(text: &str) -> Result<domain::installation::Version, crate::error::QueryError> {
    text.parse().map_err(crate::error::corrupt)
}
