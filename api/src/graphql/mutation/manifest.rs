//! What servers publish for registries: documents of versions, and the status of each.

use super::{dispatch, optional, read_back};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::loaders::ServerKey;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::server::Server;
use crate::graphql::server::manifests::ManifestStatus;
use crate::graphql::session::Session;
use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::id::ServerId;
use domain::server::{PublishManifest, ServerCommand, SetManifestStatus};
use projections::manifests;
use serde_json::Value;

/// A document to publish.
#[derive(Debug, InputObject)]
struct PublishManifestInput {
    /// Which server, by its slug.
    server: String,
    /// The `server.json` document; its name is the server's registry name, its version what is published.
    manifest: Value,
    /// Whether the version is to be used; as it was, and active in the beginning, when left out.
    status: Option<ManifestStatus>,
    /// Why, for those who use it.
    status_message: Option<String>,
}

/// Another status of a published version.
#[derive(Debug, InputObject)]
struct SetManifestStatusInput {
    /// Which server, by its slug.
    server: String,
    /// Which version.
    version: String,
    /// Whether it is to be used.
    status: ManifestStatus,
    /// Why, for those who use it.
    status_message: Option<String>,
}

/// A server with what it has published.
#[derive(SimpleObject)]
struct ManifestPayload {
    /// The server after the change; null when `notice` says why.
    server: Option<Server>,
    /// The position of the change in the log; null when everything was like this already.
    sequence: Option<Sequence>,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of what servers publish. Whoever may describe a server may publish for it: both say what it is.
#[derive(Default)]
pub(super) struct ManifestMutations;

#[Object]
impl ManifestMutations {
    /// Publishes the `server.json` document of a version, which is read at `/v0.1/servers`. A published
    /// version keeps its document; the same document again changes at most the status.
    async fn publish_manifest(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] input: PublishManifestInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ManifestPayload>, ApiError> {
        let command = ServerCommand::PublishManifest(Box::new(PublishManifest {
            manifest: input.manifest,
            status: input.status.map(Into::into),
            status_message: optional(input.status_message),
            mirrored: None,
        }));
        send(Session::of(ctx), &input.server, command, command_id)
            .await
            .map(Some)
    }

    /// Says whether a published version is to be used.
    async fn set_manifest_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The status.")] input: SetManifestStatusInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ManifestPayload>, ApiError> {
        let command = ServerCommand::SetManifestStatus(SetManifestStatus {
            server_version: input.version,
            status: input.status.into(),
            status_message: optional(input.status_message),
            mirrored: None,
        });
        send(Session::of(ctx), &input.server, command, command_id)
            .await
            .map(Some)
    }
}

async fn send(
    session: &Session,
    slug: &str,
    command: ServerCommand,
    command_id: Option<UuidScalar>,
) -> Result<ManifestPayload, ApiError> {
    let id = ServerId::derive(&session.caller.tenant, slug.trim());
    let resource = Resource::server().named(id.as_str());
    session.authorize(Action::DescribeServer, &resource)?;
    let sent = dispatch::<domain::server::Server>(session, id.as_str(), command, command_id).await;
    let sequence = match sent {
        Ok(sequence) => Some(sequence),
        Err(ApiError::Rejected {
            code: "UNCHANGED", ..
        }) => None,
        Err(error) => return Err(error),
    };
    let at = sequence.unwrap_or(Sequence(0));
    let (server, notice) = read_back(session, manifests::NAME, at, ServerKey(id)).await?;
    Ok(ManifestPayload {
        server: server.map(Server),
        sequence,
        notice,
    })
}
