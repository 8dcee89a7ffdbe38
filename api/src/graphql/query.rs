//! The root of all queries. Each entry stands beside the type to which it leads.

use super::access_at::AccessQueries;
use super::audit::AuditQueries;
use super::compatibility::CompatibilityQueries;
use super::facets::FacetQueries;
use super::grant::GrantQueries;
use super::ledger::LedgerQueries;
use super::marketplace::browse::ListingQueries;
use super::marketplace::installation::InstallationQueries;
use super::node::NodeQueries;
use super::policy::PolicyQueries;
use super::principal::PrincipalQueries;
use super::publisher::PublisherQueries;
use super::registry::RegistryQueries;
use super::search::SearchQueries;
use super::server::ServerQueries;
use super::taxonomy::TaxonomyQueries;
use super::tool::ToolQueries;
use super::version::VersionQueries;
use async_graphql::MergedObject;

/// What can be asked. Everything is your tenant's; nothing leads to another one, but for what it offers on
/// the marketplace.
#[derive(MergedObject, Default)]
pub(super) struct Query(
    PrincipalQueries,
    ServerQueries,
    ToolQueries,
    SearchQueries,
    NodeQueries,
    RegistryQueries,
    GrantQueries,
    AccessQueries,
    AuditQueries,
    PolicyQueries,
    LedgerQueries,
    PublisherQueries,
    TaxonomyQueries,
    FacetQueries,
    VersionQueries,
    CompatibilityQueries,
    ListingQueries,
    InstallationQueries,
);
