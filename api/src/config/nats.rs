//! `nats`: the event log.

use super::{ConfigError, values};
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;

/// How the event log is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Servers, separated by commas. `tls://` encrypts. Default `nats://127.0.0.1:4222`.
    pub url: String,
    /// User name, with `password`.
    pub user: Option<String>,
    /// Password of `user`.
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// Replicas of the stream: 1 for one server, 3 for a cluster. Default 1.
    pub replicas: usize,
    /// Name of the stream. Another one, together with another `subject_root`, lets several installations
    /// share a server. Default `METAMCP_EVENTS`.
    pub stream: String,
    /// What every subject of the stream begins with. Default `metamcp.event`.
    pub subject_root: String,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: None,
            password: None,
            password_file: None,
            replicas: 1,
            stream: bus::stream::STREAM.to_owned(),
            subject_root: bus::subject::DEFAULT_ROOT.to_owned(),
        }
    }
}

impl NatsConfig {
    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        values::read_secret(
            "nats.password",
            &mut self.password,
            self.password_file.as_ref(),
        )
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.url.trim().is_empty() {
            return Err(ConfigError::new(
                "nats.url is empty: give a server such as nats://127.0.0.1:4222",
            ));
        }
        if !matches!(self.replicas, 1 | 3 | 5) {
            return Err(ConfigError::new("nats.replicas must be 1, 3 or 5"));
        }
        if self.user.is_some() != self.password.is_some() {
            return Err(ConfigError::new(
                "nats.user and nats.password belong together: give both",
            ));
        }
        Ok(())
    }
}
