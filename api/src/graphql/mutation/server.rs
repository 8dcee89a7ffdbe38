//! Changes of servers.

use super::{
    IN_BOTH, IN_CATALOG, answered, change, check_category, dispatch, merging, optional,
    read_back_when_in, tag_set, trimmed,
};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::enums::Transport;
use crate::graphql::loaders::ServerKey;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::server::Server;
use crate::graphql::session::{Session, WAIT};
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use domain::id::ServerId;
use domain::server::{RegisterServer, ServerCommand, ServerProfile};
use domain::tool::Visibility;
use projections::{PageRequest, Sight, catalog};

/// How many retired tools are looked at with one query.
const TOOLS_AT_ONCE: usize = 100;

/// A server to register.
#[derive(Debug, InputObject)]
struct RegisterServerInput {
    /// Its name in your tenant, which never changes: lower-case letters, digits and hyphens.
    slug: String,
    /// The name that people read.
    name: String,
    /// Its name across registries, such as `io.github.acme/weather`.
    registry_name: Option<String>,
    /// What it is for.
    #[graphql(default)]
    description: String,
    /// An absolute `https` or `http` address to read more.
    homepage: Option<String>,
    /// Its licence, an SPDX identifier.
    license: Option<String>,
    /// How it is reached, when known.
    transport: Option<Transport>,
    /// One word to group by: a category of the taxonomy, once it has any.
    category: Option<String>,
    /// Words to filter by.
    #[graphql(default)]
    tags: Vec<String>,
}

/// What to say else of a server. A field that is left out stays as it is; null clears it.
#[derive(Debug, InputObject)]
struct DescribeServerInput {
    /// Which server.
    slug: String,
    /// The name that people read; cannot be cleared.
    name: MaybeUndefined<String>,
    /// Its name across registries, such as `io.github.acme/weather`.
    registry_name: MaybeUndefined<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
    /// An absolute `https` or `http` address to read more.
    homepage: MaybeUndefined<String>,
    /// Its licence, an SPDX identifier.
    license: MaybeUndefined<String>,
    /// How it is reached.
    transport: MaybeUndefined<Transport>,
    /// One word to group by.
    category: MaybeUndefined<String>,
    /// Words to filter by; they replace the present ones.
    tags: MaybeUndefined<Vec<String>>,
}

/// A server to take out of use.
#[derive(Debug, InputObject)]
struct RetireServerInput {
    /// Which server.
    slug: String,
    /// Why, for those who used it.
    #[graphql(default)]
    reason: String,
}

/// A retired server to take into use again.
#[derive(Debug, InputObject)]
struct RestoreServerInput {
    /// Which server.
    slug: String,
}

/// A changed server.
#[derive(SimpleObject)]
struct ServerPayload {
    /// The server after the change; null when `notice` says why.
    server: Option<Server>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

impl ServerPayload {
    async fn of(
        session: &Session,
        id: ServerId,
        shown_in: &[&'static str],
        sequence: Sequence,
    ) -> Result<Self, ApiError> {
        let key = ServerKey(id);
        let (server, notice) = read_back_when_in(session, shown_in, sequence, key).await?;
        Ok(Self {
            server: server.map(Server),
            sequence,
            notice,
        })
    }
}

/// The changes of servers.
#[derive(Default)]
pub(super) struct ServerMutations;

#[Object]
impl ServerMutations {
    /// Registers an upstream MCP server.
    async fn register_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server.")] input: RegisterServerInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ServerPayload>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::RegisterServer, &Resource::any(ResourceKind::Server))?;
        let slug = trimmed(&input.slug);
        let id = ServerId::derive(&session.caller.tenant, &slug);
        if let Some(first) = sent_before(session, &id, command_id).await? {
            let shown = ServerPayload::of(session, id, IN_CATALOG, first);
            return shown.await.map(Some);
        }
        let category = optional(input.category);
        check_category(session, None, category.as_deref()).await?;
        let profile = ServerProfile {
            name: trimmed(&input.name),
            registry_name: optional(input.registry_name),
            description: trimmed(&input.description),
            homepage: optional(input.homepage),
            license: optional(input.license),
            transport: input.transport.map(Into::into),
            category,
            tags: tag_set(input.tags),
        };
        let command = ServerCommand::Register(RegisterServer { slug, profile });
        let sequence = send(session, &id, command, command_id).await?;
        // It has no tools yet.
        ServerPayload::of(session, id, IN_CATALOG, sequence)
            .await
            .map(Some)
    }

    /// Changes what is said of a server, field by field.
    async fn describe_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: DescribeServerInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ServerPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = ServerId::derive(&session.caller.tenant, input.slug.trim());
        let resource = Resource::server().named(id.as_str());
        session.authorize(Action::DescribeServer, &resource)?;
        let mut merge = merging::<domain::server::Server>(session, id.as_str(), command_id);
        let sequence = loop {
            let read = merge.read().await?;
            if let Some(first) = merge.answered(&read).await? {
                break Sequence(first.stream_sequence);
            }
            let profile = described(session, read.state(), &input).await?;
            let sent = merge.send(read, ServerCommand::Describe(profile)).await?;
            if let Some(committed) = sent {
                break Sequence(committed.stream_sequence);
            }
        };
        ServerPayload::of(session, id, IN_BOTH, sequence)
            .await
            .map(Some)
    }

    /// Takes a server and its tools out of use. `restoreServer` takes it back.
    async fn retire_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server.")] input: RetireServerInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ServerPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = ServerId::derive(&session.caller.tenant, input.slug.trim());
        let resource = Resource::server().named(id.as_str());
        session.authorize(Action::RetireServer, &resource)?;
        let command = ServerCommand::Retire {
            reason: trimmed(&input.reason),
        };
        let sequence = send(session, &id, command, command_id).await?;
        ServerPayload::of(session, id, IN_BOTH, sequence)
            .await
            .map(Some)
    }

    /// Takes a retired server into use again, and with it the tools that went out of use with it. A tool that
    /// was retired by itself stays so.
    async fn restore_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server.")] input: RestoreServerInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ServerPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = ServerId::derive(&session.caller.tenant, input.slug.trim());
        let resource = Resource::server().named(id.as_str());
        session.authorize(Action::RestoreServer, &resource)?;
        if let Some(first) = sent_before(session, &id, command_id).await? {
            let shown = ServerPayload::of(session, id, IN_BOTH, first);
            return shown.await.map(Some);
        }
        may_come_back(session, &id).await?;
        let sequence = send(session, &id, ServerCommand::Restore, command_id).await?;
        ServerPayload::of(session, id, IN_BOTH, sequence)
            .await
            .map(Some)
    }
}

/// Where a command to a server was answered that is sent again, see [`answered`].
async fn sent_before(
    session: &Session,
    id: &ServerId,
    command_id: Option<UuidScalar>,
) -> Result<Option<Sequence>, ApiError> {
    answered::<domain::server::Server>(session, id.as_str(), command_id).await
}

async fn send(
    session: &Session,
    id: &ServerId,
    command: ServerCommand,
    command_id: Option<UuidScalar>,
) -> Result<Sequence, ApiError> {
    dispatch::<domain::server::Server>(session, id.as_str(), command, command_id).await
}

/// Whether the caller may take a server into use again, once it is known that he may restore servers: its public
/// tools that went out of use with it come back with it, and offering a tool takes a right of its own. Who has
/// that right is asked no more, so that nothing depends on a read model.
pub(super) async fn may_come_back(session: &Session, id: &ServerId) -> Result<(), ApiError> {
    let authorizer = &session.state.authorizer;
    let offered = Resource::public_tool();
    if authorizer.permits(&session.caller.roles, Action::PublishPublicly, &offered) {
        return Ok(());
    }
    session.reached_the_end(catalog::NAME, WAIT).await?;
    let Some(server) = session.loaders.load_one(ServerKey(id.clone())).await? else {
        return Ok(());
    };
    let retired = catalog::ToolFilter {
        server: Some(server.slug),
        status: Some(catalog::Status::Retired),
        sight: Sight::listed([Visibility::Public]),
        ..catalog::ToolFilter::default()
    };
    let by_name = catalog::Sort {
        by: catalog::Order::Name,
        descending: false,
    };
    let mut request = PageRequest::first(TOOLS_AT_ONCE);
    loop {
        let mut reads = session.reads().await?;
        let page = catalog::tools(&mut reads, &retired, by_name, &request).await?;
        reads.keep();
        let mut tools = page.items.iter().map(|item| &item.node);
        if let Some(tool) = tools.find(|tool| tool.retired_with_server) {
            let resource = offered.named(tool.id.as_str());
            return session.authorize(Action::PublishPublicly, &resource);
        }
        match page.items.last() {
            Some(last) if page.has_next => request.after = Some(last.cursor.clone()),
            Some(_) | None => return Ok(()),
        }
    }
}

/// What a change of single fields makes of what is said of a server now.
async fn described(
    session: &Session,
    server: &domain::server::Server,
    input: &DescribeServerInput,
) -> Result<ServerProfile, ApiError> {
    let current = server.profile().ok_or(ApiError::NotFound)?;
    let mut profile = current.clone();
    describe(&mut profile, input);
    check_category(
        session,
        current.category.as_deref(),
        profile.category.as_deref(),
    )
    .await?;
    Ok(profile)
}

fn describe(profile: &mut ServerProfile, input: &DescribeServerInput) {
    let text = |current: &mut String, new: &MaybeUndefined<String>| match new {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => current.clear(),
        MaybeUndefined::Value(new) => *current = trimmed(new),
    };
    text(&mut profile.name, &input.name);
    text(&mut profile.description, &input.description);
    change(&mut profile.registry_name, input.registry_name.clone());
    change(&mut profile.homepage, input.homepage.clone());
    change(&mut profile.license, input.license.clone());
    change(&mut profile.category, input.category.clone());
    input
        .transport
        .map_value(Into::into)
        .update_to(&mut profile.transport);
    match &input.tags {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => profile.tags.clear(),
        MaybeUndefined::Value(tags) => profile.tags = tag_set(tags.clone()),
    }
}
