//! Sending commands, many in flight, with patience while the log is away.

use super::Cause;
use super::catalogue::Parsed;
use super::patience::Patience;
use super::report::{Kind, Outcome, Reason, Report};
use super::run::Import;
use super::standing::Servers;
use bus::{BusError, CommandContext, Committed, DispatchError};
use domain::server::{Server, ServerCommand, ServerError};
use domain::tool::{Tool, ToolCommand, ToolError};
use domain::{AggregateRoot, Rejection};
use futures::stream::{Stream, StreamExt};
use std::pin::pin;
use std::sync::atomic::Ordering;
use tokio_util::task::AbortOnDropHandle;

/// What registers: the aggregates that a catalogue holds or names.
pub(super) trait Registers: AggregateRoot {
    fn is_already_registered(error: &Self::Error) -> bool;
    /// What to know about a registration of what is there already.
    fn compare(&self, command: &Self::Command) -> Option<Reason>;
}

impl Registers for Server {
    fn is_already_registered(error: &ServerError) -> bool {
        *error == ServerError::AlreadyRegistered
    }
    fn compare(&self, command: &ServerCommand) -> Option<Reason> {
        let ServerCommand::Register(register) = command else {
            return None;
        };
        let differs = self.profile() != Some(&register.profile);
        differs.then(|| {
            Reason::new(
                "DIFFERS",
                "already there and described otherwise, which stays; describe the server to change it",
            )
        })
    }
}

impl Registers for Tool {
    fn is_already_registered(error: &ToolError) -> bool {
        matches!(error, ToolError::AlreadyRegistered | ToolError::Retired)
    }
    fn compare(&self, command: &ToolCommand) -> Option<Reason> {
        let ToolCommand::Register(register) = command else {
            return None;
        };
        if self.is_retired() {
            let message =
                "already there and retired, which stays; restore the tool to use it again";
            return Some(Reason::new("TOOL_RETIRED", message));
        }
        let differs = !self.is_as_in(register);
        differs.then(|| {
            Reason::new(
                "DIFFERS",
                "already there with another definition, which stays; publish a new version to change it",
            )
        })
    }
}

/// One line that can be sent.
pub(super) struct Prepared<C> {
    line: u64,
    id: String,
    command: C,
    warnings: Vec<Reason>,
}

/// One line that was read: to be sent, or refused already.
pub(super) enum Item<C> {
    Ready(Prepared<C>),
    Refused(u64, Reason),
}

impl<C> Item<C> {
    /// A parsed line, made a command and the id of its aggregate.
    pub(super) fn new<T>(
        line: u64,
        parsed: Result<Parsed<T>, Reason>,
        command: impl FnOnce(T) -> (String, C),
    ) -> Self {
        match parsed {
            Ok(Parsed { record, warnings }) => {
                let (id, command) = command(record);
                Self::Ready(Prepared {
                    line,
                    id,
                    command,
                    warnings,
                })
            }
            Err(reason) => Self::Refused(line, reason),
        }
    }
}

/// What a look into the log gave.
pub(super) enum Loaded<A> {
    Found(Option<A>),
    /// Asked to stop while the log was away.
    Stopped,
}

/// One line that has ended.
struct Settled {
    line: u64,
    id: String,
    outcome: Outcome,
    warnings: Vec<Reason>,
}

impl Import<'_> {
    /// Sends the lines, many in flight. Servers that are in use afterwards are put into `known`.
    pub(super) async fn send<A: Registers>(
        &self,
        kind: Kind,
        items: impl Stream<Item = Result<Item<A::Command>, Cause>> + Send,
        known: &mut Servers,
        report: &mut Report<'_>,
    ) -> Result<(), Cause> {
        let file = self.file(kind);
        let ended = items
            .take_until(self.stop.cancelled())
            .map(|item| self.settle::<A>(item))
            .buffer_unordered(self.options.in_flight.max(1));
        let mut ended = pin!(ended);
        while let Some(settled) = ended.next().await {
            let Settled {
                line,
                outcome,
                warnings,
                id,
            } = settled?;
            if let (Kind::Servers, Outcome::Registered(_)) = (kind, &outcome) {
                known.registered(id);
            }
            report.line(kind, (file, line), outcome, warnings);
        }
        Ok(())
    }

    async fn settle<A: Registers>(
        &self,
        item: Result<Item<A::Command>, Cause>,
    ) -> Result<Settled, Cause> {
        match item? {
            Item::Refused(line, reason) => {
                let outcome = Outcome::Rejected(reason);
                Ok(Settled {
                    line,
                    outcome,
                    warnings: Vec::new(),
                    id: String::new(),
                })
            }
            Item::Ready(Prepared {
                line,
                id,
                command,
                warnings,
            }) => {
                let outcome = self.register::<A>(&id, command).await?;
                Ok(Settled {
                    line,
                    outcome,
                    warnings,
                    id,
                })
            }
        }
    }

    pub(super) async fn register<A: Registers>(
        &self,
        id: &str,
        command: A::Command,
    ) -> Result<Outcome, Cause> {
        let mut context = CommandContext::new(self.tenant.clone(), self.actor.clone());
        context.correlation_id = self.correlation_id;
        let mut patience = Patience::new(self.options.patience);
        loop {
            let error = match self.dispatch::<A>(&context, id, command.clone()).await {
                Ok(committed) => {
                    self.waiting.store(false, Ordering::Relaxed);
                    return Ok(Outcome::Registered(committed.stream_sequence));
                }
                Err(DispatchError::Rejected(error)) if A::is_already_registered(&error) => {
                    return Ok(match self.load::<A>(id).await? {
                        Loaded::Found(there) => {
                            Outcome::AlreadyThere(there.and_then(|there| there.compare(&command)))
                        }
                        Loaded::Stopped => Outcome::Abandoned,
                    });
                }
                Err(DispatchError::Rejected(error)) => {
                    return Ok(Outcome::Rejected(Reason::new(
                        error.code(),
                        error.to_string(),
                    )));
                }
                Err(DispatchError::Conflict | DispatchError::CommandIdReused) => {
                    let reason = Reason::new("CONFLICT", "changed by others at the same time");
                    return Ok(Outcome::Rejected(reason));
                }
                Err(DispatchError::Bus(error)) => error,
            };
            match error {
                BusError::TooLarge | BusError::NotCanonical(_) => {
                    return Ok(Outcome::Rejected(Reason::new(
                        "NOT_STORABLE",
                        error.to_string(),
                    )));
                }
                BusError::Unavailable { .. }
                | BusError::Connect { .. }
                | BusError::ServerTooOld { .. }
                | BusError::StreamDiffers { .. }
                | BusError::Corrupt { .. } => {}
            }
            if !self.wait(&mut patience, error).await? {
                return Ok(Outcome::Abandoned);
            }
        }
    }

    /// As a task of its own, so that commands are decided on all cores.
    async fn dispatch<A: Registers>(
        &self,
        context: &CommandContext,
        id: &str,
        command: A::Command,
    ) -> Result<Committed<A::Event>, DispatchError<A::Error>> {
        let (dispatcher, context, id) = (self.dispatcher.clone(), context.clone(), id.to_owned());
        let task =
            tokio::spawn(async move { dispatcher.dispatch::<A>(&context, &id, command).await });
        match AbortOnDropHandle::new(task).await {
            Ok(outcome) => outcome,
            // Nobody aborts it while it is awaited, so it has panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    pub(super) async fn load<A: AggregateRoot>(&self, id: &str) -> Result<Loaded<A>, Cause> {
        let mut patience = Patience::new(self.options.patience);
        loop {
            match self.dispatcher.load::<A>(self.tenant, id).await {
                Ok(found) => return Ok(Loaded::Found(found)),
                Err(error) => {
                    if !self.wait(&mut patience, error).await? {
                        return Ok(Loaded::Stopped);
                    }
                }
            }
        }
    }

    /// Waits before another attempt; false when asked to stop meanwhile.
    async fn wait(&self, patience: &mut Patience, error: BusError) -> Result<bool, Cause> {
        if !error.is_unavailable() {
            return Err(Cause::Log(error));
        }
        let Some(pause) = patience.pause() else {
            return Err(Cause::Unavailable {
                patience: self.options.patience,
                source: error,
            });
        };
        if !self.waiting.swap(true, Ordering::Relaxed) {
            let why = api::error::chain(&error);
            self.observer.waiting(self.options.patience, &why);
        }
        tokio::select! {
            () = self.stop.cancelled() => Ok(false),
            () = tokio::time::sleep(pause) => Ok(true),
        }
    }
}
