//! Indexes that come after the rows: sorted once, instead of a place looked up for each row. Only those that
//! refuse nothing, of tables that are only added to, wait; so what a projector reads is found, and what must
//! be refused is refused, at every moment.

use crate::projector::Projector;
use sqlx::{Executor, PgConnection};

/// Removes the indexes of an empty copy that may wait, and answers how to make them.
pub(super) async fn put_off(
    connection: &mut PgConnection,
    projector: &dyn Projector,
    beside: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT format('%I.%I', $1, i.relname), pg_get_indexdef(i.oid)
         FROM pg_index
         JOIN pg_class i ON i.oid = indexrelid
         JOIN pg_class t ON t.oid = indrelid
         WHERE t.relnamespace = $1::regnamespace AND t.relname = ANY($2)
           AND NOT indisunique AND NOT indisexclusion
         ORDER BY i.relname",
    )
    .bind(beside)
    .bind(projector.appends_to())
    .fetch_all(&mut *connection)
    .await?;
    let (names, definitions): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
    if !names.is_empty() {
        let statement = format!("DROP INDEX {}", names.join(", "));
        connection.execute(statement.as_str()).await?;
    }
    Ok(definitions)
}

/// Makes the indexes that were put off, under the names that they had.
pub(super) async fn make(
    connection: &mut PgConnection,
    definitions: Vec<String>,
) -> Result<(), sqlx::Error> {
    for definition in definitions {
        connection.execute(definition.as_str()).await?;
    }
    Ok(())
}
