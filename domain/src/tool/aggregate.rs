//! The tool's rules.

use super::event::{
    AliasMoved, AliasRemoved, ToolDeprecated, ToolDescribed, ToolRegistered, ToolRestored,
    ToolRetired, ToolUndeprecated, ToolVersionPublished, ToolVersionUnyanked, ToolVersionYanked,
};
use super::life::Life;
use super::reference::numbered;
use super::versions::{Publication, check_version};
use super::{
    Alias, Deprecation, PublishToolVersion, RegisterTool, ToolCommand, ToolError, ToolEvent,
    ToolProfile,
};
use crate::aggregate::AggregateRoot;
use crate::text::is_clean;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use semver::Version;
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
const MAX_NAME: usize = 128;
/// Longest reason, in characters.
const MAX_REASON: usize = 1_000;

/// A tool, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    life: Option<Life>,
    /// Why it was retired, if it was.
    retired: Option<String>,
}

impl Aggregate for Tool {
    const TYPE: &'static str = "tool";
    type Command = ToolCommand;
    type Event = ToolEvent;
    type Error = ToolError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ToolCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ToolError> {
        let event = match command {
            ToolCommand::Register(register) => self.register(*register)?,
            ToolCommand::Describe(profile) => self.describe(profile)?,
            ToolCommand::PublishVersion(publish) => match self.publish_version(*publish)? {
                Some(event) => event,
                None => return Ok(()),
            },
            ToolCommand::Retire { reason } => self.retire(reason)?,
            ToolCommand::Restore => self.restore()?,
            ToolCommand::MoveAlias { alias, to } => self.move_alias(alias, &to)?,
            ToolCommand::RollbackAlias { alias } => self.rollback_alias(alias)?,
            ToolCommand::RemoveAlias { alias } => self.remove_alias(alias)?,
            ToolCommand::Deprecate {
                tool_version,
                deprecation,
            } => self.deprecate(tool_version, deprecation)?,
            ToolCommand::Undeprecate { tool_version } => self.undeprecate(tool_version)?,
            ToolCommand::YankVersion {
                tool_version,
                reason,
            } => self.yank(&tool_version, reason)?,
            ToolCommand::UnyankVersion { tool_version } => self.unyank(&tool_version)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: ToolEvent) {
        match event {
            ToolEvent::Registered(event) => self.life = Some(Life::begin(*event)),
            ToolEvent::Retired(event) => self.retired = Some(event.reason),
            ToolEvent::Restored(ToolRestored {}) => self.retired = None,
            ToolEvent::Described(_)
            | ToolEvent::VersionPublished(_)
            | ToolEvent::AliasMoved(_)
            | ToolEvent::AliasRemoved(_)
            | ToolEvent::Deprecated(_)
            | ToolEvent::Undeprecated(_)
            | ToolEvent::VersionYanked(_)
            | ToolEvent::VersionUnyanked(_) => {
                if let Some(life) = &mut self.life {
                    life.apply(event);
                }
            }
        }
    }
}

impl AggregateRoot for Tool {
    fn is_creation(command: &ToolCommand) -> bool {
        matches!(command, ToolCommand::Register(_))
    }

    /// Publishing what is published already is done by the event that published it, under whatever build metadata.
    fn is_done_by(command: &ToolCommand, event: &ToolEvent) -> bool {
        let ToolCommand::PublishVersion(publish) = command else {
            return false;
        };
        let is_same = |version: &Version| numbered([version], &publish.tool_version).is_some();
        match event {
            ToolEvent::Registered(event) => is_same(&event.tool_version),
            ToolEvent::VersionPublished(event) => is_same(&event.tool_version),
            ToolEvent::Described(_)
            | ToolEvent::Retired(_)
            | ToolEvent::Restored(_)
            | ToolEvent::AliasMoved(_)
            | ToolEvent::AliasRemoved(_)
            | ToolEvent::Deprecated(_)
            | ToolEvent::Undeprecated(_)
            | ToolEvent::VersionYanked(_)
            | ToolEvent::VersionUnyanked(_) => false,
        }
    }
}

impl Tool {
    /// What is said around it now; none before its registration. A change of single fields starts from
    /// this, and who may see the tool stands in it.
    #[must_use]
    pub fn profile(&self) -> Option<&ToolProfile> {
        self.life.as_ref().map(|life| &life.profile)
    }

    /// The slug of its server.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.life.as_ref().map(|life| life.server.as_str())
    }

    /// Whether it has been retired.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// Why it has been retired, if it has.
    pub(super) fn retired_reason(&self) -> Option<&str> {
        self.retired.as_deref()
    }

    /// Why a version is yanked, if it is.
    pub(super) fn yanked_reason(&self, version: &Version) -> Option<&str> {
        let life = self.life.as_ref()?;
        life.versions.get(version).ok()?.yanked.as_deref()
    }

    /// What those are told who use a version, or the whole tool.
    pub(super) fn deprecation(&self, version: Option<&Version>) -> Option<&Deprecation> {
        self.life.as_ref()?.deprecation(version).ok()?
    }

    /// Its current version; none before its registration.
    #[must_use]
    pub fn current_version(&self) -> Option<&Version> {
        self.life.as_ref().and_then(|life| life.versions.current())
    }

    /// Whether a registration says what is there now: the current definition, title, category and tags. Who
    /// may see the tool, and whose it is, is not compared, because it is set apart from what the tool is.
    #[must_use]
    pub fn is_as_in(&self, register: &RegisterTool) -> bool {
        self.life.as_ref().is_some_and(|life| {
            let profile = ToolProfile {
                visibility: life.profile.visibility,
                team: life.profile.team.clone(),
                ..register.profile.clone()
            };
            let hash = register.definition.checked_hash(&life.name);
            life.profile == profile
                && hash.is_ok_and(|hash| life.versions.current_hash() == Some(&hash))
        })
    }

    fn register(&self, register: RegisterTool) -> Result<ToolEvent, ToolError> {
        if self.is_retired() {
            return Err(ToolError::Retired);
        }
        if self.life.is_some() {
            return Err(ToolError::AlreadyRegistered);
        }
        check_name(&register.name)?;
        check_version(&register.tool_version)?;
        register.profile.check()?;
        let definition_hash = register.definition.checked_hash(&register.name)?;
        Ok(ToolEvent::Registered(Box::new(ToolRegistered {
            server_id: register.server_id,
            server: register.server,
            name: register.name,
            profile: register.profile,
            tool_version: register.tool_version,
            definition: register.definition,
            definition_hash,
        })))
    }

    fn describe(&self, profile: ToolProfile) -> Result<ToolEvent, ToolError> {
        let life = self.active()?;
        profile.check()?;
        if life.profile == profile {
            return Err(ToolError::Unchanged);
        }
        Ok(ToolEvent::Described(ToolDescribed { profile }))
    }

    /// None when exactly this is published already.
    fn publish_version(&self, publish: PublishToolVersion) -> Result<Option<ToolEvent>, ToolError> {
        let life = self.active()?;
        check_version(&publish.tool_version)?;
        let definition_hash = publish.definition.checked_hash(&life.name)?;
        let (version, versions) = (&publish.tool_version, &life.versions);
        match versions.check_publication(version, &definition_hash)? {
            Publication::Already => return Ok(None),
            Publication::New => versions.check_compatibility(version, &publish.definition)?,
        }
        Ok(Some(ToolEvent::VersionPublished(Box::new(
            ToolVersionPublished {
                tool_version: publish.tool_version,
                definition: publish.definition,
                definition_hash,
            },
        ))))
    }

    fn retire(&self, reason: String) -> Result<ToolEvent, ToolError> {
        self.active()?;
        check_reason(&reason)?;
        Ok(ToolEvent::Retired(ToolRetired { reason }))
    }

    fn restore(&self) -> Result<ToolEvent, ToolError> {
        match (&self.life, &self.retired) {
            (None, _) => Err(ToolError::NotRegistered),
            (Some(_), None) => Err(ToolError::NotRetired),
            (Some(_), Some(_)) => Ok(ToolEvent::Restored(ToolRestored {})),
        }
    }

    fn move_alias(&self, alias: Alias, to: &Version) -> Result<ToolEvent, ToolError> {
        let versions = &self.active()?.versions;
        let to = versions.named(to)?;
        versions.check_alias_move(&alias, &to)?;
        let from = versions.standing(&alias).ok();
        let from = from.map(|standing| standing.at.clone());
        Ok(ToolEvent::AliasMoved(AliasMoved { alias, from, to }))
    }

    fn rollback_alias(&self, alias: Alias) -> Result<ToolEvent, ToolError> {
        let standing = self.active()?.versions.standing(&alias)?;
        match &standing.before {
            Some(before) => self.move_alias(alias, before),
            None => Err(ToolError::NothingBefore { alias }),
        }
    }

    fn remove_alias(&self, alias: Alias) -> Result<ToolEvent, ToolError> {
        let from = self.active()?.versions.standing(&alias)?.at.clone();
        Ok(ToolEvent::AliasRemoved(AliasRemoved { alias, from }))
    }

    fn deprecate(
        &self,
        tool_version: Option<Version>,
        deprecation: Deprecation,
    ) -> Result<ToolEvent, ToolError> {
        let life = self.active()?;
        let tool_version = life.named(tool_version)?;
        let current = life.deprecation(tool_version.as_ref())?;
        let own = format!("{}/{}", life.server, life.name);
        deprecation.check(tool_version.is_none().then_some(own.as_str()))?;
        if current == Some(&deprecation) {
            return Err(ToolError::Unchanged);
        }
        Ok(ToolEvent::Deprecated(ToolDeprecated {
            tool_version,
            deprecation,
        }))
    }

    fn undeprecate(&self, tool_version: Option<Version>) -> Result<ToolEvent, ToolError> {
        let life = self.active()?;
        let tool_version = life.named(tool_version)?;
        match life.deprecation(tool_version.as_ref())? {
            Some(_) => Ok(ToolEvent::Undeprecated(ToolUndeprecated { tool_version })),
            None => Err(ToolError::NotDeprecated),
        }
    }

    fn yank(&self, tool_version: &Version, reason: String) -> Result<ToolEvent, ToolError> {
        let versions = &self.active()?.versions;
        let tool_version = versions.named(tool_version)?;
        versions.check_yank(&tool_version)?;
        check_reason(&reason)?;
        Ok(ToolEvent::VersionYanked(ToolVersionYanked {
            tool_version,
            reason,
        }))
    }

    fn unyank(&self, tool_version: &Version) -> Result<ToolEvent, ToolError> {
        let versions = &self.active()?.versions;
        let tool_version = versions.named(tool_version)?;
        versions.check_unyank(&tool_version)?;
        Ok(ToolEvent::VersionUnyanked(ToolVersionUnyanked {
            tool_version,
        }))
    }

    fn active(&self) -> Result<&Life, ToolError> {
        let life = self.life.as_ref().ok_or(ToolError::NotRegistered)?;
        if self.is_retired() {
            Err(ToolError::Retired)
        } else {
            Ok(life)
        }
    }
}

fn check_reason(reason: &str) -> Result<(), ToolError> {
    let found = reason.chars().count();
    if found > MAX_REASON {
        return Err(ToolError::TooLong {
            field: "reason",
            most: MAX_REASON,
            found,
        });
    }
    if !is_clean(reason) {
        return Err(ToolError::HiddenCharacters { field: "reason" });
    }
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), ToolError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    let sound = (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(allowed)
        && name.trim() == name
        && !name.contains("  ");
    if sound {
        Ok(())
    } else {
        Err(ToolError::InvalidName)
    }
}
