//! Finding a tool by describing a task: a LanceDB table with the full text and the vectors of all tools.
//!
//! **What.** [`ToolDocument`]s go in through [`SearchIndex::upsert`] and [`SearchIndex::delete`]; a
//! [`SearchRequest`] comes back as a [`SearchAnswer`] that says for each hit why it was found.
//!
//! **Invariants.** Every read is filtered by tenant, visibility and status before ranking. One version of the table
//! has one order: what fits equally well stands by tool id, and pages are cut from it. A caller's text
//! never becomes SQL. A table belongs to one embedding model. Without an embedder every answer says that
//! semantic search is off.
//!
//! **Delivery.** LanceDB cannot join a transaction of Postgres: the projector writes here first and moves
//! its checkpoint afterwards, so a document may be written twice, which leaves the same table.
//!
//! Reading order: [`document`] and [`words`] (what is indexed), `documents`, `projector` and `uses` (where it comes
//! from), [`embed`], `vectors`, [`index`] and [`upkeep`] (the table), `memory` (how
//! it is read), [`language`] (what can be asked), [`query`], `asked`, [`scope`], `order`, `ratings`, `steps` and
//! [`rank`] (the search), `threads` (where it runs), `cursor` (its pages), [`facets`] and [`highlight`] (what is said of
//! it), [`similar`], [`evaluate`] (its quality, measured).

mod asked;
mod candidates;
mod current;
mod cursor;
pub mod document;
mod documents;
pub mod embed;
pub mod error;
pub mod evaluate;
pub mod facets;
pub mod highlight;
pub mod hints;
pub mod index;
#[cfg(test)]
mod index_tests;
pub mod language;
mod memory;
mod order;
#[cfg(test)]
mod page_tests;
mod projector;
pub mod query;
#[cfg(test)]
mod query_tests;
pub mod rank;
mod ratings;
mod reading;
mod replaced;
mod rows;
pub mod scope;
pub mod similar;
#[cfg(test)]
mod standing_tests;
mod stems;
mod steps;
#[cfg(test)]
mod testing;
mod threads;
pub mod upkeep;
mod uses;
mod vectors;
pub mod words;

pub use current::CurrentIndex;
pub use document::ToolDocument;
pub use documents::SOURCES;
pub use error::SearchError;
pub use facets::{Facet, Facets};
pub use highlight::{Fragment, highlight};
pub use hints::Hint;
pub use index::SearchIndex;
pub use language::{Key, LanguageError, SearchFilter};
pub use projector::{NAME, SearchProjector};
pub use query::{SearchAnswer, SearchHit, SearchRequest, Sort};
pub use scope::{InForce, Scope};
pub use similar::{MAX_SIMILAR, Similar, SimilarRequest};

pub(crate) use current::{REBUILD, live_table, other_table};
pub(crate) use documents::{Models, all_documents};
pub(crate) use projector::changed_by;
