//! Global ids (the GraphQL Global Object Identification specification): base64 of `<Type>:<id>`, opaque to
//! clients, and the same for an object wherever it is met.

use super::as_of::AsOf;
use super::marketplace::installation::Installation;
use super::principal::Principal;
use super::review::{self, Review};
use super::server::Server;
use super::session::Session;
use super::taxonomy::{Taxonomy, own_taxonomy};
use super::tenant::{Tenant, own_tenant};
use super::tool::Tool;
use crate::error::ApiError;
use async_graphql::{Context, ID, Interface, Object};
use data_encoding::BASE64URL_NOPAD;
use domain::id::{InstallationId, PrincipalId, ReviewId, ServerId, TaxonomyId, TenantId, ToolId};
use projections::{access, catalog};

/// What the past of an object is asked for whose past is not kept.
const NO_PAST: &str = "AS_OF_NOT_KEPT";

/// Anything that has a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Names this object among all objects."))]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each request; a box would save nothing"
)]
pub(super) enum Node {
    Server(Server),
    Tool(Tool),
    Principal(Principal),
    Tenant(Tenant),
    Taxonomy(Taxonomy),
    Review(Review),
    Installation(Installation),
}

/// What a global id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeId {
    Server(ServerId),
    Tool(ToolId),
    Principal(PrincipalId),
    Tenant(TenantId),
    Taxonomy(TaxonomyId),
    Review(ReviewId),
    Installation(InstallationId),
}

impl NodeId {
    pub(super) fn encode(&self) -> ID {
        let (kind, id) = match self {
            Self::Server(id) => ("Server", id.as_str()),
            Self::Tool(id) => ("Tool", id.as_str()),
            Self::Principal(id) => ("Principal", id.as_str()),
            Self::Tenant(id) => ("Tenant", id.as_str()),
            Self::Taxonomy(id) => ("Taxonomy", id.as_str()),
            Self::Review(id) => ("Review", id.as_str()),
            Self::Installation(id) => ("Installation", id.as_str()),
        };
        ID(BASE64URL_NOPAD.encode(format!("{kind}:{id}").as_bytes()))
    }

    /// What the id names; none when it is not one of ours, which is the same as naming nothing.
    pub(super) fn decode(id: &ID) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(id.as_bytes()).ok()?).ok()?;
        let (kind, id) = text.split_once(':')?;
        match kind {
            "Server" => ServerId::parse(id).ok().map(Self::Server),
            "Tool" => ToolId::parse(id).ok().map(Self::Tool),
            "Principal" => PrincipalId::parse(id).ok().map(Self::Principal),
            "Tenant" => TenantId::new(id).ok().map(Self::Tenant),
            "Taxonomy" => TaxonomyId::parse(id).ok().map(Self::Taxonomy),
            "Review" => ReviewId::parse(id).ok().map(Self::Review),
            "Installation" => InstallationId::parse(id).ok().map(Self::Installation),
            _ => None,
        }
    }
}

/// The entry by global id.
#[derive(Default)]
pub(super) struct NodeQueries;

#[Object]
impl NodeQueries {
    /// The object that a global id names. What does not exist and what you may not see answer the same
    /// error, `NOT_FOUND`.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of any object that has one.")] id: ID,
        #[graphql(
            desc = "As of which moment; now when left out. For servers, tools and principals: of other \
                    objects no past is kept (`AS_OF_NOT_KEPT`)."
        )]
        as_of: Option<AsOf>,
    ) -> Result<Option<Node>, ApiError> {
        let session = Session::of(ctx);
        let node = match NodeId::decode(&id).ok_or(ApiError::NotFound)? {
            NodeId::Server(id) => {
                let moment = session.moment(catalog::NAME, as_of).await?;
                session.server_at(id, moment).await?.map(Node::Server)
            }
            NodeId::Tool(id) => {
                let moment = session.moment(catalog::NAME, as_of).await?;
                session.tool_at(id, moment).await?.map(Node::Tool)
            }
            NodeId::Principal(id) => {
                let moment = session.moment(access::NAME, as_of).await?;
                session.principal_at(id, moment).await?.map(Node::Principal)
            }
            _ if as_of.is_some() => {
                return Err(ApiError::Invalid {
                    code: NO_PAST,
                    message:
                        "of this object no past is kept; leave `asOf` out, or read its history"
                            .into(),
                });
            }
            NodeId::Tenant(id) if id == session.caller.tenant => {
                own_tenant(session).await?.map(Node::Tenant)
            }
            NodeId::Taxonomy(id) if id == TaxonomyId::derive(&session.caller.tenant) => {
                own_taxonomy(session).await?.map(Node::Taxonomy)
            }
            NodeId::Tenant(_) | NodeId::Taxonomy(_) => None,
            NodeId::Review(id) => review::by_id(session, id).await?.map(Node::Review),
            NodeId::Installation(id) => session.installation(id).await?.map(Node::Installation),
        };
        node.ok_or(ApiError::NotFound).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_anything_else_names_nothing() {
        let tenant = TenantId::new("acme").unwrap();
        for id in [
            NodeId::Server(ServerId::derive(&tenant, "git")),
            NodeId::Tool(ToolId::derive(&tenant, "git", "commit")),
            NodeId::Principal(PrincipalId::derive(&tenant, "ada")),
            NodeId::Tenant(tenant.clone()),
            NodeId::Taxonomy(TaxonomyId::derive(&tenant)),
            NodeId::Installation(InstallationId::derive(&tenant, &tenant, "git", "commit")),
        ] {
            assert_eq!(NodeId::decode(&id.encode()), Some(id));
        }
        for bad in ["", "acme", "VG9vbA", "VG9vbDp4", "Tool:abc", "8J-Ys_-_"] {
            assert_eq!(NodeId::decode(&ID(bad.into())), None, "{bad}");
        }
    }
}
