//! The schema: roots, limits and the snapshot.

use super::audit::AuditConnection;
use super::grant::GrantConnection;
use super::history::HistoryConnection;
use super::limits::MAX_RECURSION;
use super::live::Subscription;
use super::marketplace::browse::ListingConnection;
use super::marketplace::dependent::DependentConnection;
use super::marketplace::installation::InstallationConnection;
use super::marketplace::listed_version::ListedVersionConnection;
use super::mutation::Mutation;
use super::policy::PolicyConnection;
use super::principal::PrincipalConnection;
use super::public_review::PublicReviewConnection;
use super::publisher::PublisherConnection;
use super::query::Query;
use super::review::ReviewConnection;
use super::server::ServerConnection;
use super::server::manifests::ServerManifestConnection;
use super::tool::{ToolConnection, ToolVersionConnection};
use crate::config::LimitsConfig;
use async_graphql::connection::PageInfo;
use async_graphql::{ID, SDLExportOptions, SchemaBuilder, ValidationMode};
use chrono::{DateTime, Utc};

pub(super) type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema with its limits. What `limits.rs` checks before is here only where the library's own check
/// has the same meaning, as a second line.
pub(super) fn build(limits: &LimitsConfig) -> Schema {
    limited(builder(), limits).finish()
}

/// The schema in two forms.
#[derive(Clone)]
pub(super) struct Schemas {
    /// Validates every document.
    pub(super) strict: Schema,
    /// For documents that the other one has validated and executed: only their complexity is computed again.
    pub(super) trusting: Schema,
}

impl Schemas {
    pub(super) fn build(limits: &LimitsConfig) -> Self {
        Self {
            strict: build(limits),
            trusting: limited(builder().validation_mode(ValidationMode::Fast), limits).finish(),
        }
    }
}

fn limited(
    builder: SchemaBuilder<Query, Mutation, Subscription>,
    limits: &LimitsConfig,
) -> SchemaBuilder<Query, Mutation, Subscription> {
    builder
        .limit_complexity(limits.graphql_complexity)
        .limit_recursive_depth(MAX_RECURSION)
        .limit_directives(limits.graphql_directives)
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
        .override_output_type_description::<ID>("An opaque id; give it back as you got it.")
        .override_output_type_description::<DateTime<Utc>>(
            "A moment in UTC (RFC 3339), such as `2026-01-31T12:00:00.123456+00:00`.",
        )
        .override_output_type_description::<ServerConnection>("A page of servers.")
        .override_output_type_description::<ServerManifestConnection>(
            "A page of what a server has published.",
        )
        .override_output_type_description::<ToolConnection>("A page of tools.")
        .override_output_type_description::<ToolVersionConnection>(
            "A page of the versions of a tool.",
        )
        .override_output_type_description::<PrincipalConnection>("A page of principals.")
        .override_output_type_description::<PublisherConnection>("A page of namespaces.")
        .override_output_type_description::<GrantConnection>("A page of grants.")
        .override_output_type_description::<HistoryConnection>("A page of a history.")
        .override_output_type_description::<AuditConnection>("A page of the audit log.")
        .override_output_type_description::<PolicyConnection>("A page of policies on record.")
        .override_output_type_description::<ReviewConnection>("A page of reviews.")
        .override_output_type_description::<PublicReviewConnection>("A page of public reviews.")
        .override_output_type_description::<ListingConnection>("A page of the marketplace.")
        .override_output_type_description::<ListedVersionConnection>(
            "A page of the versions of a listing.",
        )
        .override_output_type_description::<InstallationConnection>("A page of installations.")
        .override_output_type_description::<DependentConnection>("A page of dependents.")
        .override_output_type_description::<PageInfo>("Where a page stands in its list.")
}

/// The schema in GraphQL's schema definition language, with a newline at its end. A copy is committed as
/// `api/schema.graphql`; `metamcp schema` prints it.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .prefer_single_line_descriptions()
        .include_specified_by();
    let sdl = builder()
        .finish()
        .sdl_with_options(options.use_space_ident().indent_width(2));
    format!("{}\n", sdl.trim())
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
