//! Read model `publishers`: namespaces in reverse-DNS form, and for whom each counts.
//!
//! Each tenant proves for itself; that a namespace counts for one tenant at a time is decided here, by the
//! order of the log: of all that have it verified, the first one holds it, and the others are contested
//! until that one has lapsed or given it up. So no tenant's commit waits for another's, and a rebuild comes
//! to the same answer. Who holds a namespace is there for every tenant to see (`marks`): that is what it is
//! proved for.

mod projector;
mod queries;

pub use projector::PublishersProjector;
pub use queries::{
    Publisher, PublisherStatus, Standing, VerifiedPublisher, of_registry_names, of_tools,
    publishers, publishers_by_id, verified_everywhere,
};
pub(crate) use queries::{marked, publisher_of, verified};

/// The projector's name.
pub const NAME: &str = "publishers";
