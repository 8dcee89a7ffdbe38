//! The tools of an installation, for whoever may read its configuration.

use super::Found;
use crate::app::Backend;
use crate::cli::Installation;
use crate::plan::Reader;
use anyhow::bail;
use domain::id::TenantId;
use domain::tenant::Tenant;
use projections::catalog;
use projections::dead_letter;

/// All tools of a tenant, or of some of its servers, when the catalogue has come to the end of the log or to `at`. `pinned` is
/// the position that a file names, which the log must have.
pub(super) async fn read(
    installation: &Installation,
    tenant: &TenantId,
    servers: &[String],
    at: Option<u64>,
    pinned: u64,
) -> anyhow::Result<Found> {
    let config = installation.config()?;
    let backend = Backend::connect(&config).await?;
    let registered = backend.dispatcher.load::<Tenant>(tenant, tenant.as_str());
    if registered.await?.is_none() {
        bail!(
            "there is no tenant `{tenant}`: check --tenant, or register it with `metamcp tenant register`"
        );
    }
    let head = backend.log.head().await?;
    if pinned > head {
        bail!(
            "the file's `sequence` is {pinned}, and the log ends at {head}: the file is of another registry, or was changed"
        );
    }
    let reader = Reader::new(&backend);
    let (mut reads, position) = reader.at(tenant, at).await?;
    let missing = dead_letter::missing_from_catalog(&mut reads, position).await?;
    for slug in servers {
        if catalog::server_by_slug(&mut reads, slug).await?.is_none() {
            bail!("tenant {tenant} has no server {slug}");
        }
    }
    let pins = catalog::pins(&mut reads, servers).await?;
    Ok(Found {
        tenant: tenant.clone(),
        pins,
        parked: missing,
    })
}
