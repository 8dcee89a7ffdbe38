//! What the events of a batch make of the catalogue's rows: they are loaded, and the events folded over them in
//! memory. A new event of a server or of a tool gets its arm here.

use super::past::{Past, supersede};
use super::save::fetch;
use super::server_row::ServerRow;
use super::shelf::{self, Shelves};
use super::tool_row::{ACTIVE, RETIRED, ToolRow};
use super::version_row::VersionRow;
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::Recorded;
use chrono::{DateTime, Utc};
use domain::AnyEvent;
use domain::server::ServerEvent;
use domain::tool::{ToolDefinition, ToolEvent};
use semver::Version;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// (tenant, aggregate id).
pub(super) type Key = (String, String);

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

/// What a batch makes of the rows that it touches.
pub(super) async fn fold<'a>(
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
                // One that was parked and is applied late does not reach back behind what has changed since.
                let late = tool.valid_from > position;
                supersede(tool, &mut self.tools_past, position);
                *tool = ToolRow {
                    updated_at: if late { tool.updated_at } else { at },
                    valid_from: tool.valid_from,
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
        let position = to_i64(recorded.stream_sequence);
        let late = row.valid_from > position;
        supersede(row, &mut self.tools_past, position);
        if !late {
            row.updated_at = recorded.commit.recorded_at;
        }
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
