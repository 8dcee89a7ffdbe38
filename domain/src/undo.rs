//! Undo: the command that takes an event back, where there is one.
//!
//! Nothing is removed from the log. An undo is a new decision of the same aggregate, and it is refused
//! when the aggregate has changed in the same respect since: taking back an old description must not
//! wipe out a newer one. Each aggregate says in its `undo.rs`, event by event, what compensates it or why
//! nothing does; the matches have no wildcard arm, so a new event forces the decision.

use crate::aggregate::{AggregateRoot, Rejection};
use crate::event::WireEvent;
use crate::principal::Role;
use crate::team::Team;
use crate::tool::Alias;
use semver::Version;

/// What an event changes. Two events of one aggregate touch each other when this is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Respect {
    /// That the aggregate is there, and in use.
    Life,
    /// What is said of it.
    Profile,
    /// One version of a tool.
    Version(Version),
    /// Where an alias of a tool stands.
    Alias(Alias),
    /// What those are told who use a tool, or one version of it.
    Deprecation(Option<Version>),
    /// What a tenant says of versions whose sunset has come.
    AfterSunset,
    /// One role of a principal.
    Role(Role),
    /// Whether a principal is in a team.
    Team(Team),
    /// Whether a principal's requests are accepted.
    Active,
    /// Which tokens are refused.
    Tokens,
    /// Versions of a server, and whether they are to be used.
    Manifests,
    /// One category of a taxonomy.
    Category(String),
    /// Whether a review is shown.
    Moderation,
}

/// Why a commit is not undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUndone {
    /// The event is final. The text says what to do instead.
    #[error("`{wire_type}` cannot be undone: {instead}")]
    Final {
        /// The event.
        wire_type: &'static str,
        /// Why, and what to do instead.
        instead: &'static str,
    },
    /// Undo the later change instead, or make a new one.
    #[error("the same has been changed since; undo the later change instead, or make a new one")]
    ChangedSince,
    /// The commit holds more than one event. None does so today.
    #[error("the commit holds several events, which cannot be undone together")]
    SeveralEvents,
    /// The aggregate has no such commit.
    #[error("there is no such commit")]
    NoSuchCommit,
}

impl Rejection for NotUndone {
    fn code(&self) -> &'static str {
        match self {
            Self::Final { .. } | Self::SeveralEvents => "NOT_UNDOABLE",
            Self::ChangedSince => "CHANGED_SINCE",
            Self::NoSuchCommit => "NOT_FOUND",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NoSuchCommit
    }
}

/// An aggregate whose events can be taken back, as far as its rules go.
pub trait Undo: AggregateRoot {
    /// What an event changes.
    fn respect(event: &Self::Event) -> Respect;

    /// The command that takes an event back, given the aggregate just before it; or what to do instead.
    ///
    /// # Errors
    /// The text of [`NotUndone::Final`].
    fn compensation(event: &Self::Event, before: &Self) -> Result<Self::Command, &'static str>;
}

/// A commit that can be undone.
#[derive(Debug, Clone)]
pub struct Undoing<A: Undo> {
    /// The aggregate as it is now: what permissions may depend on.
    pub now: A,
    /// The event to take back.
    pub event: A::Event,
    /// The command that does it.
    pub command: A::Command,
    /// True when the aggregate has changed in the same respect since: then it must not be done.
    pub changed_since: bool,
}

/// How to undo the commit at an `aggregate_sequence`, given all commits of the aggregate, oldest first.
///
/// # Errors
/// [`NotUndone`], but for [`NotUndone::ChangedSince`], which stands in the answer: what the command would
/// be can be authorised, and told, all the same.
pub fn undoing<A: Undo>(
    history: &[Vec<A::Event>],
    aggregate_sequence: u64,
) -> Result<Undoing<A>, NotUndone> {
    let index = usize::try_from(aggregate_sequence)
        .ok()
        .and_then(|sequence| sequence.checked_sub(1));
    let Some((index, commit)) = index.and_then(|index| Some((index, history.get(index)?))) else {
        return Err(NotUndone::NoSuchCommit);
    };
    let [event] = commit.as_slice() else {
        return Err(NotUndone::SeveralEvents);
    };
    let before = fold::<A>(&history[..index]);
    let command = A::compensation(event, &before).map_err(|instead| NotUndone::Final {
        wire_type: event.wire_type(),
        instead,
    })?;
    let mut later = history[index + 1..].iter().flatten();
    Ok(Undoing {
        now: fold::<A>(history),
        event: event.clone(),
        command,
        changed_since: later.any(|other| A::respect(other) == A::respect(event)),
    })
}

fn fold<A: Undo>(history: &[Vec<A::Event>]) -> A {
    let mut aggregate = A::default();
    for event in history.iter().flatten() {
        aggregate.apply(event.clone());
    }
    aggregate
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
