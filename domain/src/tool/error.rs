//! Why a tool refuses a command.

use super::Alias;
use super::definition::{MAX_ANNOTATIONS_BYTES, MAX_DEFINITION_BYTES, MAX_SCHEMA_BYTES};
use super::versions::{MAX_VERSION, MAX_VERSION_NUMBER, MAX_VERSIONS};
use crate::aggregate::Rejection;
use crate::canonical::MAX_PART_DEPTH;
use crate::compatibility::Change;
use crate::server::MAX_TAGS;
use crate::text::HIDDEN_KINDS;
use semver::Version;
use serde_json::{Value, json};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The server has a tool of this name: publish a version of it instead.
    #[error("the server already has a tool of this name; publish a new version of it instead")]
    AlreadyRegistered,
    /// Register the tool first.
    #[error("there is no such tool")]
    NotRegistered,
    /// A retired tool keeps its name: restore it, or choose another name.
    #[error("the tool is retired and keeps its name; restore it to use it again")]
    Retired,
    /// Follow the rule for names (MCP specification 2025-11-25, "Tool Names", and spaces and slashes,
    /// which real servers use).
    #[error(
        "a tool's name has 1 to 128 characters out of letters, digits, `_`, `-`, `.`, `/` and single spaces inside"
    )]
    InvalidName,
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
    /// Give a JSON Schema whose root is an object of type `object`.
    #[error("the {field} is no JSON Schema of an object, at \"{path}\": {reason}")]
    InvalidSchema {
        /// Which schema.
        field: &'static str,
        /// Where in it: a JSON Pointer, empty for the whole.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// Put what the reference leads to under `$defs` and refer to it there.
    #[error(
        "the {field} refers to another document, \"{reference}\", which is not fetched: copy that schema \
         under `$defs` and refer to \"#/$defs/<name>\""
    )]
    RemoteReference {
        /// Which schema.
        field: &'static str,
        /// The reference.
        reference: String,
    },
    /// Make the schema flatter, by `$defs` and references.
    #[error(
        "the {field} nests deeper than {MAX_PART_DEPTH} levels; make it flatter by `$defs` and references"
    )]
    SchemaTooDeep {
        /// Which schema.
        field: &'static str,
    },
    /// Make the schema smaller.
    #[error(
        "the {field} has {found} bytes; the most is {MAX_SCHEMA_BYTES}: shorten its texts, or put what it repeats under `$defs`"
    )]
    SchemaTooLarge {
        /// Which schema.
        field: &'static str,
        /// What was given.
        found: usize,
    },
    /// Make the schemas smaller: the definition as a whole is too large.
    #[error(
        "name, description, schemas and annotations have {found} bytes together; the most is {MAX_DEFINITION_BYTES}: make the schemas smaller"
    )]
    DefinitionTooLarge {
        /// What was given.
        found: usize,
    },
    /// Give an object whose hints are booleans (MCP specification 2025-11-25, "ToolAnnotations").
    #[error(
        "the annotations must be an object; readOnlyHint, destructiveHint, idempotentHint and openWorldHint are booleans, title is a string"
    )]
    InvalidAnnotations,
    /// Make the annotations flatter.
    #[error("the annotations nest deeper than {MAX_PART_DEPTH} levels; make them flatter")]
    AnnotationsTooDeep,
    /// Make the annotations smaller.
    #[error(
        "the annotations have {found} bytes; the most is {MAX_ANNOTATIONS_BYTES}: make them smaller"
    )]
    AnnotationsTooLarge {
        /// What was given.
        found: usize,
    },
    /// Shorten what stands behind the three numbers.
    #[error(
        "the version has {found} characters; the most is {MAX_VERSION}: shorten what stands behind the three numbers"
    )]
    VersionTooLong {
        /// What was given.
        found: usize,
    },
    /// Count lower.
    #[error("the numbers of a version are {MAX_VERSION_NUMBER} at most; count lower")]
    VersionNumberTooLarge,
    /// Register another tool for what comes next.
    #[error(
        "the tool has {MAX_VERSIONS} versions, which is the most; register another tool for what comes next"
    )]
    TooManyVersions,
    /// A version never changes: publish the definition under another number.
    #[error(
        "version {version} is published with another definition and never changes; choose another number"
    )]
    VersionTaken {
        /// The version that is there.
        version: Version,
    },
    /// Publish it under the suggested version, or take the breaking changes back.
    #[error(
        "a breaking change between this and version {neighbour}, whose numbers promise none: {}; \
         the suggested version is {suggested}",
        told(changes)
    )]
    BreakingChange {
        /// The release that it was compared with.
        neighbour: Version,
        /// What breaks callers.
        changes: Vec<Change>,
        /// A version that promises nothing to any other.
        suggested: Version,
    },
    /// The definition is the one of the version below: nothing to publish.
    #[error(
        "the definition is the same as that of version {latest}, so there is nothing to publish; change it, or use that version"
    )]
    DefinitionUnchanged {
        /// The version next below.
        latest: Version,
    },
    /// Name a published version.
    #[error("the tool has no version {version}; its `versions` lists what there is")]
    VersionNotFound {
        /// What was given.
        version: Version,
    },
    /// Choose a version that is in use, or unyank it.
    #[error("version {version} is yanked; choose a version in use, or unyank it")]
    VersionYanked {
        /// The version.
        version: Version,
    },
    /// There is nothing to unyank.
    #[error("version {version} is not yanked")]
    VersionNotYanked {
        /// The version.
        version: Version,
    },
    /// Move or remove the aliases first.
    #[error(
        "version {version} cannot be yanked while aliases stand at it: move or remove {aliases} first"
    )]
    VersionHasAliases {
        /// The version.
        version: Version,
        /// The aliases.
        aliases: String,
    },
    /// Publish another version first, or retire the tool.
    #[error(
        "version {version} is the last one in use; publish another one first, or retire the tool"
    )]
    LastVersion {
        /// The version.
        version: Version,
    },
    /// Follow the rule for aliases.
    #[error("an alias has 1 to 32 characters out of a-z, 0-9 and `-`, and begins with a letter")]
    InvalidAlias,
    /// `latest` follows the versions by itself: publish or yank one, or use another alias.
    #[error(
        "`latest` follows the highest version by itself and cannot be moved or removed; use another alias, such as `stable`"
    )]
    AutomaticAlias,
    /// Move the alias to a version to make it.
    #[error(
        "the tool has no alias `{alias}`; its `aliases` lists what there is; move it to a version to make it"
    )]
    AliasNotFound {
        /// What was given.
        alias: Alias,
    },
    /// Remove an alias that nobody uses.
    #[error("a tool has 32 aliases at most; remove one that nobody uses")]
    TooManyAliases,
    /// The alias has stood at one version only: move it.
    #[error("alias `{alias}` stood nowhere before; move or remove it")]
    NothingBefore {
        /// The alias.
        alias: Alias,
    },
    /// Write a reference as the text says.
    #[error(
        "a tool is named `server/name`, and with a version `server/name@1.2.3`, `@^1.2`, `@stable` or `@latest`"
    )]
    InvalidReference,
    /// Name another tool, or another version.
    #[error(
        "a successor is written `server/name` or `server/name@reference`, and a tool does not succeed itself"
    )]
    InvalidSuccessor,
    /// Name a day within these years.
    #[error("the sunset is a day from 1970-01-01 to 9999-12-31")]
    SunsetOutOfRange,
    /// There is no deprecation to take back: name the version that is deprecated, or none for the whole tool.
    #[error(
        "this is not deprecated; name the version that is, or leave the version out for the whole tool"
    )]
    NotDeprecated,
    /// There is nothing to restore.
    #[error("the tool is not retired")]
    NotRetired,
    /// The tool is already described so.
    #[error("the tool is already described like this")]
    Unchanged,
}

impl Rejection for ToolError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "TOOL_ALREADY_REGISTERED",
            Self::NotRegistered => "TOOL_NOT_FOUND",
            Self::Retired => "TOOL_RETIRED",
            Self::InvalidName => "INVALID_TOOL_NAME",
            Self::Missing { .. } => "FIELD_MISSING",
            Self::TooLong { .. } => "FIELD_TOO_LONG",
            Self::HiddenCharacters { .. } => "HIDDEN_CHARACTERS",
            Self::TooManyTags { .. } => "TOO_MANY_TAGS",
            Self::InvalidSchema { .. } => "INVALID_SCHEMA",
            Self::RemoteReference { .. } => "REMOTE_REFERENCE",
            Self::SchemaTooDeep { .. } => "SCHEMA_TOO_DEEP",
            Self::SchemaTooLarge { .. } => "SCHEMA_TOO_LARGE",
            Self::DefinitionTooLarge { .. } => "DEFINITION_TOO_LARGE",
            Self::InvalidAnnotations => "INVALID_ANNOTATIONS",
            Self::AnnotationsTooDeep => "ANNOTATIONS_TOO_DEEP",
            Self::AnnotationsTooLarge { .. } => "ANNOTATIONS_TOO_LARGE",
            Self::VersionTooLong { .. } => "VERSION_TOO_LONG",
            Self::VersionNumberTooLarge => "VERSION_NUMBER_TOO_LARGE",
            Self::TooManyVersions => "TOO_MANY_VERSIONS",
            Self::VersionTaken { .. } => "VERSION_TAKEN",
            Self::BreakingChange { .. } => "BREAKING_CHANGE",
            Self::DefinitionUnchanged { .. } => "DEFINITION_UNCHANGED",
            Self::VersionNotFound { .. } => "VERSION_NOT_FOUND",
            Self::VersionYanked { .. } => "VERSION_YANKED",
            Self::VersionNotYanked { .. } => "VERSION_NOT_YANKED",
            Self::VersionHasAliases { .. } => "VERSION_HAS_ALIASES",
            Self::LastVersion { .. } => "LAST_VERSION",
            Self::InvalidAlias => "INVALID_ALIAS",
            Self::AutomaticAlias => "AUTOMATIC_ALIAS",
            Self::AliasNotFound { .. } => "ALIAS_NOT_FOUND",
            Self::TooManyAliases => "TOO_MANY_ALIASES",
            Self::NothingBefore { .. } => "NOTHING_TO_ROLL_BACK",
            Self::InvalidReference => "INVALID_REFERENCE",
            Self::InvalidSuccessor => "INVALID_SUCCESSOR",
            Self::SunsetOutOfRange => "SUNSET_OUT_OF_RANGE",
            Self::NotDeprecated => "NOT_DEPRECATED",
            Self::NotRetired => "NOT_RETIRED",
            Self::Unchanged => "UNCHANGED",
        }
    }

    fn details(&self) -> Option<Value> {
        let Self::BreakingChange {
            neighbour,
            changes,
            suggested,
        } = self
        else {
            return None;
        };
        Some(json!({
            "changes": changes,
            "comparedWith": neighbour,
            "suggestedVersion": suggested,
        }))
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}

/// The first change in words, and how many more there are.
fn told(changes: &[Change]) -> String {
    let first = changes.first().map_or("", |change| &change.message);
    match changes.len() {
        0 | 1 => first.to_owned(),
        all => format!("{first}, and {} more", all - 1),
    }
}
