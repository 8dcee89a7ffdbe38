//! Namespaces in reverse-DNS form.

use super::PublisherError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest namespace, in characters (RFC 1035 section 2.3.4).
const MAX_NAMESPACE: usize = 253;
/// Longest label.
const MAX_LABEL: usize = 63;

/// A namespace such as `com.example`: the labels of a domain, the last one first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

impl Namespace {
    /// Takes a namespace that somebody claims.
    ///
    /// # Errors
    /// [`PublisherError::InvalidNamespace`], or [`PublisherError::PublicSuffix`] for a domain under which
    /// everybody registers, by the Public Suffix List (<https://publicsuffix.org>) of this build.
    pub fn parse(text: &str) -> Result<Self, PublisherError> {
        let namespace = Self::of_any_time(text)?;
        let domain = namespace.domain();
        if psl::suffix_str(&domain) == Some(domain.as_str()) {
            return Err(PublisherError::PublicSuffix { namespace });
        }
        Ok(namespace)
    }

    /// Takes a namespace that was accepted before: the list of public suffixes grows, and what the log holds
    /// stays readable.
    fn of_any_time(text: &str) -> Result<Self, PublisherError> {
        let labels: Vec<_> = text.split('.').collect();
        let sound = text.len() <= MAX_NAMESPACE
            && labels.iter().all(|label| is_label(label))
            // A domain ends in letters; what ends in digits is an address.
            && labels[0].starts_with(|c: char| c.is_ascii_lowercase());
        if !sound {
            return Err(PublisherError::InvalidNamespace {
                found: text.chars().take(80).collect(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain that proves it: `example.com` for `com.example`.
    #[must_use]
    pub fn domain(&self) -> String {
        self.0.rsplit('.').collect::<Vec<_>>().join(".")
    }
}

fn is_label(label: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    (1..=MAX_LABEL).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && edge(bytes.first())
        && edge(bytes.last())
}

/// What was stored.
impl TryFrom<String> for Namespace {
    type Error = PublisherError;
    fn try_from(text: String) -> Result<Self, PublisherError> {
        Self::of_any_time(&text)
    }
}

impl From<Namespace> for String {
    fn from(namespace: Namespace) -> Self {
        namespace.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
