//! What a change of a definition means for its users: between two versions, and before publishing.
#![expect(
    clippy::too_many_arguments,
    reason = "each is an argument of a GraphQL field"
)]

mod offered;

use super::marketplace::reference;
use super::scalars::Sequence;
use super::session::Session;
use super::version;
use crate::error::ApiError;
use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use bus::DispatchError;
use domain::compatibility::{self, Comparison, compare};
use domain::id::ToolId;
use domain::server::ServerError;
use domain::tool::reference::{Offer, current, neighbours, numbered};
use domain::tool::{Publication, ToolDefinition, ToolError, check_publication, check_version};
use offered::Offered;
use projections::Sight;
use projections::catalog::{self, Status, ToolVersion};
use semver::Version;
use serde_json::Value;

/// The worst of all changes.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::Verdict")]
enum CompatibilityVerdict {
    /// Nothing changed.
    Identical,
    /// Texts changed.
    Cosmetic,
    /// What worked goes on working.
    Compatible,
    /// What worked may fail, or nobody can tell.
    Breaking,
}

/// What a change means for those who use the tool.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::ChangeKind")]
enum DefinitionChangeKind {
    /// Nothing that a program depends on.
    Cosmetic,
    /// What worked goes on working.
    Compatible,
    /// What worked may fail, or nobody can tell.
    Breaking,
}

/// The part of a definition that changed.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "compatibility::Part")]
enum DefinitionPart {
    /// The text that a model reads.
    Description,
    /// The schema of the arguments.
    InputSchema,
    /// The schema of the structured result.
    OutputSchema,
    /// The hints about behaviour.
    Annotations,
}

/// One change of a definition.
#[derive(SimpleObject)]
struct DefinitionChange {
    /// In which part of it.
    part: DefinitionPart,
    /// Where in that part: a JSON Pointer, empty for the whole.
    path: String,
    /// What it means.
    kind: DefinitionChangeKind,
    /// Why: a stable name such as `required_added`.
    reason: &'static str,
    /// The same for people.
    message: String,
}

/// What differs between two definitions of a tool.
#[derive(SimpleObject)]
struct Compatibility {
    /// The version of the old definition.
    from: String,
    /// The version of the new definition; null for a proposed one that has no number yet.
    to: Option<String>,
    /// The worst of all changes.
    verdict: CompatibilityVerdict,
    /// Whether the numbers promise no more than the definitions hold: false where publishing is refused with
    /// `BREAKING_CHANGE`. Null while the new definition has no number.
    permitted: Option<bool>,
    /// The lowest version that the new definition deserves after the old one. Of a definition that is compared as
    /// publishing does, where that version is taken or the number refused: the lowest above all others.
    suggested_version: String,
    /// The changes, at most 200 for each part; the verdict is that of all.
    changes: Vec<DefinitionChange>,
}

/// A definition that is not published. It is compared as a whole: give every part that it shall have.
#[derive(Debug, InputObject)]
struct ProposedDefinitionInput {
    /// What the tool does, as a model reads it.
    description: String,
    /// JSON Schema of its arguments, of type `object`.
    input_schema: Option<Value>,
    /// JSON Schema of its structured result, of type `object`.
    output_schema: Option<Value>,
    /// Hints about its behaviour.
    annotations: Option<Value>,
}

/// The entries to comparisons.
#[derive(Default)]
pub(super) struct CompatibilityQueries;

#[Object]
impl CompatibilityQueries {
    /// What changed between two published versions of a tool, for those who use it.
    #[graphql(complexity = "10 + child_complexity")]
    async fn compatibility(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of its server.")] server: String,
        #[graphql(desc = "Which tool.")] tool: String,
        #[graphql(
            desc = "The slug of the tenant that offers it, whether it is installed or not; yours when left out."
        )]
        publisher: Option<String>,
        #[graphql(desc = "The old version, such as 1.2.0.")] from: String,
        #[graphql(desc = "The new version.")] to: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Compatibility>, ApiError> {
        let session = Session::of(ctx);
        let tenant = &session.caller.tenant;
        let publisher = publisher.as_deref().unwrap_or(tenant.as_str());
        let named = reference(publisher, &server, &tool)?;
        if named.publisher != *tenant {
            let offered = Offered::of(session, named.tool_id(), min_sequence).await?;
            let (from, to) = (offered.named("from", &from)?, offered.named("to", &to)?);
            let old = offered.definition(session, from).await?;
            let new = offered.definition(session, to).await?;
            return between((from, old), (to, new)).await.map(Some);
        }
        let known = Known::of(session, &server, &tool, min_sequence).await?;
        let (from, to) = (known.named("from", &from)?, known.named("to", &to)?);
        let old = known.definition(session, from).await?;
        let new = known.definition(session, to).await?;
        between((from, old), (to, new)).await.map(Some)
    }

    /// What publishing a definition would change for those who use what is published. Nothing is written; what
    /// publishing would refuse is refused, but a breaking change is told. Null when publishing compares with
    /// nothing: for a pre-release, and where no release is in use.
    #[graphql(complexity = "10 + child_complexity")]
    async fn proposed_compatibility(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of its server.")] server: String,
        #[graphql(desc = "Which tool.")] tool: String,
        #[graphql(
            desc = "A published version to compare with, such as 1.2.0. Left out, it is compared as publishing \
                    does: with the release next below `version` or, if that is fine, next above it; without \
                    `version`, with the highest release in use."
        )]
        from: Option<String>,
        #[graphql(desc = "The version under which it would be published, such as 1.3.0.")]
        version: Option<String>,
        #[graphql(desc = "The definition.")] proposed: ProposedDefinitionInput,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Compatibility>, ApiError> {
        let session = Session::of(ctx);
        let known = Known::of(session, &server, &tool, min_sequence).await?;
        let from = from.map(|from| known.named("from", &from)).transpose()?;
        let number = version.as_deref();
        let number = number.map(|number| version::parsed("version", number));
        let number = number.transpose()?;
        known.check_in_use()?;
        let proposed = ToolDefinition {
            description: proposed.description.trim().to_owned(),
            input_schema: proposed.input_schema,
            output_schema: proposed.output_schema,
            annotations: proposed.annotations,
        };
        if let Some(number) = &number {
            check_version(number).map_err(refused)?;
        }
        let hash = proposed.checked_hash(tool.trim()).map_err(refused)?;
        if let Some(number) = &number {
            known.check_publication(number, &hash)?;
        }
        let Some(from) = from else {
            return known.publication(session, number.as_ref(), proposed).await;
        };
        let comparison = compared(known.definition(session, from).await?, proposed).await?;
        let suggested = comparison.suggested_version(from);
        Ok(Some(shown(from, number.as_ref(), &suggested, comparison)))
    }
}

/// The versions of a tool that the caller may see.
struct Known {
    tool: catalog::Tool,
    versions: Vec<ToolVersion>,
}

impl Known {
    async fn of(
        session: &Session,
        server: &str,
        tool: &str,
        min_sequence: Option<Sequence>,
    ) -> Result<Self, ApiError> {
        session.caught_up(catalog::NAME, min_sequence).await?;
        let id = ToolId::derive(&session.caller.tenant, server.trim(), tool.trim());
        let tool = session.tool(id).await?;
        let tool = tool.ok_or_else(ApiError::no_such_tool)?.0;
        let mut reads = session.reads().await?;
        let ids = std::slice::from_ref(&tool.id);
        // What is said of versions is not told here.
        let found = catalog::versions_by_tool(&mut reads, ids, &Sight::Everything).await?;
        let versions = found.into_values().flatten().collect();
        Ok(Self { tool, versions })
    }

    fn numbers(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().map(|row| &row.tool_version)
    }

    /// The published version that an argument names.
    fn named(&self, argument: &str, text: &str) -> Result<&Version, ApiError> {
        named(self.numbers(), argument, text)
    }

    async fn definition(
        &self,
        session: &Session,
        version: &Version,
    ) -> Result<ToolDefinition, ApiError> {
        let key = (self.tool.id.clone(), version.clone());
        let mut reads = session.reads().await?;
        let mut found = catalog::definitions(&mut reads, std::slice::from_ref(&key)).await?;
        found.remove(&key).ok_or(ApiError::NotFound)
    }

    /// That the tool takes versions: nothing is published to one that is out of use, or whose server is.
    fn check_in_use(&self) -> Result<(), ApiError> {
        match self.tool.status {
            Status::Active => Ok(()),
            Status::Retired if self.tool.retired_with_server => {
                Err(DispatchError::Rejected(ServerError::Retired).into())
            }
            Status::Retired => Err(refused(ToolError::Retired)),
        }
    }

    /// That a number is free, or its own already, and that there is something to publish under it.
    fn check_publication(&self, number: &Version, hash: &str) -> Result<(), ApiError> {
        let hashes = self.versions.iter();
        let hashes = hashes.map(|row| row.definition_hash.as_str());
        let known = self.offers().into_iter().zip(hashes);
        match check_publication(known, number, hash) {
            Ok(Publication::New | Publication::Already) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    /// What publishing compares, and what it would find first: as `Tool::publish_version` in the domain.
    async fn publication(
        &self,
        session: &Session,
        number: Option<&Version>,
        proposed: ToolDefinition,
    ) -> Result<Option<Compatibility>, ApiError> {
        let offers = self.offers();
        let is_release = |version: &&Version| version.pre.is_empty();
        let (below, above) = match number {
            Some(number) if !number.pre.is_empty() => return Ok(None),
            Some(number) => match numbered(self.numbers(), number) {
                // Published already, with this definition.
                Some(same) => (Some(same), None),
                None => neighbours(&offers, number),
            },
            None => (current(offers).filter(is_release), None),
        };
        let below = match below {
            Some(below) => {
                let old = self.definition(session, below).await?;
                let comparison = compared(old, proposed.clone()).await?;
                let suggested = match number {
                    Some(number) if !comparison.permits(below, number) => {
                        self.above_all(&comparison)
                    }
                    Some(_) | None => self.free(below, &comparison),
                };
                Some(shown(below, number, &suggested, comparison))
            }
            None => None,
        };
        let refused = |found: &Compatibility| found.permitted == Some(false);
        let (Some(above), Some(number)) = (above, number) else {
            return Ok(below);
        };
        if below.as_ref().is_some_and(refused) {
            return Ok(below);
        }
        let comparison = compared(proposed, self.definition(session, above).await?).await?;
        let suggested = self.above_all(&comparison);
        let above = shown(number, Some(above), &suggested, comparison);
        Ok(match below {
            Some(below) if !refused(&above) => Some(below),
            Some(_) | None => Some(above),
        })
    }

    fn offers(&self) -> Vec<Offer<'_>> {
        self.versions.iter().map(ToolVersion::offer).collect()
    }

    /// The lowest version that a definition deserves after another one, if nobody has it.
    fn free(&self, after: &Version, comparison: &Comparison) -> Version {
        let suggested = comparison.suggested_version(after);
        let taken = numbered(self.numbers(), &suggested).is_some();
        if taken && comparison.verdict() != compatibility::Verdict::Identical {
            return self.above_all(comparison);
        }
        suggested
    }

    /// The lowest version that a definition deserves above everything that was published.
    fn above_all(&self, comparison: &Comparison) -> Version {
        let highest = self.numbers().max().cloned();
        comparison.suggested_version(&highest.unwrap_or(Version::new(0, 0, 0)))
    }
}

/// The version that an argument names, of those that there are.
fn named<'v>(
    numbers: impl Iterator<Item = &'v Version>,
    argument: &str,
    text: &str,
) -> Result<&'v Version, ApiError> {
    let wanted = version::parsed(argument, text)?;
    let found = numbered(numbers, &wanted);
    found.ok_or_else(|| ApiError::Rejected {
        code: "VERSION_NOT_FOUND",
        message: format!("the tool has no version {wanted}; `versions` of the tool lists them"),
    })
}

/// What differs between two versions.
async fn between(
    (from, old): (&Version, ToolDefinition),
    (to, new): (&Version, ToolDefinition),
) -> Result<Compatibility, ApiError> {
    let comparison = compared(old, new).await?;
    let suggested = comparison.suggested_version(from);
    Ok(shown(from, Some(to), &suggested, comparison))
}

fn refused(refusal: ToolError) -> ApiError {
    DispatchError::Rejected(refusal).into()
}

/// Compares on a thread that may be busy: the largest schemas take tens of milliseconds.
async fn compared(old: ToolDefinition, new: ToolDefinition) -> Result<Comparison, ApiError> {
    let compared = tokio::task::spawn_blocking(move || compare(&old, &new)).await;
    compared.map_err(|error| ApiError::internal(&error))
}

fn shown(
    from: &Version,
    to: Option<&Version>,
    suggested: &Version,
    comparison: Comparison,
) -> Compatibility {
    let change = |change: compatibility::Change| DefinitionChange {
        part: change.part.into(),
        path: change.path,
        kind: change.kind.into(),
        reason: change.reason.as_str(),
        message: change.message,
    };
    Compatibility {
        from: from.to_string(),
        to: to.map(ToString::to_string),
        verdict: comparison.verdict().into(),
        permitted: to.map(|to| comparison.permits(from, to)),
        suggested_version: suggested.to_string(),
        changes: comparison.changes.into_iter().map(change).collect(),
    }
}
