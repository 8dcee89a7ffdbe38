//! The query language: words and filters in one line, the same for every surface.
//!
//! `delete a table server:github -tag:beta version:^1.2 readonly:false +"row by row"`
//!
//! **The one rule.** Only `key:value` with a known [`Key`] and `+"…"` or `-"…"` are filters; everything else is
//! text, whatever its colons (`note: do x`, `12:30`, an address). Plain quotes are a filter only where nothing but
//! filters stands beside them: people and agents quote values in sentences. A backslash makes a filter text.
//!
//! **Invariants.** Parsing never fails on a plain sentence and never panics; what is parsed prints as a line that
//! parses to the same. A line and structured input become the same [`SearchFilter`], which `condition` turns into
//! an expression of the index: a value never becomes code.
//!
//! A further filter is a further [`Key`]: the compiler asks for its name, values and condition in `key.rs`, and whether
//! the version of a tool decides on it, of which an installed one may have another than the index holds. What a
//! rating means is known only beside the rows ([`super::ratings`]); the other conditions are complete here.

mod error;
mod filter;
mod key;
mod parse;
mod print;
mod rating;
#[cfg(test)]
mod tests;
mod version;

pub use error::LanguageError;
pub use filter::{LeastRating, SearchFilter, Term};
pub use key::Key;

pub(super) use filter::MAX_ECHO;
pub(super) use version::version_key;

/// A line of the query language, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// The words to rank by, as they were written.
    pub text: String,
    /// What narrows the search.
    pub filter: SearchFilter,
    /// Words that look like a filter, such as `owner:`, and are none: they are part of the text.
    pub unknown: Vec<String>,
}
