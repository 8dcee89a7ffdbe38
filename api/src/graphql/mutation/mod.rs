//! The root of all mutations, and what they share. One file for each aggregate.
//!
//! A mutation is: authorize, dispatch, wait for the read model, read the object back. The commit is what
//! counts: when the read model does not follow within five seconds, the answer has the commit's `sequence`
//! and, instead of the object, a `notice`. That is no error, because the command was accepted and a client
//! that takes it for one would send it again. So it is when a projector has put the commit aside and gone on.
//!
//! Where a command is checked against other objects before it is sent, its first answer is asked for in between
//! ([`answered`]): what has become of those objects since is nothing to a command that is sent again.
//!
//! What other tenants may read is waited for as well ([`IN_BOTH`]): who hides or retires a tool is answered when
//! nobody sees it any more.

mod installation;
mod manifest;
mod principal;
mod privacy;
mod publisher;
mod review;
mod server;
mod taxonomy;
mod team;
mod tenant;
mod tool;
mod undo;
mod version;

use self::installation::InstallationMutations;
use self::manifest::ManifestMutations;
use self::principal::PrincipalMutations;
use self::privacy::PrivacyMutations;
use self::publisher::PublisherMutations;
use self::review::ReviewMutations;
use self::server::ServerMutations;
use self::taxonomy::{TaxonomyMutations, check_category};
use self::team::TeamMutations;
use self::tenant::TenantMutations;
use self::tool::ToolMutations;
use self::undo::UndoMutations;
use self::version::VersionMutations;
use super::ledger::LedgerMutations;
use super::loaders::Loaders;
use super::scalars::{Sequence, UuidScalar};
use super::session::{Session, WAIT};
use crate::error::ApiError;
use async_graphql::dataloader::Loader;
use async_graphql::{MaybeUndefined, MergedObject};
use bus::Committed;
use bus::dispatch::Merge;
use domain::AggregateRoot;
use domain::id::{CommandId, ServerId};
use domain::server::{Server, ServerError};
use projections::{catalog, marketplace};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::time::Instant;

/// What can be changed. Each mutation is decided and recorded before it answers, and takes a `commandId`:
/// an id of your choice with which the same command, sent again, is answered as the first time.
#[derive(MergedObject, Default)]
pub(super) struct Mutation(
    ServerMutations,
    ToolMutations,
    PrincipalMutations,
    TeamMutations,
    TenantMutations,
    PrivacyMutations,
    UndoMutations,
    VersionMutations,
    LedgerMutations,
    ManifestMutations,
    PublisherMutations,
    TaxonomyMutations,
    ReviewMutations,
    InstallationMutations,
);

/// The read models that show what only its own tenant sees.
const IN_CATALOG: &[&str] = &[catalog::NAME];
/// The read models that show what other tenants see, too, or saw until now.
const IN_BOTH: &[&str] = &[catalog::NAME, marketplace::NAME];

/// Sends a command and answers the position of its commit.
async fn dispatch<A>(
    session: &Session,
    aggregate_id: &str,
    command: A::Command,
    command_id: Option<UuidScalar>,
) -> Result<Sequence, ApiError>
where
    A: AggregateRoot,
    ApiError: From<bus::DispatchError<A::Error>>,
{
    let context = session
        .caller
        .command_context(command_id.map(|id| CommandId(id.0)));
    let committed = session
        .state
        .dispatcher
        .dispatch::<A>(&context, aggregate_id, command)
        .await?;
    Ok(Sequence(committed.stream_sequence))
}

/// Where the commit of a command lies that was sent before under the id that the caller gave. To be asked once it is
/// known that he may send it, and before it is checked against anything but its own object: that may have changed
/// since, and the command is done. Nothing is read for a command without an id.
async fn answered<A: AggregateRoot>(
    session: &Session,
    aggregate_id: &str,
    command_id: Option<UuidScalar>,
) -> Result<Option<Sequence>, ApiError> {
    let first = first_answer::<A>(session, aggregate_id, command_id).await?;
    Ok(first.map(|first| Sequence(first.stream_sequence)))
}

/// The same with what happened then.
async fn first_answer<A: AggregateRoot>(
    session: &Session,
    aggregate_id: &str,
    command_id: Option<UuidScalar>,
) -> Result<Option<Committed<A::Event>>, ApiError> {
    let Some(UuidScalar(id)) = command_id else {
        return Ok(None);
    };
    let context = session.caller.command_context(Some(CommandId(id)));
    let dispatcher = &session.state.dispatcher;
    Ok(dispatcher.answered::<A>(&context, aggregate_id).await?)
}

/// Begins a command that says everything of an object, made of what is said of it now: a change of single fields.
/// Whoever changes another field at the same time is not overwritten, and what the caller may do is asked again of
/// what he changed.
fn merging<'s, A: AggregateRoot>(
    session: &'s Session,
    aggregate_id: &'s str,
    command_id: Option<UuidScalar>,
) -> Merge<'s, A> {
    let context = session
        .caller
        .command_context(command_id.map(|id| CommandId(id.0)));
    session.state.dispatcher.merge(context, aggregate_id)
}

/// The changed object as the read model shows it, or else why it does not.
async fn read_back<K, V>(
    session: &Session,
    projector: &'static str,
    sequence: Sequence,
    key: K,
) -> Result<(Option<V>, Option<String>), ApiError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    V: Send + Sync + Clone + 'static,
    Loaders: Loader<K, Value = V, Error = ApiError>,
{
    read_back_when_in(session, &[projector], sequence, key).await
}

/// The same once each of several read models shows the change; within [`WAIT`], all together.
async fn read_back_when_in<K, V>(
    session: &Session,
    projectors: &[&'static str],
    sequence: Sequence,
    key: K,
) -> Result<(Option<V>, Option<String>), ApiError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    V: Send + Sync + Clone + 'static,
    Loaders: Loader<K, Value = V, Error = ApiError>,
{
    match shown_or_parked(session, projectors, sequence, key).await {
        Err(ApiError::Unavailable { message }) => {
            let Sequence(sequence) = sequence;
            let notice = format!(
                "The command is accepted, at sequence {sequence}, but cannot be shown yet: {message}. \
                 Read it with minSequence: {sequence}."
            );
            Ok((None, Some(notice)))
        }
        outcome => outcome,
    }
}

/// A projector that has parked the commit has passed it: what its model shows is as it was, and not the outcome.
async fn shown_or_parked<K, V>(
    session: &Session,
    projectors: &[&'static str],
    sequence: Sequence,
    key: K,
) -> Result<(Option<V>, Option<String>), ApiError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    V: Send + Sync + Clone + 'static,
    Loaders: Loader<K, Value = V, Error = ApiError>,
{
    let (positions, begun) = (&session.state.positions, Instant::now());
    for projector in projectors.iter().copied() {
        let left = WAIT.saturating_sub(begun.elapsed());
        positions.wait_for(projector, sequence.0, left).await?;
    }
    match positions.parked_by(projectors, sequence.0).await? {
        Some(projector) => Ok((None, Some(parked_notice(projector, sequence)))),
        None => Ok((session.loaders.load_one(key).await?, None)),
    }
}

/// What is told of a commit that a projector has put aside, and what to do.
fn parked_notice(projector: &str, Sequence(sequence): Sequence) -> String {
    format!(
        "The command is accepted, at sequence {sequence}, and need not be sent again, but the projector `{projector}` \
         could not apply it and has put it aside: what it shows is as it was before. An operator finds the cause with \
         `metamcp dead-letter list`, and has it applied with `metamcp dead-letter retry`."
    )
}

/// That a server is there and in use, from the log itself.
async fn check_server(session: &Session, id: &ServerId, slug: &str) -> Result<(), ApiError> {
    let server = session
        .state
        .dispatcher
        .load::<Server>(&session.caller.tenant, id.as_str())
        .await?;
    server
        .unwrap_or_default()
        .check_active()
        .map_err(|error| match error {
            ServerError::NotRegistered => ApiError::Rejected {
                code: "SERVER_NOT_FOUND",
                message: format!("there is no server `{slug}`; register it first"),
            },
            other => ApiError::Rejected {
                code: domain::Rejection::code(&other),
                message: format!("server `{slug}`: {other}"),
            },
        })
}

/// A text without white space around it.
fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

/// An optional text; an empty one is none.
fn optional(text: Option<String>) -> Option<String> {
    text.map(|text| trimmed(&text))
        .filter(|text| !text.is_empty())
}

fn tag_set(tags: Vec<String>) -> BTreeSet<String> {
    tags.into_iter().map(|tag| trimmed(&tag)).collect()
}

/// Changes an optional text: left out, it stays; null or empty clears it.
fn change(current: &mut Option<String>, new: MaybeUndefined<String>) {
    new.map(optional).update_to(current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_out_field_stays_and_null_clears_it() {
        let mut field = Some("old".to_owned());
        change(&mut field, MaybeUndefined::Undefined);
        assert_eq!(field.as_deref(), Some("old"));
        change(&mut field, MaybeUndefined::Value(" new ".to_owned()));
        assert_eq!(field.as_deref(), Some("new"));
        change(&mut field, MaybeUndefined::Value(" ".to_owned()));
        assert_eq!(field, None);
        field = Some("old".to_owned());
        change(&mut field, MaybeUndefined::Null);
        assert_eq!(field, None);
    }

    #[test]
    fn hidden_characters_are_left_for_the_domain_to_refuse() {
        assert_eq!(trimmed(" a\u{200b}b "), "a\u{200b}b");
    }
}
