//! `metamcp import openapi`: the operations of an OpenAPI 3.0, 3.1 or 3.2 document as the tools of one server. How
//! a document becomes tools, with its rules and codes: `docs/openapi.md`.
//!
//! **Guarantees.** All operations are translated and checked before anything is sent, and one refusal refuses
//! the document. The same document gives the same tools, byte for byte, so a second import changes nothing.
//!
//! # Reading order
//! `source.rs` (file or address), `document.rs` (what it is, and references), `translate.rs` (from the document to
//! a server), `paths.rs` (its operations), `operation.rs` (one tool), `arguments.rs` (its input schema), `content.rs`
//! (what a body holds), `schema.rs` and `flatten.rs` (one schema), `name.rs`, `security.rs`, `text.rs`,
//! `reconcile.rs` (what the registry has already), `command.rs`.

mod arguments;
mod command;
mod content;
mod document;
mod flatten;
mod name;
mod operation;
mod paths;
mod reconcile;
mod schema;
mod security;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod translate;

pub use command::Args;
pub(crate) use command::run;
pub use reconcile::reconcile;
pub use translate::{Options, Translation, translate};
