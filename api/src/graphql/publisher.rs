//! Publishers: the namespaces of the tenant, and who stands behind a server.

use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, page_request};
use super::history::Historied;
use super::loaders::{BehindName, PublisherKey};
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::id::PublisherId;
use projections::publishers;

/// How far a namespace is.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "publishers::PublisherStatus")]
pub(super) enum PublisherStatus {
    /// Claimed, and not proved yet.
    Claimed,
    /// Proved, and your tenant's.
    Verified,
    /// Proved, but another tenant had proved it before and still does.
    Contested,
    /// Was proved; a re-check did not find the key any more.
    Lapsed,
    /// Given up.
    Revoked,
}

/// Where a publisher's key stands.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::publisher::ProofMethod")]
pub(super) enum ProofMethod {
    /// A TXT record of the domain, which speaks for the domains below, too.
    Dns,
    /// The file `/.well-known/mcp-registry-auth` of the domain's web server, which speaks for it alone.
    Http,
}

/// A namespace of your tenant.
pub(super) struct Publisher(pub(super) publishers::Publisher);

/// A page of namespaces.
pub(super) type PublisherConnection = PageOf<Publisher, EmptyFields>;

/// A namespace in reverse-DNS form that your tenant has claimed: the first part of its servers' registry
/// names. Once it is verified, those servers carry its mark.
#[Object]
impl Publisher {
    /// The namespace, such as `com.example`.
    async fn namespace(&self) -> &str {
        self.0.namespace.as_str()
    }

    /// The domain that proves it, such as `example.com`.
    async fn domain(&self) -> String {
        self.0.namespace.domain()
    }

    /// How far it is.
    async fn status(&self) -> PublisherStatus {
        self.0.status.into()
    }

    /// What to sign for a proof: this text, a space, and the present moment as in `2026-01-31T12:00:00Z`.
    async fn challenge(&self) -> &str {
        &self.0.challenge
    }

    /// How it was proved last.
    async fn method(&self) -> Option<ProofMethod> {
        self.0.method.map(Into::into)
    }

    /// The record with the key that proved it last.
    async fn record(&self) -> Option<String> {
        self.0
            .public_key
            .as_ref()
            .map(domain::publisher::PublicKey::record)
    }

    /// Why it is lapsed (`record_missing`, `key_missing`) or revoked.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref().filter(|reason| !reason.is_empty())
    }

    /// When it was claimed.
    async fn claimed_at(&self) -> DateTime<Utc> {
        self.0.claimed_at
    }

    /// When it was proved last.
    async fn verified_at(&self) -> Option<DateTime<Utc>> {
        self.0.verified_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of::<domain::publisher::Publisher>(self.0.id.as_str())
    }
}

/// Who stands behind the registry name of a server, as it is today.
#[derive(SimpleObject)]
pub(super) struct ServerPublisher {
    /// The namespace that was proved, which by DNS can be one above that of the registry name; that of the
    /// registry name when none was.
    namespace: String,
    /// Whether its domain was proved.
    verified: bool,
    /// How.
    method: Option<ProofMethod>,
    /// When.
    verified_at: Option<DateTime<Utc>>,
}

impl From<publishers::VerifiedPublisher> for ServerPublisher {
    fn from(found: publishers::VerifiedPublisher) -> Self {
        Self {
            namespace: found.namespace,
            verified: true,
            method: Some(found.method.into()),
            verified_at: Some(found.verified_at),
        }
    }
}

/// The publisher behind a registry name.
pub(super) async fn behind(
    session: &Session,
    registry_name: &str,
) -> Result<ServerPublisher, ApiError> {
    let key = BehindName(registry_name.to_owned());
    let found = session.loaders.load_one(key).await?;
    let (own, _) = registry_name.split_once('/').unwrap_or((registry_name, ""));
    Ok(match found {
        Some(found) => found.into(),
        None => ServerPublisher {
            namespace: own.to_owned(),
            verified: false,
            method: None,
            verified_at: None,
        },
    })
}

/// The entries to publishers.
#[derive(Default)]
pub(super) struct PublisherQueries;

#[Object]
impl PublisherQueries {
    /// The namespaces that your tenant has claimed, by name.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn publishers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<PublisherConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(
            Action::ReadPublisher,
            &Resource::any(ResourceKind::Publisher),
        )?;
        session.caught_up(publishers::NAME, min_sequence).await?;
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?;
        let page = publishers::publishers(&mut reads, &request).await?;
        let continues = request.after.is_some();
        Ok(Some(connection(page, continues, EmptyFields, Publisher)))
    }

    /// One namespace of your tenant. What does not exist and what you may not see answer the same error,
    /// `NOT_FOUND`.
    async fn publisher(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The namespace, such as `com.example`.")] namespace: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Publisher>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(
            Action::ReadPublisher,
            &Resource::any(ResourceKind::Publisher),
        )?;
        session.caught_up(publishers::NAME, min_sequence).await?;
        let id = PublisherId::derive(&session.caller.tenant, namespace.trim());
        let found = session.loaders.load_one(PublisherKey(id)).await?;
        found.map(Publisher).ok_or(ApiError::NotFound).map(Some)
    }
}
