//! Changes of tools.

use super::team::team_named;
use super::{
    IN_BOTH, IN_CATALOG, answered, change, check_category, check_server, dispatch, merging,
    optional, read_back_when_in, tag_set, trimmed,
};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::enums::Visibility;
use crate::graphql::loaders::ToolKey;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::Session;
use crate::graphql::tool::Tool;
use crate::graphql::version;
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use domain::id::{ServerId, ToolId};
use domain::tool::{PublishToolVersion, RegisterTool, ToolCommand, ToolDefinition, ToolProfile};
use serde_json::Value;

/// A tool to register, with its first version.
#[derive(Debug, InputObject)]
struct RegisterToolInput {
    /// The slug of its server, which must be registered and in use.
    server: String,
    /// The name by which it is called, which never changes.
    name: String,
    /// A title for people.
    title: Option<String>,
    /// What the tool does, as a model reads it.
    description: String,
    /// JSON Schema of its arguments, of type `object`.
    input_schema: Option<Value>,
    /// JSON Schema of its structured result, of type `object`.
    output_schema: Option<Value>,
    /// Hints about its behaviour: `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`, `title`.
    annotations: Option<Value>,
    /// The semantic version of this definition.
    #[graphql(default_with = "String::from(\"1.0.0\")")]
    version: String,
    /// One word to group by: a category of the taxonomy, once it has any.
    category: Option<String>,
    /// Words to filter by.
    #[graphql(default)]
    tags: Vec<String>,
    /// Who may see it.
    #[graphql(default_with = "Visibility::Tenant")]
    visibility: Visibility,
    /// The team that it belongs to, and that it is kept to while it is private.
    team: Option<String>,
}

/// What to say else around a tool. A field that is left out stays as it is; null clears it.
#[derive(Debug, InputObject)]
struct DescribeToolInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// A title for people.
    title: MaybeUndefined<String>,
    /// One word to group by.
    category: MaybeUndefined<String>,
    /// Words to filter by; they replace the present ones.
    tags: MaybeUndefined<Vec<String>>,
    /// Who may see it; null leaves it as it is.
    visibility: Option<Visibility>,
    /// The team that it belongs to; null, or an empty text, takes it from every team.
    team: MaybeUndefined<String>,
}

/// A new definition of a tool. It replaces the whole definition: give every part that it shall have.
#[derive(Debug, InputObject)]
struct PublishToolVersionInput {
    /// The slug of its server, which must be in use.
    server: String,
    /// Which tool.
    name: String,
    /// The semantic version of the definition. One that is published with just this definition is answered
    /// as the first time; with another definition it is `VERSION_TAKEN`.
    version: String,
    /// What the tool does, as a model reads it.
    description: String,
    /// JSON Schema of its arguments, of type `object`.
    input_schema: Option<Value>,
    /// JSON Schema of its structured result, of type `object`.
    output_schema: Option<Value>,
    /// Hints about its behaviour: `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`, `title`.
    annotations: Option<Value>,
}

/// A tool to take out of use.
#[derive(Debug, InputObject)]
struct RetireToolInput {
    /// The slug of its server.
    server: String,
    /// Which tool.
    name: String,
    /// Why, for those who used it.
    #[graphql(default)]
    reason: String,
}

/// A changed tool.
#[derive(SimpleObject)]
pub(super) struct ToolPayload {
    /// The tool after the change; null when `notice` says why.
    tool: Option<Tool>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

impl ToolPayload {
    pub(super) async fn of(
        session: &Session,
        id: ToolId,
        shown_in: &[&'static str],
        sequence: Sequence,
    ) -> Result<Self, ApiError> {
        let key = ToolKey(id);
        let (tool, notice) = read_back_when_in(session, shown_in, sequence, key).await?;
        Ok(Self {
            tool: tool.map(Tool),
            sequence,
            notice,
        })
    }
}

/// The changes of tools.
#[derive(Default)]
pub(super) struct ToolMutations;

#[Object]
impl ToolMutations {
    /// Registers a tool with its first version.
    async fn register_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool.")] input: RegisterToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::RegisterTool, &Resource::any(ResourceKind::Tool))?;
        let (server, name) = (trimmed(&input.server), trimmed(&input.name));
        let tenant = &session.caller.tenant;
        let server_id = ServerId::derive(tenant, &server);
        let id = ToolId::derive(tenant, &server, &name);
        let tool_version = version::parsed("version", &input.version)?;
        let visibility = domain::tool::Visibility::from(input.visibility);
        let team = optional(input.team)
            .map(|name| team_named(&name))
            .transpose()?;
        let shown_in = shown_in(visibility);
        if let Some(first) = sent_before(session, &id, command_id).await? {
            let shown = ToolPayload::of(session, id, shown_in, first);
            return shown.await.map(Some);
        }
        check_server(session, &server_id, &server).await?;
        let category = optional(input.category);
        check_category(session, None, category.as_deref()).await?;
        let profile = ToolProfile {
            title: optional(input.title),
            category,
            tags: tag_set(input.tags),
            visibility,
            team,
        };
        may_be_seen(session, None, &profile, &Resource::any(ResourceKind::Tool))?;
        let definition = ToolDefinition {
            description: trimmed(&input.description),
            input_schema: input.input_schema,
            output_schema: input.output_schema,
            annotations: input.annotations,
        };
        let register = RegisterTool {
            server_id,
            server,
            name,
            profile,
            tool_version,
            definition: definition.into(),
        };
        let command = ToolCommand::Register(Box::new(register));
        let sequence = send(session, &id, command, command_id).await?;
        ToolPayload::of(session, id, shown_in, sequence)
            .await
            .map(Some)
    }

    /// Changes what is said around a tool, field by field. What a model reads is changed by publishing
    /// a version.
    async fn describe_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: DescribeToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = id_of(session, &input.server, &input.name);
        let mut merge = merging::<domain::tool::Tool>(session, id.as_str(), command_id);
        let sequence = loop {
            let read = merge.read().await?;
            let current = allowed(session, Action::DescribeTool, &id, read.state())?;
            if let Some(first) = merge.answered(&read).await? {
                break Sequence(first.stream_sequence);
            }
            let profile = described(session, &id, current, &input).await?;
            let sent = merge.send(read, ToolCommand::Describe(profile)).await?;
            if let Some(committed) = sent {
                break Sequence(committed.stream_sequence);
            }
        };
        // It may have hidden the tool, the first time that it was sent if not this time.
        ToolPayload::of(session, id, IN_BOTH, sequence)
            .await
            .map(Some)
    }

    /// Publishes a definition of a tool under a number of its own, which never changes afterwards.
    async fn publish_tool_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The definition.")] input: PublishToolVersionInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let session = Session::of(ctx);
        let (id, profile) = existing(
            session,
            Action::PublishToolVersion,
            &input.server,
            &input.name,
        )
        .await?;
        let tool_version = version::parsed("version", &input.version)?;
        let shown_in = shown_in(profile.visibility);
        if let Some(first) = sent_before(session, &id, command_id).await? {
            let shown = ToolPayload::of(session, id, shown_in, first);
            return shown.await.map(Some);
        }
        let server = trimmed(&input.server);
        let server_id = ServerId::derive(&session.caller.tenant, &server);
        check_server(session, &server_id, &server).await?;
        let definition = ToolDefinition {
            description: trimmed(&input.description),
            input_schema: input.input_schema,
            output_schema: input.output_schema,
            annotations: input.annotations,
        };
        let publish = PublishToolVersion {
            tool_version,
            definition: definition.into(),
        };
        let command = ToolCommand::PublishVersion(Box::new(publish));
        let sequence = send(session, &id, command, command_id).await?;
        ToolPayload::of(session, id, shown_in, sequence)
            .await
            .map(Some)
    }

    /// Takes a tool out of use. `restoreTool` takes it back.
    async fn retire_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool.")] input: RetireToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ToolPayload>, ApiError> {
        let session = Session::of(ctx);
        let (id, profile) =
            existing(session, Action::RetireTool, &input.server, &input.name).await?;
        let command = ToolCommand::Retire {
            reason: trimmed(&input.reason),
        };
        let sequence = send(session, &id, command, command_id).await?;
        ToolPayload::of(session, id, shown_in(profile.visibility), sequence)
            .await
            .map(Some)
    }
}

/// The read models that show a tool: other tenants read a public one in the marketplace.
pub(super) fn shown_in(visibility: domain::tool::Visibility) -> &'static [&'static str] {
    match visibility {
        domain::tool::Visibility::Public => IN_BOTH,
        domain::tool::Visibility::Private | domain::tool::Visibility::Tenant => IN_CATALOG,
    }
}

/// A tool that the caller may act on, from the log itself, with what is said around it now.
pub(super) async fn existing(
    session: &Session,
    action: Action,
    server: &str,
    name: &str,
) -> Result<(ToolId, ToolProfile), ApiError> {
    let id = id_of(session, server, name);
    let tool = session
        .state
        .dispatcher
        .load::<domain::tool::Tool>(&session.caller.tenant, id.as_str())
        .await?
        .unwrap_or_default();
    let profile = allowed(session, action, &id, &tool)?.clone();
    Ok((id, profile))
}

fn id_of(session: &Session, server: &str, name: &str) -> ToolId {
    ToolId::derive(&session.caller.tenant, server.trim(), name.trim())
}

/// What is said around a tool now, if the caller may act on it. A hidden tool answers as an absent one, to the byte.
fn allowed<'t>(
    session: &Session,
    action: Action,
    id: &ToolId,
    tool: &'t domain::tool::Tool,
) -> Result<&'t ToolProfile, ApiError> {
    let profile = tool.profile().ok_or_else(ApiError::no_such_tool)?;
    let resource = Resource::described_tool(profile, &session.caller).named(id.as_str());
    match session.authorize(action, &resource) {
        Err(ApiError::NotFound) => Err(ApiError::no_such_tool()),
        answer => answer.map(|()| profile),
    }
}

/// What a change of single fields makes of what is said around a tool now, if the caller may say so.
async fn described(
    session: &Session,
    id: &ToolId,
    current: &ToolProfile,
    input: &DescribeToolInput,
) -> Result<ToolProfile, ApiError> {
    let mut profile = current.clone();
    change(&mut profile.title, input.title.clone());
    change(&mut profile.category, input.category.clone());
    check_category(
        session,
        current.category.as_deref(),
        profile.category.as_deref(),
    )
    .await?;
    match &input.tags {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => profile.tags.clear(),
        MaybeUndefined::Value(tags) => profile.tags = tag_set(tags.clone()),
    }
    if let Some(visibility) = input.visibility {
        profile.visibility = visibility.into();
    }
    match input.team.clone().map(optional) {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => profile.team = None,
        MaybeUndefined::Value(name) => profile.team = Some(team_named(&name)?),
    }
    let resource = Resource::described_tool(current, &session.caller).named(id.as_str());
    may_be_seen(session, Some(current), &profile, &resource)?;
    Ok(profile)
}

/// Whether the caller may let a tool be seen so: offering it to every tenant takes a right of its own, and nobody hides
/// a tool from himself. One that is registered, or comes back into use, was seen by nobody before.
pub(super) fn may_be_seen(
    session: &Session,
    before: Option<&ToolProfile>,
    after: &ToolProfile,
    resource: &Resource,
) -> Result<(), ApiError> {
    let public = domain::tool::Visibility::Public;
    if after.visibility == public && before.is_none_or(|before| before.visibility != public) {
        session.authorize(Action::PublishPublicly, resource)?;
    }
    let then = Resource::described_tool(after, &session.caller);
    let (authorizer, roles) = (&session.state.authorizer, &session.caller.roles);
    match &after.team {
        Some(team)
            if then == Resource::reserved_tool()
                && !authorizer.permits(roles, Action::ReadTool, &then) =>
        {
            Err(ApiError::Rejected {
                code: "NOT_YOUR_TEAM",
                message: format!(
                    "you are not in the team `{team}`, and would not see the tool; name a team that you are in, or ask \
                     an owner or administrator to put you into this one or to change the tool"
                ),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// Where a command to a tool was answered that is sent again, see [`answered`].
pub(super) async fn sent_before(
    session: &Session,
    id: &ToolId,
    command_id: Option<UuidScalar>,
) -> Result<Option<Sequence>, ApiError> {
    answered::<domain::tool::Tool>(session, id.as_str(), command_id).await
}

pub(super) async fn send(
    session: &Session,
    id: &ToolId,
    command: ToolCommand,
    command_id: Option<UuidScalar>,
) -> Result<Sequence, ApiError> {
    dispatch::<domain::tool::Tool>(session, id.as_str(), command, command_id).await
}
