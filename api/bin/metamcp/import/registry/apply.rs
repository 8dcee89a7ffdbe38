//! From an entry to commands. The domain decides what is new; here is only what follows from its answer.

use super::entry::{Entry, profile, slug_of};
use super::summary::Summary;
use super::{MirrorError, Target};
use crate::import::patience::Patience;
use crate::import::report::Reason;
use bus::{BusError, CommandContext, Committed, DispatchError};
use domain::Rejection;
use domain::id::{CorrelationId, ServerId};
use domain::server::{
    Manifest, ManifestStatus, Mirrored, PublishManifest, RegisterServer, Server, ServerCommand,
    ServerError, ServerEvent, ServerProfile, SetManifestStatus,
};

/// Brings entries into one tenant's registry.
pub(super) struct Applier<'a> {
    target: &'a Target<'a>,
    /// One run is one request.
    correlation_id: CorrelationId,
    pub(super) summary: Summary,
}

/// How a command ended.
enum Sent {
    Done(Box<Committed<ServerEvent>>),
    Refused(ServerError),
    /// Asked to stop while the log was away.
    Stopped,
}

impl<'a> Applier<'a> {
    pub(super) fn new(target: &'a Target<'a>) -> Self {
        let context = CommandContext::new(target.tenant.clone(), target.actor.clone());
        Self {
            target,
            correlation_id: context.correlation_id,
            summary: Summary::default(),
        }
    }

    /// Brings one entry in, or counts why not.
    pub(super) async fn apply(
        &mut self,
        entry: Entry,
        mirrored: Option<Mirrored>,
    ) -> Result<(), MirrorError> {
        let text = |member| entry.text(member).unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        let id = ServerId::derive(self.target.tenant, &slug_of(&name));
        let sent = if entry.status == Some(ManifestStatus::Deleted) {
            self.delete(&id, entry, mirrored).await?
        } else {
            let manifest = match Manifest::new(entry.document.clone()) {
                Ok(manifest) => manifest,
                Err(error) => {
                    let reason = Reason::new(error.code(), error.to_string());
                    self.summary.refuse(&name, &version, reason);
                    return Ok(());
                }
            };
            self.publish(&id, &manifest, entry, mirrored).await?
        };
        match sent {
            Sent::Stopped => {}
            Sent::Done(committed) => self.count(&committed),
            Sent::Refused(ServerError::Unchanged) => self.summary.unchanged += 1,
            Sent::Refused(ServerError::NotRegistered | ServerError::VersionNotFound) => {
                self.summary.skipped += 1;
            }
            Sent::Refused(error) => {
                let reason = Reason::new(error.code(), error.to_string());
                self.summary.refuse(&name, &version, reason);
            }
        }
        Ok(())
    }

    fn count(&mut self, committed: &Committed<ServerEvent>) {
        self.summary.committed(committed.stream_sequence);
        match is_publication(committed) {
            true => self.summary.published += 1,
            false => self.summary.status_changed += 1,
        }
    }

    /// Of a version that is deleted there, only that counts: its document may be of any age.
    async fn delete(
        &self,
        id: &ServerId,
        entry: Entry,
        mirrored: Option<Mirrored>,
    ) -> Result<Sent, MirrorError> {
        let set = SetManifestStatus {
            server_version: entry.text("version").unwrap_or_default().to_owned(),
            status: ManifestStatus::Deleted,
            status_message: entry.status_message,
            mirrored,
        };
        self.send(id, ServerCommand::SetManifestStatus(set)).await
    }

    async fn publish(
        &mut self,
        id: &ServerId,
        manifest: &Manifest,
        entry: Entry,
        mirrored: Option<Mirrored>,
    ) -> Result<Sent, MirrorError> {
        let command = ServerCommand::PublishManifest(Box::new(PublishManifest {
            manifest: entry.document,
            status: entry.status,
            status_message: entry.status_message,
            mirrored,
        }));
        let sent = self.send(id, command.clone()).await?;
        let Sent::Refused(ServerError::NotRegistered) = sent else {
            let is_new = matches!(&sent, Sent::Done(committed) if is_publication(committed));
            if is_new && entry.is_latest {
                self.follow(id, manifest).await?;
            }
            return Ok(sent);
        };
        let register = ServerCommand::Register(RegisterServer {
            slug: slug_of(manifest.name()),
            profile: profile(manifest, ServerProfile::default()),
        });
        match self.send(id, register).await? {
            Sent::Done(committed) => {
                self.summary.servers_registered += 1;
                self.summary.committed(committed.stream_sequence);
            }
            // Somebody else was faster.
            Sent::Refused(ServerError::AlreadyRegistered) => {}
            other => return Ok(other),
        }
        self.send(id, command).await
    }

    /// The profile says what the newest document says.
    async fn follow(&mut self, id: &ServerId, manifest: &Manifest) -> Result<(), MirrorError> {
        let target = self.target;
        let mut merge = target
            .dispatcher
            .merge::<Server>(self.context(), id.as_str());
        let mut patience = Patience::new(target.patience);
        let sent = loop {
            let sent = match merge.read().await {
                Ok(read) => {
                    let current = read.state().profile().cloned();
                    let profile = profile(manifest, current.unwrap_or_default());
                    merge.send(read, ServerCommand::Describe(profile)).await
                }
                Err(error) => Err(error.into()),
            };
            // Where somebody else was first, what he has said stays, and the rest is said again.
            let Some(sent) = sent.transpose() else {
                continue;
            };
            if let Some(sent) = self.ended(sent, &mut patience).await? {
                break sent;
            }
        };
        // Its refusal is `Unchanged`, or a rule for profiles that documents are not held to.
        if let Sent::Done(done) = sent {
            self.summary.servers_described += 1;
            self.summary.committed(done.stream_sequence);
        }
        Ok(())
    }

    fn context(&self) -> CommandContext {
        CommandContext::new(self.target.tenant.clone(), self.target.actor.clone())
            .with_correlation_id(self.correlation_id)
    }

    /// Sends a command, and again under the same id while the log is away.
    async fn send(&self, id: &ServerId, command: ServerCommand) -> Result<Sent, MirrorError> {
        let (target, context) = (self.target, self.context());
        let mut patience = Patience::new(target.patience);
        loop {
            let sent = target
                .dispatcher
                .dispatch::<Server>(&context, id.as_str(), command.clone())
                .await;
            if let Some(sent) = self.ended(sent, &mut patience).await? {
                return Ok(sent);
            }
        }
    }

    /// How a command ended; none, after a pause, when it is to be sent again because the log was away.
    async fn ended(
        &self,
        sent: Result<Committed<ServerEvent>, DispatchError<ServerError>>,
        patience: &mut Patience,
    ) -> Result<Option<Sent>, MirrorError> {
        let error = match sent {
            Ok(committed) => return Ok(Some(Sent::Done(Box::new(committed)))),
            Err(DispatchError::Rejected(error)) => return Ok(Some(Sent::Refused(error))),
            Err(DispatchError::Bus(error)) if !error.is_unavailable() => return Err(error.into()),
            Err(DispatchError::Bus(error)) => error,
            Err(DispatchError::Conflict | DispatchError::CommandIdReused) => {
                BusError::Unavailable {
                    operation: "append",
                    source: None,
                }
            }
        };
        let Some(pause) = patience.pause() else {
            return Err(error.into());
        };
        tokio::select! {
            () = self.target.stop.cancelled() => Ok(Some(Sent::Stopped)),
            () = tokio::time::sleep(pause) => Ok(None),
        }
    }
}

fn is_publication(committed: &Committed<ServerEvent>) -> bool {
    let mut events = committed.events.iter();
    events.any(|event| matches!(event, ServerEvent::ManifestPublished(_)))
}
