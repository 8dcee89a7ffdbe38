//! The configuration: defaults, then a YAML file, then `METAMCP__…` variables, each over the one before.
//!
//! One struct for each concern, each field documented where it stands. An unknown key is refused, in
//! the file and in the environment, because a misspelt limit is a limit that is not set. Secrets are
//! [`secrecy::SecretString`]: they print as `[REDACTED]`, and each can come from a file instead
//! (`password_file` beside `password`), which suits container secrets.
//!
//! A variable is the path of its key with `__` between: `METAMCP__HTTP__LISTEN=0.0.0.0:8080`. Lists
//! are separated by commas, times are written `500ms`, `30s`, `15m`, `12h` or `90d`.

mod auth;
mod http;
mod ledger;
mod limits;
mod nats;
mod postgres;
mod privacy;
mod publishers;
mod registry;
mod search;
mod telemetry;
mod values;
mod written;

pub use auth::AuthConfig;
pub use http::HttpConfig;
pub use ledger::LedgerConfig;
pub use limits::LimitsConfig;
pub use nats::{NatsConfig, NatsTlsConfig};
pub use postgres::PostgresConfig;
pub use privacy::PrivacyConfig;
pub use publishers::PublishersConfig;
pub use registry::{AfterSunset, RegistryConfig};
pub use search::{EmbedderKind, OpenAiConfig, SearchConfig};
pub use telemetry::{LogFormat, TelemetryConfig};

use config::{Environment, File, FileFormat};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// The prefix of variables, without the separator.
const PREFIX: &str = "METAMCP";
const SEPARATOR: &str = "__";

/// Everything that can be configured. Serialized, it says its secrets: see [`Config::to_yaml`].
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener and its public address.
    pub http: HttpConfig,
    /// The event log.
    pub nats: NatsConfig,
    /// The read models.
    pub postgres: PostgresConfig,
    /// The search index and its embedder.
    pub search: SearchConfig,
    /// Rules of the registry, and who may read its API of the official form.
    pub registry: RegistryConfig,
    /// Tokens and keys.
    pub auth: AuthConfig,
    /// Personal fields.
    pub privacy: PrivacyConfig,
    /// Signed tree heads of the log.
    pub ledger: LedgerConfig,
    /// Proofs of publishers' namespaces.
    pub publishers: PublishersConfig,
    /// What one request may cost.
    pub limits: LimitsConfig,
    /// Logs, traces and metrics.
    pub telemetry: TelemetryConfig,
}

/// A configuration that cannot be used: one line that says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Config {
    /// Reads the file, if one is given, and the environment, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] that names the key and where it came from.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(file, None)
    }

    /// The same, with given variables in place of the environment.
    fn load_from(
        file: Option<&Path>,
        variables: Option<HashMap<String, String>>,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            if !path.is_file() {
                return Err(ConfigError(format!("there is no file {}", path.display())));
            }
            builder = builder.add_source(File::from(path).format(FileFormat::Yaml));
        }
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR)
            .source(variables);
        let merged = builder
            .add_source(environment)
            .build()
            .map_err(|error| told(&error, file))?;
        let mut config: Self = merged
            .try_deserialize()
            .map_err(|error| told(&error, file))?;
        config.read_secret_files()?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the values against each other and against what is safe.
    ///
    /// # Errors
    /// [`ConfigError`] that names the key and what to write instead.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.http.validate()?;
        self.nats.validate()?;
        self.postgres.validate()?;
        self.search.validate()?;
        self.auth.validate()?;
        self.privacy.validate()?;
        self.ledger.validate()?;
        self.registry.validate()?;
        self.publishers.validate()?;
        self.limits.validate()?;
        self.telemetry.validate()
    }

    fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        self.nats.read_secret_files()?;
        self.postgres.read_secret_files()?;
        self.search.read_secret_files()
    }
}

/// The library names key and origin of most errors; an unknown key of the top level has no origin, and a
/// file that is no YAML may name none.
fn told(error: &config::ConfigError, file: Option<&Path>) -> ConfigError {
    let text = error.to_string().replace('\n', " ");
    let origin = match file {
        _ if text.contains(" in ") => String::new(),
        Some(path) => format!(" in {} or the environment", path.display()),
        None => " in the environment".to_owned(),
    };
    ConfigError(format!("{text}{origin}"))
}

#[cfg(test)]
mod tests;
