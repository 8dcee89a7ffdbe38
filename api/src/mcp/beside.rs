//! What `describe_tool` says beside a definition: who publishes it, and which tools are like it. With reasons, and
//! with what is used together, `recommend_tools` says it.

use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::recommend::{self, Reach};
use crate::resolution::Rules;
use crate::state::AppState;
use domain::id::ToolId;
use projections::publishers::VerifiedPublisher;
use projections::{QueryError, TenantConnection};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

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

/// The tools most like one, as describe_tool takes them. A definition is worth reading without them, so a failing
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
    let sight = state.authorizer.sight(caller);
    let reach = Reach::of(connection, &sight, Rules::of(state)).await?;
    let asked = (std::slice::from_ref(tool), MOST_SIMILAR);
    let found = recommend::similar_to(state, caller, connection, &reach, asked).await;
    let mut found = found.unwrap_or_else(|error| {
        tracing::warn!(error = %crate::error::chain(&error), "similar tools are left out");
        HashMap::new()
    });
    let found = found.remove(tool).unwrap_or_default();
    Ok(found.iter().map(|one| one.tool.reference()).collect())
}
