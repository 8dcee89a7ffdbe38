//! What a change of a definition means for its users: between two versions, and before publishing.

use super::loaders::VersionsOf;
use super::scalars::Sequence;
use super::session::Session;
use crate::error::ApiError;
use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use bus::DispatchError;
use domain::compatibility::{self, Comparison, compare};
use domain::id::ToolId;
use domain::tool::ToolDefinition;
use projections::catalog::{self, ToolVersion};
use semver::Version;
use serde_json::Value;
use std::sync::Arc;

/// The worst of all changes.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::Verdict")]
enum CompatibilityVerdict {
    /// Nothing changed.
    Identical,
    /// Texts changed.
    Cosmetic,
    /// What worked goes on working.
    Compatible,
    /// What worked may fail, or nobody can tell.
    Breaking,
}

/// What a change means for those who use the tool.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::ChangeKind")]
enum DefinitionChangeKind {
    /// Nothing that a program depends on.
    Cosmetic,
    /// What worked goes on working.
    Compatible,
    /// What worked may fail, or nobody can tell.
    Breaking,
}

/// The part of a definition that changed.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::Part")]
enum DefinitionPart {
    /// The text that a model reads.
    Description,
    /// The schema of the arguments.
    InputSchema,
    /// The schema of the structured result.
    OutputSchema,
    /// The hints about behaviour.
    Annotations,
}

/// One change of a definition.
#[derive(SimpleObject)]
struct DefinitionChange {
    /// In which part of it.
    part: DefinitionPart,
    /// Where in that part: a JSON Pointer, empty for the whole.
    path: String,
    /// What it means.
    kind: DefinitionChangeKind,
    /// Why: a stable name such as `required_added`.
    reason: &'static str,
    /// The same for people.
    message: String,
}

/// What differs between two definitions of a tool.
#[derive(SimpleObject)]
struct Compatibility {
    /// The version of the old definition.
    from: String,
    /// The worst of all changes.
    verdict: CompatibilityVerdict,
    /// The lowest version that the new definition deserves after the old one.
    suggested_version: String,
    /// The changes, at most 200 for each part; the verdict is that of all.
    changes: Vec<DefinitionChange>,
}

/// A definition that is not published. It is compared as a whole: give every part that it shall have.
#[derive(Debug, InputObject)]
struct ProposedDefinitionInput {
    /// What the tool does, as a model reads it.
    description: String,
    /// JSON Schema of its arguments, of type `object`.
    input_schema: Option<Value>,
    /// JSON Schema of its structured result, of type `object`.
    output_schema: Option<Value>,
    /// Hints about its behaviour.
    annotations: Option<Value>,
}

/// The entries to comparisons.
#[derive(Default)]
pub(super) struct CompatibilityQueries;

#[Object]
impl CompatibilityQueries {
    /// What changed between two published versions of a tool, for those who use it.
    #[graphql(complexity = "10 + child_complexity")]
    async fn compatibility(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of its server.")] server: String,
        #[graphql(desc = "Which tool.")] tool: String,
        #[graphql(desc = "The old version, such as 1.2.0.")] from: String,
        #[graphql(desc = "The new version.")] to: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Compatibility>, ApiError> {
        let versions = versions(Session::of(ctx), &server, &tool, min_sequence).await?;
        let (from, old) = published(&versions, &from)?;
        let (_, new) = published(&versions, &to)?;
        answer(from, old, new).await.map(Some)
    }

    /// What publishing a definition would change for those who use a published version. Nothing is
    /// written; what publishing would refuse is refused.
    #[graphql(complexity = "10 + child_complexity")]
    async fn proposed_compatibility(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of its server.")] server: String,
        #[graphql(desc = "Which tool.")] tool: String,
        #[graphql(
            desc = "The published version, such as 1.2.0; the one published last when left out."
        )]
        from: Option<String>,
        #[graphql(desc = "The definition.")] proposed: ProposedDefinitionInput,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Compatibility>, ApiError> {
        let versions = versions(Session::of(ctx), &server, &tool, min_sequence).await?;
        let from = match (from, versions.first()) {
            (Some(from), _) => from,
            (None, Some(latest)) => latest.tool_version.clone(),
            (None, None) => return Err(ApiError::NotFound),
        };
        let (from, old) = published(&versions, &from)?;
        let proposed = ToolDefinition {
            description: proposed.description.trim().to_owned(),
            input_schema: proposed.input_schema,
            output_schema: proposed.output_schema,
            annotations: proposed.annotations,
        };
        let checked = proposed.checked_hash(tool.trim());
        checked.map_err(|refusal| ApiError::from(DispatchError::Rejected(refusal)))?;
        answer(from, old, proposed).await.map(Some)
    }
}

/// The versions of a tool that the caller may see.
async fn versions(
    session: &Session,
    server: &str,
    tool: &str,
    min_sequence: Option<Sequence>,
) -> Result<Arc<Vec<ToolVersion>>, ApiError> {
    session.caught_up(catalog::NAME, min_sequence).await?;
    let id = ToolId::derive(&session.caller.tenant, server.trim(), tool.trim());
    let tool = session.tool(id).await?.ok_or(ApiError::NotFound)?;
    let loaders = session.loaders_at(tool.0.moment);
    let versions = loaders.load_one(VersionsOf(tool.0.id)).await?;
    Ok(versions.unwrap_or_default())
}

fn published(versions: &[ToolVersion], text: &str) -> Result<(Version, ToolDefinition), ApiError> {
    let wanted = super::mutation::version(text)?;
    let found = versions
        .iter()
        .find(|version| version.tool_version == wanted.to_string())
        .ok_or_else(|| ApiError::Rejected {
            code: "VERSION_NOT_FOUND",
            message: format!("the tool has no version {wanted}; `versions` of the tool lists them"),
        })?;
    let definition = ToolDefinition {
        description: found.description.clone(),
        input_schema: found.input_schema.clone(),
        output_schema: found.output_schema.clone(),
        annotations: found.annotations.clone(),
    };
    Ok((wanted, definition))
}

/// Compares on a thread that may be busy: the largest schemas take tens of milliseconds.
async fn answer(
    from: Version,
    old: ToolDefinition,
    new: ToolDefinition,
) -> Result<Compatibility, ApiError> {
    let compared = tokio::task::spawn_blocking(move || compare(&old, &new)).await;
    let comparison = compared.map_err(|error| ApiError::internal(&error))?;
    Ok(shown(&from, comparison))
}

fn shown(from: &Version, comparison: Comparison) -> Compatibility {
    let suggested_version = comparison.suggested_version(from).to_string();
    let verdict = comparison.verdict().into();
    let change = |change: compatibility::Change| DefinitionChange {
        part: change.part.into(),
        path: change.path,
        kind: change.kind.into(),
        reason: change.reason.as_str(),
        message: change.message,
    };
    Compatibility {
        from: from.to_string(),
        verdict,
        suggested_version,
        changes: comparison.changes.into_iter().map(change).collect(),
    }
}
