//! `publishers`: how the proofs of namespaces are looked up.

use super::{ConfigError, values};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// How records of publishers are looked up.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublishersConfig {
    /// DNS servers to ask, `address` or `address:port`. Default: those of the system.
    #[serde(deserialize_with = "values::list")]
    pub resolver: Vec<String>,
    /// Time for one DNS question. Default `5s`.
    #[serde(with = "values::duration")]
    pub dns_timeout: Duration,
    /// Time to fetch one well-known file, once its host is resolved. Default `5s`.
    #[serde(with = "values::duration")]
    pub http_timeout: Duration,
    /// Fetch from private, loopback and link-local addresses, too. It lets tenants make this process send
    /// requests into your own network; for a registry that serves that network alone. Default `false`.
    pub allow_private_addresses: bool,
    /// Fetch over `http` instead of `https`. It lets whoever stands between this process and a domain
    /// prove that domain; for tests. Default `false`.
    pub insecure_http: bool,
    /// The port of well-known files in place of the scheme's own; for tests. Default: none.
    pub well_known_port: Option<u16>,
}

impl Default for PublishersConfig {
    fn default() -> Self {
        Self {
            resolver: Vec::new(),
            dns_timeout: Duration::from_secs(5),
            http_timeout: Duration::from_secs(5),
            allow_private_addresses: false,
            insecure_http: false,
            well_known_port: None,
        }
    }
}

impl PublishersConfig {
    /// The DNS servers to ask; none for those of the system.
    #[must_use]
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.resolver
            .iter()
            .filter_map(|text| server(text))
            .collect()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(wrong) = self.resolver.iter().find(|text| server(text).is_none()) {
            return Err(ConfigError::new(format!(
                "publishers.resolver: `{wrong}` is no address; write 9.9.9.9 or 127.0.0.1:5353"
            )));
        }
        if self.dns_timeout.is_zero() || self.http_timeout.is_zero() {
            return Err(ConfigError::new(
                "publishers.dns_timeout and publishers.http_timeout must be above 0",
            ));
        }
        Ok(())
    }
}

fn server(text: &str) -> Option<SocketAddr> {
    let bare = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS_PORT));
    text.parse().ok().or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_an_address_with_or_without_a_port() {
        let mut config = PublishersConfig {
            resolver: ["9.9.9.9", "[::1]:5353", "2620:fe::fe"]
                .map(str::to_owned)
                .into(),
            ..PublishersConfig::default()
        };
        assert_eq!(config.validate(), Ok(()));
        let ports: Vec<_> = config.servers().iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [53, 5353, 53]);
        config.resolver.push("dns.example".to_owned());
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("dns.example")
        );
    }
}
