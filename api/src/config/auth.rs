//! `auth`: tokens and keys.

use super::{ConfigError, values};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The most clock skew that may be forgiven.
const MAX_LEEWAY: Duration = Duration::from_secs(60);
/// The longest that a revoked principal may stay in a cache.
const MAX_CACHE_TTL: Duration = Duration::from_secs(2);

/// How tokens are made and believed.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Folder of the signing keys, one file each, readable by the owner only. Created with a first key
    /// when it is absent. Instances that share an address share this folder. Default `data/keys`.
    pub keys_dir: PathBuf,
    /// Life of a token, unless another is asked for. Default `12h`.
    #[serde(with = "values::duration")]
    pub token_ttl: Duration,
    /// The longest life that can be asked for; a superseded key is kept this long. Default `90d`.
    #[serde(with = "values::duration")]
    pub max_token_ttl: Duration,
    /// Clock skew that is forgiven, at most `60s`. Default `30s`.
    #[serde(with = "values::duration")]
    pub leeway: Duration,
    /// How long a principal's roles are kept in memory, at most `2s`: a revocation must take effect within
    /// 5 s everywhere. Default `1s`.
    #[serde(with = "values::duration")]
    pub access_cache_ttl: Duration,
    /// How long the permissions' read model may be behind the log before every request is refused.
    /// Default `5s`.
    #[serde(with = "values::duration")]
    pub max_access_lag: Duration,
    /// A folder of `*.polar` policies in place of the built-in ones.
    pub policy_dir: Option<PathBuf>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            keys_dir: "data/keys".into(),
            token_ttl: Duration::from_secs(12 * 60 * 60),
            max_token_ttl: Duration::from_secs(90 * 24 * 60 * 60),
            leeway: Duration::from_secs(30),
            access_cache_ttl: Duration::from_secs(1),
            max_access_lag: Duration::from_secs(5),
            policy_dir: None,
        }
    }
}

impl AuthConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::new("auth.leeway must be at most 60s"));
        }
        if self.access_cache_ttl > MAX_CACHE_TTL {
            return Err(ConfigError::new(
                "auth.access_cache_ttl must be at most 2s, so that a revocation takes effect in time",
            ));
        }
        if self.token_ttl.is_zero() || self.token_ttl > self.max_token_ttl {
            return Err(ConfigError::new(
                "auth.token_ttl must be above 0s and at most auth.max_token_ttl",
            ));
        }
        if self.max_access_lag.is_zero() {
            return Err(ConfigError::new(
                "auth.max_access_lag must be above 0s, such as 5s",
            ));
        }
        Ok(())
    }
}
