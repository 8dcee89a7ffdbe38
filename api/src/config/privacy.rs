//! `privacy`: the keys that personal fields are sealed with.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the key-encryption keys are.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Folder of the key-encryption keys, one file each, readable by the owner only. Created with a first
    /// key when nothing is sealed yet. All processes share it; it belongs in no backup of the database.
    /// Default `data/vault-keys`.
    pub keys_dir: PathBuf,
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            keys_dir: "data/vault-keys".into(),
        }
    }
}

impl PrivacyConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.keys_dir.as_os_str().is_empty() {
            return Err(ConfigError::new(
                "privacy.keys_dir must name a folder, such as data/vault-keys",
            ));
        }
        Ok(())
    }
}
