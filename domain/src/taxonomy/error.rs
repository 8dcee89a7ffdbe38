//! Why a taxonomy refuses a command, or a category.

use super::aggregate::MAX_CATEGORIES;
use crate::aggregate::Rejection;
use crate::id::InvalidId;
use crate::text::{HIDDEN_KINDS, written_out};

/// The code of a category that the taxonomy does not have.
pub const CATEGORY_NOT_FOUND: &str = "CATEGORY_NOT_FOUND";

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaxonomyError {
    /// Use a slug.
    #[error(transparent)]
    InvalidSlug(#[from] InvalidId),
    /// The category is there: describe it instead.
    #[error("there is a category `{slug}` already; describe it instead")]
    Exists {
        /// Which.
        slug: String,
    },
    /// Use one of the categories of the taxonomy, or add this one to it first.
    #[error(
        "there is no category `{}`{}; add it to the taxonomy, or use one that is there",
        written_out(slug),
        meant(near)
    )]
    NotFound {
        /// What was given.
        slug: String,
        /// Categories that are written much like it.
        near: Vec<String>,
    },
    /// Use the successor, or add the category again.
    #[error("the category `{slug}` is retired{}", instead(successor.as_deref()))]
    Retired {
        /// Which.
        slug: String,
        /// What to use instead.
        successor: Option<String>,
    },
    /// Name another category in use, or none.
    #[error(
        "the category `{slug}` cannot be its own successor, because it is out of use then; name another one, or none"
    )]
    OwnSuccessor {
        /// Which.
        slug: String,
    },
    /// Choose a parent that is no part of the category itself.
    #[error("the category `{slug}` cannot be a part of `{parent}`, which is a part of it")]
    Circle {
        /// Which.
        slug: String,
        /// The parent that was given.
        parent: String,
    },
    /// Retire its parts first, or give them another parent.
    #[error("the category `{slug}` has parts, such as `{part}`; retire or move them first")]
    HasParts {
        /// Which.
        slug: String,
        /// One of them.
        part: String,
    },
    /// Use a category that is there, or add a retired one again: a taxonomy is meant to be read by people.
    #[error(
        "the taxonomy has {MAX_CATEGORIES} categories, retired ones included, which is the most; use one of them, or add a retired one again"
    )]
    Full,
    /// Give the field a value.
    #[error("the {field} must not be empty")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// Shorten the field.
    #[error("the {field} has {found} characters; the most is {most}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// The limit.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// Remove what a reader cannot see ([`HIDDEN_KINDS`]).
    #[error("the {field} holds hidden characters ({HIDDEN_KINDS}); remove them")]
    HiddenCharacters {
        /// Which field.
        field: &'static str,
    },
    /// The category is already described so.
    #[error("the category is already described like this")]
    Unchanged,
}

impl Rejection for TaxonomyError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidSlug(_) => "INVALID_SLUG",
            Self::Exists { .. } => "CATEGORY_EXISTS",
            // To who names it, a retired category is as good as none.
            Self::NotFound { .. } | Self::Retired { .. } => CATEGORY_NOT_FOUND,
            Self::OwnSuccessor { .. } => "INVALID_SUCCESSOR",
            Self::Circle { .. } => "CATEGORY_CIRCLE",
            Self::HasParts { .. } => "CATEGORY_HAS_PARTS",
            Self::Full => "TAXONOMY_FULL",
            Self::Missing { .. } => "FIELD_MISSING",
            Self::TooLong { .. } => "FIELD_TOO_LONG",
            Self::HiddenCharacters { .. } => "HIDDEN_CHARACTERS",
            Self::Unchanged => "UNCHANGED",
        }
    }
}

fn meant(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!(" (did you mean `{}`?)", near.join("`, `")),
    }
}

fn instead(successor: Option<&str>) -> String {
    match successor {
        Some(successor) => format!("; use `{successor}`"),
        None => "; use another one".to_owned(),
    }
}
