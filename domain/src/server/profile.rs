//! What is said of a server, and the rules for it.

use super::ServerError;
use crate::named::named;
use crate::text::is_clean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Longest name, in characters.
pub const MAX_NAME: usize = 200;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;
/// Longest homepage or licence, in characters.
const MAX_REFERENCE: usize = 500;
/// Longest category, in characters.
pub const MAX_CATEGORY: usize = 64;
/// Most tags.
pub const MAX_TAGS: usize = 32;
/// Longest tag, in characters.
pub const MAX_TAG: usize = 64;

named! {
    /// How a server is reached (MCP specification, "Transports").
    pub enum Transport {
        /// A child process; only operators may define its command.
        Stdio = "stdio",
        /// HTTP with server-sent events, the transport of revision 2024-11-05.
        Sse = "sse",
        /// Streamable HTTP, the transport since revision 2025-03-26.
        StreamableHttp = "streamable-http",
    }
}

/// What is said of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerProfile {
    /// The name that people read.
    pub name: String,
    /// Its name across registries, `io.github.acme/weather`: a namespace in reverse-DNS form, a slash and
    /// a name (`server.json` of the official MCP registry, member `name`).
    pub registry_name: Option<String>,
    /// What it is for.
    pub description: String,
    /// An `https` or `http` address to read more.
    pub homepage: Option<String>,
    /// SPDX identifier.
    pub license: Option<String>,
    /// How it is reached, when known.
    pub transport: Option<Transport>,
    /// One word to group by.
    pub category: Option<String>,
    /// Words to filter by.
    pub tags: BTreeSet<String>,
}

impl ServerProfile {
    pub(super) fn check(&self) -> Result<(), ServerError> {
        check_text("name", &self.name, 1, MAX_NAME)?;
        check_text("description", &self.description, 0, MAX_DESCRIPTION)?;
        check_text(
            "license",
            self.license.as_deref().unwrap_or("-"),
            1,
            MAX_REFERENCE,
        )?;
        check_text(
            "category",
            self.category.as_deref().unwrap_or("-"),
            1,
            MAX_CATEGORY,
        )?;
        if self.tags.len() > MAX_TAGS {
            return Err(ServerError::TooManyTags {
                found: self.tags.len(),
            });
        }
        self.tags
            .iter()
            .try_for_each(|tag| check_text("tag", tag, 1, MAX_TAG))?;
        self.registry_name
            .as_deref()
            .map_or(Ok(()), check_registry_name)?;
        match &self.homepage {
            Some(homepage) => check_homepage(homepage),
            None => Ok(()),
        }
    }

    /// The namespace of its registry name: what stands before the slash.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let name = self.registry_name.as_deref()?;
        name.split_once('/').map(|(namespace, _)| namespace)
    }
}

fn check_registry_name(name: &str) -> Result<(), ServerError> {
    let sound = |text: &str, more: &[char]| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(text.chars().next())
            && edge(text.chars().next_back())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    let labels = |namespace: &str| {
        namespace.contains('.') && namespace.split('.').all(|label| sound(label, &['-']))
    };
    match name.split_once('/') {
        Some((namespace, rest))
            if name.len() <= MAX_NAME && labels(namespace) && sound(rest, &['-', '_', '.']) =>
        {
            Ok(())
        }
        _ => Err(ServerError::InvalidRegistryName),
    }
}

fn check_homepage(homepage: &str) -> Result<(), ServerError> {
    check_text("homepage", homepage, 1, MAX_REFERENCE)?;
    match url::Url::parse(homepage) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(ServerError::InvalidHomepage),
    }
}

fn check_text(
    field: &'static str,
    text: &str,
    least: usize,
    most: usize,
) -> Result<(), ServerError> {
    let found = text.chars().count();
    if found < least || (least > 0 && text.trim().is_empty()) {
        Err(ServerError::Missing { field })
    } else if found > most {
        Err(ServerError::TooLong { field, most, found })
    } else if is_clean(text) {
        Ok(())
    } else {
        Err(ServerError::HiddenCharacters { field })
    }
}
