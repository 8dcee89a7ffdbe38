//! What a lockfile pins: the version and the definition's hash of every tool, without the definitions.

use super::Status;
use crate::checkpoint::to_u64;
use crate::error::QueryError;
use crate::store::TenantConnection;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A tool as a lockfile names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The slug of its server.
    pub server: String,
    /// Its name.
    pub name: String,
    /// Its latest version.
    pub tool_version: String,
    /// The identity of its definition.
    pub definition_hash: String,
    /// Whether it is in use.
    pub status: Status,
}

/// The tools of some servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// The last position at which one of the tools changed; 0 when there is none.
    pub stream_sequence: u64,
    /// Every tool, those out of use included.
    pub tools: Vec<Pin>,
}

const COLUMNS: &str = "server, name, tool_version, definition_hash, status";

/// The tools of the servers with these slugs, or of all servers when none is named, at the connection's
/// moment.
///
/// # Errors
/// [`QueryError`].
pub async fn pins(
    connection: &mut TenantConnection,
    servers: &[String],
) -> Result<Pins, QueryError> {
    let moment = connection.moment();
    let statement = format!(
        "SELECT {COLUMNS}, valid_from FROM {} AND (cardinality($1::text[]) = 0 OR server = ANY ($1))",
        moment.rows("catalog", "tools", COLUMNS)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(servers)
        .fetch_all(&mut **connection)
        .await?;
    let mut found = Pins {
        stream_sequence: 0,
        tools: Vec::with_capacity(rows.len()),
    };
    for row in &rows {
        let since = to_u64(row.try_get("valid_from")?);
        found.stream_sequence = found.stream_sequence.max(since);
        found.tools.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &PgRow) -> Result<Pin, QueryError> {
    Ok(Pin {
        server: row.try_get("server")?,
        name: row.try_get("name")?,
        tool_version: row.try_get("tool_version")?,
        definition_hash: row.try_get("definition_hash")?,
        status: Status::read(row.try_get("status")?)?,
    })
}
