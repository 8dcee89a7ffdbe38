//! Names that stand at one version of a tool and can be moved to another.

use super::ToolError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest alias, in characters.
const MAX_ALIAS: usize = 32;

/// An alias that people move, such as `stable`: `^[a-z][a-z0-9-]{0,31}$`, which no version looks like.
/// `latest` is none of them: it follows what is published and yanked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// The name of the current version, which nobody moves.
    pub const LATEST: &str = "latest";

    /// Takes a name.
    ///
    /// # Errors
    /// [`ToolError::InvalidAlias`], and [`ToolError::AutomaticAlias`] for `latest`.
    pub fn new(name: impl Into<String>) -> Result<Self, ToolError> {
        let name = name.into();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sound = name.len() <= MAX_ALIAS
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(allowed);
        if name == Self::LATEST {
            Err(ToolError::AutomaticAlias)
        } else if sound {
            Ok(Self(name))
        } else {
            Err(ToolError::InvalidAlias)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Alias {
    type Error = ToolError;
    fn try_from(name: String) -> Result<Self, ToolError> {
        Self::new(name)
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
