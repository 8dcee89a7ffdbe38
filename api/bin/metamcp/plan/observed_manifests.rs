//! What the servers of a tenant have published, as it is.

use super::{ManifestSpec, Observed};
use domain::id::{ServerId, TenantId};
use projections::manifests::ServerVersion;
use projections::{PageRequest, TenantConnection};

/// Servers of one statement, and versions of each: a document may have 64 KiB.
const SERVERS: usize = 100;
const VERSIONS: usize = 100;

impl Observed {
    /// Reads what the servers have published, which the read model knows as of now only: it may be later than the
    /// position, and then the rehearsal finds that the server has moved.
    pub(super) async fn read_manifests(
        &mut self,
        tenant: &TenantId,
        connection: &mut TenantConnection,
    ) -> anyhow::Result<()> {
        let slugs = self.servers.keys().chain(self.retired_servers.keys());
        let ids: Vec<ServerId> = slugs.map(|slug| ServerId::derive(tenant, slug)).collect();
        for servers in ids.chunks(SERVERS) {
            let mut open = vec![(servers.to_vec(), PageRequest::first(VERSIONS))];
            while let Some((servers, request)) = open.pop() {
                let pages = ServerVersion::published_by(connection, &servers, &request).await?;
                for (server, page) in pages {
                    if page.has_next {
                        let after = page.items.last().map(|item| item.cursor.clone());
                        let first = VERSIONS;
                        open.push((vec![server], PageRequest { first, after }));
                    }
                    let rows = page.items.into_iter().map(|item| item.node);
                    rows.for_each(|row| self.take_manifest(row));
                }
            }
        }
        Ok(())
    }

    fn take_manifest(&mut self, row: ServerVersion) {
        let (mut status, mut message) = (row.status, row.status_message);
        let server = match self.servers.get_mut(&row.slug) {
            Some(server) => Some(server),
            None => {
                // A server out of use has deleted them all; what each was comes back with it.
                if let Some(before) = row.retired_from {
                    (status, message) = before;
                }
                self.retired_servers.get_mut(&row.slug)
            }
        };
        if let Some(server) = server {
            let mut document = row.manifest;
            document.sort_all_objects();
            let version = ManifestSpec {
                status,
                message,
                document: Some(document),
            };
            server.manifests.insert(row.server_version, version);
        }
    }
}
