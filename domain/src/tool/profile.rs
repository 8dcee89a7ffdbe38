//! What is said around a tool's definition.

use super::ToolError;
use crate::named::named;
use crate::server::{MAX_CATEGORY, MAX_NAME, MAX_TAG, MAX_TAGS};
use crate::team::Team;
use crate::text::is_clean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

named! {
    /// Who may see a tool.
    pub enum Visibility {
        /// The team that it belongs to, and the tenant's owners, admins and auditors. One that belongs to no team is
        /// seen by every publisher as well.
        Private = "private",
        /// Every principal of the tenant.
        Tenant = "tenant",
        /// Every tenant.
        Public = "public",
    }
}

/// What is said around a tool's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolProfile {
    /// A title for people.
    pub title: Option<String>,
    /// One word to group by.
    pub category: Option<String>,
    /// Words to filter by.
    pub tags: BTreeSet<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The team that it belongs to, and that it is kept to while it is private.
    pub team: Option<Team>,
}

impl Default for ToolProfile {
    fn default() -> Self {
        Self {
            title: None,
            category: None,
            tags: BTreeSet::new(),
            visibility: Visibility::Tenant,
            team: None,
        }
    }
}

impl ToolProfile {
    pub(super) fn check(&self) -> Result<(), ToolError> {
        check_text("title", self.title.as_deref(), MAX_NAME)?;
        check_text("category", self.category.as_deref(), MAX_CATEGORY)?;
        if self.tags.len() > MAX_TAGS {
            return Err(ToolError::TooManyTags {
                found: self.tags.len(),
            });
        }
        self.tags
            .iter()
            .try_for_each(|tag| check_text("tag", Some(tag), MAX_TAG))
    }
}

fn check_text(field: &'static str, text: Option<&str>, most: usize) -> Result<(), ToolError> {
    let Some(text) = text else { return Ok(()) };
    let found = text.chars().count();
    if text.trim().is_empty() {
        Err(ToolError::Missing { field })
    } else if found > most {
        Err(ToolError::TooLong { field, most, found })
    } else if is_clean(text) {
        Ok(())
    } else {
        Err(ToolError::HiddenCharacters { field })
    }
}
