//! Changes of publishers' namespaces.

use super::{answered, dispatch, read_back, trimmed};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::loaders::PublisherKey;
use crate::graphql::publisher::{ProofMethod, Publisher};
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::Session;
use crate::trust::{Prover, Signed};
use async_graphql::{Context, InputObject, Object, SimpleObject};
use aws_lc_rs::error::Unspecified;
use bus::DispatchError;
use domain::id::PublisherId;
use domain::publisher::{PublisherCommand, PublisherError};
use projections::publishers;

/// Random bytes of a challenge.
const NONCE: usize = 16;

/// A namespace to claim.
#[derive(Debug, InputObject)]
struct ClaimNamespaceInput {
    /// A domain backwards, such as `com.example` for `example.com`.
    namespace: String,
}

/// A proof of a namespace. Publish the key first: the record is looked up at once.
#[derive(Debug, InputObject)]
struct VerifyNamespaceInput {
    /// Which namespace.
    namespace: String,
    /// Where the key stands.
    method: ProofMethod,
    /// The moment of the signature, in the very text that was signed, such as `2026-01-31T12:00:00Z`; within
    /// the last 15 minutes.
    signed_at: String,
    /// The signature of `<challenge> <signedAt>`, in hex.
    signature: String,
}

/// A namespace to give up.
#[derive(Debug, InputObject)]
struct RevokeNamespaceInput {
    /// Which namespace.
    namespace: String,
    /// Why.
    #[graphql(default)]
    reason: String,
}

/// A changed namespace.
#[derive(SimpleObject)]
struct PublisherPayload {
    /// The namespace after the change; null when `notice` says why.
    publisher: Option<Publisher>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of publishers' namespaces.
#[derive(Default)]
pub(super) struct PublisherMutations;

#[Object]
impl PublisherMutations {
    /// Claims a namespace for your tenant. It counts for nothing until it is verified.
    async fn claim_namespace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The namespace.")] input: ClaimNamespaceInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PublisherPayload>, ApiError> {
        let session = Session::of(ctx);
        let namespace = trimmed(&input.namespace);
        let id = authorized(session, Action::ClaimNamespace, &namespace)?;
        let nonce = nonce().map_err(|error| ApiError::internal(&error))?;
        let command = PublisherCommand::Claim { namespace, nonce };
        send(session, id, command, command_id).await.map(Some)
    }

    /// Proves a namespace, or a new key of it: looks its record up, and checks the signature with the key
    /// that stands there. The status is `CONTESTED` when another tenant has proved it before.
    async fn verify_namespace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proof.")] input: VerifyNamespaceInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PublisherPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = authorized(session, Action::VerifyNamespace, input.namespace.trim())?;
        // The key need not stand there for ever, nor the signature be a new one.
        let first = answered::<domain::publisher::Publisher>(session, id.as_str(), command_id);
        if let Some(first) = first.await? {
            return payload(session, id, first).await.map(Some);
        }
        let dispatcher = &session.state.dispatcher;
        let claimed =
            dispatcher.load::<domain::publisher::Publisher>(&session.caller.tenant, id.as_str());
        let claimed = claimed.await?.unwrap_or_default();
        let (namespace, challenge) = claimed
            .to_prove()
            .map_err(DispatchError::<PublisherError>::Rejected)?;
        let signed = Signed {
            challenge,
            signed_at: trimmed(&input.signed_at),
            signature: trimmed(&input.signature),
        };
        let prover = Prover::new(&session.state.config.publishers);
        let proof = prover.prove(namespace, input.method.into(), signed).await?;
        let command = PublisherCommand::Verify(Box::new(proof));
        send(session, id, command, command_id).await.map(Some)
    }

    /// Gives a namespace up: its servers lose the mark at once, and another tenant that has proved it gets
    /// it. It can be claimed again, with a new challenge.
    async fn revoke_namespace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The namespace.")] input: RevokeNamespaceInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PublisherPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = authorized(session, Action::RevokeNamespace, input.namespace.trim())?;
        let reason = trimmed(&input.reason);
        let command = PublisherCommand::Revoke { reason };
        send(session, id, command, command_id).await.map(Some)
    }
}

fn authorized(session: &Session, action: Action, namespace: &str) -> Result<PublisherId, ApiError> {
    let id = PublisherId::derive(&session.caller.tenant, namespace);
    let resource = Resource::any(ResourceKind::Publisher).named(id.as_str());
    session.authorize(action, &resource)?;
    Ok(id)
}

/// The domain has no randomness, so the text that makes a challenge unique is made here.
fn nonce() -> Result<String, Unspecified> {
    let mut bytes = [0; NONCE];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

async fn send(
    session: &Session,
    id: PublisherId,
    command: PublisherCommand,
    command_id: Option<UuidScalar>,
) -> Result<PublisherPayload, ApiError> {
    let sequence =
        dispatch::<domain::publisher::Publisher>(session, id.as_str(), command, command_id).await?;
    payload(session, id, sequence).await
}

async fn payload(
    session: &Session,
    id: PublisherId,
    sequence: Sequence,
) -> Result<PublisherPayload, ApiError> {
    let (found, notice) = read_back(session, publishers::NAME, sequence, PublisherKey(id)).await?;
    Ok(PublisherPayload {
        publisher: found.map(Publisher),
        sequence,
        notice,
    })
}
