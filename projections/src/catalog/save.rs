//! Reads and writes rows of a read model, set-based; the columns of the catalogue.

use crate::error::ProjectionError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    let key = format!("{id}, valid_from");
    let mut columns = columns.to_vec();
    columns.retain(|column| *column != "valid_from");
    columns.push("valid_to");
    save(connection, table, &key, &columns, rows).await
}

/// Writes rows with one statement: they travel as one JSON document and Postgres makes rows of it.
pub(crate) async fn save<T: Serialize>(
    connection: &mut PgConnection,
    table: &str,
    id: &str,
    columns: &[&str],
    rows: &[T],
) -> Result<(), ProjectionError> {
    if rows.is_empty() {
        return Ok(());
    }
    let set: Vec<_> = columns
        .iter()
        .map(|column| format!("{column} = EXCLUDED.{column}"))
        .collect();
    let (columns, set) = (columns.join(", "), set.join(", "));
    let document: Value = serde_json::to_value(rows).unwrap_or(Value::Null);
    sqlx::query(&format!(
        "INSERT INTO {table} (tenant, {id}, {columns})
         SELECT tenant, {id}, {columns} FROM json_populate_recordset(NULL::{table}, $1::json)
         ON CONFLICT (tenant, {id}) DO UPDATE SET {set}"
    ))
    .bind(document.to_string())
    .execute(connection)
    .await?;
    Ok(())
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
