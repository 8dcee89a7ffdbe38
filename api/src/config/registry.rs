//! `registry`: rules of the registry that an operator chooses.

use super::ConfigError;
use domain::id::TenantId;
pub use domain::tenant::AfterSunset;
use serde::{Deserialize, Serialize};

/// Rules that an operator chooses.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// The tenant whose servers anybody may read at `/v0.1`, without a token. Default: none, so a token is
    /// needed.
    pub anonymous_tenant: Option<String>,
    /// What happens to who resolves a version after its sunset, in tenants that say nothing of it: `refuse` (the
    /// default) or `warn`. What was published stays readable either way.
    pub after_sunset: AfterSunset,
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
