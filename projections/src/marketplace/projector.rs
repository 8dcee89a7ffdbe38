//! Keeps the marketplace. As in the catalogue, a batch loads the rows that it changes, folds its events
//! over them in memory, and writes every touched row once: a constant number of statements.

use super::NAME;
use super::rows::{
    DEPENDENT_COLUMNS, INSTALLATION_COLUMNS, InstallationRow, Key, LISTING_COLUMNS, ListingRow,
    SERVER_COLUMNS, ServerRow, VERSION_COLUMNS, VersionRow, absent, key,
};
use crate::catalog::save::{fetch, save};
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::installation::{InstallationEvent, Version};
use domain::server::ServerEvent;
use domain::tool::reference::{Offer, current};
use domain::tool::{ToolDefinition, ToolEvent};
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

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

/// A version that may be the current one.
#[derive(Deserialize)]
struct OfferRow {
    tenant: String,
    tool_id: String,
    tool_version: Version,
    yanked: bool,
}

/// The rows that a batch touches.
#[derive(Default)]
struct Rows<'a> {
    servers: BTreeMap<Key, ServerRow>,
    listings: BTreeMap<Key, ListingRow>,
    versions: Vec<VersionRow<'a>>,
    /// Versions that were yanked, or are not any more.
    yanked: BTreeMap<(Key, &'a Version), bool>,
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
                    | ToolEvent::Restored(_),
                ) => drop(tools.insert(key.clone())),
                AnyEvent::Installation(_) => drop(installations.insert(key.clone())),
                AnyEvent::Tool(
                    ToolEvent::AliasMoved(_)
                    | ToolEvent::AliasRemoved(_)
                    | ToolEvent::Deprecated(_)
                    | ToolEvent::Undeprecated(_),
                )
                | AnyEvent::Server(
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
        let name = match event {
            ServerEvent::Registered(event) => {
                let row = ServerRow {
                    tenant: tenant.clone(),
                    server_id: server_id.clone(),
                    name: event.profile.name.clone(),
                };
                self.servers.insert((tenant, server_id), row);
                return Ok(());
            }
            ServerEvent::Described(event) => Some(&event.profile.name),
            ServerEvent::Retired(_) | ServerEvent::Restored(_) => None,
            ServerEvent::ManifestPublished(_) | ServerEvent::ManifestStatusChanged(_) => {
                return Ok(());
            }
        };
        let retired = matches!(event, ServerEvent::Retired(_));
        let server = self.servers.get_mut(&(tenant.clone(), server_id.clone()));
        let server = server.ok_or_else(|| absent(recorded, "server", &server_id))?;
        if let Some(name) = name {
            server.name.clone_from(name);
        }
        let its = |row: &&mut ListingRow| row.tenant == tenant && row.server_id == server_id;
        for row in self.listings.values_mut().filter(its) {
            match name {
                Some(name) => row.server_name.clone_from(name),
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
                name: event.name.clone(),
                profile: event.profile.clone(),
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
        if matches!(
            event,
            ToolEvent::AliasMoved(_)
                | ToolEvent::AliasRemoved(_)
                | ToolEvent::Deprecated(_)
                | ToolEvent::Undeprecated(_)
        ) {
            return Ok(());
        }
        let row = self.listings.get_mut(&key);
        let row = row.ok_or_else(|| absent(recorded, "tool", &key.1))?;
        row.updated_at = at;
        match event {
            ToolEvent::Registered(_)
            | ToolEvent::AliasMoved(_)
            | ToolEvent::AliasRemoved(_)
            | ToolEvent::Deprecated(_)
            | ToolEvent::Undeprecated(_) => {}
            ToolEvent::Described(event) => row.profile = event.profile.clone(),
            ToolEvent::VersionPublished(event) => {
                self.changed.insert(key);
                let (definition, hash) = (&event.definition, &event.definition_hash);
                self.push_version(recorded, &event.tool_version, definition, hash);
            }
            ToolEvent::VersionYanked(event) => self.yank(key, &event.tool_version, true),
            ToolEvent::VersionUnyanked(event) => self.yank(key, &event.tool_version, false),
            ToolEvent::Retired(_) => row.retired = true,
            ToolEvent::Restored(_) => row.retired = false,
        }
        Ok(())
    }

    fn yank(&mut self, tool: Key, version: &'a Version, yanked: bool) {
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

async fn save_yanked(
    connection: &mut PgConnection,
    versions: &BTreeMap<(Key, &Version), bool>,
) -> Result<(), ProjectionError> {
    if versions.is_empty() {
        return Ok(());
    }
    let (mut tenants, mut tools, mut names, mut yanked) = (vec![], vec![], vec![], vec![]);
    for (((tenant, tool), version), is_yanked) in versions {
        tenants.push(tenant.as_str());
        tools.push(tool.as_str());
        names.push(version.to_string());
        yanked.push(*is_yanked);
    }
    sqlx::query(
        "UPDATE versions SET yanked = y
         FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) AS touched (t, i, v, y)
         WHERE tenant = t AND tool_id = i AND tool_version = v",
    )
    .bind(tenants)
    .bind(tools)
    .bind(names)
    .bind(yanked)
    .execute(connection)
    .await?;
    Ok(())
}

/// Which version of a tool is the current one, by the rule of the domain.
async fn find_current(
    connection: &mut PgConnection,
    changed: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    if changed.is_empty() {
        return Ok(());
    }
    let statement = "SELECT jsonb_build_object('tenant', tenant, 'tool_id', tool_id,
                'tool_version', tool_version, 'yanked', yanked) FROM versions
         JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND tool_id = i";
    let mut offers: BTreeMap<Key, Vec<OfferRow>> = BTreeMap::new();
    for Json(row) in fetch::<OfferRow>(connection, statement, changed).await? {
        let key = (row.tenant.clone(), row.tool_id.clone());
        offers.entry(key).or_default().push(row);
    }
    let (mut tenants, mut tools, mut versions) = (vec![], vec![], vec![]);
    for ((tenant, tool), rows) in &offers {
        let offers = rows.iter().map(|row| Offer {
            version: &row.tool_version,
            yanked: row.yanked,
        });
        if let Some(version) = current(offers) {
            tenants.push(tenant.as_str());
            tools.push(tool.as_str());
            versions.push(version.to_string());
        }
    }
    sqlx::query(
        "UPDATE listings SET tool_version = v
         FROM unnest($1::text[], $2::text[], $3::text[]) AS found (t, i, v)
         WHERE tenant = t AND tool_id = i",
    )
    .bind(tenants)
    .bind(tools)
    .bind(versions)
    .execute(connection)
    .await?;
    Ok(())
}

/// The definitions of a tool are shown exactly when the tool is.
async fn list_versions(
    connection: &mut PgConnection,
    tools: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    if tools.is_empty() {
        return Ok(());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) =
        tools.iter().map(|(t, i)| (t.as_str(), i.as_str())).unzip();
    sqlx::query(
        "UPDATE versions SET listed = listings.listed
         FROM listings JOIN unnest($1::text[], $2::text[]) AS touched (t, i)
              ON listings.tenant = t AND listings.tool_id = i
         WHERE versions.tenant = listings.tenant AND versions.tool_id = listings.tool_id
           AND versions.listed <> listings.listed",
    )
    .bind(tenants)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what was uninstalled, for both sides.
async fn forget(
    connection: &mut PgConnection,
    uninstalled: &[InstallationRow],
) -> Result<(), ProjectionError> {
    if uninstalled.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&InstallationRow) -> &str| -> Vec<&str> {
        uninstalled.iter().map(value).collect()
    };
    sqlx::query(
        "WITH gone (tenant, id, publisher, tool) AS (
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         ), dependents AS (
             DELETE FROM dependents USING gone
             WHERE dependents.tenant = gone.publisher AND dependents.tool_id = gone.tool
               AND dependents.installer = gone.tenant
         )
         DELETE FROM installations USING gone
         WHERE installations.tenant = gone.tenant AND installations.installation_id = gone.id",
    )
    .bind(column(|row| &row.tenant))
    .bind(column(|row| &row.installation_id))
    .bind(column(|row| &row.publisher))
    .bind(column(|row| &row.tool_id))
    .execute(connection)
    .await?;
    Ok(())
}
