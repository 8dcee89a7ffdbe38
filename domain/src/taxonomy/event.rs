//! What has happened to a taxonomy.

use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of a taxonomy.
    pub enum TaxonomyEvent {
        /// A category began, or came back.
        CategoryAdded(CategoryAdded) = "taxonomy.category_added" v 1,
        /// Something else is said of a category.
        CategoryDescribed(CategoryDescribed) = "taxonomy.category_described" v 1,
        /// A category is accepted no more.
        CategoryRetired(CategoryRetired) = "taxonomy.category_retired" v 1,
    }
}

/// A category, as its maker says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// What servers and tools name: lower-case letters, digits and hyphens. It never changes.
    pub slug: String,
    /// The name that people read.
    pub title: String,
    /// What belongs to it.
    pub description: String,
    /// The wider category that it is a part of.
    pub parent: Option<String>,
}

/// A category began, or came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryAdded {
    /// The category.
    pub category: Category,
}

/// Something else is said of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryDescribed {
    /// What is said now.
    pub category: Category,
}

/// A category is accepted no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryRetired {
    /// Which.
    pub slug: String,
    /// What to use instead.
    pub successor: Option<String>,
}
