//! A digest of a table's rows that does not depend on their order.

use sqlx::{PgConnection, Row};

/// The rows of a table: how many, and a digest over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChecksum {
    /// Number of rows.
    pub rows: u64,
    /// Hex; the sum of the rows' MD5 halves, which no order changes. It guards against mistakes, not
    /// against an attacker: for that there is the log's own hash chain.
    pub digest: String,
}

/// Digests a table.
pub(crate) async fn of_table(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<TableChecksum, sqlx::Error> {
    let row = sqlx::query(&format!(
        "SELECT count(*),
                coalesce(sum(('x' || left(hash, 15))::bit(60)::bigint), 0)::text,
                coalesce(sum(('x' || right(hash, 15))::bit(60)::bigint), 0)::text
         FROM (SELECT md5(rows::text) AS hash FROM {schema}.{table} AS rows) AS hashes"
    ))
    .fetch_one(connection)
    .await?;
    let (low, high): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    let rows = crate::checkpoint::to_u64(row.try_get(0)?);
    Ok(TableChecksum {
        rows,
        digest: format!("{low}-{high}"),
    })
}
