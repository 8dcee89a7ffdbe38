//! `nats`: the event log.

use super::{ConfigError, values};
use bus::LogOptions;
use bus::stream::LogTls;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How the event log is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Servers, separated by commas. `tls://` encrypts. Default `nats://127.0.0.1:4222`.
    pub url: String,
    /// User name, with `password`.
    pub user: Option<String>,
    /// Password of `user`.
    #[serde(serialize_with = "values::write_secret")]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A file that holds the seed of an nkey, a line that begins with `SU`: in place of user and password.
    pub nkey_file: Option<PathBuf>,
    /// The seed in `nkey_file`, once that is read.
    #[serde(skip)]
    pub nkey: Option<SecretString>,
    /// TLS. When it is there, even empty, nothing is sent without.
    pub tls: Option<NatsTlsConfig>,
    /// What the subjects of answers begin with: the prefix that the server lets this user hear. Default `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// Replicas of the stream: 1 for one server, 3 for a cluster. Default 1.
    pub replicas: usize,
    /// Name of the stream. Another one, together with another `subject_root`, lets several installations
    /// share a server. Default `METAMCP_EVENTS`.
    pub stream: String,
    /// What every subject of the stream begins with. Default `metamcp.event`.
    pub subject_root: String,
}

/// TLS towards the event log. Files are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsTlsConfig {
    /// Certificates of the authorities that may vouch for the servers, in place of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate by which this process is known, with `key_file`. For servers that verify their clients.
    pub cert_file: Option<PathBuf>,
    /// The key of `cert_file`.
    pub key_file: Option<PathBuf>,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: None,
            password: None,
            password_file: None,
            nkey_file: None,
            nkey: None,
            tls: None,
            inbox_prefix: None,
            replicas: 1,
            stream: bus::stream::STREAM.to_owned(),
            subject_root: bus::subject::DEFAULT_ROOT.to_owned(),
        }
    }
}

impl NatsConfig {
    /// How the log is reached.
    #[must_use]
    pub fn log_options(&self) -> LogOptions {
        LogOptions {
            user: self.user.clone(),
            password: self.password.clone(),
            nkey: self.nkey.clone(),
            tls: self.tls.as_ref().map(NatsTlsConfig::for_the_log),
            inbox_prefix: self.inbox_prefix.clone(),
            stream: self.stream.clone(),
            subject_root: self.subject_root.clone(),
            replicas: self.replicas,
            ..LogOptions::new(self.url.clone())
        }
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        values::read_secret(
            "nats.password",
            &mut self.password,
            self.password_file.as_ref(),
        )?;
        if let Some(path) = &self.nkey_file {
            self.nkey = Some(read_seed(path)?);
        }
        match &self.tls {
            Some(tls) => tls.check_files(),
            None => Ok(()),
        }
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
        if self.user.is_some() && (self.nkey_file.is_some() || self.nkey.is_some()) {
            return Err(ConfigError::new(
                "give either nats.nkey_file or nats.user with its password, not both",
            ));
        }
        if !self.inbox_prefix.as_deref().is_none_or(is_subject) {
            return Err(ConfigError::new(
                "nats.inbox_prefix must be letters, digits, `_` and `-`, in parts between dots",
            ));
        }
        self.tls.as_ref().map_or(Ok(()), NatsTlsConfig::validate)
    }
}

impl NatsTlsConfig {
    fn for_the_log(&self) -> LogTls {
        LogTls {
            ca_file: self.ca_file.clone(),
            client: self.cert_file.clone().zip(self.key_file.clone()),
        }
    }

    /// The client reads them when it connects, and does not say then which of them is at fault.
    fn check_files(&self) -> Result<(), ConfigError> {
        for (key, path, kind) in [
            ("nats.tls.ca_file", &self.ca_file, "CERTIFICATE"),
            ("nats.tls.cert_file", &self.cert_file, "CERTIFICATE"),
            ("nats.tls.key_file", &self.key_file, "PRIVATE KEY"),
        ] {
            let Some(path) = path else { continue };
            if !read(key, path)?.contains(&format!("{kind}-----")) {
                return Err(ConfigError::new(format!(
                    "{key} {} holds no PEM block `{kind}`",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if self.cert_file.is_some() == self.key_file.is_some() {
            return Ok(());
        }
        Err(ConfigError::new(
            "nats.tls.cert_file and nats.tls.key_file belong together: give both",
        ))
    }
}

/// Tools write the public key beside the seed, and comments around it.
fn read_seed(path: &Path) -> Result<SecretString, ConfigError> {
    let text = read("nats.nkey_file", path)?;
    let seed = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("SU"));
    seed.map(SecretString::from).ok_or_else(|| {
        ConfigError::new(format!(
            "nats.nkey_file {} holds no seed of a user's nkey: a line that begins with SU",
            path.display()
        ))
    })
}

fn read(key: &str, path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!("{key} {} cannot be read: {error}", path.display()))
    })
}

fn is_subject(text: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.split('.')
        .all(|part| !part.is_empty() && part.chars().all(is_safe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &NatsConfig) -> String {
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn an_nkey_goes_with_no_user_and_a_certificate_with_its_key() {
        let two_ways = NatsConfig {
            user: Some("me".to_owned()),
            password: Some("secret".into()),
            nkey_file: Some("seed".into()),
            ..NatsConfig::default()
        };
        assert!(refused(&two_ways).contains("nats.nkey_file"));
        let half = NatsConfig {
            tls: Some(NatsTlsConfig {
                cert_file: Some("cert.pem".into()),
                ..NatsTlsConfig::default()
            }),
            ..NatsConfig::default()
        };
        assert!(refused(&half).contains("nats.tls.key_file"));
        for bad in ["", "a.", "a b", "a.>", "*"] {
            let deaf = NatsConfig {
                inbox_prefix: Some(bad.to_owned()),
                ..NatsConfig::default()
            };
            assert!(refused(&deaf).contains("nats.inbox_prefix"), "{bad}");
        }
    }

    #[test]
    fn a_file_that_does_not_serve_is_named_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let with_seed = || NatsConfig {
            nkey_file: Some(file.clone()),
            ..NatsConfig::default()
        };
        let with_authority = || NatsConfig {
            tls: Some(NatsTlsConfig {
                ca_file: Some(file.clone()),
                ..NatsTlsConfig::default()
            }),
            ..NatsConfig::default()
        };
        let missing = [with_seed(), with_authority()].map(|mut config| config.read_secret_files());
        std::fs::write(&file, "nothing of use").unwrap();
        let useless = [with_seed(), with_authority()].map(|mut config| config.read_secret_files());
        let keys = ["nats.nkey_file", "nats.tls.ca_file"].into_iter().cycle();
        for (outcome, key) in missing.into_iter().chain(useless).zip(keys) {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
            assert!(error.contains(&file.display().to_string()), "{error}");
        }
    }

    #[test]
    fn what_is_configured_reaches_the_log() {
        let config = NatsConfig {
            tls: Some(NatsTlsConfig {
                ca_file: Some("ca".into()),
                cert_file: Some("cert".into()),
                key_file: Some("key".into()),
            }),
            inbox_prefix: Some("_INBOX_api".to_owned()),
            ..NatsConfig::default()
        };
        let options = config.log_options();
        let wanted = LogTls {
            ca_file: Some("ca".into()),
            client: Some(("cert".into(), "key".into())),
        };
        assert_eq!(options.tls, Some(wanted));
        assert_eq!(options.inbox_prefix, config.inbox_prefix);
    }

    #[test]
    fn the_seed_is_found_among_what_tools_write_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seed");
        std::fs::write(&file, "SUAEXAMPLE\nUDPUBLIC\n").unwrap();
        let mut config = NatsConfig {
            nkey_file: Some(file),
            ..NatsConfig::default()
        };
        config.read_secret_files().unwrap();
        assert!(config.validate().is_ok());
        let seed = config.log_options().nkey.unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&seed), "SUAEXAMPLE");
    }
}
