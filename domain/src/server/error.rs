//! Why a server refuses a command.

use super::manifest::MAX_MANIFEST_BYTES;
use super::profile::MAX_TAGS;
use crate::aggregate::Rejection;
use crate::canonical::MAX_PART_DEPTH;
use crate::id::InvalidId;
use crate::text::HIDDEN_KINDS;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The slug is taken: choose another, or describe the server that has it.
    #[error("a server with this slug is already registered")]
    AlreadyRegistered,
    /// Register the server first.
    #[error("there is no such server")]
    NotRegistered,
    /// Restore the server first.
    #[error("the server is retired; restore it to use it again")]
    Retired,
    /// There is nothing to restore.
    #[error("the server is not retired")]
    NotRetired,
    /// Use a slug.
    #[error(transparent)]
    InvalidSlug(#[from] InvalidId),
    /// Give the field a value.
    #[error("the {field} must not be empty")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// Shorten the field.
    #[error("the {field} has {found} characters; the most is {most}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// The limit.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// Remove what a reader cannot see ([`HIDDEN_KINDS`]).
    #[error("the {field} holds hidden characters ({HIDDEN_KINDS}); remove them")]
    HiddenCharacters {
        /// Which field.
        field: &'static str,
    },
    /// Use fewer tags.
    #[error("{found} tags; the most is {MAX_TAGS}")]
    TooManyTags {
        /// What was given.
        found: usize,
    },
    /// Give an absolute `http` or `https` address.
    #[error("the homepage must be an absolute http or https address")]
    InvalidHomepage,
    /// Give a name in reverse-DNS form.
    #[error(
        "the registry name must look like `io.github.acme/weather`: a namespace in reverse-DNS form, a slash and a name of letters, digits, `-`, `_` and `.`"
    )]
    InvalidRegistryName,
    /// The server is already described so.
    #[error("the server is already described like this")]
    Unchanged,
    /// Mend the document.
    #[error(transparent)]
    InvalidManifest(#[from] ManifestError),
    /// Publish under the server's registry name; give it one first if it has none.
    #[error(
        "the manifest is of `{found}`, and the registry name of the server is {}: describe the server with the name of its manifests",
        registry_name.as_deref().unwrap_or("not set")
    )]
    ManifestNameDiffers {
        /// The server's.
        registry_name: Option<String>,
        /// The document's.
        found: String,
    },
    /// Published versions stay as they are: raise the version.
    #[error("this version is published with another document; publish the change as a new version")]
    VersionTaken,
    /// Publish the version first.
    #[error("the server has no such version")]
    VersionNotFound,
    /// Publish under another server.
    #[error("the server has as many versions as a server may have")]
    TooManyVersions,
    /// Published documents carry the name: register another server for another one.
    #[error(
        "the registry name stays, because published versions carry it; register another server"
    )]
    RegistryNameFixed,
}

/// Why a document is no `server.json` of this registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Write it in a revision that this release reads, or update MetaMCP.
    #[error(
        "the manifest is of the schema `{found}`, which this release does not read; update MetaMCP, or use a revision from 2025-09-29 to 2025-12-11"
    )]
    UnknownSchema {
        /// What it names.
        found: String,
    },
    /// Correct the place.
    #[error("the manifest does not fit the schema of server.json at `{place}`: {problem}")]
    Invalid {
        /// A JSON Pointer (RFC 6901).
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// Shorten it.
    #[error("the manifest has {found} bytes; the most is {MAX_MANIFEST_BYTES}")]
    TooLarge {
        /// Its size.
        found: usize,
    },
    /// Make it flatter.
    #[error("the manifest nests deeper than {MAX_PART_DEPTH} levels; make it flatter")]
    TooDeep,
    /// Remove what a reader cannot see ([`HIDDEN_KINDS`]).
    #[error("the manifest holds hidden characters ({HIDDEN_KINDS}) at `{place}`; remove them")]
    HiddenCharacters {
        /// A JSON Pointer.
        place: String,
    },
}

impl ManifestError {
    /// Stable, upper-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSchema { .. } => "MANIFEST_SCHEMA_UNKNOWN",
            Self::Invalid { .. } => "MANIFEST_INVALID",
            Self::TooLarge { .. } => "MANIFEST_TOO_LARGE",
            Self::TooDeep => "MANIFEST_TOO_DEEP",
            Self::HiddenCharacters { .. } => "HIDDEN_CHARACTERS",
        }
    }
}

impl Rejection for ServerError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "SERVER_ALREADY_REGISTERED",
            Self::NotRegistered => "SERVER_NOT_FOUND",
            Self::Retired => "SERVER_RETIRED",
            Self::NotRetired => "NOT_RETIRED",
            Self::InvalidSlug(_) => "INVALID_SLUG",
            Self::Missing { .. } => "FIELD_MISSING",
            Self::TooLong { .. } => "FIELD_TOO_LONG",
            Self::HiddenCharacters { .. } => "HIDDEN_CHARACTERS",
            Self::TooManyTags { .. } => "TOO_MANY_TAGS",
            Self::InvalidHomepage => "INVALID_HOMEPAGE",
            Self::InvalidRegistryName => "INVALID_REGISTRY_NAME",
            Self::Unchanged => "UNCHANGED",
            Self::InvalidManifest(error) => error.code(),
            Self::ManifestNameDiffers { .. } => "MANIFEST_NAME_DIFFERS",
            Self::VersionTaken => "VERSION_TAKEN",
            Self::VersionNotFound => "VERSION_NOT_FOUND",
            Self::TooManyVersions => "TOO_MANY_VERSIONS",
            Self::RegistryNameFixed => "REGISTRY_NAME_FIXED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
