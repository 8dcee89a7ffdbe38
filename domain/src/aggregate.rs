//! What every aggregate of this system has in common, over cqrs-es's [`Aggregate`].

use crate::event::WireEvent;
use cqrs_es::Aggregate;

/// An aggregate that the dispatcher can drive.
pub trait AggregateRoot:
    Aggregate<Command: Clone + Send + Sync, Event: WireEvent, Services = (), Error: Rejection>
    + Clone
    + 'static
{
    /// True for a command that starts the aggregate's life. The dispatcher then expects an empty
    /// history instead of reading one; when there is a history after all, it loads and decides again.
    fn is_creation(command: &Self::Command) -> bool;

    /// True for the event that did what a command asks for. A command may be decided without an event when
    /// its outcome is there already; it is then answered with the commit of this one, and nothing is appended.
    fn is_done_by(_command: &Self::Command, _event: &Self::Event) -> bool {
        false
    }
}

/// A refusal by the domain: the caller's mistake, with a code that callers may rely on.
pub trait Rejection: std::error::Error + Send + Sync + 'static {
    /// Stable, upper-case identifier, for example `TOOL_ALREADY_REGISTERED`.
    fn code(&self) -> &'static str;

    /// What a program can use of the refusal beside its code; an object.
    fn details(&self) -> Option<serde_json::Value> {
        None
    }

    /// True when the refusal means "there is no such object", which callers answer with 404.
    fn is_not_found(&self) -> bool {
        false
    }
}
