//! `http`: the listener and its public address.

use super::{ConfigError, values};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use url::Url;

/// Where MetaMCP listens and how it is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port to listen on. Default `127.0.0.1:8080`: this machine only.
    pub listen: SocketAddr,
    /// The address that clients use, which is also the issuer of tokens and their audience. Default:
    /// `http://` and `listen`. Behind a proxy, give the proxy's address. Changing it ends all tokens.
    pub public_url: Option<Url>,
    /// Names that the `Host` of a request to the MCP endpoint may carry, with port unless it is the
    /// scheme's own; anything else is refused there, against DNS rebinding. Default: those of
    /// `public_url` and `listen`.
    #[serde(deserialize_with = "values::list")]
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call the MCP endpoint from a browser, such as `https://console.example.com`.
    /// Default: that of `public_url` and, when listening on loopback, those of `listen` and
    /// `localhost`. Requests without `Origin` pass.
    #[serde(deserialize_with = "values::list")]
    pub allowed_origins: Vec<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

impl HttpConfig {
    /// The public address without a slash at its end: the issuer, and the root of our resources.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// The canonical resources (RFC 8707) for which a token may be issued: all of MetaMCP, or one of
    /// its two surfaces.
    #[must_use]
    pub fn resources(&self) -> Vec<String> {
        let base = self.base_url();
        vec![
            base.clone(),
            format!("{base}/mcp"),
            format!("{base}/graphql"),
        ]
    }

    /// The values of `Host` that are accepted.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        if !self.allowed_hosts.is_empty() {
            return self.allowed_hosts.clone();
        }
        let mut hosts = vec![self.listen.to_string()];
        if self.listen.ip().is_loopback() {
            hosts.push(format!("localhost:{}", self.listen.port()));
        }
        hosts.extend(self.public_url.as_ref().and_then(authority));
        hosts
    }

    /// The values of `Origin` that are accepted.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        if !self.allowed_origins.is_empty() {
            return self.allowed_origins.clone();
        }
        let mut origins = Vec::new();
        if self.listen.ip().is_loopback() {
            origins.push(format!("http://{}", self.listen));
            origins.push(format!("http://localhost:{}", self.listen.port()));
        }
        if let Some(url) = &self.public_url {
            origins.push(url.origin().ascii_serialization());
        }
        if origins.is_empty() {
            origins.push(self.base_url());
        }
        origins
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.public_url.is_none() && self.listen.ip().is_unspecified() {
            return Err(ConfigError::new(format!(
                "http.listen is {}, which no client can call: set http.public_url to the address that clients use",
                self.listen
            )));
        }
        let Some(url) = &self.public_url else {
            return Ok(());
        };
        let sound = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty();
        if sound {
            Ok(())
        } else {
            Err(ConfigError::new(
                "http.public_url must be an http or https address without user, query and fragment, such as https://mcp.example.com",
            ))
        }
    }
}

/// Host, with the port where it is not the scheme's own: what a client sends as `Host`.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}
