//! `registry`: rules of the registry that an operator chooses.

use serde::Deserialize;

/// Rules that an operator chooses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// What happens to who resolves a version after its sunset: `refuse` (the default) or `warn`. What was
    /// published stays readable either way.
    pub after_sunset: AfterSunset,
}

/// What happens after a sunset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterSunset {
    /// The version is refused.
    #[default]
    Refuse,
    /// It is handed out with a warning.
    Warn,
}
