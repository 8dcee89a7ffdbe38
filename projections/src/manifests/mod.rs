//! Read model `manifests`: the versions of servers as the official MCP registry's API shows them.
//!
//! Every server has at least one row. One that has published nothing has a row made from its profile, which
//! counts as deleted as soon as the profile changes or a document is published.

mod projector;
mod queries;
mod row;

pub use projector::ManifestsProjector;
pub use queries::{
    ServerVersion, VersionFilter, VersionName, last_mirrored, version_of, versions, versions_of,
};

/// The projector's name.
pub const NAME: &str = "manifests";
