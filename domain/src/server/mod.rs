//! An upstream MCP server that a tenant has registered.

mod aggregate;
mod command;
mod error;
mod event;
mod manifest;
mod profile;
mod publish;
#[cfg(test)]
mod publish_tests;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Server;
pub use command::{PublishManifest, RegisterServer, ServerCommand, SetManifestStatus};
pub use error::{ManifestError, ServerError};
pub use event::{
    ManifestPublished, ManifestStatus, ManifestStatusChanged, Mirrored, ServerDescribed,
    ServerEvent, ServerRegistered, ServerRestored, ServerRetired,
};
pub use manifest::{LATEST, MAX_MANIFEST_BYTES, Manifest, compare_versions};
pub use profile::{
    MAX_CATEGORY, MAX_DESCRIPTION, MAX_NAME, MAX_TAG, MAX_TAGS, ServerProfile, Transport,
};
pub use publish::MAX_STATUS_MESSAGE;
