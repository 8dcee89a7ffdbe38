//! A digest of a table's rows that does not depend on their order.

use crate::checkpoint::to_u64;
use sqlx::{PgConnection, Row};

/// The rows of a table: how many, and a digest over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChecksum {
    /// Number of rows.
    pub rows: u64,
    /// The sum of the rows' 64-bit hashes, which no order changes. It guards against mistakes, not against an
    /// attacker: for that there is the log's own hash chain.
    pub digest: String,
}

/// Digests a table: the text of every column of every row. A row's own text form would be three times as dear,
/// because it quotes each document once more.
pub(crate) async fn of_table(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<TableChecksum, sqlx::Error> {
    // A separator and a sign for null that no text of ours holds: they keep apart what differs.
    let columns: Option<String> = sqlx::query_scalar(
        "SELECT string_agg(format('coalesce(%I::text, E''\\x02'')', attname), ' || E''\\x01'' || '
                           ORDER BY attname)
         FROM pg_attribute
         WHERE attrelid = to_regclass(format('%I.%I', $1, $2)) AND attnum > 0 AND NOT attisdropped",
    )
    .bind(schema)
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    let columns = columns.ok_or(sqlx::Error::RowNotFound)?;
    let row = sqlx::query(&format!(
        "SELECT count(*), coalesce(sum(hashtextextended({columns}, 0)), 0)::text FROM {schema}.{table}"
    ))
    .persistent(false)
    .fetch_one(connection)
    .await?;
    Ok(TableChecksum {
        rows: to_u64(row.try_get(0)?),
        digest: row.try_get(1)?,
    })
}
