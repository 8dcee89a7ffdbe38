//! What a review is of: a version of a tool of one's own tenant, or of one that it has installed.

use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::mutation::answered;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use crate::graphql::version;
use crate::resolution::{Rules, resolve, resolve_installed};
use domain::id::{ReviewId, ToolId};
use domain::installation::{ForeignReference, ForeignTool};
use domain::tool::reference::Reference;
use projections::reviews::{self, ReviewRange, View};
use semver::Version;

/// How many reviews of a tool are looked through with one query.
const REVIEWS_AT_ONCE: usize = 100;

/// That the caller sees a tool and may review it.
pub(super) async fn authorize(session: &Session, tool: &ForeignTool) -> Result<(), ApiError> {
    let id = tool.tool_id();
    let resource = if tool.publisher == session.caller.tenant {
        let own = session.tool(id.clone()).await?;
        Resource::of_tool(&own.ok_or(ApiError::NotFound)?.0, &session.caller)
    } else {
        Resource::public_tool()
    };
    session.authorize(Action::ReviewTool, &resource.named(id.as_str()))
}

/// The version that an author names.
pub(super) fn named(version: Option<&str>) -> Result<Option<Version>, ApiError> {
    version
        .map(|text| version::parsed("version", text))
        .transpose()
}

/// Which review was written, and where, by a command that is sent again, see [`answered`].
pub(super) async fn sent_before(
    session: &Session,
    tool: &ToolId,
    version: Option<&Version>,
    command_id: Option<UuidScalar>,
) -> Result<Option<(ReviewId, Sequence)>, ApiError> {
    if command_id.is_none() {
        return Ok(None);
    }
    let candidates = match version {
        Some(version) => {
            let (tenant, author) = (&session.caller.tenant, &session.caller.principal);
            vec![ReviewId::derive(tenant, tool, version, author)]
        }
        None => own_reviews(session, tool).await?,
    };
    for id in candidates {
        let first = answered::<domain::review::Review>(session, id.as_str(), command_id).await?;
        if let Some(sequence) = first {
            return Ok(Some((id, sequence)));
        }
    }
    Ok(None)
}

/// The caller's reviews of a tool. Who names no version means the latest, and by now that may be another one than
/// when the command was sent first: then it would be a second review.
async fn own_reviews(session: &Session, tool: &ToolId) -> Result<Vec<ReviewId>, ApiError> {
    session.reached_the_end(reviews::NAME, WAIT).await?;
    let author = &session.caller.principal;
    let mut own = Vec::new();
    let mut range = ReviewRange {
        first: REVIEWS_AT_ONCE,
        after: None,
        view: View {
            reader: author.clone(),
            hidden: false,
        },
    };
    loop {
        let mut reads = session.reads().await?;
        let tools = std::slice::from_ref(tool);
        let mut found = reviews::reviews_by_tool(&mut reads, tools, &range).await?;
        reads.keep();
        let Some(page) = found.remove(tool) else {
            return Ok(own);
        };
        let reviews = page.items.iter().map(|item| &item.node);
        let by_caller = reviews.filter(|review| review.author.as_ref() == Some(author));
        own.extend(by_caller.map(|review| review.id.clone()));
        match page.items.last() {
            Some(last) if page.has_next => range.after = Some(last.cursor.clone()),
            Some(_) | None => return Ok(own),
        }
    }
}

/// The version that is reviewed: the one that is named, or else the latest; of an installed tool within the range
/// that is installed.
pub(super) async fn resolved(
    session: &Session,
    tool: ForeignTool,
    version: Option<Version>,
) -> Result<Version, ApiError> {
    let (tenant, rules) = (&session.caller.tenant, Rules::looking());
    let reference = version.map_or(Reference::Latest, Reference::Exact);
    let mut reads = session.reads().await?;
    if tool.publisher == *tenant {
        let (id, seen) = (tool.tool_id(), &session.sight);
        let found = resolve(&mut reads, seen, &id, &reference, rules).await?;
        Ok(found.ok_or(ApiError::NotFound)?.version.tool_version)
    } else {
        let wanted = ForeignReference { tool, reference };
        let found = resolve_installed(&mut reads, tenant, &wanted, rules).await?;
        let found = found.ok_or(ApiError::NotFound)?;
        Ok(found.listing.version.tool_version)
    }
}
