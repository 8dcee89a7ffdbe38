//! Keeps the versions of servers. As in `catalog`, a batch loads the rows of the servers that it touches,
//! folds its events over them in memory, and writes every changed row once.

use super::NAME;
use super::row::{Key, Row, find_latest, key};
use crate::catalog::save;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::server::{
    MAX_STATUS_MESSAGE, Manifest, ManifestPublished, ManifestStatus, ManifestStatusChanged,
    ServerEvent, ServerProfile,
};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// The columns that an upsert sets.
const COLUMNS: &[&str] = &[
    "slug",
    "name",
    "manifest",
    "from_profile",
    "status",
    "status_message",
    "status_changed_at",
    "published_at",
    "published_sequence",
    "updated_at",
    "is_latest",
    "mirrored",
    "mirrored_sequence",
    "retired_from",
];

/// Keeps `versions`.
#[derive(Debug)]
pub struct ManifestsProjector;

#[async_trait]
impl Projector for ManifestsProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Server(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Principal(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Installation(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Review(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &["versions"]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let mut servers = load(connection, batch).await?;
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Server(event) => {
                        let versions = servers.entry(key(recorded)).or_default();
                        apply(versions, recorded, event)?;
                    }
                    AnyEvent::Tenant(_)
                    | AnyEvent::Principal(_)
                    | AnyEvent::Tool(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Installation(_)
                    | AnyEvent::Publisher(_)
                    | AnyEvent::Taxonomy(_)
                    | AnyEvent::Review(_) => {}
                }
            }
        }
        let rows: Vec<_> = servers
            .into_values()
            .flatten()
            .filter(|row| row.changed)
            .collect();
        save(
            connection,
            "versions",
            "server_id, server_version",
            COLUMNS,
            &rows,
        )
        .await
    }
}

/// The rows of the servers whose history began before this batch.
async fn load(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<BTreeMap<Key, Vec<Row>>, ProjectionError> {
    let mut wanted = BTreeSet::new();
    for recorded in batch.iter().filter(|recorded| recorded.commit.sequence > 1) {
        let mut events = recorded.events.iter();
        if events.any(|event| ManifestsProjector.listens_to(event)) {
            wanted.insert(key(recorded));
        }
    }
    let mut servers: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(servers);
    }
    let (tenants, ids): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let rows: Vec<Json<Row>> = sqlx::query_scalar(
        "SELECT to_jsonb(versions) FROM versions
         JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND server_id = i",
    )
    .bind(tenants)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    for Json(row) in rows {
        let key = (row.tenant.clone(), row.server_id.clone());
        servers.entry(key).or_default().push(row);
    }
    Ok(servers)
}

fn apply(
    versions: &mut Vec<Row>,
    recorded: &Recorded,
    event: &ServerEvent,
) -> Result<(), ProjectionError> {
    match event {
        ServerEvent::Registered(event) => {
            show_profile(versions, recorded, &event.slug, &event.profile)?;
        }
        ServerEvent::Described(event) => {
            let slug = slug(versions, recorded)?;
            if versions.iter().all(|row| row.from_profile) {
                show_profile(versions, recorded, &slug, &event.profile)?;
            }
        }
        ServerEvent::Retired(event) => {
            let reason: String = event.reason.chars().take(MAX_STATUS_MESSAGE).collect();
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            for row in versions.iter_mut() {
                row.retired_from = Some((row.status, row.status_message.clone()));
                row.changed = true;
                row.set(recorded, ManifestStatus::Deleted, reason.clone());
            }
        }
        ServerEvent::Restored(_) => {
            for row in versions.iter_mut() {
                if let Some((status, message)) = row.retired_from.take() {
                    row.set(recorded, status, message);
                }
            }
        }
        ServerEvent::ManifestPublished(event) => publish(versions, recorded, event)?,
        ServerEvent::ManifestStatusChanged(event) => change_status(versions, recorded, event)?,
    }
    find_latest(versions);
    Ok(())
}

/// A row that says of a server what its profile says, in place of the one before.
fn show_profile(
    versions: &mut Vec<Row>,
    recorded: &Recorded,
    slug: &str,
    profile: &ServerProfile,
) -> Result<(), ProjectionError> {
    let (tenant, revision) = (&recorded.commit.tenant, recorded.commit.sequence);
    let manifest = Manifest::of_profile(tenant, slug, profile, revision)
        .map_err(|error| inconsistent(recorded, error.to_string()))?;
    hide_profile(versions, recorded);
    let (name, server_version) = (manifest.name().to_owned(), manifest.version().to_owned());
    versions.push(Row {
        name,
        server_version,
        manifest: manifest.into_document(),
        from_profile: true,
        ..Row::begin(recorded, slug)
    });
    Ok(())
}

fn publish(
    versions: &mut Vec<Row>,
    recorded: &Recorded,
    event: &ManifestPublished,
) -> Result<(), ProjectionError> {
    let slug = slug(versions, recorded)?;
    let name = event.manifest.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| inconsistent(recorded, "the manifest has no name".to_owned()))?;
    hide_profile(versions, recorded);
    // A row of the profile that has this very version makes room: it is the same key.
    versions.retain(|row| row.server_version != event.server_version);
    let mut row = Row {
        name: name.to_owned(),
        server_version: event.server_version.clone(),
        manifest: event.manifest.clone(),
        status: event.status,
        status_message: event.status_message.clone(),
        ..Row::begin(recorded, &slug)
    };
    row.mirrored_at(recorded, event.mirrored.as_ref());
    versions.push(row);
    Ok(())
}

fn change_status(
    versions: &mut [Row],
    recorded: &Recorded,
    event: &ManifestStatusChanged,
) -> Result<(), ProjectionError> {
    let row = versions
        .iter_mut()
        .find(|row| !row.from_profile && row.server_version == event.server_version);
    let row = row.ok_or_else(|| inconsistent(recorded, "the version has no row".to_owned()))?;
    row.set(recorded, event.status, event.status_message.clone());
    row.mirrored_at(recorded, event.mirrored.as_ref());
    Ok(())
}

fn hide_profile(versions: &mut [Row], recorded: &Recorded) {
    for row in versions.iter_mut().filter(|row| row.from_profile) {
        row.set(recorded, ManifestStatus::Deleted, None);
    }
}

fn slug(versions: &[Row], recorded: &Recorded) -> Result<String, ProjectionError> {
    let slug = versions.first().map(|row| row.slug.clone());
    slug.ok_or_else(|| inconsistent(recorded, "the server has no row".to_owned()))
}

fn inconsistent(recorded: &Recorded, reason: String) -> ProjectionError {
    ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason,
    }
}
