//! An upstream MCP server that a tenant has registered.

mod aggregate;
mod command;
mod error;
mod event;
mod profile;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Server;
pub use command::{RegisterServer, ServerCommand};
pub use error::ServerError;
pub use event::{ServerDescribed, ServerEvent, ServerRegistered, ServerRestored, ServerRetired};
pub use profile::{
    MAX_CATEGORY, MAX_DESCRIPTION, MAX_NAME, MAX_TAG, MAX_TAGS, ServerProfile, Transport,
};
