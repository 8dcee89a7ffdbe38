//! The ratings of one version of the index, as one tenant sees them.
//!
//! A Bayesian average holds the mean of all reviews that the tenant sees ([`crate::reviews`]), so it moves with every
//! review: the rows hold what was counted, and the averages are made of the rows of one version. So a review changes
//! one row, and a version has one order, whatever is reviewed meanwhile.

use std::collections::HashMap;

use domain::id::TenantId;
use lancedb::expr::{DfExpr, col, is_in, lit};

use super::candidates::Reader;
use super::error::SearchError;
use super::language::LeastRating;
use super::rows;
use crate::reviews::{Histogram, PRIOR_MEAN};

const COLUMNS: [&str; 4] = ["tenant", "tool_id", "rated", "rated_publicly"];
/// Between two sums of the same stars in another order.
const ROUNDING: f64 = 1e-9;

/// What a tenant thinks of tools.
pub(super) struct Ratings {
    /// The average of whatever the tenant has not reviewed.
    mean: f64,
    by_tool: HashMap<String, Histogram>,
}

impl Ratings {
    /// As if nothing had been reviewed, for searches that no rating decides on.
    pub(super) fn none() -> Self {
        Self {
            mean: PRIOR_MEAN,
            by_tool: HashMap::new(),
        }
    }

    /// What a tenant sees: the reviews of its members of its own tools, and those that are for all.
    pub(super) async fn read(reader: &Reader, tenant: &TenantId) -> Result<Self, SearchError> {
        let some = |column: &str| !col(column).eq(lit(""));
        let own = col("tenant").eq(lit(tenant.as_str())).and(some("rated"));
        let seen = own.or(some("rated_publicly"));
        let (mut by_tool, mut all) = (HashMap::new(), Histogram::default());
        for batch in reader.all(&seen, &COLUMNS).await? {
            let [tenants, tools, rated, publicly] = COLUMNS.map(|name| rows::strings(&batch, name));
            let (tenants, tools, rated, publicly) = (tenants?, tools?, rated?, publicly?);
            for row in 0..batch.num_rows() {
                let mut counted = rows::rated(publicly.value(row))?;
                if tenants.value(row) == tenant.as_str() {
                    counted = counted.plus(&rows::rated(rated.value(row))?);
                }
                all = all.plus(&counted);
                by_tool.insert(tools.value(row).to_owned(), counted);
            }
        }
        let mean = all.average().unwrap_or(PRIOR_MEAN);
        Ok(Self { mean, by_tool })
    }

    /// The Bayesian average of a tool.
    pub(super) fn of(&self, tool_id: &str) -> f64 {
        let sums = self.by_tool.get(tool_id);
        sums.map_or(self.mean, |sums| sums.bayesian(self.mean))
    }

    /// Whether a tool has at least so many stars.
    pub(super) fn reaches(&self, tool_id: &str, stars: f64) -> bool {
        reaches(self.of(tool_id), stars)
    }

    /// What a tool fulfils that has the least rating, for the index to filter by before it ranks.
    pub(super) fn condition(&self, least: LeastRating) -> DfExpr {
        let others = reaches(self.mean, least.stars);
        let named = self.those(|sums| reaches(sums.bayesian(self.mean), least.stars) != others);
        if others == least.negated {
            named
        } else {
            !named
        }
    }

    /// The reviewed tools that are named by their sums.
    fn those(&self, wanted: impl Fn(&Histogram) -> bool) -> DfExpr {
        let named = self.by_tool.iter().filter(|(_, sums)| wanted(sums));
        let mut named: Vec<&str> = named.map(|(tool, _)| tool.as_str()).collect();
        // One expression for one state, whatever the order of the map; and never an empty list: no tool has this id.
        named.sort_unstable();
        named.push("");
        is_in(col("tool_id"), named.into_iter().map(lit).collect())
    }
}

fn reaches(rating: f64, stars: f64) -> bool {
    rating + ROUNDING >= stars
}
