//! Which successors of what is deprecated a caller is told: those that it may see itself.

use super::rows::Tool;
use crate::error::QueryError;
use crate::sight::{Sight, seen};
use crate::store::TenantConnection;
use crate::successors::Successors;
use domain::id::ToolId;
use domain::tool::reference::ToolReference;
use domain::tool::{Deprecation, Visibility};

/// A successor that the caller may not see is not told; message and sunset stay. As with all that is looked back
/// at, today's visibility decides. Nothing is asked for those who see everything.
///
/// # Errors
/// [`QueryError`].
pub(super) async fn keep_visible(
    connection: &mut TenantConnection,
    sight: &Sight,
    told: Vec<&mut Deprecation>,
) -> Result<(), QueryError> {
    if *sight == Sight::Everything {
        return Ok(());
    }
    let tenant = connection.tenant().clone();
    let named = |successor: &str| {
        let named: ToolReference = successor.parse().ok()?;
        Some(ToolId::derive(&tenant, &named.server, &named.name))
    };
    let successors = Successors::of(told, named);
    let ids = successors.ids();
    if ids.is_empty() {
        return Ok(());
    }
    // Who sees what is private keeps the registry, and is also told what is not registered yet.
    let keeper = sight.shows(Visibility::Private, None);
    let statement = format!(
        "SELECT tool_id FROM catalog.tools WHERE tool_id = ANY ($1) AND {} = $3",
        seen("tools", "$2")
    );
    let found: Vec<String> = sqlx::query_scalar(&statement)
        .bind(ids)
        .bind(sight.audiences())
        .bind(!keeper)
        .fetch_all(&mut **connection)
        .await?;
    match keeper {
        true => successors.leave_out(&found),
        false => successors.keep(&found),
    }
    Ok(())
}

/// What is said of a tool, and of its versions.
pub(super) fn told(tool: &mut Tool) -> impl Iterator<Item = &mut Deprecation> {
    let marks = tool.version_marks.values_mut();
    let of_versions = marks.filter_map(|mark| mark.deprecation.as_mut());
    tool.deprecation.iter_mut().chain(of_versions)
}
