//! `ledger`: signed tree heads.

use super::{ConfigError, values};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// How tree heads are signed, and where copies go.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
    /// Folder of the keys that sign tree heads, readable by the owner only. Made by `metamcp audit keygen`;
    /// without it no head is signed. Processes that may lead a projector share it. Default
    /// `data/ledger-keys`.
    pub keys_dir: PathBuf,
    /// How often a head is signed, if there is anything new. Default `60s`.
    #[serde(with = "values::duration")]
    pub interval: Duration,
    /// A file to which each signed head is appended; on another machine's disk, it catches whoever rewrites
    /// the log.
    pub head_file: Option<PathBuf>,
    /// An address to which each signed head is posted.
    pub head_url: Option<Url>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            keys_dir: "data/ledger-keys".into(),
            interval: Duration::from_secs(60),
            head_file: None,
            head_url: None,
        }
    }
}

impl LedgerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.interval < Duration::from_secs(1) {
            return Err(ConfigError::new("ledger.interval must be 1s or more"));
        }
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
        if self.head_url.as_ref().is_some_and(|url| !is_http(url)) {
            return Err(ConfigError::new(
                "ledger.head_url must begin with https:// or http://",
            ));
        }
        Ok(())
    }
}
