//! How a version of a tool is asked for, and which one that is. Pure: one set of versions and aliases gives
//! one answer.

use super::aggregate::check_name;
use super::{Alias, ToolError};
use crate::id::check_slug;
use semver::{Version, VersionReq};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Longest reference, in bytes.
const MAX_REFERENCE: usize = 200;

/// What stands behind the `@` of `server/name@reference`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reference {
    /// Nothing, or `latest`: the current version.
    #[default]
    Latest,
    /// `stable`: where the alias stands.
    Alias(Alias),
    /// `1.2.3`: this version, even when it was yanked, and whatever its build metadata.
    Exact(Version),
    /// `^1.2`, `>=1, <3`, `1.2`: the highest version that matches, as Cargo reads requirements.
    Range(VersionReq),
}

/// A tool of a server and which of its versions: `server/name`, `server/name@reference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolReference {
    /// The server's slug: what stands before the first slash, because a tool's name may hold some.
    pub server: String,
    /// The tool's name, which holds no `@`.
    pub name: String,
    /// Which version.
    pub reference: Reference,
}

/// A version that a reference may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The version.
    pub version: &'a Version,
    /// Whether it was yanked: then only its exact number leads to it.
    pub yanked: bool,
}

impl Reference {
    /// The version that it leads to; none when there is no such version, or only yanked ones.
    ///
    /// A range never leads to a yanked version, and to a pre-release only when it names one of the same
    /// three numbers.
    #[must_use]
    pub fn resolve<'a>(
        &self,
        offers: &[Offer<'a>],
        aliases: &BTreeMap<Alias, Version>,
    ) -> Option<&'a Version> {
        let usable = || offers.iter().filter(|offer| !offer.yanked);
        match self {
            Self::Latest => current(offers.iter().copied()),
            Self::Alias(alias) => {
                let stands_at = aliases.get(alias)?;
                usable()
                    .map(|offer| offer.version)
                    .find(|version| *version == stands_at)
            }
            Self::Exact(exact) => numbered(offers.iter().map(|offer| offer.version), exact),
            Self::Range(range) => usable()
                .map(|offer| offer.version)
                .filter(|version| range.matches(version))
                .max(),
        }
    }
}

/// Of the versions of a tool, the one that a number means. Build metadata is left aside: it decides nothing about
/// which of two versions is higher (Semantic Versioning 2.0.0, item 10), and no tool has two that differ by it alone.
#[must_use]
pub fn numbered<'a>(
    versions: impl IntoIterator<Item = &'a Version>,
    number: &Version,
) -> Option<&'a Version> {
    let mut versions = versions.into_iter();
    versions.find(|version| version.cmp_precedence(number) == Ordering::Equal)
}

/// The releases next below and next above a number: what a publication under it is compared with. A yanked version
/// and a pre-release are nobody's neighbours, because neither is what callers rely on.
#[must_use]
pub fn neighbours<'a>(
    offers: &[Offer<'a>],
    number: &Version,
) -> (Option<&'a Version>, Option<&'a Version>) {
    let usable = offers.iter().filter(|offer| !offer.yanked);
    let releases = usable.map(|offer| offer.version);
    let releases = releases.filter(|version| version.pre.is_empty());
    let side = |side: Ordering| {
        let beside = releases.clone();
        beside.filter(move |version| version.cmp_precedence(number) == side)
    };
    (side(Ordering::Less).max(), side(Ordering::Greater).min())
}

/// The current version: the highest that is neither yanked nor a pre-release; where there is none, the
/// highest pre-release that is not yanked.
#[must_use]
pub fn current<'a>(offers: impl IntoIterator<Item = Offer<'a>>) -> Option<&'a Version> {
    let usable = offers.into_iter().filter(|offer| !offer.yanked);
    usable
        .map(|offer| offer.version)
        .max_by_key(|version| (version.pre.is_empty(), *version))
}

impl FromStr for Reference {
    type Err = ToolError;

    fn from_str(text: &str) -> Result<Self, ToolError> {
        let invalid = || ToolError::InvalidReference;
        if text.len() > MAX_REFERENCE {
            return Err(invalid());
        }
        if text == Alias::LATEST {
            return Ok(Self::Latest);
        }
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Alias::new(text).map(Self::Alias).map_err(|_| invalid());
        }
        if let Ok(version) = Version::parse(text) {
            return Ok(Self::Exact(version));
        }
        let range = VersionReq::parse(text).map_err(|_| invalid())?;
        // An empty requirement would match everything.
        if text.trim().is_empty() {
            return Err(invalid());
        }
        Ok(Self::Range(range))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(Alias::LATEST),
            Self::Alias(alias) => alias.fmt(f),
            Self::Exact(version) => version.fmt(f),
            Self::Range(range) => range.fmt(f),
        }
    }
}

impl FromStr for ToolReference {
    type Err = ToolError;

    fn from_str(text: &str) -> Result<Self, ToolError> {
        let (server, rest) = text.split_once('/').ok_or(ToolError::InvalidReference)?;
        check_slug("server slug", server).map_err(|_| ToolError::InvalidReference)?;
        let (name, reference) = split(rest)?;
        check_name(name).map_err(|_| ToolError::InvalidReference)?;
        Ok(Self {
            server: server.to_owned(),
            name: name.to_owned(),
            reference,
        })
    }
}

/// A tool's name and what stands behind the `@`, if anything.
///
/// # Errors
/// [`ToolError::InvalidReference`].
pub fn split(name: &str) -> Result<(&str, Reference), ToolError> {
    match name.split_once('@') {
        None => Ok((name, Reference::Latest)),
        Some((name, reference)) => Ok((name, reference.parse()?)),
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
