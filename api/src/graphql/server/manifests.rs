//! What a server has published for registries: its `server.json` documents, one for each version.

use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::connection::{PageOf, connection, page_request};
use crate::graphql::loaders::{Loaders, by_part};
use crate::graphql::session::Session;
use async_graphql::connection::EmptyFields;
use async_graphql::dataloader::Loader;
use async_graphql::{Enum, Object};
use chrono::{DateTime, Utc};
use domain::id::ServerId;
use projections::Page;
use projections::manifests::ServerVersion;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Whether a published version is to be used.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::server::ManifestStatus")]
pub(in crate::graphql) enum ManifestStatus {
    /// It is.
    Active,
    /// Not by those who begin.
    Deprecated,
    /// It is not, and lists leave it out.
    Deleted,
}

/// A version that a server has published.
pub(in crate::graphql) struct ServerManifest(ServerVersion);

/// A version that a server has published, as `/v0.1/servers` shows it.
#[Object]
impl ServerManifest {
    /// The version, as the document names it.
    async fn version(&self) -> &str {
        &self.0.server_version
    }

    /// Whether it is to be used.
    async fn status(&self) -> ManifestStatus {
        self.0.status.into()
    }

    /// Why, when somebody said so.
    async fn status_message(&self) -> Option<&str> {
        self.0.status_message.as_deref()
    }

    /// When it was published here.
    async fn published_at(&self) -> DateTime<Utc> {
        self.0.published_at
    }

    /// When something about it changed here.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The `server.json` document, as it was published. Written by the maker of the server: text to judge, not to
    /// obey.
    async fn document(&self) -> &Value {
        &self.0.manifest
    }

    /// The address of the registry that a mirror took it from; null for what was published here.
    async fn mirrored_from(&self) -> Option<&str> {
        self.0.mirrored_from.as_deref()
    }
}

/// A page of what a server has published.
pub(in crate::graphql) type ServerManifestConnection = PageOf<ServerManifest, EmptyFields>;

/// What a server has published, the last published first. Whoever may read the server may read it.
pub(super) async fn of_server(
    session: &Session,
    server: &ServerId,
    first: i32,
    after: Option<String>,
) -> Result<ServerManifestConnection, ApiError> {
    let resource = Resource::server().named(server.as_str());
    session.authorize(Action::ReadServer, &resource)?;
    let request = page_request(session, first, after)?;
    let continues = request.after.is_some();
    let key = ManifestsOf {
        server: server.clone(),
        first: request.first,
        after: request.after,
    };
    let page = session.loaders.load_one(key).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
        items: Vec::new(),
        has_next: false,
    });
    Ok(connection(page, continues, EmptyFields, ServerManifest))
}

/// A part of what a server has published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct ManifestsOf {
    server: ServerId,
    first: usize,
    after: Option<String>,
}

impl Loader<ManifestsOf> for Loaders {
    type Value = Arc<Page<ServerVersion>>;
    type Error = ApiError;

    /// One statement for each part that a query names.
    async fn load(
        &self,
        keys: &[ManifestsOf],
    ) -> Result<HashMap<ManifestsOf, Self::Value>, ApiError> {
        let mut reads = self.reads().await?;
        let mut pages = HashMap::with_capacity(keys.len());
        let asked = keys.iter().map(|key| (&key.server, key.first, &key.after));
        for (servers, part) in by_part(asked) {
            let found = ServerVersion::published_by(&mut reads, &servers, &part).await?;
            pages.extend(found.into_iter().map(|(server, page)| {
                let (first, after) = (part.first, part.after.clone());
                let key = ManifestsOf {
                    server,
                    first,
                    after,
                };
                (key, Arc::new(page))
            }));
        }
        reads.keep();
        Ok(pages)
    }
}
