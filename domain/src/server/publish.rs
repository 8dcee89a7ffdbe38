//! Versions of a server: documents that are published once and never changed, and the status of each, which
//! may.

use super::{
    Manifest, ManifestPublished, ManifestStatus, ManifestStatusChanged, PublishManifest, Server,
    ServerError, ServerEvent, SetManifestStatus,
};
use crate::text::is_clean;
use serde::{Deserialize, Serialize};

/// Most versions of one server, as the official registry has it.
const MAX_VERSIONS: usize = 10_000;
/// Longest message about a status, in characters, as the official registry has it.
pub const MAX_STATUS_MESSAGE: usize = 500;

/// What the rules need to know of a published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PublishedVersion {
    pub(super) manifest_hash: String,
    pub(super) status: ManifestStatus,
    pub(super) status_message: Option<String>,
}

impl Server {
    /// A new version begins; of one that is there with this very document, at most the status changes.
    pub(super) fn publish(&self, publish: PublishManifest) -> Result<ServerEvent, ServerError> {
        let profile = self.active()?;
        let manifest = Manifest::new(publish.manifest)?;
        if profile.registry_name.as_deref() != Some(manifest.name()) {
            return Err(ServerError::ManifestNameDiffers {
                registry_name: profile.registry_name.clone(),
                found: manifest.name().to_owned(),
            });
        }
        if let Some(known) = self.versions.get(manifest.version()) {
            if known.manifest_hash != manifest.hash() {
                return Err(ServerError::VersionTaken);
            }
            return self.set_status(SetManifestStatus {
                server_version: manifest.version().to_owned(),
                status: publish.status.unwrap_or(known.status),
                status_message: match publish.status {
                    Some(_) => publish.status_message,
                    None => known.status_message.clone(),
                },
                mirrored: publish.mirrored,
            });
        }
        if self.versions.len() >= MAX_VERSIONS {
            return Err(ServerError::TooManyVersions);
        }
        check_message(publish.status_message.as_deref())?;
        Ok(ServerEvent::ManifestPublished(Box::new(
            ManifestPublished {
                server_version: manifest.version().to_owned(),
                manifest_hash: manifest.hash().to_owned(),
                manifest: manifest.into_document(),
                status: publish.status.unwrap_or(ManifestStatus::Active),
                status_message: publish.status_message,
                mirrored: publish.mirrored,
            },
        )))
    }

    pub(super) fn set_status(&self, set: SetManifestStatus) -> Result<ServerEvent, ServerError> {
        self.active()?;
        let known = self.versions.get(&set.server_version);
        let known = known.ok_or(ServerError::VersionNotFound)?;
        check_message(set.status_message.as_deref())?;
        if known.status == set.status && known.status_message == set.status_message {
            return Err(ServerError::Unchanged);
        }
        Ok(ServerEvent::ManifestStatusChanged(ManifestStatusChanged {
            server_version: set.server_version,
            status: set.status,
            status_message: set.status_message,
            mirrored: set.mirrored,
        }))
    }

    pub(super) fn published(&mut self, event: ManifestPublished) {
        let version = PublishedVersion {
            manifest_hash: event.manifest_hash,
            status: event.status,
            status_message: event.status_message,
        };
        self.versions.insert(event.server_version, version);
    }

    pub(super) fn status_changed(&mut self, event: ManifestStatusChanged) {
        if let Some(version) = self.versions.get_mut(&event.server_version) {
            version.status = event.status;
            version.status_message = event.status_message;
        }
    }

    /// The command that sets a version's status to what it is now: what takes a later change of it back.
    pub(super) fn status_again(&self, server_version: &str) -> Option<SetManifestStatus> {
        let known = self.versions.get(server_version)?;
        Some(SetManifestStatus {
            server_version: server_version.to_owned(),
            status: known.status,
            status_message: known.status_message.clone(),
            mirrored: None,
        })
    }
}

fn check_message(message: Option<&str>) -> Result<(), ServerError> {
    let field = "status message";
    let message = message.unwrap_or_default();
    let found = message.chars().count();
    if found > MAX_STATUS_MESSAGE {
        let most = MAX_STATUS_MESSAGE;
        return Err(ServerError::TooLong { field, most, found });
    }
    if !is_clean(message) {
        return Err(ServerError::HiddenCharacters { field });
    }
    Ok(())
}
