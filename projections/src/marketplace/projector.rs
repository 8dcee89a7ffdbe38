//! Keeps the marketplace. As in the catalogue, a batch loads the rows that it changes, folds its events
//! over them in memory, and writes every touched row once: a constant number of statements.

use super::NAME;
use super::rows::{
    DEPENDENT_COLUMNS, INSTALLATION_COLUMNS, InstallationRow, Key, LISTING_COLUMNS, ListingRow,
    SERVER_COLUMNS, ServerRow, VERSION_COLUMNS, VersionRow, absent, key,
};
use super::statements::{find_current, forget, list_versions, save_deprecated, save_yanked};
use crate::catalog::save::{fetch, save};
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::installation::{InstallationEvent, Version};
use domain::server::ServerEvent;
use domain::tool::{Deprecation, ToolDefinition, ToolEvent};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Keeps `listings` with their `versions` and `servers`, `installations` and `dependents`.
#[derive(Debug)]
pub struct MarketplaceProjector;

#[async_trait]
impl Projector for MarketplaceProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Server(_) | AnyEvent::Tool(_) | AnyEvent::Installation(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Principal(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Review(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "servers",
            "listings",
            "versions",
            "installations",
            "dependents",
        ]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    /// Most commits that it takes are of tools that nobody sees here: they need not cost a transaction each.
    fn gathers(&self) -> Duration {
        Duration::from_millis(10)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let mut rows = load(connection, batch).await?;
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Server(event) => rows.apply_server(recorded, event)?,
                    AnyEvent::Tool(event) => rows.apply_tool(recorded, event)?,
                    AnyEvent::Installation(event) => rows.apply_installation(recorded, event)?,
                    AnyEvent::Tenant(_)
                    | AnyEvent::Principal(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Publisher(_)
                    | AnyEvent::Taxonomy(_)
                    | AnyEvent::Review(_) => {}
                }
            }
        }
        rows.save(connection).await
    }
}

/// The rows that a batch touches.
#[derive(Default)]
struct Rows<'a> {
    servers: BTreeMap<Key, ServerRow>,
    listings: BTreeMap<Key, ListingRow>,
    versions: Vec<VersionRow<'a>>,
    /// Versions that were yanked, with the reason, or are not any more.
    yanked: BTreeMap<(Key, &'a Version), Option<&'a str>>,
    /// Versions of which something else is said to those who use them.
    deprecated: BTreeMap<(Key, &'a Version), Option<&'a Deprecation>>,
    /// Tools whose versions have changed, so that another one may be the current one.
    changed: BTreeSet<Key>,
    installations: BTreeMap<Key, InstallationRow>,
    uninstalled: Vec<InstallationRow>,
}

/// Loads what began before this batch: the objects themselves, the servers of new tools, and the tools of
/// servers that say something new.
async fn load<'a>(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<Rows<'a>, ProjectionError> {
    let (mut servers, mut of_servers) = (BTreeSet::new(), BTreeSet::new());
    let (mut tools, mut installations) = (BTreeSet::new(), BTreeSet::new());
    for recorded in batch {
        let key = key(recorded);
        for event in &recorded.events {
            match event {
                AnyEvent::Server(
                    ServerEvent::Described(_) | ServerEvent::Retired(_) | ServerEvent::Restored(_),
                ) => {
                    servers.insert(key.clone());
                    of_servers.insert(key.clone());
                }
                AnyEvent::Tool(ToolEvent::Registered(event)) => {
                    servers.insert((key.0.clone(), event.server_id.to_string()));
                }
                AnyEvent::Tool(
                    ToolEvent::Described(_)
                    | ToolEvent::VersionPublished(_)
                    | ToolEvent::VersionYanked(_)
                    | ToolEvent::VersionUnyanked(_)
                    | ToolEvent::Retired(_)
                    | ToolEvent::Restored(_)
                    | ToolEvent::AliasMoved(_)
                    | ToolEvent::AliasRemoved(_)
                    | ToolEvent::Deprecated(_)
                    | ToolEvent::Undeprecated(_),
                ) => drop(tools.insert(key.clone())),
                AnyEvent::Installation(_) => drop(installations.insert(key.clone())),
                AnyEvent::Server(
                    ServerEvent::Registered(_)
                    | ServerEvent::ManifestPublished(_)
                    | ServerEvent::ManifestStatusChanged(_),
                )
                | AnyEvent::Tenant(_)
                | AnyEvent::Principal(_)
                | AnyEvent::Denial(_)
                | AnyEvent::Policy(_)
                | AnyEvent::Publisher(_)
                | AnyEvent::Taxonomy(_)
                | AnyEvent::Review(_) => {}
            }
        }
    }
    let statement = |table: &str, id: &str| {
        format!(
            "SELECT to_jsonb({table}) FROM {table}
             JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND {id} = i"
        )
    };
    let mut rows = Rows::default();
    let by_id = statement("servers", "server_id");
    for Json(row) in fetch::<ServerRow>(connection, &by_id, &servers).await? {
        rows.servers
            .insert((row.tenant.clone(), row.server_id.clone()), row);
    }
    let by_id = statement("listings", "tool_id");
    let mut found = fetch::<ListingRow>(connection, &by_id, &tools).await?;
    let by_server = statement("listings", "server_id");
    found.extend(fetch::<ListingRow>(connection, &by_server, &of_servers).await?);
    for Json(row) in found {
        rows.listings
            .insert((row.tenant.clone(), row.tool_id.clone()), row);
    }
    let by_id = statement("installations", "installation_id");
    for Json(row) in fetch::<InstallationRow>(connection, &by_id, &installations).await? {
        rows.installations
            .insert((row.tenant.clone(), row.installation_id.clone()), row);
    }
    Ok(rows)
}

impl<'a> Rows<'a> {
    fn apply_server(
        &mut self,
        recorded: &Recorded,
        event: &ServerEvent,
    ) -> Result<(), ProjectionError> {
        let (tenant, server_id) = key(recorded);
        let profile = match event {
            ServerEvent::Registered(event) => {
                let row = ServerRow {
                    tenant: tenant.clone(),
                    server_id: server_id.clone(),
                    name: event.profile.name.clone(),
                    registry_name: event.profile.registry_name.clone(),
                };
                self.servers.insert((tenant, server_id), row);
                return Ok(());
            }
            ServerEvent::Described(event) => Some(&event.profile),
            ServerEvent::Retired(_) | ServerEvent::Restored(_) => None,
            ServerEvent::ManifestPublished(_) | ServerEvent::ManifestStatusChanged(_) => {
                return Ok(());
            }
        };
        let retired = matches!(event, ServerEvent::Retired(_));
        let server = self.servers.get_mut(&(tenant.clone(), server_id.clone()));
        let server = server.ok_or_else(|| absent(recorded, "server", &server_id))?;
        if let Some(profile) = profile {
            server.name.clone_from(&profile.name);
            server.registry_name.clone_from(&profile.registry_name);
        }
        let its = |row: &&mut ListingRow| row.tenant == tenant && row.server_id == server_id;
        for row in self.listings.values_mut().filter(its) {
            match profile {
                Some(profile) => {
                    row.server_name.clone_from(&profile.name);
                    row.registry_name.clone_from(&profile.registry_name);
                }
                None => row.server_retired = retired,
            }
            row.updated_at = recorded.commit.recorded_at;
        }
        Ok(())
    }

    fn apply_tool(
        &mut self,
        recorded: &'a Recorded,
        event: &'a ToolEvent,
    ) -> Result<(), ProjectionError> {
        let key = key(recorded);
        let at = recorded.commit.recorded_at;
        if let ToolEvent::Registered(event) = event {
            let server = (key.0.clone(), event.server_id.to_string());
            let server_row = self.servers.get(&server);
            let server_row = server_row.ok_or_else(|| absent(recorded, "server", &server.1))?;
            let row = ListingRow {
                tenant: key.0.clone(),
                tool_id: key.1.clone(),
                server_id: server.1,
                server: event.server.clone(),
                server_name: server_row.name.clone(),
                registry_name: server_row.registry_name.clone(),
                name: event.name.clone(),
                profile: event.profile.clone(),
                aliases: BTreeMap::new(),
                deprecation: None,
                retired: false,
                server_retired: false,
                tool_version: event.tool_version.clone(),
                updated_at: at,
            };
            self.listings.insert(key, row);
            let (definition, hash) = (&event.definition, &event.definition_hash);
            self.push_version(recorded, &event.tool_version, definition, hash);
            return Ok(());
        }
        let row = self.listings.get_mut(&key);
        let row = row.ok_or_else(|| absent(recorded, "tool", &key.1))?;
        row.updated_at = at;
        match event {
            ToolEvent::Registered(_) => {}
            ToolEvent::Described(event) => row.profile = event.profile.clone(),
            ToolEvent::VersionPublished(event) => {
                self.changed.insert(key);
                let (definition, hash) = (&event.definition, &event.definition_hash);
                self.push_version(recorded, &event.tool_version, definition, hash);
            }
            ToolEvent::VersionYanked(event) => {
                self.yank(key, &event.tool_version, Some(&event.reason));
            }
            ToolEvent::VersionUnyanked(event) => self.yank(key, &event.tool_version, None),
            ToolEvent::AliasMoved(event) => {
                row.aliases.insert(event.alias.clone(), event.to.clone());
            }
            ToolEvent::AliasRemoved(event) => drop(row.aliases.remove(&event.alias)),
            ToolEvent::Deprecated(event) => match &event.tool_version {
                None => row.deprecation = Some(event.deprecation.clone()),
                Some(version) => {
                    let told = Some(&event.deprecation);
                    self.deprecated.insert((key, version), told);
                }
            },
            ToolEvent::Undeprecated(event) => match &event.tool_version {
                None => row.deprecation = None,
                Some(version) => drop(self.deprecated.insert((key, version), None)),
            },
            ToolEvent::Retired(_) => row.retired = true,
            ToolEvent::Restored(_) => row.retired = false,
        }
        Ok(())
    }

    fn yank(&mut self, tool: Key, version: &'a Version, yanked: Option<&'a str>) {
        self.changed.insert(tool.clone());
        self.yanked.insert((tool, version), yanked);
    }

    fn push_version(
        &mut self,
        recorded: &'a Recorded,
        tool_version: &'a Version,
        definition: &'a ToolDefinition,
        definition_hash: &'a str,
    ) {
        self.versions.push(VersionRow {
            tenant: recorded.commit.tenant.as_str(),
            tool_id: &recorded.commit.aggregate_id,
            tool_version,
            definition,
            definition_hash,
            published_at: recorded.commit.recorded_at,
            listed: false,
        });
    }

    fn apply_installation(
        &mut self,
        recorded: &Recorded,
        event: &InstallationEvent,
    ) -> Result<(), ProjectionError> {
        let key = key(recorded);
        let commit = &recorded.commit;
        let gone = || absent(recorded, "installation", &commit.aggregate_id);
        match event {
            InstallationEvent::Installed(event) => {
                let row = InstallationRow {
                    tenant: key.0.clone(),
                    installation_id: key.1.clone(),
                    publisher: event.tool.publisher.to_string(),
                    tool_id: event.tool.tool_id().to_string(),
                    server: event.tool.server.clone(),
                    name: event.tool.name.clone(),
                    version_range: event.range.to_string(),
                    installed_at: commit.recorded_at,
                    updated_at: commit.recorded_at,
                    actor_kind: commit.actor.kind.to_string(),
                    actor_id: commit.actor.id.clone(),
                };
                self.installations.insert(key, row);
            }
            InstallationEvent::Repinned(event) => {
                let row = self.installations.get_mut(&key).ok_or_else(gone)?;
                row.version_range = event.range.to_string();
                row.updated_at = commit.recorded_at;
            }
            InstallationEvent::Uninstalled(_) => {
                let row = self.installations.remove(&key).ok_or_else(gone)?;
                self.uninstalled.push(row);
            }
        }
        Ok(())
    }

    async fn save(self, connection: &mut PgConnection) -> Result<(), ProjectionError> {
        let servers: Vec<_> = self.servers.into_values().collect();
        save(connection, "servers", "server_id", SERVER_COLUMNS, &servers).await?;
        let keys: BTreeSet<Key> = self.listings.keys().cloned().collect();
        let listings: Vec<_> = self.listings.into_values().collect();
        save(
            connection,
            "listings",
            "tool_id",
            LISTING_COLUMNS,
            &listings,
        )
        .await?;
        let id = "tool_id, tool_version";
        save(connection, "versions", id, VERSION_COLUMNS, &self.versions).await?;
        save_yanked(connection, &self.yanked).await?;
        save_deprecated(connection, &self.deprecated).await?;
        find_current(connection, &self.changed).await?;
        list_versions(connection, &keys).await?;
        forget(connection, &self.uninstalled).await?;
        let installations: Vec<_> = self.installations.into_values().collect();
        let (table, id) = ("installations", "installation_id");
        save(connection, table, id, INSTALLATION_COLUMNS, &installations).await?;
        let dependents = installations.iter().map(InstallationRow::dependent);
        let dependents: Vec<_> = dependents.collect();
        let (table, id) = ("dependents", "tool_id, installer");
        save(connection, table, id, DEPENDENT_COLUMNS, &dependents).await
    }
}
