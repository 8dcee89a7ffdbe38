//! The moment that a query looks at: the present, or the registry as it was at a position of the log.
//!
//! A row of a live table holds from its `valid_from` on; images that were superseded lie in a table beside
//! it and hold in `[valid_from, valid_to)`. So the rows as of a position are those of both tables whose
//! range holds it, and every query reads them in the same way, whatever the moment.

use chrono::{DateTime, Utc};
use std::fmt::Write;

/// The moment that a query looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Moment {
    /// As far as the read model has come.
    #[default]
    Now,
    /// After the commit at this position, and before the next one; 0 is before the first.
    At(u64),
}

impl Moment {
    /// True for the present.
    #[must_use]
    pub fn is_now(self) -> bool {
        self == Self::Now
    }

    /// What follows `FROM` and ends in a condition: the live table, or both tables under its name and the
    /// range. A position is written out rather than bound: the planner then knows how much of the log lies
    /// before it. Statements made of it are not worth keeping prepared, see [`Moment::is_now`].
    pub(crate) fn rows(self, schema: &str, table: &str, columns: &str) -> String {
        match self {
            Self::Now => format!("{schema}.{table} WHERE true"),
            Self::At(_) => self.either(
                &format!(
                    "SELECT tenant, {columns}, valid_from, {FOREVER} AS valid_to FROM {schema}.{table}"
                ),
                &format!(
                    "SELECT tenant, {columns}, valid_from, valid_to FROM {schema}.{table}_past"
                ),
                table,
            ),
        }
    }

    /// The rows of two selections, each with tenant and range, that hold. The conditions stand outside of
    /// both, and the tenant's, which row-level security sets for each table anyway, among them: only so
    /// does Postgres see that an index of each is in the order of the list, and merges the two instead of
    /// sorting everything (2 ms instead of 45 for a list of 50 at 100,000 rows).
    pub(crate) fn either(self, live: &str, past: &str, name: &str) -> String {
        let holds = self.holds("valid_from", "valid_to");
        format!(
            "({live} UNION ALL {past}) AS {name}
             WHERE tenant = current_setting('metamcp.tenant', true){holds}"
        )
    }

    /// ` AND <the range holds the position>`; nothing for the present.
    pub(crate) fn holds(self, from: &str, to: &str) -> String {
        let mut condition = self.since(from);
        if let Self::At(position) = self {
            // Writing to a string cannot fail.
            let _ = write!(condition, " AND {to} > {position}");
        }
        condition
    }

    /// ` AND <what began at or before the position>`; nothing for the present.
    pub(crate) fn since(self, from: &str) -> String {
        match self {
            Self::Now => String::new(),
            Self::At(position) => format!(" AND {from} <= {position}"),
        }
    }
}

/// A time to compare with those of the log. Postgres knows none before the year -4713, and nothing was recorded before
/// there were clocks that count from 1970: every earlier time is the same.
pub(crate) fn comparable(time: DateTime<Utc>) -> DateTime<Utc> {
    time.max(DateTime::UNIX_EPOCH)
}

/// The end of a range that has none yet.
pub(crate) const FOREVER: &str = "9223372036854775807::bigint";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_reads_the_live_table_alone() {
        assert_eq!(
            Moment::Now.rows("catalog", "tools", "name"),
            "catalog.tools WHERE true"
        );
        assert_eq!(Moment::Now.holds("a", "b"), "");
    }

    #[test]
    fn a_time_before_all_that_postgres_knows_is_one_before_the_log() {
        let earliest = DateTime::<Utc>::MIN_UTC;
        assert_eq!(comparable(earliest), DateTime::<Utc>::UNIX_EPOCH);
        let now = DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::seconds(1);
        assert_eq!(comparable(now), now);
    }

    #[test]
    fn a_range_holds_its_first_position_and_not_its_last() {
        assert_eq!(Moment::At(7).holds("a", "b"), " AND a <= 7 AND b > 7");
    }
}
