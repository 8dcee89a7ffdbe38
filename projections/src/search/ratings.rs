//! The ratings of one version of the index, as one tenant sees them.
//!
//! A Bayesian average holds the mean of the tenant ([`crate::reviews`]), so it moves with every review: the rows hold
//! what was counted, for each tenant that rates a tool, and the averages are made of the rows of one version. So a
//! review changes one row, and a version has one order, whatever is reviewed meanwhile.

use std::collections::HashMap;

use domain::id::TenantId;
use lancedb::expr::{DfExpr, col, contains, is_in, lit};

use super::candidates::Reader;
use super::error::SearchError;
use super::language::LeastRating;
use super::rows;
use crate::reviews::{Histogram, PRIOR_MEAN};

/// Between two sums of the same stars in another order.
const ROUNDING: f64 = 1e-9;

/// What a tenant thinks of tools.
pub(super) struct Ratings {
    /// The average of whatever the tenant has not reviewed.
    mean: f64,
    by_tool: HashMap<String, f64>,
}

impl Ratings {
    /// As if nothing had been reviewed, for searches that no rating decides on.
    pub(super) fn none() -> Self {
        Self {
            mean: PRIOR_MEAN,
            by_tool: HashMap::new(),
        }
    }

    /// The ratings of a tenant, of its own tools and of those of others.
    pub(super) async fn read(reader: &Reader, tenant: &TenantId) -> Result<Self, SearchError> {
        let its = contains(col("rated"), lit(rows::entry_of(tenant)));
        let (mut sums, mut all) = (Vec::new(), Histogram::default());
        for batch in reader.all(&its, &["tool_id", "rated"]).await? {
            let tools = rows::strings(&batch, "tool_id")?;
            let rated = rows::strings(&batch, "rated")?;
            for row in 0..batch.num_rows() {
                let counted = rows::entry(rated.value(row), tenant).and_then(histogram);
                let damaged = || SearchError::Damaged("a rating cannot be read".to_owned());
                let counted = counted.ok_or_else(damaged)?;
                all = all.plus(&counted);
                sums.push((tools.value(row).to_owned(), counted));
            }
        }
        let mean = all.average().unwrap_or(PRIOR_MEAN);
        let by_tool = sums.into_iter();
        let by_tool = by_tool.map(|(tool, sum)| (tool, sum.bayesian(mean)));
        Ok(Self {
            mean,
            by_tool: by_tool.collect(),
        })
    }

    /// The Bayesian average of a tool.
    pub(super) fn of(&self, tool_id: &str) -> f64 {
        self.by_tool.get(tool_id).copied().unwrap_or(self.mean)
    }

    /// Whether a tool has at least so many stars.
    pub(super) fn reaches(&self, tool_id: &str, stars: f64) -> bool {
        reaches(self.of(tool_id), stars)
    }

    /// What a tool fulfils that has the least rating, for the index to filter by before it ranks.
    pub(super) fn condition(&self, least: LeastRating) -> DfExpr {
        let others = reaches(self.mean, least.stars);
        let mut named: Vec<&str> = self
            .by_tool
            .iter()
            .filter(|(_, rating)| reaches(**rating, least.stars) != others)
            .map(|(tool, _)| tool.as_str())
            .collect();
        // One expression for one state, whatever the order of the map; and never an empty list: no tool has this id.
        named.sort_unstable();
        named.push("");
        let named = is_in(col("tool_id"), named.into_iter().map(lit).collect());
        if others == least.negated {
            named
        } else {
            !named
        }
    }
}

fn reaches(rating: f64, stars: f64) -> bool {
    rating + ROUNDING >= stars
}

/// How many reviews gave 1, 2, 3, 4 and 5 stars, as an entry of the column says it.
fn histogram(entry: &str) -> Option<Histogram> {
    let numbers: Result<Vec<i64>, _> = entry.split(':').map(str::parse).collect();
    Some(Histogram(numbers.ok()?.try_into().ok()?))
}
