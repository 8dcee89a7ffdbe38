//! What is used with a tool.

use super::rank::Observed;
use crate::checkpoint::to_u64;
use crate::error::{QueryError, corrupt};
use crate::store::TenantConnection;
use domain::id::ToolId;
use std::collections::HashMap;

/// Companions of a tool that are looked at: those that were used with it most often.
const MOST: i64 = 100;

/// A tool that was used with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Which tool.
    pub tool_id: ToolId,
    /// What was counted.
    pub observed: Observed,
}

/// What was used with each of the tools, by one statement; in no order.
///
/// # Errors
/// [`QueryError`].
pub async fn companions(
    connection: &mut TenantConnection,
    tools: &[ToolId],
) -> Result<HashMap<ToolId, Vec<Companion>>, QueryError> {
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let rows: Vec<(String, String, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT pair.tool_id, pair.other_id, pair.together, pair.next,
                tool.sessions, tool.steps, other.sessions
         FROM unnest($1::text[]) AS wanted (id)
         CROSS JOIN LATERAL (
             SELECT * FROM usage.pairs WHERE tool_id = wanted.id
             ORDER BY together + next DESC, other_id LIMIT $2
         ) AS pair
         JOIN usage.tools AS tool ON tool.tool_id = pair.tool_id
         JOIN usage.tools AS other ON other.tool_id = pair.other_id",
    )
    .bind(ids)
    .bind(MOST)
    .fetch_all(&mut **connection)
    .await?;
    let mut companions: HashMap<ToolId, Vec<Companion>> = HashMap::new();
    for (tool, other, together, next, sessions, steps, other_sessions) in rows {
        let companion = Companion {
            tool_id: other.try_into().map_err(corrupt)?,
            observed: Observed {
                together: to_u64(together),
                next: to_u64(next),
                sessions: to_u64(sessions),
                steps: to_u64(steps),
                other_sessions: to_u64(other_sessions),
            },
        };
        let tool: ToolId = tool.try_into().map_err(corrupt)?;
        companions.entry(tool).or_default().push(companion);
    }
    Ok(companions)
}
