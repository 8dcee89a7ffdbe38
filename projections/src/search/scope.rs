//! Which tools a caller reaches, as a condition that the index applies before it ranks, and which version of them its
//! filters judge.

use std::collections::HashMap;

use domain::id::TenantId;
use domain::tool::Visibility;
use lancedb::expr::{DfExpr, col, is_in, lit};
use semver::Version;

use super::document::ACTIVE;
use super::hints::Hint;
use crate::sight::Sight;

/// Which tools a search reaches. Everything else is filtered out before ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The tenant's own, of those that the caller may see, and those that it has installed.
    Tenant {
        /// The installed tools, which are found while they are public. A cursor is bound to their order.
        installed: Vec<InForce>,
    },
    /// The public ones of every tenant, or of one.
    Marketplace {
        /// The one.
        publisher: Option<TenantId>,
    },
}

/// An installed tool in the version that its range means now. The index holds its publisher's current version, which
/// may be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The tool's id.
    pub tool_id: String,
    /// The version.
    pub version: Version,
    /// The hints that hold for it.
    pub hints: Vec<Hint>,
}

impl Scope {
    /// What a tool fulfils that is reached. One of another tenant is so while it is public and in use: what has been
    /// taken off the marketplace is there for nobody else, whatever status is asked for.
    pub(super) fn reaches(&self, tenant: &TenantId, sight: &Sight) -> DfExpr {
        let offered = || {
            let public = col("visibility").eq(lit(Visibility::Public.as_str()));
            public.and(col("status").eq(lit(ACTIVE)))
        };
        match self {
            Self::Tenant { installed } => {
                let own = match sight.audiences() {
                    Some(seen) => of(tenant).and(any("audience", seen.iter().map(String::as_str))),
                    None => of(tenant),
                };
                if installed.is_empty() {
                    own
                } else {
                    let ids = installed.iter().map(|tool| tool.tool_id.as_str());
                    own.or(any("tool_id", ids).and(offered()))
                }
            }
            Self::Marketplace { publisher: None } => offered(),
            Self::Marketplace {
                publisher: Some(publisher),
            } => of(publisher).and(offered()),
        }
    }

    /// What a tool that is reached fulfils, when its version has to fulfil something: `indexed` says what of the version
    /// that the index holds, and `holds` whether one in force does. Of an installed tool the one in force is judged.
    pub(super) fn judges(
        &self,
        tenant: &TenantId,
        indexed: DfExpr,
        holds: impl Fn(&InForce) -> bool,
    ) -> DfExpr {
        let Self::Tenant { installed } = self else {
            return indexed;
        };
        let own = of(tenant).and(indexed);
        let holding: Vec<&InForce> = installed.iter().filter(|tool| holds(tool)).collect();
        if holding.is_empty() {
            return own;
        }
        let ids = holding.into_iter().map(|tool| tool.tool_id.as_str());
        own.or(any("tool_id", ids))
    }

    /// The installed tools by their ids.
    pub(super) fn in_force(&self) -> HashMap<&str, &InForce> {
        let installed = match self {
            Self::Tenant { installed } => installed.as_slice(),
            Self::Marketplace { .. } => &[],
        };
        let installed = installed.iter();
        installed
            .map(|tool| (tool.tool_id.as_str(), tool))
            .collect()
    }
}

fn of(tenant: &TenantId) -> DfExpr {
    col("tenant").eq(lit(tenant.as_str()))
}

fn any<'a>(column: &str, values: impl Iterator<Item = &'a str>) -> DfExpr {
    is_in(col(column), values.map(lit).collect())
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
