//! The marketplace: what other tenants offer ([`listing`], found by [`browse`]), what one's own has installed
//! ([`installation`]), and who depends on one's own tools ([`dependent`]). Its mutations stand with the others.

pub(super) mod browse;
pub(super) mod dependent;
pub(super) mod installation;
pub(super) mod listed_version;
pub(super) mod listing;
mod loaders;

pub(super) use loaders::{InstallationKey, ListingKey};

use crate::error::ApiError;
use domain::id::TenantId;
use domain::installation::ForeignTool;

/// The tool that three arguments name. What cannot be a tenant's slug names nothing.
pub(super) fn reference(
    publisher: &str,
    server: &str,
    tool: &str,
) -> Result<ForeignTool, ApiError> {
    Ok(ForeignTool {
        publisher: TenantId::new(publisher.trim()).map_err(|_| ApiError::NotFound)?,
        server: server.trim().to_owned(),
        name: tool.trim().to_owned(),
    })
}
