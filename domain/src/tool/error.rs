//! Why a tool refuses a command.

use super::definition::{MAX_ANNOTATIONS_BYTES, MAX_SCHEMA_BYTES};
use crate::aggregate::Rejection;
use crate::server::MAX_TAGS;
use semver::Version;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The server has a tool of this name: publish a version of it instead.
    #[error("the server already has a tool of this name; publish a new version of it instead")]
    AlreadyRegistered,
    /// Register the tool first.
    #[error("there is no such tool")]
    NotRegistered,
    /// A retired tool does not come back, and its name stays taken: choose another.
    #[error("the tool is retired: it does not come back, and its name stays taken")]
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
    /// Remove control, bidirectional and zero-width characters.
    #[error(
        "the {field} holds hidden characters (control, bidirectional or zero-width); remove them"
    )]
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
    /// Make the schema smaller.
    #[error("the {field} has {found} bytes; the most is {MAX_SCHEMA_BYTES}")]
    SchemaTooLarge {
        /// Which schema.
        field: &'static str,
        /// What was given.
        found: usize,
    },
    /// Give an object whose hints are booleans (MCP specification 2025-11-25, "ToolAnnotations").
    #[error(
        "the annotations must be an object; readOnlyHint, destructiveHint, idempotentHint and openWorldHint are booleans, title is a string"
    )]
    InvalidAnnotations,
    /// Make the annotations smaller.
    #[error("the annotations have {found} bytes; the most is {MAX_ANNOTATIONS_BYTES}")]
    AnnotationsTooLarge {
        /// What was given.
        found: usize,
    },
    /// Choose a version above the latest.
    #[error("version {given} is not above the latest published version {latest}")]
    VersionNotAbove {
        /// What was given.
        given: Version,
        /// The latest.
        latest: Version,
    },
    /// The definition is the one already in use: nothing to publish.
    #[error("the definition is the same as that of version {latest}")]
    DefinitionUnchanged {
        /// The latest.
        latest: Version,
    },
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
            Self::SchemaTooLarge { .. } => "SCHEMA_TOO_LARGE",
            Self::InvalidAnnotations => "INVALID_ANNOTATIONS",
            Self::AnnotationsTooLarge { .. } => "ANNOTATIONS_TOO_LARGE",
            Self::VersionNotAbove { .. } => "VERSION_NOT_ABOVE_LATEST",
            Self::DefinitionUnchanged { .. } => "DEFINITION_UNCHANGED",
            Self::Unchanged => "UNCHANGED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
