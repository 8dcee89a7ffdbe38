//! Personal fields: what names a person, and how an event carries it.
//!
//! An event never holds such a text in plain. It is sealed outside the domain, which has neither keys nor
//! randomness, under a key of the one person (the subject). When that key is destroyed, nobody can read
//! the text again, and every byte and hash of the log stays as it was. See `docs/privacy.md`.

use crate::named::named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

named! {
    /// Which field; the name is part of what a seal is bound to.
    pub enum PersonalField {
        /// The name that a person is known by in its tenant.
        Handle = "handle",
        /// The name that people read.
        DisplayName = "display_name",
        /// An address of electronic mail.
        Email = "email",
    }
}

/// A sealed text: readable with its subject's key, and only in the place it was sealed for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl Sealed {
    /// Takes what a sealing made.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sealed text, which says nothing without its key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that may name a person. In a stored event `plain` means that it does not, or that the event is
/// older than sealing; a projector that may see personal fields is given the open ones as `plain`, and
/// those whose key is gone as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Readable.
    Plain(String),
    /// Readable with the subject's key.
    Sealed(Sealed),
}

impl Personal {
    /// The text, when it can be read.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Sealed(_) => None,
        }
    }
}

/// What stands in place of a handle that cannot be read. No handle has a colon, so this is none that
/// somebody could register.
#[must_use]
pub fn erased_handle(subject: &str) -> String {
    format!("erased:{subject}")
}
