//! The published versions of a tool and the aliases that stand at them.
//!
//! A version is immutable and stays for good; yanking it only hides it from resolution. Always one version
//! at least is not yanked, and no alias stands at a yanked one: so a tool in use has a current version, and
//! an alias leads somewhere.

use super::reference::{Offer, current, neighbours, numbered};
use super::{Alias, Deprecation, ToolDefinition, ToolError};
use crate::compatibility::{Comparison, compare};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most aliases of a tool.
const MAX_ALIASES: usize = 32;
/// Most versions of a tool: each command of the tool folds them all.
pub(super) const MAX_VERSIONS: usize = 1_000;
/// Longest version, in bytes, which are characters here: it is part of keys in every read model.
pub(super) const MAX_VERSION: usize = 128;
/// The highest number in a version: the highest that every reader of JSON keeps exactly (RFC 8259, section 6).
pub(super) const MAX_VERSION_NUMBER: u64 = (1 << 53) - 1;

/// A version as it was published, and what was said of it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) definition: Arc<ToolDefinition>,
    pub(super) definition_hash: String,
    /// Why it was yanked, if it was.
    pub(super) yanked: Option<String>,
    pub(super) deprecation: Option<Deprecation>,
}

/// Where an alias stands, and where it stood before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) at: Version,
    pub(super) before: Option<Version>,
}

/// All versions and aliases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Versions {
    published: BTreeMap<Version, Published>,
    pub(super) aliases: BTreeMap<Alias, Standing>,
}

/// A version beside another.
type Neighbour<'a> = (&'a Version, &'a Published);

/// Whether a version can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// It was, with this definition, be it under other build metadata: nothing is to be done.
    Already,
    /// It can.
    New,
}

impl Versions {
    pub(super) fn publish(
        &mut self,
        version: Version,
        definition: Arc<ToolDefinition>,
        definition_hash: String,
    ) {
        let published = Published {
            definition,
            definition_hash,
            yanked: None,
            deprecation: None,
        };
        self.published.insert(version, published);
    }

    pub(super) fn get(&self, version: &Version) -> Result<&Published, ToolError> {
        self.find(version).map(|(_, published)| published)
    }

    /// The version that a number means, under its whole name: what events name it by.
    pub(super) fn named(&self, version: &Version) -> Result<Version, ToolError> {
        self.find(version).map(|(name, _)| name.clone())
    }

    fn find(&self, version: &Version) -> Result<(&Version, &Published), ToolError> {
        let name = numbered(self.published.keys(), version);
        let found = name.and_then(|name| self.published.get_key_value(name));
        found.ok_or_else(|| ToolError::VersionNotFound {
            version: version.clone(),
        })
    }

    /// For folding events, which were checked when they were decided.
    pub(super) fn get_mut(&mut self, version: &Version) -> Option<&mut Published> {
        self.published.get_mut(version)
    }

    pub(super) fn current(&self) -> Option<&Version> {
        current(self.offers())
    }

    pub(super) fn current_hash(&self) -> Option<&str> {
        let published = self.published.get(self.current()?)?;
        Some(&published.definition_hash)
    }

    pub(super) fn check_publication(
        &self,
        version: &Version,
        definition_hash: &str,
    ) -> Result<Publication, ToolError> {
        let hashes = self.published.values();
        let hashes = hashes.map(|published| published.definition_hash.as_str());
        check_publication(self.offers().zip(hashes), version, definition_hash)
    }

    /// Compatibility is computed, not promised: what separates a release from the ones next below and next
    /// above it must be what their numbers say. A pre-release says nothing (Semantic Versioning 2.0.0, item
    /// 9). Numbers that promise compatibility to each other lie side by side, so the neighbours are enough.
    pub(super) fn check_compatibility(
        &self,
        version: &Version,
        definition: &ToolDefinition,
    ) -> Result<(), ToolError> {
        if !version.pre.is_empty() {
            return Ok(());
        }
        let (below, above) = self.neighbours(version);
        if let Some((below, published)) = below {
            let comparison = compare(&published.definition, definition);
            if !comparison.permits(below, version) {
                return Err(self.breaking(below, &comparison));
            }
        }
        if let Some((above, published)) = above {
            let comparison = compare(definition, &published.definition);
            if !comparison.permits(version, above) {
                return Err(self.breaking(above, &comparison));
            }
        }
        Ok(())
    }

    /// What is suggested is above everything that was published, so it breaks no promise and is free.
    fn breaking(&self, neighbour: &Version, comparison: &Comparison) -> ToolError {
        let highest = self.published.keys().next_back().unwrap_or(neighbour);
        ToolError::BreakingChange {
            neighbour: neighbour.clone(),
            changes: comparison.breaking().cloned().collect(),
            suggested: comparison.suggested_version(highest),
        }
    }

    /// The releases next below and next above a version, see [`neighbours`].
    fn neighbours(&self, version: &Version) -> (Option<Neighbour<'_>>, Option<Neighbour<'_>>) {
        let offers: Vec<Offer> = self.offers().collect();
        let (below, above) = neighbours(&offers, version);
        let whole = |version: &Version| self.published.get_key_value(version);
        (below.and_then(whole), above.and_then(whole))
    }

    fn offers(&self) -> impl Iterator<Item = Offer<'_>> {
        self.published.iter().map(|(version, published)| Offer {
            version,
            yanked: published.yanked.is_some(),
        })
    }

    pub(super) fn check_alias_target(&self, version: &Version) -> Result<(), ToolError> {
        if self.get(version)?.yanked.is_some() {
            return Err(ToolError::VersionYanked {
                version: version.clone(),
            });
        }
        Ok(())
    }

    pub(super) fn check_alias_move(&self, alias: &Alias, to: &Version) -> Result<(), ToolError> {
        self.check_alias_target(to)?;
        match self.aliases.get(alias) {
            Some(standing) if standing.at == *to => Err(ToolError::Unchanged),
            Some(_) => Ok(()),
            None if self.aliases.len() >= MAX_ALIASES => Err(ToolError::TooManyAliases),
            None => Ok(()),
        }
    }

    pub(super) fn standing(&self, alias: &Alias) -> Result<&Standing, ToolError> {
        let absent = || ToolError::AliasNotFound {
            alias: alias.clone(),
        };
        self.aliases.get(alias).ok_or_else(absent)
    }

    /// An alias keeps a version from being yanked, and so does being the last one in use.
    pub(super) fn check_yank(&self, version: &Version) -> Result<(), ToolError> {
        self.check_alias_target(version)?;
        let standing = self.aliases.iter();
        let aliases: Vec<&str> = standing
            .filter(|(_, standing)| standing.at == *version)
            .map(|(alias, _)| alias.as_str())
            .collect();
        if !aliases.is_empty() {
            return Err(ToolError::VersionHasAliases {
                version: version.clone(),
                aliases: aliases.join(", "),
            });
        }
        let usable = self.published.values();
        if usable
            .filter(|published| published.yanked.is_none())
            .count()
            == 1
        {
            return Err(ToolError::LastVersion {
                version: version.clone(),
            });
        }
        Ok(())
    }

    /// While it was hidden, versions may have been published beside it that it does not fit.
    pub(super) fn check_unyank(&self, version: &Version) -> Result<(), ToolError> {
        let published = self.get(version)?;
        if published.yanked.is_none() {
            return Err(ToolError::VersionNotYanked {
                version: version.clone(),
            });
        }
        self.check_compatibility(version, &published.definition)
    }
}

/// Immutability: a number is used once. Build metadata makes no other number, because it decides
/// nothing about which version is higher (Semantic Versioning 2.0.0, item 10): the same definition under other build
/// metadata is the same publication. `known` are all versions of the tool, each with its definition's hash; what the
/// definitions say to each other is compared apart from this.
///
/// # Errors
/// [`ToolError::VersionTaken`], [`ToolError::TooManyVersions`], [`ToolError::DefinitionUnchanged`].
pub fn check_publication<'a>(
    known: impl Iterator<Item = (Offer<'a>, &'a str)>,
    version: &Version,
    definition_hash: &str,
) -> Result<Publication, ToolError> {
    let (offers, hashes): (Vec<Offer>, Vec<&str>) = known.unzip();
    let holds = |known: &Version| {
        let mut known_hashes = offers.iter().zip(&hashes);
        known_hashes.any(|(offer, hash)| offer.version == known && *hash == definition_hash)
    };
    if let Some(known) = numbered(offers.iter().map(|offer| offer.version), version) {
        return if holds(known) {
            Ok(Publication::Already)
        } else {
            Err(ToolError::VersionTaken {
                version: known.clone(),
            })
        };
    }
    if offers.len() >= MAX_VERSIONS {
        return Err(ToolError::TooManyVersions);
    }
    match neighbours(&offers, version).0 {
        Some(below) if holds(below) => Err(ToolError::DefinitionUnchanged {
            latest: below.clone(),
        }),
        Some(_) | None => Ok(Publication::New),
    }
}

/// What Semantic Versioning leaves open: how long a version is, and how high it counts.
///
/// # Errors
/// [`ToolError::VersionTooLong`], [`ToolError::VersionNumberTooLarge`].
pub fn check_version(version: &Version) -> Result<(), ToolError> {
    let found = version.to_string().len();
    if found > MAX_VERSION {
        return Err(ToolError::VersionTooLong { found });
    }
    let numbers = [version.major, version.minor, version.patch];
    if numbers.iter().any(|number| *number > MAX_VERSION_NUMBER) {
        return Err(ToolError::VersionNumberTooLarge);
    }
    Ok(())
}
