//! `registry`: the read API of the official MCP registry.

use super::ConfigError;
use domain::id::TenantId;
use serde::Deserialize;

/// Who may read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// The tenant whose servers anybody may read at `/v0.1`, without a token. Default: none, so a token is
    /// needed.
    pub anonymous_tenant: Option<String>,
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
