//! How a tool is rated, as a condition on listings. The formula stands in `docs/reviews.md`; searches make the same
//! of the rows of their index.

use crate::reviews::{PRIOR_MEAN, PRIOR_WEIGHT, SUMS};

/// Reviews that count for the connection's tenant, by their stars, over all tools: `m` is their mean.
const TOTALS: &str = "(SELECT rating, reviews FROM reviews.totals
                       UNION ALL SELECT rating, reviews FROM reviews.public_totals) AS totals";

/// `<the Bayesian average of the tool in an SQL expression> >= `, which a number of stars follows. The same sums in
/// another order are the same average, so that a difference by rounding is none.
pub(super) fn reaches(tool_id: &str) -> String {
    format!(
        "(SELECT ({PRIOR_WEIGHT}::float8 * coalesce(
                      (SELECT sum(rating * reviews)::float8 / nullif(sum(reviews), 0)::float8 FROM {TOTALS}),
                      {PRIOR_MEAN}::float8)
                  + coalesce(sum(rating * reviews), 0)::float8)
                 / ({PRIOR_WEIGHT}::float8 + coalesce(sum(reviews), 0)::float8) + 1e-9::float8
          FROM {SUMS} WHERE sums.tool_id = {tool_id}) >= "
    )
}
