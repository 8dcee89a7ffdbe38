//! A tool of a registered server: what an agent finds, reads and calls.
//!
//! A tool's definition (description and schemas) is versioned and identified by its hash; what is said
//! around it (title, category, tags, visibility) is its profile.

mod aggregate;
mod command;
mod definition;
mod error;
mod event;
mod profile;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Tool;
pub use command::{PublishToolVersion, RegisterTool, ToolCommand};
pub use definition::{MAX_DESCRIPTION, MAX_SCHEMA_BYTES, ToolDefinition};
pub use error::ToolError;
pub use event::{ToolDescribed, ToolEvent, ToolRegistered, ToolRetired, ToolVersionPublished};
pub use profile::{ToolProfile, Visibility};
