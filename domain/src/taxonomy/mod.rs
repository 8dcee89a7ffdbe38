//! The category taxonomy of a tenant: which categories its servers and tools may name.
//!
//! One aggregate for each tenant, so that the rules over all categories (no two of a slug, no circle of
//! parents) hold in one place. A taxonomy without a category controls nothing: any word is a category
//! then. The first category makes it controlled, and it stays so when all of them are retired.

mod aggregate;
mod command;
mod error;
mod event;
mod near;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::{MAX_CATEGORIES, Taxonomy};
pub use command::TaxonomyCommand;
pub use error::{CATEGORY_NOT_FOUND, TaxonomyError};
pub use event::{Category, CategoryAdded, CategoryDescribed, CategoryRetired, TaxonomyEvent};
