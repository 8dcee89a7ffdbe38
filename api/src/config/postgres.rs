//! `postgres`: the read models.

use super::{ConfigError, values};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use url::Url;

/// How the read models are reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// Address, such as `postgres://user:password@host:5432/database`. Default
    /// `postgres://127.0.0.1:5432/metamcp`. A secret, because it may hold a password.
    #[serde(serialize_with = "values::write_secret")]
    pub url: SecretString,
    /// The password, in place of one in `url`.
    #[serde(serialize_with = "values::write_secret")]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// Connections of one process, from 4. Default 16. Keep the sum over all processes below the
    /// server's `max_connections`.
    pub max_connections: u32,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: "postgres://127.0.0.1:5432/metamcp".into(),
            password: None,
            password_file: None,
            max_connections: 16,
        }
    }
}

impl PostgresConfig {
    /// The address with the password in it.
    ///
    /// # Errors
    /// [`ConfigError`] when `url` is no address that can carry one.
    pub fn address(&self) -> Result<SecretString, ConfigError> {
        let refused = || {
            ConfigError::new(
                "postgres.url must be an address such as postgres://user@host:5432/metamcp",
            )
        };
        let mut url = Url::parse(self.url.expose_secret()).map_err(|_| refused())?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(refused());
        }
        if let Some(password) = &self.password {
            url.set_password(Some(password.expose_secret()))
                .map_err(|()| refused())?;
        }
        Ok(String::from(url).into())
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        values::read_secret(
            "postgres.password",
            &mut self.password,
            self.password_file.as_ref(),
        )
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.address()?;
        if self.max_connections < 4 {
            return Err(ConfigError::new(
                "postgres.max_connections must be 4 or more",
            ));
        }
        Ok(())
    }
}
