//! Reads and writes rows of a read model, set-based; the columns of the catalogue.

use crate::error::ProjectionError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeSet;

/// The columns of a server that an upsert sets.
pub(super) const SERVER_COLUMNS: &[&str] = &[
    "slug",
    "name",
    "registry_name",
    "description",
    "homepage",
    "license",
    "transport",
    "category",
    "tags",
    "status",
    "retired_reason",
    "registered_at",
    "updated_at",
    "valid_from",
];
/// The columns of a tool that an upsert sets.
pub(super) const TOOL_COLUMNS: &[&str] = &[
    "server_id",
    "server",
    "name",
    "title",
    "description",
    "input_schema",
    "output_schema",
    "annotations",
    "definition_hash",
    "tool_version",
    "aliases",
    "version_marks",
    "deprecation",
    "category",
    "tags",
    "visibility",
    "team",
    "status",
    "retired_reason",
    "retired_with_server",
    "registered_at",
    "updated_at",
    "valid_from",
];
/// The columns of a version that an upsert sets.
pub(super) const VERSION_COLUMNS: &[&str] = &[
    "description",
    "input_schema",
    "output_schema",
    "annotations",
    "definition_hash",
    "stream_sequence",
    "published_at",
    "actor_kind",
    "actor_id",
];

/// Writes images beside the table that they were rows of: the same columns, one of them now in the key.
pub(super) async fn save_past<T: Serialize>(
    connection: &mut PgConnection,
    table: &str,
    id: &str,
    columns: &[&str],
    rows: &[T],
) -> Result<(), ProjectionError> {
    let (key, columns) = past_columns(id, columns);
    save(connection, table, &key, &columns, rows).await
}

/// Key and columns of the table of images beside a table.
pub(super) fn past_columns<'a>(id: &str, columns: &[&'a str]) -> (String, Vec<&'a str>) {
    let mut columns = columns.to_vec();
    columns.retain(|column| *column != "valid_from");
    columns.push("valid_to");
    (format!("{id}, valid_from"), columns)
}

/// Writes rows with one statement: they travel as one JSON document and Postgres makes rows of it.
pub(crate) async fn save<T: Serialize>(
    connection: &mut PgConnection,
    table: &str,
    id: &str,
    columns: &[&str],
    rows: &[T],
) -> Result<(), ProjectionError> {
    if let Some(document) = document(rows) {
        sqlx::query(&upsert(table, id, columns, "$1"))
            .bind(document)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// The statement that writes rows, which are a JSON array in one parameter.
pub(super) fn upsert(table: &str, id: &str, columns: &[&str], parameter: &str) -> String {
    let set: Vec<_> = columns
        .iter()
        .map(|column| format!("{column} = EXCLUDED.{column}"))
        .collect();
    let (columns, set) = (columns.join(", "), set.join(", "));
    format!(
        "INSERT INTO {table} (tenant, {id}, {columns})
         SELECT tenant, {id}, {columns} FROM json_populate_recordset(NULL::{table}, {parameter}::json)
         ON CONFLICT (tenant, {id}) DO UPDATE SET {set}"
    )
}

/// Rows as they travel; none when there is no row.
pub(super) fn document<T: Serialize>(rows: &[T]) -> Option<String> {
    // Rows are plain structs with string keys, for which serialisation cannot fail.
    (!rows.is_empty()).then(|| serde_json::to_string(rows).unwrap_or_else(|_| "null".to_owned()))
}

/// Rows as JSON, by a statement over the keys (tenant, id), which are `$1` and `$2`; none without a key.
pub(crate) async fn fetch<T>(
    connection: &mut PgConnection,
    statement: &str,
    keys: &BTreeSet<(String, String)>,
) -> Result<Vec<Json<T>>, ProjectionError>
where
    T: for<'de> Deserialize<'de> + Send + Unpin + 'static,
{
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) = keys
        .iter()
        .map(|(tenant, id)| (tenant.as_str(), id.as_str()))
        .unzip();
    Ok(sqlx::query_scalar(statement)
        .bind(tenants)
        .bind(ids)
        .fetch_all(connection)
        .await?)
}
