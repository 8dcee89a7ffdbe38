//! Why a server refuses a command.

use super::profile::MAX_TAGS;
use crate::aggregate::Rejection;
use crate::id::InvalidId;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The slug is taken: choose another, or describe the server that has it.
    #[error("a server with this slug is already registered")]
    AlreadyRegistered,
    /// Register the server first.
    #[error("there is no such server")]
    NotRegistered,
    /// Restore the server first.
    #[error("the server is retired; restore it to use it again")]
    Retired,
    /// There is nothing to restore.
    #[error("the server is not retired")]
    NotRetired,
    /// Use a slug.
    #[error(transparent)]
    InvalidSlug(#[from] InvalidId),
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
    /// Remove control, bidirectional and zero-width characters.
    #[error(
        "the {field} holds hidden characters (control, bidirectional or zero-width); remove them"
    )]
    HiddenCharacters {
        /// Which field.
        field: &'static str,
    },
    /// Use fewer tags.
    #[error("{found} tags; the most is {MAX_TAGS}")]
    TooManyTags {
        /// What was given.
        found: usize,
    },
    /// Give an absolute `http` or `https` address.
    #[error("the homepage must be an absolute http or https address")]
    InvalidHomepage,
    /// Give a name in reverse-DNS form.
    #[error(
        "the registry name must look like `io.github.acme/weather`: a namespace in reverse-DNS form, a slash and a name of letters, digits, `-`, `_` and `.`"
    )]
    InvalidRegistryName,
    /// The server is already described so.
    #[error("the server is already described like this")]
    Unchanged,
}

impl Rejection for ServerError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "SERVER_ALREADY_REGISTERED",
            Self::NotRegistered => "SERVER_NOT_FOUND",
            Self::Retired => "SERVER_RETIRED",
            Self::NotRetired => "NOT_RETIRED",
            Self::InvalidSlug(_) => "INVALID_SLUG",
            Self::Missing { .. } => "FIELD_MISSING",
            Self::TooLong { .. } => "FIELD_TOO_LONG",
            Self::HiddenCharacters { .. } => "HIDDEN_CHARACTERS",
            Self::TooManyTags { .. } => "TOO_MANY_TAGS",
            Self::InvalidHomepage => "INVALID_HOMEPAGE",
            Self::InvalidRegistryName => "INVALID_REGISTRY_NAME",
            Self::Unchanged => "UNCHANGED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
