//! Changes of what versions of a tool are called and whether they should be used.

use super::tool::{ToolPayload, existing, may_be_seen, send, sent_before, shown_in};
use super::{check_server, optional, trimmed};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::scalars::{Day, UuidScalar};
use crate::graphql::session::Session;
use crate::graphql::version;
use async_graphql::{Context, InputObject, Object};
use domain::Rejection;
use domain::id::ServerId;
use domain::tool::{Alias, Deprecation, ToolCommand};
use semver::Version;

/// An alias and where it shall stand.
#[derive(Debug, InputObject)]
struct MoveToolAliasInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// The alias, such as `stable`: `^[a-z][a-z0-9-]{0,31}$`.
    alias: String,
    /// The version, published and not yanked.
    version: String,
}

/// An alias of a tool.
#[derive(Debug, InputObject)]
struct ToolAliasInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// The alias, such as `stable`: `^[a-z][a-z0-9-]{0,31}$`.
    alias: String,
}

/// A warning for those who use a tool.
#[derive(Debug, InputObject)]
struct DeprecateToolInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// Which version; the whole tool when left out.
    version: Option<String>,
    /// Why, and what to do.
    message: String,
    /// What to use instead: `server/name` or `server/name@reference`.
    successor: Option<String>,
    /// The first day, in UTC, on which it is no longer to be used.
    sunset: Option<Day>,
}

/// A warning to take back.
#[derive(Debug, InputObject)]
struct UndeprecateToolInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// Which version; the whole tool when left out.
    version: Option<String>,
}

/// A version to hide from resolution.
#[derive(Debug, InputObject)]
struct YankToolVersionInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// Which version.
    version: String,
    /// Why, for those who used it.
    #[graphql(default)]
    reason: String,
}

/// A yanked version to show again.
#[derive(Debug, InputObject)]
struct UnyankToolVersionInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// Which version.
    version: String,
}

/// A retired tool to take into use again.
#[derive(Debug, InputObject)]
struct RestoreToolInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
}

/// The changes of versions.
#[derive(Default)]
pub(super) struct VersionMutations;

#[Object]
impl VersionMutations {
    /// Lets an alias stand at a version, whether it is new or stood elsewhere.
    async fn move_tool_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alias and its version.")] input: MoveToolAliasInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            Ok(ToolCommand::MoveAlias {
                alias: alias(&input.alias)?,
                to: version::parsed("version", &input.version)?,
            })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::MoveToolAlias, tool, change, command_id).await
    }

    /// Lets an alias stand where it stood before its last move.
    async fn rollback_tool_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alias.")] input: ToolAliasInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            let alias = alias(&input.alias)?;
            Ok(ToolCommand::RollbackAlias { alias })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::MoveToolAlias, tool, change, command_id).await
    }

    /// Takes an alias away.
    async fn remove_tool_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alias.")] input: ToolAliasInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            let alias = alias(&input.alias)?;
            Ok(ToolCommand::RemoveAlias { alias })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::MoveToolAlias, tool, change, command_id).await
    }

    /// Warns those who use a version, or the whole tool when no version is named. A new warning replaces the
    /// one before.
    async fn deprecate_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The warning.")] input: DeprecateToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            Ok(ToolCommand::Deprecate {
                tool_version: optional_version(input.version.as_deref())?,
                deprecation: Deprecation {
                    message: trimmed(&input.message),
                    successor: optional(input.successor),
                    sunset: input.sunset.map(|Day(day)| day),
                },
            })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::DeprecateTool, tool, change, command_id).await
    }

    /// Takes the warning back, of a version or of the whole tool.
    async fn undeprecate_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is deprecated.")] input: UndeprecateToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            let tool_version = optional_version(input.version.as_deref())?;
            Ok(ToolCommand::Undeprecate { tool_version })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::DeprecateTool, tool, change, command_id).await
    }

    /// Hides a version from resolution: ranges, aliases and `latest` lead past it, its exact number still leads
    /// to it, and it stays in `versions`.
    async fn yank_tool_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version.")] input: YankToolVersionInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            Ok(ToolCommand::YankVersion {
                tool_version: version::parsed("version", &input.version)?,
                reason: trimmed(&input.reason),
            })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::YankToolVersion, tool, change, command_id).await
    }

    /// Shows a yanked version to resolution again.
    async fn unyank_tool_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version.")] input: UnyankToolVersionInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let change = || {
            let tool_version = version::parsed("version", &input.version)?;
            Ok(ToolCommand::UnyankVersion { tool_version })
        };
        let tool = (input.server.as_str(), input.name.as_str());
        change_tool(ctx, Action::YankToolVersion, tool, change, command_id).await
    }

    /// Takes a retired tool into use again, as it was. Its server must be in use.
    async fn restore_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool.")] input: RestoreToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let session = Session::of(ctx);
        let (action, server, name) = (Action::RestoreTool, &input.server, &input.name);
        let (id, profile) = existing(session, action, server, name).await?;
        let shown_in = shown_in(profile.visibility);
        if let Some(first) = sent_before(session, &id, command_id).await? {
            let shown = ToolPayload::of(session, id, shown_in, first);
            return shown.await.map(Some);
        }
        let resource = Resource::described_tool(&profile, &session.caller).named(id.as_str());
        may_be_seen(session, None, &profile, &resource)?;
        let slug = input.server.trim();
        let server_id = ServerId::derive(&session.caller.tenant, slug);
        check_server(session, &server_id, slug).await?;
        let command = ToolCommand::Restore;
        let sequence = send(session, &id, command, command_id).await?;
        ToolPayload::of(session, id, shown_in, sequence)
            .await
            .map(Some)
    }
}

/// Sends a command to the tool of a server's slug and a name. The command is made once the caller is known to be
/// allowed: a stranger learns nothing from what is wrong with it.
async fn change_tool(
    ctx: &Context<'_>,
    action: Action,
    (server, name): (&str, &str),
    command: impl FnOnce() -> Result<ToolCommand, ApiError>,
    command_id: Option<UuidScalar>,
) -> Result<Option<ToolPayload>, ApiError> {
    let session = Session::of(ctx);
    let (id, profile) = existing(session, action, server, name).await?;
    let sequence = send(session, &id, command()?, command_id).await?;
    ToolPayload::of(session, id, shown_in(profile.visibility), sequence)
        .await
        .map(Some)
}

fn alias(name: &str) -> Result<Alias, ApiError> {
    Alias::new(name.trim()).map_err(|error| ApiError::Rejected {
        code: error.code(),
        message: error.to_string(),
    })
}

fn optional_version(text: Option<&str>) -> Result<Option<Version>, ApiError> {
    text.map(|text| version::parsed("version", text))
        .transpose()
}
