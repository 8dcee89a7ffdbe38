//! The server's rules.

use super::publish::PublishedVersion;
use super::{
    RegisterServer, ServerCommand, ServerDescribed, ServerError, ServerEvent, ServerProfile,
    ServerRegistered, ServerRestored, ServerRetired,
};
use crate::aggregate::AggregateRoot;
use crate::id::check_slug;
use crate::text::is_clean;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest reason, in characters.
const MAX_REASON: usize = 1_000;

/// A server, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    profile: Option<ServerProfile>,
    pub(super) versions: BTreeMap<String, PublishedVersion>,
    /// Why it was retired, if it was.
    retired: Option<String>,
}

impl Aggregate for Server {
    const TYPE: &'static str = "server";
    type Command = ServerCommand;
    type Event = ServerEvent;
    type Error = ServerError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ServerCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ServerError> {
        let event = match command {
            ServerCommand::Register(register) => self.register(register)?,
            ServerCommand::Describe(profile) => self.describe(profile)?,
            ServerCommand::Retire { reason } => self.retire(reason)?,
            ServerCommand::PublishManifest(publish) => self.publish(*publish)?,
            ServerCommand::SetManifestStatus(set) => self.set_status(set)?,
            ServerCommand::Restore => self.restore()?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Registered(ServerRegistered { slug: _, profile })
            | ServerEvent::Described(ServerDescribed { profile }) => self.profile = Some(profile),
            ServerEvent::ManifestPublished(event) => self.published(*event),
            ServerEvent::ManifestStatusChanged(event) => self.status_changed(event),
            ServerEvent::Retired(event) => self.retired = Some(event.reason),
            ServerEvent::Restored(ServerRestored {}) => self.retired = None,
        }
    }
}

impl AggregateRoot for Server {
    fn is_creation(command: &ServerCommand) -> bool {
        matches!(command, ServerCommand::Register(_))
    }
}

impl Server {
    /// The fact that a tool's registration needs: is this server there and in use?
    ///
    /// # Errors
    /// [`ServerError::NotRegistered`] or [`ServerError::Retired`].
    pub fn check_active(&self) -> Result<(), ServerError> {
        self.active().map(|_| ())
    }

    /// What is said of it now; none before its registration. A change of single fields starts from this.
    #[must_use]
    pub fn profile(&self) -> Option<&ServerProfile> {
        self.profile.as_ref()
    }

    /// Why it has been retired, if it has.
    pub(super) fn retired_reason(&self) -> Option<&str> {
        self.retired.as_deref()
    }

    fn register(&self, register: RegisterServer) -> Result<ServerEvent, ServerError> {
        if self.profile.is_some() {
            return Err(ServerError::AlreadyRegistered);
        }
        check_slug("server slug", &register.slug)?;
        register.profile.check()?;
        Ok(ServerEvent::Registered(ServerRegistered {
            slug: register.slug,
            profile: register.profile,
        }))
    }

    fn describe(&self, profile: ServerProfile) -> Result<ServerEvent, ServerError> {
        let current = self.active()?;
        profile.check()?;
        if *current == profile {
            return Err(ServerError::Unchanged);
        }
        if current.registry_name != profile.registry_name && !self.versions.is_empty() {
            return Err(ServerError::RegistryNameFixed);
        }
        Ok(ServerEvent::Described(ServerDescribed { profile }))
    }

    fn retire(&self, reason: String) -> Result<ServerEvent, ServerError> {
        self.active()?;
        let found = reason.chars().count();
        if found > MAX_REASON {
            return Err(ServerError::TooLong {
                field: "reason",
                most: MAX_REASON,
                found,
            });
        }
        if !is_clean(&reason) {
            return Err(ServerError::HiddenCharacters { field: "reason" });
        }
        Ok(ServerEvent::Retired(ServerRetired { reason }))
    }

    fn restore(&self) -> Result<ServerEvent, ServerError> {
        match (&self.profile, &self.retired) {
            (None, _) => Err(ServerError::NotRegistered),
            (Some(_), None) => Err(ServerError::NotRetired),
            (Some(_), Some(_)) => Ok(ServerEvent::Restored(ServerRestored {})),
        }
    }

    pub(super) fn active(&self) -> Result<&ServerProfile, ServerError> {
        let profile = self.profile.as_ref().ok_or(ServerError::NotRegistered)?;
        if self.retired.is_some() {
            Err(ServerError::Retired)
        } else {
            Ok(profile)
        }
    }
}
