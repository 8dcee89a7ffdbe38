//! A version of a server as it is stored, and which one of a server is the latest.

use crate::checkpoint::to_i64;
use crate::projector::Recorded;
use chrono::{DateTime, Utc};
use domain::server::{ManifestStatus, Mirrored, compare_versions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// (tenant, server id).
pub(super) type Key = (String, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) tenant: String,
    pub(super) server_id: String,
    pub(super) server_version: String,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) manifest: Value,
    pub(super) from_profile: bool,
    pub(super) status: ManifestStatus,
    pub(super) status_message: Option<String>,
    pub(super) status_changed_at: DateTime<Utc>,
    pub(super) published_at: DateTime<Utc>,
    pub(super) published_sequence: i64,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) is_latest: bool,
    pub(super) mirrored: Option<Mirrored>,
    pub(super) mirrored_sequence: Option<i64>,
    /// Status and message before the server was retired; they come back with it.
    pub(super) retired_from: Option<(ManifestStatus, Option<String>)>,
    /// It differs from what is stored.
    #[serde(skip)]
    pub(super) changed: bool,
}

impl Row {
    /// An active version that begins with this commit; its document is still to be filled in.
    pub(super) fn begin(recorded: &Recorded, slug: &str) -> Self {
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
            retired_from: None,
            changed: true,
        }
    }

    pub(super) fn set(
        &mut self,
        recorded: &Recorded,
        status: ManifestStatus,
        message: Option<String>,
    ) {
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
    pub(super) fn mirrored_at(&mut self, recorded: &Recorded, mirrored: Option<&Mirrored>) {
        if let Some(mirrored) = mirrored {
            self.mirrored = Some(mirrored.clone());
            self.mirrored_sequence = Some(to_i64(recorded.stream_sequence));
            self.changed = true;
        }
    }
}

/// The newest version that is not deleted; of a server whose versions all are, the newest of them.
pub(super) fn find_latest(versions: &mut [Row]) {
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

pub(super) fn key(recorded: &Recorded) -> Key {
    (
        recorded.commit.tenant.to_string(),
        recorded.commit.aggregate_id.clone(),
    )
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
            retired_from: None,
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
