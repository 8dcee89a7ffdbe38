//! JSON Schemas of tools: whether a document is one, by which draft, and what it refers to.
//!
//! A schema is 2020-12 unless `$schema` says otherwise (MCP specification 2025-11-25, "JSON Schema Usage").
//! One that does not say, and is none by 2020-12, is judged by the newest older draft that it keeps: tuples as
//! `items` and a boolean `exclusiveMinimum` are common, and mean what those drafts say.

mod check;
mod dialect;
mod endless;
pub(crate) mod keywords;
mod links;
mod pattern;
mod plain;
pub(crate) mod reference;
#[cfg(test)]
mod tests;

pub use check::{SchemaFault, check};
pub use dialect::Dialect;
