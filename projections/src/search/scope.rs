//! Which tools a caller reaches, as a condition that the index applies before it ranks.

use domain::id::TenantId;
use domain::tool::Visibility;
use lancedb::expr::{DfExpr, col, is_in, lit};

use super::document::ACTIVE;

/// Which tools a search reaches. Everything else is filtered out before ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The tenant's own, of the visibilities that the caller may see, and those that it has installed.
    Tenant {
        /// The ids of the installed tools, which are found while they are public.
        installed: Vec<String>,
    },
    /// The public ones of every tenant, or of one.
    Marketplace {
        /// The one.
        publisher: Option<TenantId>,
    },
}

impl Scope {
    /// What a tool fulfils that is reached. One of another tenant is so while it is public and in use: what has been
    /// taken off the marketplace is there for nobody else, whatever status is asked for.
    pub(super) fn reaches(&self, tenant: &TenantId, visibilities: &[String]) -> DfExpr {
        let any = |column: &str, values: &[String]| {
            let values = values.iter().map(|value| lit(value.as_str()));
            is_in(col(column), values.collect())
        };
        let offered = || {
            let public = col("visibility").eq(lit(Visibility::Public.as_str()));
            public.and(col("status").eq(lit(ACTIVE)))
        };
        let of = |tenant: &TenantId| col("tenant").eq(lit(tenant.as_str()));
        match self {
            Self::Tenant { installed } => {
                let own = of(tenant).and(any("visibility", visibilities));
                if installed.is_empty() {
                    own
                } else {
                    own.or(any("tool_id", installed).and(offered()))
                }
            }
            Self::Marketplace { publisher: None } => offered(),
            Self::Marketplace {
                publisher: Some(publisher),
            } => of(publisher).and(offered()),
        }
    }
}
