//! What can be asked of a taxonomy.

use super::Category;

/// A command to the taxonomy of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaxonomyCommand {
    /// Begin a category, or bring a retired one back.
    Add(Category),
    /// Say something else of a category; all but its slug is replaced.
    Describe(Category),
    /// Accept the category no more. What has it keeps it.
    Retire {
        /// Which.
        slug: String,
        /// What to use instead.
        successor: Option<String>,
    },
}
