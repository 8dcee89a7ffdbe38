//! What to look at beside a tool, and why: what is like it, what is used together with it, and what comes next.
//! GraphQL and MCP share it; tools of one's own and installed ones are recommended alike.
//!
//! **Invariants.** What was counted is the caller's tenant's own (row-level security). Of its own tools those are
//! recommended that the caller may see and that are in use; of others those that the tenant has installed and that
//! are offered, in the version that the range means. What is refused after its sunset is not recommended.

use crate::context::Caller;
use crate::error::ApiError;
use crate::resolution::Rules;
use crate::state::AppState;
use domain::id::ToolId;
use domain::tool::Deprecation;
use projections::catalog::{self, Status, Tool};
use projections::marketplace::{Installed, Listing};
use projections::search::{MAX_SIMILAR, Similar, SimilarRequest};
use projections::usage::{self, By, Companion};
use projections::{QueryError, Sight, TenantConnection, access};
use std::collections::HashMap;

/// Most recommendations of a list.
pub(crate) const MOST: usize = MAX_SIMILAR;

/// A tool to look at, and why.
#[derive(Debug, Clone)]
pub(crate) struct Recommended {
    /// The tool.
    pub(crate) tool: Shown,
    /// Comparable within one list.
    pub(crate) score: f64,
    /// Why, in one sentence.
    pub(crate) reason: String,
}

/// A tool that the caller may see.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// One of the caller's tenant.
    Own(Box<Tool>),
    /// One that the tenant has installed, in the version that its range means.
    Installed(Box<Listing>),
}

impl Shown {
    /// How it is named: `server/name`, or `@publisher/server/name`.
    pub(crate) fn reference(&self) -> String {
        match self {
            Self::Own(tool) => format!("{}/{}", tool.server, tool.name),
            Self::Installed(listing) => listing.reference.to_string(),
        }
    }

    /// What it does, in the words of its server's maker.
    pub(crate) fn description(&self) -> &str {
        match self {
            Self::Own(tool) => &tool.description,
            Self::Installed(listing) => &listing.definition.description,
        }
    }

    /// What those are told who use it.
    fn deprecation(&self) -> Option<&Deprecation> {
        match self {
            Self::Own(tool) => tool.current_deprecation(),
            Self::Installed(listing) => listing.deprecation_of(&listing.version),
        }
    }

    fn is_in_use(&self) -> bool {
        match self {
            Self::Own(tool) => tool.status == Status::Active,
            Self::Installed(_) => true,
        }
    }
}

/// Which tools a caller reaches.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    sight: Sight,
    installed: Installed,
    rules: Rules,
}

impl Reach {
    /// What is reached from a tenant, with what may be seen of its own tools.
    pub(crate) async fn of(
        connection: &mut TenantConnection,
        sight: &Sight,
        rules: Rules,
    ) -> Result<Self, QueryError> {
        Ok(Self {
            sight: sight.clone(),
            installed: Installed::all(connection).await?,
            rules,
        })
    }

    /// Those of some tools that are reached, in use or not.
    pub(crate) async fn shown(
        &self,
        connection: &mut TenantConnection,
        ids: &[ToolId],
    ) -> Result<HashMap<ToolId, Shown>, QueryError> {
        let own = catalog::tools_by_id(connection, ids, &self.sight).await?;
        let installed = self.installed.listings(connection, ids).await?;
        let own = own
            .into_iter()
            .map(|(id, tool)| (id, Shown::Own(Box::new(tool))));
        let installed = installed
            .into_iter()
            .map(|(id, listing)| (id, Shown::Installed(Box::new(listing))));
        Ok(own.chain(installed).collect())
    }

    /// The same without those that the caller would be refused: past their sunset, where the tenant's rule says
    /// so. What it says is asked only where it decides.
    pub(crate) async fn unrefused(
        &self,
        connection: &mut TenantConnection,
        ids: &[ToolId],
    ) -> Result<HashMap<ToolId, Shown>, QueryError> {
        let mut shown = self.shown(connection, ids).await?;
        let is_over = |told: &Deprecation| told.is_over(self.rules.today);
        if shown
            .values()
            .any(|tool| tool.deprecation().is_some_and(is_over))
        {
            let said = access::after_sunset(connection).await?;
            let refused = |told: &Deprecation| self.rules.refuse(said, told);
            shown.retain(|_, tool| !tool.deprecation().is_some_and(refused));
        }
        Ok(shown)
    }
}

/// What was seen beside a tool in the sessions of the tenant's agents, the best first, at most [`MOST`] of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Companions {
    /// What is used in the same sessions.
    pub(crate) together: Vec<Recommended>,
    /// What comes next.
    pub(crate) next: Vec<Recommended>,
}

/// The companions of several tools, in four statements.
pub(crate) async fn companions(
    connection: &mut TenantConnection,
    reach: &Reach,
    tools: &[ToolId],
) -> Result<HashMap<ToolId, Companions>, QueryError> {
    let seen = usage::companions(connection, tools).await?;
    let mut ids: Vec<ToolId> = seen
        .values()
        .flatten()
        .map(|companion| companion.tool_id.clone())
        .collect();
    ids.sort();
    ids.dedup();
    let shown = reach.unrefused(connection, &ids).await?;
    let best = |seen: &[Companion], by| {
        let ranked = usage::rank(seen, by).into_iter();
        let ranked = ranked.map(|(score, one)| (&one.tool_id, score, by.reason(&one.observed)));
        in_use(ranked, &shown)
    };
    let companions = |(tool, seen): (ToolId, Vec<Companion>)| {
        let companions = Companions {
            together: best(&seen, By::Together),
            next: best(&seen, By::Next),
        };
        (tool, companions)
    };
    Ok(seen.into_iter().map(companions).collect())
}

/// What the index finds to be like a tool that the caller may see: ids, to be shown by [`alike`].
pub(crate) async fn similar(
    state: &AppState,
    caller: &Caller,
    reach: &Reach,
    tool: &ToolId,
    first: usize,
) -> Result<Vec<(ToolId, Similar)>, ApiError> {
    let request = SimilarRequest {
        tenant: caller.tenant.clone(),
        scope: reach.installed.scope(),
        tool_id: tool.to_string(),
        sight: reach.sight.clone(),
        first: first.min(MOST),
    };
    let found = state.search.similar(&request).await?.into_iter();
    let known = found.filter_map(|one| Some((ToolId::parse(one.tool_id.as_str()).ok()?, one)));
    Ok(known.collect())
}

/// The tools most like each of several that the caller may see, best first.
pub(crate) async fn similar_to(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    reach: &Reach,
    (tools, first): (&[ToolId], usize),
) -> Result<HashMap<ToolId, Vec<Recommended>>, ApiError> {
    let mut found = Vec::with_capacity(tools.len());
    for tool in tools {
        found.push((tool, similar(state, caller, reach, tool, first).await?));
    }
    let ids = found.iter().flat_map(|(_, found)| found);
    let ids: Vec<ToolId> = ids.map(|(id, _)| id.clone()).collect();
    let shown = reach.unrefused(connection, &ids).await?;
    let recommended = found.into_iter();
    Ok(recommended
        .map(|(tool, found)| (tool.clone(), alike(&found, &shown)))
        .collect())
}

/// Those of what the index found that are in use. The index may be behind; what is shown has the last word.
pub(crate) fn alike(
    found: &[(ToolId, Similar)],
    shown: &HashMap<ToolId, Shown>,
) -> Vec<Recommended> {
    let found = found
        .iter()
        .map(|(id, similar)| (id, similar.score.into(), similar.reason()));
    in_use(found, shown)
}

fn in_use<'a>(
    ranked: impl Iterator<Item = (&'a ToolId, f64, String)>,
    shown: &HashMap<ToolId, Shown>,
) -> Vec<Recommended> {
    let recommended = ranked.filter_map(|(id, score, reason)| {
        let tool = shown.get(id).filter(|tool| tool.is_in_use())?.clone();
        Some(Recommended {
            tool,
            score,
            reason,
        })
    });
    recommended.take(MOST).collect()
}
