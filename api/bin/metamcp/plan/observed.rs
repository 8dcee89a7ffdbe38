//! What a registry is, at one position of the log.

use super::observed_tool::Kept;
use super::{CategorySpec, Object, ObservedTool, PrincipalSpec, RegistrySpec, ServerSpec};
use crate::app::Backend;
use anyhow::{Context, bail};
use domain::id::{TaxonomyId, TenantId};
use domain::installation::{ForeignTool, Version, VersionReq};
use domain::taxonomy::Taxonomy;
use domain::tenant::{AfterSunset, Tenant};
use projections::catalog::{self, Order, ServerFilter, Sort, Status, ToolFilter};
use projections::{
    Moment, PageRequest, Positions, Sight, TenantConnection, access, manifests, marketplace,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the catalogue may take to come to the end of the log.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of one statement.
pub(super) const PAGE: usize = 500;
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
    /// What it says of versions past their sunset.
    pub after_sunset: Option<AfterSunset>,
    /// The servers in use, without their tools, with what they have published where the whole registry was read.
    pub servers: BTreeMap<String, ServerSpec>,
    /// The tools in use, by server and name.
    pub tools: BTreeMap<(String, String), ObservedTool>,
    /// The servers out of use, in the same way: what they have published is as it was before.
    pub retired_servers: BTreeMap<String, ServerSpec>,
    /// The tools out of use, those of retired servers among them.
    pub retired_tools: BTreeMap<(String, String), RetiredTool>,
    /// What is out of use and stands among what is in use, because it is to be restored.
    pub restored: BTreeSet<Object>,
    /// The categories in use.
    pub categories: BTreeMap<String, CategorySpec>,
    /// What is installed.
    pub installations: BTreeMap<ForeignTool, VersionReq>,
    /// The versions of tools that others offer and that are to be installed or pinned anew.
    pub offers: BTreeMap<ForeignTool, Vec<Version>>,
    /// Agents and services by handle.
    pub principals: BTreeMap<String, ObservedPrincipal>,
    /// How many persons are owners and active.
    pub owners: usize,
}

/// An agent or a service as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedPrincipal {
    /// What is said of it.
    pub spec: PrincipalSpec,
    /// False when its requests are refused.
    pub active: bool,
}

/// A tool that is out of use.
#[derive(Debug, Clone, PartialEq)]
pub struct RetiredTool {
    /// The tool.
    pub tool: ObservedTool,
    /// It went out of use with its server, and comes back with it.
    pub with_server: bool,
}

impl From<Observed> for RegistrySpec {
    fn from(observed: Observed) -> Self {
        let mut servers = observed.servers;
        for ((slug, name), tool) in observed.tools {
            if let Some(server) = servers.get_mut(&slug) {
                server.tools.insert(name, tool.spec);
            }
        }
        let installations = observed.installations.into_iter();
        let principals = observed
            .principals
            .into_iter()
            .filter(|(_, one)| one.active);
        Self {
            tenant_name: Some(observed.tenant_name),
            after_sunset: observed.after_sunset,
            servers,
            lives: true,
            categories: Some(observed.categories),
            installations: Some(
                installations
                    .map(|(tool, range)| (tool.to_string(), range))
                    .collect(),
            ),
            principals: Some(principals.map(|(handle, one)| (handle, one.spec)).collect()),
        }
    }
}

/// Reads the catalogue of one tenant at positions of the log.
pub struct Reader<'a> {
    backend: &'a Backend,
    positions: Positions,
    kept: Kept,
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
            kept: Kept::Said,
            _stop: stop.drop_guard(),
        }
    }

    /// One that reads every version of each tool with its definition.
    #[must_use]
    pub fn with_all_versions(self) -> Self {
        let kept = Kept::All;
        Self { kept, ..self }
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
        self.reached(catalog::NAME, position).await?;
        let reads = self.backend.database.read_pool(1);
        let reads = reads.tenant(tenant).await?.at(Moment::At(position));
        Ok((reads, position))
    }

    async fn reached(&self, model: &'static str, position: u64) -> anyhow::Result<()> {
        let reached = self.positions.wait_for(model, position, PATIENCE).await;
        reached.with_context(|| {
            format!(
                "no projector keeps the read model {model} up to date: is `metamcp up` or `serve` running?"
            )
        })
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
            after_sunset: registered.as_ref().and_then(Tenant::after_sunset),
            servers: BTreeMap::new(),
            tools: BTreeMap::new(),
            retired_servers: BTreeMap::new(),
            retired_tools: BTreeMap::new(),
            restored: BTreeSet::new(),
            categories: BTreeMap::new(),
            installations: BTreeMap::new(),
            offers: BTreeMap::new(),
            principals: BTreeMap::new(),
            owners: 0,
        };
        match server {
            Some(slug) => {
                if let Some(server) = catalog::server_by_slug(&mut connection, slug).await? {
                    observed.take_server(server);
                }
            }
            None => {
                self.reached(access::NAME, position).await?;
                self.reached(marketplace::NAME, position).await?;
                observed.categories = self.categories(tenant).await?;
                observed.read_servers(&mut connection).await?;
                observed.read_installations(&mut connection).await?;
                observed.read_principals(&mut connection).await?;
                self.reached(manifests::NAME, position).await?;
                observed.read_manifests(tenant, &mut connection).await?;
            }
        }
        let tools = observed.read_tools(&mut connection, server, self.kept);
        tools.await?;
        Ok(observed)
    }

    /// The registry of a tenant as it is now, with all that a plan for `wanted` looks at. What the plan names is
    /// to be in use, whatever has become of it.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub async fn observe_for(
        &self,
        tenant: &TenantId,
        wanted: &RegistrySpec,
    ) -> anyhow::Result<Observed> {
        let mut observed = self.observe(tenant, None).await?.restoring(wanted);
        let Some(installations) = &wanted.installations else {
            return Ok(observed);
        };
        let tools = installations.iter().filter_map(|(tool, range)| {
            let tool = ForeignTool::parse(tool)?;
            (observed.installations.get(&tool) != Some(range)).then_some(tool)
        });
        let tools: Vec<ForeignTool> = tools.collect();
        let ids: Vec<_> = tools.iter().map(ForeignTool::tool_id).collect();
        let mut reads = self.backend.database.read_pool(1).tenant(tenant).await?;
        let mut listed = marketplace::versions_by_listing(&mut reads, &ids).await?;
        for tool in tools {
            if let Some(versions) = listed.remove(&tool.tool_id()) {
                // Who has pinned a yanked one goes on, and nobody begins with it.
                let usable = versions.into_iter().filter(|one| one.yanked.is_none());
                let usable = usable.map(|one| one.tool_version).collect();
                observed.offers.insert(tool, usable);
            }
        }
        Ok(observed)
    }

    /// From the log, as the tenant's name is.
    async fn categories(
        &self,
        tenant: &TenantId,
    ) -> anyhow::Result<BTreeMap<String, CategorySpec>> {
        let id = TaxonomyId::derive(tenant);
        let dispatcher = &self.backend.dispatcher;
        let taxonomy = dispatcher.load::<Taxonomy>(tenant, id.as_str()).await?;
        let taxonomy = taxonomy.unwrap_or_default();
        let categories = taxonomy.in_use_all();
        Ok(categories
            .map(|category| (category.slug.clone(), category.into()))
            .collect())
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
        kept: Kept,
    ) -> anyhow::Result<()> {
        let filter = ToolFilter {
            server: server.map(str::to_owned),
            sight: Sight::Everything,
            ..ToolFilter::default()
        };
        let mut after = None;
        loop {
            let request = PageRequest { first: PAGE, after };
            let page = catalog::tools(connection, &filter, BY_NAME, &request).await?;
            after = page.items.last().map(|item| item.cursor.clone());
            let tools: Vec<_> = page.items.into_iter().map(|item| item.node).collect();
            let ids: Vec<_> = tools.iter().map(|tool| tool.id.clone()).collect();
            let seen = &Sight::Everything;
            let mut versions = catalog::versions_by_tool(connection, &ids, seen).await?;
            let wanted = versions.values().flatten().filter(|row| kept.keeps(row));
            let wanted: Vec<_> = wanted
                .map(|row| (row.tool_id.clone(), row.tool_version.clone()))
                .collect();
            let mut definitions = catalog::definitions(connection, &wanted).await?;
            for tool in tools {
                let key = (tool.server.clone(), tool.name.clone());
                let (status, with_server) = (tool.status, tool.retired_with_server);
                let versions = versions.remove(&tool.id).unwrap_or_default();
                let tool = ObservedTool::new(tool, versions, &mut definitions)?;
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
