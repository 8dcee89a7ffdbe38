//! Uses by day, for the window that `recent` of `usage.tools` is the sum over: whoever wants to know what is popular
//! reads one number a tool, and what was popular once leaves it day by day.

use super::count::Counts;
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Days of the window, the present one (UTC) among them.
const WINDOW: i32 = 30;

/// Adds to the days. The window's sum is added to with the tools.
pub(super) async fn save(
    connection: &mut PgConnection,
    counts: &BTreeMap<String, Counts>,
) -> Result<(), ProjectionError> {
    let (mut tenants, mut tools, mut days, mut sessions) = (vec![], vec![], vec![], vec![]);
    for (tenant, counts) in counts {
        for ((tool, day), in_sessions) in &counts.days {
            tenants.push(tenant.as_str());
            tools.push(tool.as_str());
            days.push(*day);
            sessions.push(to_i64(*in_sessions));
        }
    }
    sqlx::query(
        "INSERT INTO usage.days AS known (tenant, tool_id, day, sessions)
         SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bigint[])
         ON CONFLICT (tenant, tool_id, day) DO UPDATE SET sessions = known.sessions + excluded.sessions",
    )
    .bind(tenants)
    .bind(tools)
    .bind(days)
    .bind(sessions)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the days that have left the window off its sum. A row is deleted by one process only, so nothing is taken
/// off twice.
pub(super) async fn forget(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    sqlx::query(
        "WITH gone AS (
             DELETE FROM usage.days WHERE day <= (now() AT TIME ZONE 'UTC')::date - $1
             RETURNING tenant, tool_id, sessions
         ), sums AS (
             SELECT tenant, tool_id, sum(sessions)::bigint AS sessions FROM gone GROUP BY tenant, tool_id
         )
         UPDATE usage.tools AS known SET recent = known.recent - sums.sessions FROM sums
         WHERE known.tenant = sums.tenant AND known.tool_id = sums.tool_id",
    )
    .bind(WINDOW)
    .execute(connection)
    .await?;
    Ok(())
}
