//! What a tenant says of tools and versions whose sunset has come.

use crate::named::named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

named! {
    /// What happens to who resolves a version after its sunset. What was published stays readable either way.
    pub enum AfterSunset {
        /// The version is refused.
        Refuse = "refuse",
        /// It is handed out with a warning.
        Warn = "warn",
    }
}

/// What an installation says that says nothing.
impl Default for AfterSunset {
    fn default() -> Self {
        Self::Refuse
    }
}
