//! Indexes that come after the rows: sorted once, instead of a place looked up for each row. Only those wait that
//! refuse nothing and that the projector itself does not need; so what it reads is found, and what must be
//! refused is refused, at every moment.

use crate::projector::Projector;
use sqlx::{Executor, PgConnection};

/// Removes the indexes of an empty copy that may wait, and answers how to make them.
pub(super) async fn put_off(
    connection: &mut PgConnection,
    projector: &dyn Projector,
    beside: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let Some(needed) = projector.looks_up_by() else {
        return Ok(Vec::new());
    };
    let (tables, columns): (Vec<_>, Vec<_>) = needed.iter().copied().unzip();
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT format('%I.%I', $1, i.relname), pg_get_indexdef(i.oid)
         FROM pg_index
         JOIN pg_class i ON i.oid = indexrelid
         JOIN pg_class t ON t.oid = indrelid
         WHERE t.relnamespace = $1::regnamespace AND NOT indisunique AND NOT indisexclusion
           AND NOT EXISTS (
               SELECT FROM unnest($2::text[], $3::text[]) AS needed (t, c)
               WHERE needed.t = t.relname AND needed.c = (
                   SELECT string_agg(pg_get_indexdef(i.oid, place, true), ', ' ORDER BY place)
                   FROM generate_series(1, indnkeyatts) AS place))
         ORDER BY i.relname",
    )
    .bind(beside)
    .bind(tables)
    .bind(columns)
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
