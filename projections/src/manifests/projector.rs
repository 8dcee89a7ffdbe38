//! Keeps the versions of servers. As in `catalog`, a batch loads the rows of the servers that it touches,
//! folds its events over them in memory, and writes every changed row once.

use super::NAME;
use crate::catalog::save;
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::AnyEvent;
use domain::server::{
    MAX_STATUS_MESSAGE, Manifest, ManifestPublished, ManifestStatus, ManifestStatusChanged,
    Mirrored, ServerEvent, ServerProfile, compare_versions,
};
use serde::{Deserialize, Serialize};
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
];

/// Keeps `versions`.
#[derive(Debug)]
pub struct ManifestsProjector;

/// (tenant, server id).
type Key = (String, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    tenant: String,
    server_id: String,
    server_version: String,
    slug: String,
    name: String,
    manifest: Value,
    from_profile: bool,
    status: ManifestStatus,
    status_message: Option<String>,
    status_changed_at: DateTime<Utc>,
    published_at: DateTime<Utc>,
    published_sequence: i64,
    updated_at: DateTime<Utc>,
    is_latest: bool,
    mirrored: Option<Mirrored>,
    mirrored_sequence: Option<i64>,
    /// It differs from what is stored.
    #[serde(skip)]
    changed: bool,
}

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
            | AnyEvent::Denial(_) => false,
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
                    | AnyEvent::Denial(_) => {}
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

fn key(recorded: &Recorded) -> Key {
    (
        recorded.commit.tenant.to_string(),
        recorded.commit.aggregate_id.clone(),
    )
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
                row.set(recorded, ManifestStatus::Deleted, reason.clone());
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

/// The newest version that is not deleted; of a server whose versions all are, the newest of them.
fn find_latest(versions: &mut [Row]) {
    let rank = |row: &Row| (row.status != ManifestStatus::Deleted, !row.from_profile);
    let latest = (0..versions.len()).max_by(|a, b| {
        let (a, b) = (&versions[*a], &versions[*b]);
        rank(a)
            .cmp(&rank(b))
            .then_with(|| compare_versions(&a.server_version, &b.server_version))
            .then_with(|| a.published_sequence.cmp(&b.published_sequence))
    });
    for (index, row) in versions.iter_mut().enumerate() {
        let is_latest = Some(index) == latest;
        row.changed |= row.is_latest != is_latest;
        row.is_latest = is_latest;
    }
}

impl Row {
    /// An active version that begins with this commit; its document is still to be filled in.
    fn begin(recorded: &Recorded, slug: &str) -> Self {
        let (tenant, server_id) = key(recorded);
        let at = recorded.commit.recorded_at;
        Self {
            tenant,
            server_id,
            server_version: String::new(),
            slug: slug.to_owned(),
            name: String::new(),
            manifest: Value::Null,
            from_profile: false,
            status: ManifestStatus::Active,
            status_message: None,
            status_changed_at: at,
            published_at: at,
            published_sequence: to_i64(recorded.stream_sequence),
            updated_at: at,
            is_latest: false,
            mirrored: None,
            mirrored_sequence: None,
            changed: true,
        }
    }

    fn set(&mut self, recorded: &Recorded, status: ManifestStatus, message: Option<String>) {
        if self.status == status && self.status_message == message {
            return;
        }
        self.status = status;
        self.status_message = message;
        self.status_changed_at = recorded.commit.recorded_at;
        self.updated_at = recorded.commit.recorded_at;
        self.changed = true;
    }

    /// Keeps where a mirror stands; what others do to the row does not move it.
    fn mirrored_at(&mut self, recorded: &Recorded, mirrored: Option<&Mirrored>) {
        if let Some(mirrored) = mirrored {
            self.mirrored = Some(mirrored.clone());
            self.mirrored_sequence = Some(to_i64(recorded.stream_sequence));
            self.changed = true;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(server_version: &str, status: ManifestStatus, published_sequence: i64) -> Row {
        let at = DateTime::from_timestamp(0, 0).unwrap();
        Row {
            tenant: "acme".into(),
            server_id: "id".into(),
            server_version: server_version.into(),
            slug: "weather".into(),
            name: "io.github.acme/weather".into(),
            manifest: Value::Null,
            from_profile: false,
            status,
            status_message: None,
            status_changed_at: at,
            published_at: at,
            published_sequence,
            updated_at: at,
            is_latest: false,
            mirrored: None,
            mirrored_sequence: None,
            changed: false,
        }
    }

    fn latest(mut rows: Vec<Row>) -> String {
        find_latest(&mut rows);
        let mut latest = rows.into_iter().filter(|row| row.is_latest);
        let found = latest.next().unwrap();
        assert!(latest.next().is_none() && found.changed);
        found.server_version
    }

    #[test]
    fn the_latest_is_the_newest_that_is_not_deleted() {
        use ManifestStatus::{Active, Deleted, Deprecated};
        let rows = || vec![row("1.9.0", Active, 3), row("1.10.0", Deprecated, 1)];
        assert_eq!(latest(rows()), "1.10.0");
        let mut deleted = rows();
        deleted[1].status = Deleted;
        assert_eq!(latest(deleted), "1.9.0");
        assert_eq!(latest(vec![row("b", Active, 2), row("a", Active, 9)]), "a");
        let gone = vec![row("1.0.0", Deleted, 1), row("2.0.0", Deleted, 2)];
        assert_eq!(latest(gone), "2.0.0");
    }

    #[test]
    fn a_document_outranks_a_profile_of_a_higher_version() {
        let profile = Row {
            from_profile: true,
            ..row("0.0.9", ManifestStatus::Deleted, 9)
        };
        let published = row("0.0.1", ManifestStatus::Deleted, 1);
        assert_eq!(latest(vec![profile, published]), "0.0.1");
    }
}
