//! Keeps the catalogue. A batch loads the rows that it changes, folds its events over them in memory, and
//! writes every touched row once, and the image of each state between: a constant number of statements,
//! however many commits.

use super::past::{Dated, MOMENTS, Past, moments, save_moments, supersede};
use super::save::{
    SERVER_COLUMNS, TOOL_COLUMNS, VERSION_COLUMNS, document, fetch, past_columns, save, save_past,
    upsert,
};
use super::shelf::{self, Shelves};
use super::tool_row::{ACTIVE, RETIRED, ToolRow};
use super::{NAME, bulk};
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::AnyEvent;
use domain::server::{ServerEvent, ServerProfile};
use domain::tool::{ToolDefinition, ToolEvent};
use semver::Version;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keeps `servers`, `tools` and `tool_versions`, what the first two were before, and `moments`.
#[derive(Debug)]
pub struct CatalogProjector;

/// What identifies a version, beside its tenant.
const VERSION_KEY: &str = "tool_id, tool_version";

/// (tenant, aggregate id).
pub(super) type Key = (String, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ServerRow {
    pub(super) tenant: String,
    pub(super) server_id: String,
    pub(super) slug: String,
    #[serde(flatten)]
    pub(super) profile: ServerProfile,
    pub(super) status: String,
    pub(super) retired_reason: Option<String>,
    pub(super) registered_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) valid_from: i64,
}

impl Dated for ServerRow {
    fn valid_from(&mut self) -> &mut i64 {
        &mut self.valid_from
    }
}

#[derive(Debug, Serialize)]
pub(super) struct VersionRow<'a> {
    pub(super) tenant: &'a str,
    pub(super) tool_id: &'a str,
    pub(super) tool_version: &'a Version,
    #[serde(flatten)]
    pub(super) definition: &'a ToolDefinition,
    pub(super) definition_hash: &'a str,
    pub(super) stream_sequence: i64,
    pub(super) published_at: DateTime<Utc>,
    pub(super) actor_kind: &'static str,
    pub(super) actor_id: &'a str,
}

/// The rows that a batch touches.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) servers: BTreeMap<Key, ServerRow>,
    pub(super) tools: BTreeMap<Key, ToolRow>,
    pub(super) servers_past: Vec<Past<ServerRow>>,
    pub(super) tools_past: Vec<Past<ToolRow>>,
    pub(super) versions: Vec<VersionRow<'a>>,
    /// The definitions that tools of this batch may give way to.
    shelves: Shelves,
    /// Servers retired or restored in this batch, whose tools go with them.
    swept: BTreeSet<Key>,
}

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

    fn appends_to(&self) -> &'static [&'static str] {
        &["servers_past", "tools_past"]
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

/// What a batch makes of the rows that it touches.
async fn fold<'a>(
    connection: &mut PgConnection,
    batch: &'a [Recorded],
) -> Result<Rows<'a>, ProjectionError> {
    let mut rows = load(connection, batch).await?;
    for recorded in batch {
        for event in &recorded.events {
            match event {
                AnyEvent::Server(event) => rows.apply_server(recorded, event)?,
                AnyEvent::Tool(event) => rows.apply_tool(recorded, event)?,
                AnyEvent::Tenant(_)
                | AnyEvent::Principal(_)
                | AnyEvent::Denial(_)
                | AnyEvent::Policy(_)
                | AnyEvent::Publisher(_) => {}
                AnyEvent::Taxonomy(_) | AnyEvent::Review(_) => {}
                AnyEvent::Installation(_) => {}
            }
        }
    }
    Ok(rows)
}

/// Loads the rows of the aggregates whose history began before this batch, and the tools of servers that
/// it retires.
async fn load<'a>(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<Rows<'a>, ProjectionError> {
    let mut rows = Rows::default();
    let (mut servers, mut tools, mut shelves) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for recorded in batch.iter().filter(|recorded| recorded.commit.sequence > 1) {
        let key = key(recorded);
        for event in &recorded.events {
            match event {
                AnyEvent::Server(ServerEvent::Retired(_) | ServerEvent::Restored(_)) => {
                    rows.swept.insert(key.clone());
                    servers.insert(key.clone());
                }
                AnyEvent::Server(_) => drop(servers.insert(key.clone())),
                AnyEvent::Tool(event) => {
                    tools.insert(key.clone());
                    if shelf::is_needed_by(event) {
                        shelves.insert(key.clone());
                    }
                }
                AnyEvent::Tenant(_)
                | AnyEvent::Principal(_)
                | AnyEvent::Denial(_)
                | AnyEvent::Policy(_)
                | AnyEvent::Publisher(_)
                | AnyEvent::Taxonomy(_)
                | AnyEvent::Review(_)
                | AnyEvent::Installation(_) => {}
            }
        }
    }
    if !servers.is_empty() {
        let statement = "SELECT to_jsonb(servers) FROM servers
            JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND server_id = i";
        for Json(row) in fetch::<ServerRow>(connection, statement, &servers).await? {
            rows.servers
                .insert((row.tenant.clone(), row.server_id.clone()), row);
        }
    }
    if !tools.is_empty() || !rows.swept.is_empty() {
        let statement = "SELECT to_jsonb(tools) FROM tools
            JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND tool_id = i";
        let mut found = fetch::<ToolRow>(connection, statement, &tools).await?;
        let statement = "SELECT to_jsonb(tools) FROM tools
            JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND server_id = i";
        found.extend(fetch::<ToolRow>(connection, statement, &rows.swept).await?);
        for Json(row) in found {
            rows.tools
                .insert((row.tenant.clone(), row.tool_id.clone()), row);
        }
    }
    rows.shelves = Shelves::load(connection, &shelves).await?;
    Ok(rows)
}

pub(super) fn key(recorded: &Recorded) -> Key {
    (
        recorded.commit.tenant.to_string(),
        recorded.commit.aggregate_id.clone(),
    )
}

fn absent(recorded: &Recorded) -> ProjectionError {
    ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason: format!(
            "{} {} has no row",
            recorded.commit.aggregate, recorded.commit.aggregate_id
        ),
    }
}

impl<'a> Rows<'a> {
    fn apply_server(
        &mut self,
        recorded: &Recorded,
        event: &ServerEvent,
    ) -> Result<(), ProjectionError> {
        let key = key(recorded);
        let at = recorded.commit.recorded_at;
        let position = to_i64(recorded.stream_sequence);
        if let ServerEvent::ManifestPublished(_) | ServerEvent::ManifestStatusChanged(_) = event {
            // The read model `manifests` has them; what is said of the server stays.
            return Ok(());
        }
        if let ServerEvent::Registered(event) = event {
            let row = ServerRow {
                tenant: key.0.clone(),
                server_id: key.1.clone(),
                slug: event.slug.clone(),
                profile: event.profile.clone(),
                status: ACTIVE.to_owned(),
                retired_reason: None,
                registered_at: at,
                updated_at: at,
                valid_from: position,
            };
            self.servers.insert(key, row);
            return Ok(());
        }
        let row = self.servers.get_mut(&key).ok_or_else(|| absent(recorded))?;
        supersede(row, &mut self.servers_past, position);
        row.updated_at = at;
        match event {
            ServerEvent::Registered(_)
            | ServerEvent::ManifestPublished(_)
            | ServerEvent::ManifestStatusChanged(_) => {}
            ServerEvent::Described(event) => row.profile = event.profile.clone(),
            ServerEvent::Retired(event) => {
                row.status = RETIRED.to_owned();
                row.retired_reason = Some(event.reason.clone());
                let reason = &event.reason;
                self.sweep(&key, (position, at), |tool| {
                    let in_use = tool.status == ACTIVE;
                    in_use.then(|| tool.retire(reason.clone(), true)).is_some()
                });
            }
            ServerEvent::Restored(_) => {
                row.status = ACTIVE.to_owned();
                row.retired_reason = None;
                self.sweep(&key, (position, at), |tool| {
                    let with_it = tool.retired_with_server;
                    with_it.then(|| tool.restore()).is_some()
                });
            }
        }
        Ok(())
    }

    /// Changes those tools of a server for which the change says that it is one.
    fn sweep(
        &mut self,
        server: &Key,
        (position, at): (i64, DateTime<Utc>),
        change: impl Fn(&mut ToolRow) -> bool,
    ) {
        let its = |tool: &&mut ToolRow| tool.tenant == server.0 && tool.server_id == server.1;
        for tool in self.tools.values_mut().filter(its) {
            let mut changed = tool.clone();
            if change(&mut changed) {
                supersede(tool, &mut self.tools_past, position);
                *tool = ToolRow {
                    updated_at: at,
                    valid_from: position,
                    ..changed
                };
            }
        }
    }

    fn apply_tool(
        &mut self,
        recorded: &'a Recorded,
        event: &'a ToolEvent,
    ) -> Result<(), ProjectionError> {
        let key = key(recorded);
        if let ToolEvent::Registered(event) = event {
            let row = ToolRow::begin(recorded, event);
            self.tools.insert(key, row);
            let (version, hash) = (&event.tool_version, &event.definition_hash);
            self.push_version(recorded, version, (&event.definition, hash));
            return Ok(());
        }
        let row = self.tools.get_mut(&key).ok_or_else(|| absent(recorded))?;
        supersede(row, &mut self.tools_past, to_i64(recorded.stream_sequence));
        row.updated_at = recorded.commit.recorded_at;
        match event {
            ToolEvent::Registered(_) => {}
            ToolEvent::Described(event) => row.profile = event.profile.clone(),
            ToolEvent::VersionPublished(event) => {
                let (version, hash) = (&event.tool_version, &event.definition_hash);
                row.offer(version, (&event.definition, hash));
                self.push_version(recorded, version, (&event.definition, hash));
            }
            ToolEvent::Retired(event) => row.retire(event.reason.clone(), false),
            ToolEvent::Restored(_) => row.restore(),
            ToolEvent::AliasMoved(event) => {
                row.aliases.insert(event.alias.clone(), event.to.clone());
            }
            ToolEvent::AliasRemoved(event) => drop(row.aliases.remove(&event.alias)),
            ToolEvent::Deprecated(event) => {
                row.warn(event.tool_version.as_ref(), Some(&event.deprecation));
            }
            ToolEvent::Undeprecated(event) => row.warn(event.tool_version.as_ref(), None),
            ToolEvent::VersionYanked(event) => {
                row.mark(&event.tool_version, |mark| {
                    mark.yanked = Some(event.reason.clone());
                });
                row.settle(self.shelves.of(&key))
                    .ok_or_else(|| absent(recorded))?;
            }
            ToolEvent::VersionUnyanked(event) => {
                row.mark(&event.tool_version, |mark| mark.yanked = None);
                row.settle(self.shelves.of(&key))
                    .ok_or_else(|| absent(recorded))?;
            }
        }
        Ok(())
    }

    fn push_version(
        &mut self,
        recorded: &'a Recorded,
        tool_version: &'a Version,
        (definition, definition_hash): (&'a Arc<ToolDefinition>, &'a str),
    ) {
        self.shelves
            .add(key(recorded), tool_version, (definition, definition_hash));
        self.versions.push(VersionRow {
            tenant: recorded.commit.tenant.as_str(),
            tool_id: &recorded.commit.aggregate_id,
            tool_version,
            definition,
            definition_hash,
            stream_sequence: to_i64(recorded.stream_sequence),
            published_at: recorded.commit.recorded_at,
            actor_kind: recorded.commit.actor.kind.as_str(),
            actor_id: &recorded.commit.actor.id,
        });
    }

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
