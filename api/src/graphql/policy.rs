//! The policies on record: by which rules the installation has judged, and since when.

use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, filter_text, page_request};
use super::loaders::RecordOf;
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use projections::access;

/// A policy that was put on record.
pub(super) struct PolicyAdoption(pub(super) access::Adoption);

/// A page of policies.
pub(super) type PolicyConnection = PageOf<PolicyAdoption, EmptyFields>;

/// A policy that was put on record: from then on, a process judged by its rules. All tenants are judged by the
/// same, so it is the installation's and no tenant's.
#[Object]
impl PolicyAdoption {
    /// Its name, as `accessAt`, `registry` and denials tell it: the first 12 hex digits of `sha256`. A policy that
    /// came back has the same name again.
    async fn policy_version(&self) -> &str {
        &self.0.version
    }

    /// Hex SHA-256 of its rules.
    async fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// The position of its record in the log.
    async fn sequence(&self) -> Sequence {
        Sequence(self.0.stream_sequence)
    }

    /// When it was recorded.
    async fn adopted_at(&self) -> DateTime<Utc> {
        self.0.adopted_at
    }

    /// The release of MetaMCP that recorded it; null for one that did not say.
    async fn program_version(&self) -> Option<&str> {
        self.0.program_version.as_deref()
    }

    /// Whether it judges now, in the process that answers: of several records of the same rules, the last one.
    async fn in_force(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let session = Session::of(ctx);
        let rules = session.state.policies.in_force().text().to_owned();
        let last = session.loaders.load_one(RecordOf(rules)).await?;
        Ok(last == Some(self.0.stream_sequence))
    }
}

/// The entry to policies.
#[derive(Default)]
pub(super) struct PolicyQueries;

#[Object]
impl PolicyQueries {
    /// The policies that this installation has judged by, each from its `sequence` on, newest first. For owners,
    /// administrators and auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn policies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only the records of the policy with this name.")] policy_version: Option<
            String,
        >,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<PolicyConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadAudit, &Resource::tenant())?;
        session.caught_up(access::NAME, min_sequence).await?;
        let request = page_request(session, first, after)?;
        let version = filter_text(policy_version);
        let mut reads = session.reads_of_installation().await?;
        let page = access::adoptions(&mut reads, version.as_deref(), &request).await?;
        let continues = request.after.is_some();
        Ok(Some(connection(
            page,
            continues,
            EmptyFields,
            PolicyAdoption,
        )))
    }
}
