//! What a registry is, at one position of the log.

use super::{Object, RegistrySpec, ServerSpec, ToolSpec};
use crate::app::Backend;
use anyhow::{Context, bail};
use domain::id::TenantId;
use domain::tenant::Tenant;
use domain::tool::Visibility;
use projections::catalog::{self, Order, ServerFilter, Sort, Status, ToolFilter};
use projections::{Moment, PageRequest, Positions, TenantConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the catalogue may take to come to the end of the log.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of one statement.
const PAGE: usize = 500;
const BY_NAME: Sort = Sort {
    by: Order::Name,
    descending: false,
};

/// A registry as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The position of the log.
    pub position: u64,
    /// The tenant's name.
    pub tenant_name: String,
    /// The servers in use, without their tools.
    pub servers: BTreeMap<String, ServerSpec>,
    /// The tools in use, by server and name.
    pub tools: BTreeMap<(String, String), ObservedTool>,
    /// The servers out of use, without their tools.
    pub retired_servers: BTreeMap<String, ServerSpec>,
    /// The tools out of use, those of retired servers among them.
    pub retired_tools: BTreeMap<(String, String), RetiredTool>,
    /// What is out of use and stands among what is in use, because it is to be restored.
    pub restored: BTreeSet<Object>,
}

/// A tool that is out of use.
#[derive(Debug, Clone, PartialEq)]
pub struct RetiredTool {
    /// The tool.
    pub tool: ObservedTool,
    /// It went out of use with its server, and comes back with it.
    pub with_server: bool,
}

/// A tool as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedTool {
    /// What is said of it.
    pub spec: ToolSpec,
    /// The identity of its definition.
    pub definition_hash: String,
}

impl From<Observed> for RegistrySpec {
    fn from(observed: Observed) -> Self {
        let mut servers = observed.servers;
        for ((slug, name), tool) in observed.tools {
            if let Some(server) = servers.get_mut(&slug) {
                server.tools.insert(name, tool.spec);
            }
        }
        Self {
            tenant_name: Some(observed.tenant_name),
            servers,
        }
    }
}

/// Reads the catalogue of one tenant at positions of the log.
pub struct Reader<'a> {
    backend: &'a Backend,
    positions: Positions,
    _stop: tokio_util::sync::DropGuard,
}

impl<'a> Reader<'a> {
    /// A reader, which hears of the catalogue's progress.
    #[must_use]
    pub fn new(backend: &'a Backend) -> Self {
        let stop = CancellationToken::new();
        Self {
            backend,
            positions: Positions::start(&backend.database, &backend.log, &stop),
            _stop: stop.drop_guard(),
        }
    }

    /// A connection that looks at a position, the log's end without one, when the catalogue has come there.
    ///
    /// # Errors
    /// When the position has not come yet, no projector runs, or a store is away.
    pub async fn at(
        &self,
        tenant: &TenantId,
        position: Option<u64>,
    ) -> anyhow::Result<(TenantConnection, u64)> {
        let head = self.backend.log.head().await?;
        let position = position.unwrap_or(head);
        if position > head {
            bail!("the log ends at position {head}; {position} has not come yet");
        }
        self.positions
            .wait_for(catalog::NAME, position, PATIENCE)
            .await
            .context(
                "no projector keeps the catalogue up to date: is `metamcp up` or `serve` running?",
            )?;
        let reads = self.backend.database.read_pool(1);
        let reads = reads.tenant(tenant).await?.at(Moment::At(position));
        Ok((reads, position))
    }

    /// The registry of a tenant as it is now, or one server of it.
    ///
    /// # Errors
    /// As [`Self::at`], and when there is no such tenant.
    pub async fn observe(
        &self,
        tenant: &TenantId,
        server: Option<&str>,
    ) -> anyhow::Result<Observed> {
        let (mut connection, position) = self.at(tenant, None).await?;
        // From the log, and after the position is known: a name that changed in between shows in the rehearsal.
        let dispatcher = &self.backend.dispatcher;
        let registered = dispatcher.load::<Tenant>(tenant, tenant.as_str()).await?;
        let Some(name) = registered.as_ref().and_then(Tenant::display_name) else {
            bail!(
                "there is no tenant `{tenant}`: check --tenant, or register it with `metamcp tenant register`"
            );
        };
        let mut observed = Observed {
            position,
            tenant_name: name.to_owned(),
            servers: BTreeMap::new(),
            tools: BTreeMap::new(),
            retired_servers: BTreeMap::new(),
            retired_tools: BTreeMap::new(),
            restored: BTreeSet::new(),
        };
        match server {
            Some(slug) => {
                if let Some(server) = catalog::server_by_slug(&mut connection, slug).await? {
                    observed.take_server(server);
                }
            }
            None => observed.read_servers(&mut connection).await?,
        }
        observed.read_tools(&mut connection, server).await?;
        Ok(observed)
    }
}

impl Observed {
    /// The registry as it is once everything out of use that is wanted is restored: a plan made of it does
    /// that first. With a server come the tools that went with it, wanted or not.
    #[must_use]
    pub fn restoring(mut self, wanted: &RegistrySpec) -> Self {
        for (slug, server) in &wanted.servers {
            if let Some(retired) = self.retired_servers.remove(slug) {
                self.servers.insert(slug.clone(), retired);
                self.restored.insert(Object::Server(slug.clone()));
            }
            let back = self.retired_tools.extract_if(.., |(of, name), tool| {
                of == slug && (tool.with_server || server.tools.contains_key(name))
            });
            for ((slug, name), retired) in back {
                if !retired.with_server {
                    let tool = Object::Tool(slug.clone(), name.clone());
                    self.restored.insert(tool);
                }
                self.tools.insert((slug, name), retired.tool);
            }
        }
        self
    }

    async fn read_servers(&mut self, connection: &mut TenantConnection) -> anyhow::Result<()> {
        let filter = ServerFilter::default();
        let mut after = None;
        loop {
            let request = PageRequest { first: PAGE, after };
            let page = catalog::servers(connection, &filter, BY_NAME, &request).await?;
            after = page.items.last().map(|item| item.cursor.clone());
            for item in page.items {
                self.take_server(item.node);
            }
            if !page.has_next {
                return Ok(());
            }
        }
    }

    fn take_server(&mut self, server: catalog::Server) {
        let slug = server.slug.clone();
        match server.status {
            Status::Active => drop(self.servers.insert(slug, server.into())),
            Status::Retired => drop(self.retired_servers.insert(slug, server.into())),
        }
    }

    async fn read_tools(
        &mut self,
        connection: &mut TenantConnection,
        server: Option<&str>,
    ) -> anyhow::Result<()> {
        let filter = ToolFilter {
            server: server.map(str::to_owned),
            visibilities: Visibility::ALL.to_vec(),
            ..ToolFilter::default()
        };
        let mut after = None;
        loop {
            let request = PageRequest { first: PAGE, after };
            let page = catalog::tools(connection, &filter, BY_NAME, &request).await?;
            after = page.items.last().map(|item| item.cursor.clone());
            for item in page.items {
                let tool = item.node;
                let key = (tool.server.clone(), tool.name.clone());
                let (status, with_server) = (tool.status, tool.retired_with_server);
                let definition_hash = tool.definition_hash.clone();
                let tool = ObservedTool {
                    spec: tool.try_into()?,
                    definition_hash,
                };
                match status {
                    Status::Active => drop(self.tools.insert(key, tool)),
                    Status::Retired => {
                        let retired = RetiredTool { tool, with_server };
                        self.retired_tools.insert(key, retired);
                    }
                }
            }
            if !page.has_next {
                return Ok(());
            }
        }
    }
}
