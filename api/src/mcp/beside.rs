//! What `describe_tool` says beside a definition: who publishes it, and which tools are like it.

use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::state::AppState;
use domain::id::ToolId;
use projections::catalog::{self, Status};
use projections::publishers::VerifiedPublisher;
use projections::search::SimilarRequest;
use projections::{QueryError, TenantConnection};
use schemars::JsonSchema;
use serde::Serialize;

/// Similar tools that are named.
const MOST_SIMILAR: usize = 3;

/// The verified publisher of a server.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Publisher {
    /// The namespace whose domain was proved, such as com.example for example.com.
    pub(super) namespace: String,
    /// How: `dns` or `http`.
    pub(super) method: &'static str,
}

impl From<&VerifiedPublisher> for Publisher {
    fn from(publisher: &VerifiedPublisher) -> Self {
        Self {
            namespace: publisher.namespace.clone(),
            method: publisher.method.as_str(),
        }
    }
}

/// The tools most like one, as `server/name`. A definition is worth reading without them, so a failing
/// index is logged and leaves them out.
pub(super) async fn similar(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    tool: &ToolId,
) -> Result<Vec<String>, QueryError> {
    let any = Resource::any(ResourceKind::Tool);
    if !state
        .authorizer
        .permits(&caller.roles, Action::SearchTools, &any)
    {
        return Ok(Vec::new());
    }
    let visibilities = state.authorizer.visibilities(caller);
    let request = SimilarRequest {
        tenant: caller.tenant.clone(),
        tool_id: tool.to_string(),
        visibilities: visibilities
            .iter()
            .map(|visibility| visibility.as_str().to_owned())
            .collect(),
        first: MOST_SIMILAR,
    };
    let found = state
        .search
        .similar(&request)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(error = %crate::error::chain(&error), "similar tools are left out");
            Vec::new()
        });
    let ids: Vec<_> = found
        .iter()
        .filter_map(|similar| ToolId::parse(similar.tool_id.as_str()).ok())
        .collect();
    let tools = catalog::tools_by_id(connection, &ids, &visibilities).await?;
    Ok(ids
        .iter()
        .filter_map(|id| tools.get(id))
        .filter(|tool| tool.status == Status::Active)
        .map(|tool| format!("{}/{}", tool.server, tool.name))
        .collect())
}
