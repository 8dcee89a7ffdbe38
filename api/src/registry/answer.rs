//! The shapes of answers: `ServerList` and `ServerResponse` of the official API.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::server::ManifestStatus;
use projections::Page;
use projections::manifests::ServerVersion;
use serde::Serialize;
use serde_json::Value;

/// A page, or all, of a list of versions.
#[derive(Debug, Serialize)]
pub(super) struct ServerList {
    servers: Vec<ServerResponse>,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    count: usize,
}

/// One version: the publisher's document, and what the registry knows of it.
#[derive(Debug, Serialize)]
pub(super) struct ServerResponse {
    server: Value,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Debug, Serialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol.registry/official")]
    official: Official,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Official {
    status: ManifestStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    status_changed_at: String,
    published_at: String,
    updated_at: String,
    is_latest: bool,
}

impl ServerList {
    fn new(servers: Vec<ServerResponse>, next_cursor: Option<String>) -> Self {
        let count = servers.len();
        Self {
            servers,
            metadata: Metadata { next_cursor, count },
        }
    }
}

impl From<Page<ServerVersion>> for ServerList {
    fn from(page: Page<ServerVersion>) -> Self {
        let last = page.items.last().filter(|_| page.has_next);
        let next_cursor = last.map(|item| item.cursor.clone());
        let servers = page.items.into_iter().map(|item| item.node.into());
        Self::new(servers.collect(), next_cursor)
    }
}

impl From<Vec<ServerVersion>> for ServerList {
    fn from(versions: Vec<ServerVersion>) -> Self {
        Self::new(versions.into_iter().map(Into::into).collect(), None)
    }
}

impl From<ServerVersion> for ServerResponse {
    fn from(version: ServerVersion) -> Self {
        Self {
            server: version.manifest,
            meta: Meta {
                official: Official {
                    status: version.status,
                    status_message: version.status_message,
                    status_changed_at: time(version.status_changed_at),
                    published_at: time(version.published_at),
                    updated_at: time(version.updated_at),
                    is_latest: version.is_latest,
                },
            },
        }
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
