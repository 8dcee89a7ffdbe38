//! Keeps the catalogue. A batch loads the rows that it changes, folds its events over them in memory
//! ([`fold`](super::fold)), and writes every touched row once, and the image of each state between: a constant number
//! of statements, however many commits.

use super::fold::{Rows, fold};
use super::past::{MOMENTS, moments, save_moments};
use super::save::{
    SERVER_COLUMNS, TOOL_COLUMNS, VERSION_COLUMNS, document, past_columns, save, save_past, upsert,
};
use super::{NAME, bulk};
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use sqlx::PgConnection;

/// Keeps `servers`, `tools` and `tool_versions`, what the first two were before, and `moments`.
#[derive(Debug)]
pub struct CatalogProjector;

/// What identifies a version, beside its tenant.
const VERSION_KEY: &str = "tool_id, tool_version";

#[async_trait]
impl Projector for CatalogProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Every commit is a moment that somebody may look at.
    fn listens_to(&self, _: &AnyEvent) -> bool {
        true
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "servers",
            "servers_past",
            "tools",
            "tools_past",
            "tool_versions",
            "moments",
        ]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let rows = fold(connection, batch).await?;
        rows.save(connection).await?;
        save_moments(connection, batch).await
    }

    /// As `apply` writes it. Commits come in order here, so no moment is overtaken.
    fn statement(&self) -> Option<String> {
        let past = |table: &str, id: &str, columns: &[&str], parameter: &str| {
            let (key, columns) = past_columns(id, columns);
            upsert(table, &key, &columns, parameter)
        };
        Some(format!(
            "WITH servers_now AS ({}), servers_then AS ({}), tools_now AS ({}), tools_then AS ({}),
                  published AS ({}) {MOMENTS}",
            upsert("servers", "server_id", SERVER_COLUMNS, "$1"),
            past("servers_past", "server_id", SERVER_COLUMNS, "$2"),
            upsert("tools", "tool_id", TOOL_COLUMNS, "$3"),
            past("tools_past", "tool_id", TOOL_COLUMNS, "$4"),
            upsert("tool_versions", VERSION_KEY, VERSION_COLUMNS, "$5"),
        ))
    }

    async fn documents(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<Vec<Option<String>>, ProjectionError> {
        let rows = fold(connection, batch).await?;
        let servers: Vec<_> = rows.servers.into_values().collect();
        let tools: Vec<_> = rows.tools.into_values().collect();
        Ok(vec![
            document(&servers),
            document(&rows.servers_past),
            document(&tools),
            document(&rows.tools_past),
            document(&rows.versions),
            document(&moments(batch)),
        ])
    }

    /// The tools of a server that is retired or restored.
    fn looks_up_by(&self) -> Option<&'static [(&'static str, &'static str)]> {
        Some(&[("tools", "tenant, server_id, name")])
    }

    async fn apply_bulk(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let rows = fold(connection, batch).await?;
        bulk::write(connection, rows, batch).await
    }
}

impl Rows<'_> {
    async fn save(self, connection: &mut PgConnection) -> Result<(), ProjectionError> {
        let servers: Vec<_> = self.servers.into_values().collect();
        save(connection, "servers", "server_id", SERVER_COLUMNS, &servers).await?;
        save_past(
            connection,
            "servers_past",
            "server_id",
            SERVER_COLUMNS,
            &self.servers_past,
        )
        .await?;
        let tools: Vec<_> = self.tools.into_values().collect();
        save(connection, "tools", "tool_id", TOOL_COLUMNS, &tools).await?;
        save_past(
            connection,
            "tools_past",
            "tool_id",
            TOOL_COLUMNS,
            &self.tools_past,
        )
        .await?;
        save(
            connection,
            "tool_versions",
            VERSION_KEY,
            VERSION_COLUMNS,
            &self.versions,
        )
        .await
    }
}
