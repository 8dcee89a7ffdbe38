//! A tool of a registered server: what an agent finds, reads and calls.
//!
//! A tool's definition (description and schemas) is versioned and identified by its hash; what is said
//! around it (title, category, tags, visibility) is its profile. Which version is meant is written as a
//! [`reference`].

mod aggregate;
mod alias;
#[cfg(test)]
mod alias_tests;
mod command;
mod definition;
mod deprecation;
#[cfg(test)]
mod deprecation_tests;
mod error;
mod event;
mod life;
#[cfg(test)]
mod life_tests;
mod profile;
pub mod reference;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod undo;
#[cfg(test)]
mod undo_tests;
pub(crate) mod upcast;
mod versions;
#[cfg(test)]
mod versions_tests;

pub use aggregate::Tool;
pub use alias::Alias;
pub use command::{PublishToolVersion, RegisterTool, ToolCommand};
pub use definition::{MAX_DEFINITION_BYTES, MAX_DESCRIPTION, MAX_SCHEMA_BYTES, ToolDefinition};
pub use deprecation::Deprecation;
pub use error::ToolError;
pub use event::{
    AliasMoved, AliasRemoved, ToolDeprecated, ToolDescribed, ToolEvent, ToolRegistered,
    ToolRestored, ToolRetired, ToolUndeprecated, ToolVersionPublished, ToolVersionUnyanked,
    ToolVersionYanked,
};
pub use profile::{ToolProfile, Visibility};
pub use versions::{Publication, check_publication, check_version};
