//! Loaders gather what the fields of one request need and ask once for each kind of thing: a list of
//! lists costs a constant number of statements.

use crate::error::ApiError;
use crate::resolution::Rules;
use async_graphql::dataloader::Loader;
use domain::id::{PrincipalId, PublisherId, ServerId, TenantId, ToolId};
use projections::archive::history::{HistoryEntry, HistoryRange, histories};
use projections::{
    Moment, Page, PageRequest, QueryError, ReadPool, Sight, TenantConnection, access, catalog,
    publishers,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Whose things are loaded, which of the tools among them, and as of when.
#[derive(Clone)]
pub(super) struct Loaders {
    pub(super) reads: ReadPool,
    pub(super) tenant: TenantId,
    pub(super) sight: Sight,
    pub(super) moment: Moment,
    /// What decides whether the caller is refused what is past its sunset.
    pub(super) rules: Rules,
}

impl Loaders {
    pub(super) async fn reads(&self) -> Result<TenantConnection, QueryError> {
        Ok(self.reads.tenant(&self.tenant).await?.at(self.moment))
    }
}

/// Tools of which the same part of a list is asked for, with that part: one statement each.
pub(super) fn by_part<'a, Id: Clone + 'a>(
    asked: impl Iterator<Item = (&'a Id, usize, &'a Option<String>)>,
) -> Vec<(Vec<Id>, PageRequest)> {
    let mut parts: HashMap<(usize, &Option<String>), Vec<Id>> = HashMap::new();
    for (id, first, after) in asked {
        parts.entry((first, after)).or_default().push(id.clone());
    }
    let part = |((first, after), ids): ((usize, &Option<String>), Vec<Id>)| {
        let after = after.clone();
        (ids, PageRequest { first, after })
    };
    parts.into_iter().map(part).collect()
}

/// A server by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ServerKey(pub(super) ServerId);

/// A tool by id, when the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ToolKey(pub(super) ToolId);

/// The first tools of a server, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ToolsOf {
    pub(super) server: ServerId,
    pub(super) first: usize,
}

/// The number of active tools of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ToolCountOf(pub(super) ServerId);

/// A principal by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PrincipalKey(pub(super) PrincipalId);

/// A namespace by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PublisherKey(pub(super) PublisherId);

/// The verified publisher behind a registry name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BehindName(pub(super) String);

/// The caller's tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct OwnTenant;

/// Where rules were last put on record: the installation's and no tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RecordOf(pub(super) String);

/// A part of the history of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HistoryOf {
    pub(super) aggregate: &'static str,
    pub(super) id: String,
    pub(super) range: HistoryRange,
}

impl Loader<ServerKey> for Loaders {
    type Value = catalog::Server;
    type Error = ApiError;

    async fn load(&self, keys: &[ServerKey]) -> Result<HashMap<ServerKey, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = catalog::servers_by_id(&mut reads, &ids).await?;
        reads.keep();
        Ok(found
            .into_iter()
            .map(|(id, server)| (ServerKey(id), server))
            .collect())
    }
}

impl Loader<ToolKey> for Loaders {
    type Value = catalog::Tool;
    type Error = ApiError;

    async fn load(&self, keys: &[ToolKey]) -> Result<HashMap<ToolKey, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = catalog::tools_by_id(&mut reads, &ids, &self.sight).await?;
        reads.keep();
        Ok(found
            .into_iter()
            .map(|(id, tool)| (ToolKey(id), tool))
            .collect())
    }
}

impl Loader<ToolsOf> for Loaders {
    type Value = Arc<Page<catalog::Tool>>;
    type Error = ApiError;

    async fn load(&self, keys: &[ToolsOf]) -> Result<HashMap<ToolsOf, Self::Value>, ApiError> {
        // One statement for each page length, of which a query has as many as it names.
        let mut lengths: BTreeMap<usize, Vec<ServerId>> = BTreeMap::new();
        for key in keys {
            lengths
                .entry(key.first)
                .or_default()
                .push(key.server.clone());
        }
        let mut reads = self.reads().await?;
        let mut pages = HashMap::with_capacity(keys.len());
        for (first, ids) in lengths {
            let found = catalog::tools_by_server(&mut reads, &ids, &self.sight, first).await?;
            pages.extend(
                found
                    .into_iter()
                    .map(|(server, page)| (ToolsOf { server, first }, Arc::new(page))),
            );
        }
        Ok(pages)
    }
}

impl Loader<ToolCountOf> for Loaders {
    type Value = i64;
    type Error = ApiError;

    async fn load(&self, keys: &[ToolCountOf]) -> Result<HashMap<ToolCountOf, i64>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = catalog::tool_counts(&mut reads, &ids, &self.sight).await?;
        reads.keep();
        Ok(found
            .into_iter()
            .map(|(id, count)| (ToolCountOf(id), count))
            .collect())
    }
}

impl Loader<PrincipalKey> for Loaders {
    type Value = access::Principal;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[PrincipalKey],
    ) -> Result<HashMap<PrincipalKey, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = access::principals_by_id(&mut reads, &ids).await?;
        reads.keep();
        Ok(found
            .into_iter()
            .map(|(id, principal)| (PrincipalKey(id), principal))
            .collect())
    }
}

impl Loader<PublisherKey> for Loaders {
    type Value = publishers::Publisher;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[PublisherKey],
    ) -> Result<HashMap<PublisherKey, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = publishers::publishers_by_id(&mut reads, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, publisher)| (PublisherKey(id), publisher))
            .collect())
    }
}

impl Loader<BehindName> for Loaders {
    type Value = publishers::VerifiedPublisher;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[BehindName],
    ) -> Result<HashMap<BehindName, Self::Value>, ApiError> {
        let names: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let found = publishers::of_registry_names(&mut reads, &names).await?;
        Ok(found
            .into_iter()
            .map(|(name, publisher)| (BehindName(name), publisher))
            .collect())
    }
}

impl Loader<OwnTenant> for Loaders {
    type Value = access::Tenant;
    type Error = ApiError;

    async fn load(&self, _: &[OwnTenant]) -> Result<HashMap<OwnTenant, Self::Value>, ApiError> {
        let mut reads = self.reads().await?;
        let tenant = access::tenant(&mut reads).await?;
        Ok(tenant
            .map(|tenant| (OwnTenant, tenant))
            .into_iter()
            .collect())
    }
}

impl Loader<RecordOf> for Loaders {
    type Value = u64;
    type Error = ApiError;

    /// Only ever asked about the policy in force, so one statement for a request.
    async fn load(&self, keys: &[RecordOf]) -> Result<HashMap<RecordOf, u64>, ApiError> {
        let mut reads = self.reads.tenant(&TenantId::installation()).await?;
        let mut found = HashMap::new();
        for key in keys {
            if let Some(at) = access::last_adoption_of(&mut reads, &key.0).await? {
                found.insert(key.clone(), at);
            }
        }
        Ok(found)
    }
}

impl Loader<HistoryOf> for Loaders {
    type Value = Arc<Page<HistoryEntry>>;
    type Error = ApiError;

    /// One statement for each part of histories that a query names.
    async fn load(&self, keys: &[HistoryOf]) -> Result<HashMap<HistoryOf, Self::Value>, ApiError> {
        let mut parts: BTreeMap<(&'static str, &HistoryRange), Vec<String>> = BTreeMap::new();
        for key in keys {
            let part = parts.entry((key.aggregate, &key.range)).or_default();
            part.push(key.id.clone());
        }
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let mut pages = HashMap::with_capacity(keys.len());
        for ((aggregate, range), ids) in parts {
            let found = histories(&mut reads, aggregate, &ids, range).await?;
            pages.extend(found.into_iter().map(|(id, page)| {
                let range = range.clone();
                let key = HistoryOf {
                    aggregate,
                    id,
                    range,
                };
                (key, Arc::new(page))
            }));
        }
        Ok(pages)
    }
}
