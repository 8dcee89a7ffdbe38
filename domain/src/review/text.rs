//! What an author writes: a personal field, so it travels twice, readable for the rules and sealed for
//! the event.

use super::ReviewError;
use crate::personal::{Personal, Sealed};
use crate::text::is_clean;
use std::fmt;

/// Longest text of an author, in characters.
const MAX_TEXT: usize = 4_000;

/// A text of an author, or none. Its `Debug` form leaves the text out, wherever it may be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthorText {
    plain: Option<String>,
    sealed: Option<Sealed>,
}

impl AuthorText {
    /// A text that is still to be sealed; one of white space only is none.
    #[must_use]
    pub fn new(text: Option<&str>) -> Self {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        Self {
            plain: text.map(str::to_owned),
            sealed: None,
        }
    }

    /// The text, to be sealed.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        self.plain.as_deref()
    }

    /// With its sealed form, which is what the event will carry.
    #[must_use]
    pub fn with_sealed(self, sealed: Option<Sealed>) -> Self {
        Self { sealed, ..self }
    }

    /// The rules that look at the text. Checked before it is sealed, so that no key is made for nothing,
    /// and again when the command is decided.
    ///
    /// # Errors
    /// [`ReviewError::TextTooLong`] or [`ReviewError::HiddenCharacters`].
    pub fn check(&self) -> Result<(), ReviewError> {
        let text = self.plain.as_deref().unwrap_or_default();
        check(text, MAX_TEXT)
    }

    /// What the event carries.
    pub(super) fn into_sealed(self) -> Result<Option<Personal>, ReviewError> {
        self.check()?;
        match (self.plain, self.sealed) {
            (None, _) => Ok(None),
            (Some(_), Some(sealed)) => Ok(Some(Personal::Sealed(sealed))),
            (Some(_), None) => Err(ReviewError::NotSealed),
        }
    }
}

impl fmt::Debug for AuthorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorText").finish_non_exhaustive()
    }
}

/// No longer than allowed, and without hidden characters.
pub(super) fn check(text: &str, most: usize) -> Result<(), ReviewError> {
    let found = text.chars().count();
    if found > most {
        Err(ReviewError::TextTooLong { most, found })
    } else if is_clean(text) {
        Ok(())
    } else {
        Err(ReviewError::HiddenCharacters)
    }
}
