//! `registry`: rules of the registry that an operator chooses.

use super::ConfigError;
use domain::id::TenantId;
use serde::Deserialize;

/// Rules that an operator chooses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// The tenant whose servers anybody may read at `/v0.1`, without a token. Default: none, so a token is
    /// needed.
    pub anonymous_tenant: Option<String>,
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

impl RegistryConfig {
    /// The tenant that strangers may read.
    #[must_use]
    pub fn anonymous(&self) -> Option<TenantId> {
        TenantId::new(self.anonymous_tenant.clone()?).ok()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.anonymous_tenant.is_some() && self.anonymous().is_none() {
            return Err(ConfigError::new(
                "registry.anonymous_tenant must name a tenant, such as default",
            ));
        }
        Ok(())
    }
}
