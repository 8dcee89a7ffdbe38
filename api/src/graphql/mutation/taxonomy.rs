//! Changes of the taxonomy, and what it says to registrations.

use super::{dispatch, merging, optional, read_back, trimmed};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::Session;
use crate::graphql::taxonomy::{OwnTaxonomy, Taxonomy};
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use bus::DispatchError;
use domain::id::TaxonomyId;
use domain::taxonomy::{Category, TaxonomyCommand, TaxonomyError};
use projections::taxonomy;

/// A category to add.
#[derive(Debug, InputObject)]
struct AddCategoryInput {
    /// What servers and tools will name: lower-case letters, digits and hyphens. It never changes.
    slug: String,
    /// The name that people read, 1 to 200 characters.
    title: String,
    /// What belongs to it.
    #[graphql(default)]
    description: String,
    /// The slug of the wider category that it is a part of.
    parent: Option<String>,
}

/// What to say else of a category. A field that is left out stays as it is; null clears it.
#[derive(Debug, InputObject)]
struct DescribeCategoryInput {
    /// Which category.
    slug: String,
    /// The name that people read; null leaves it as it is.
    title: Option<String>,
    /// What belongs to it.
    description: MaybeUndefined<String>,
    /// The slug of the wider category that it is a part of.
    parent: MaybeUndefined<String>,
}

/// A category to accept no more.
#[derive(Debug, InputObject)]
struct RetireCategoryInput {
    /// Which category.
    slug: String,
    /// The slug of the category to use instead.
    successor: Option<String>,
}

/// The changed taxonomy.
#[derive(SimpleObject)]
struct TaxonomyPayload {
    /// The taxonomy after the change; null when `notice` says why.
    taxonomy: Option<Taxonomy>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of the taxonomy.
#[derive(Default)]
pub(super) struct TaxonomyMutations;

#[Object]
impl TaxonomyMutations {
    /// Adds a category, or brings a retired one back. With the first one the taxonomy becomes controlled:
    /// from then on servers and tools can be given its categories only (`CATEGORY_NOT_FOUND` otherwise).
    /// What they have already stays.
    async fn add_category(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The category.")] input: AddCategoryInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<TaxonomyPayload>, ApiError> {
        let command = TaxonomyCommand::Add(Category {
            slug: trimmed(&input.slug),
            title: trimmed(&input.title),
            description: trimmed(&input.description),
            parent: optional(input.parent),
        });
        let session = Session::of(ctx);
        authorize(session)?;
        send(session, command, command_id).await.map(Some)
    }

    /// Changes what is said of a category, field by field.
    async fn describe_category(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: DescribeCategoryInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<TaxonomyPayload>, ApiError> {
        let session = Session::of(ctx);
        authorize(session)?;
        let id = TaxonomyId::derive(&session.caller.tenant);
        let mut merge = merging::<domain::taxonomy::Taxonomy>(session, id.as_str(), command_id);
        let sequence = loop {
            let read = merge.read().await?;
            if let Some(first) = merge.answered(&read).await? {
                break Sequence(first.stream_sequence);
            }
            let command = TaxonomyCommand::Describe(described(read.state(), &input)?);
            let sent = merge.send(read, command).await?;
            if let Some(committed) = sent {
                break Sequence(committed.stream_sequence);
            }
        };
        payload(session, sequence).await.map(Some)
    }

    /// Accepts a category no more. Servers and tools that have it keep it.
    async fn retire_category(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The category.")] input: RetireCategoryInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<TaxonomyPayload>, ApiError> {
        let command = TaxonomyCommand::Retire {
            slug: trimmed(&input.slug),
            successor: optional(input.successor),
        };
        let session = Session::of(ctx);
        authorize(session)?;
        send(session, command, command_id).await.map(Some)
    }
}

fn authorize(session: &Session) -> Result<(), ApiError> {
    let taxonomy = Resource::any(ResourceKind::Taxonomy);
    session.authorize(Action::ChangeTaxonomy, &taxonomy)
}

async fn send(
    session: &Session,
    command: TaxonomyCommand,
    command_id: Option<UuidScalar>,
) -> Result<TaxonomyPayload, ApiError> {
    let id = TaxonomyId::derive(&session.caller.tenant);
    let sent = dispatch::<domain::taxonomy::Taxonomy>(session, id.as_str(), command, command_id);
    payload(session, sent.await?).await
}

async fn payload(session: &Session, sequence: Sequence) -> Result<TaxonomyPayload, ApiError> {
    let (found, notice) = read_back(session, taxonomy::NAME, sequence, OwnTaxonomy).await?;
    Ok(TaxonomyPayload {
        taxonomy: found.map(Taxonomy),
        sequence,
        notice,
    })
}

/// What a change of single fields makes of what is said of a category now.
fn described(
    taxonomy: &domain::taxonomy::Taxonomy,
    input: &DescribeCategoryInput,
) -> Result<Category, ApiError> {
    let slug = trimmed(&input.slug);
    let Some(mut category) = taxonomy.category(&slug).cloned() else {
        let near = Vec::new();
        return Err(DispatchError::Rejected(TaxonomyError::NotFound { slug, near }).into());
    };
    if let Some(title) = &input.title {
        category.title = trimmed(title);
    }
    match &input.description {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => category.description.clear(),
        MaybeUndefined::Value(text) => category.description = trimmed(text),
    }
    super::change(&mut category.parent, input.parent.clone());
    Ok(category)
}

async fn load(session: &Session) -> Result<domain::taxonomy::Taxonomy, ApiError> {
    let tenant = &session.caller.tenant;
    let id = TaxonomyId::derive(tenant);
    let loaded = session.state.dispatcher.load(tenant, id.as_str()).await?;
    Ok(loaded.unwrap_or_default())
}

/// That a category may be given to a server or a tool, from the log itself. What stays as it was is not
/// asked about: retiring a category must not keep anybody from changing a title.
pub(super) async fn check_category(
    session: &Session,
    current: Option<&str>,
    category: Option<&str>,
) -> Result<(), ApiError> {
    match category {
        Some(category) if current != Some(category) => {
            let allowed = load(session).await?.check(category);
            Ok(allowed.map_err(DispatchError::Rejected)?)
        }
        Some(_) | None => Ok(()),
    }
}
