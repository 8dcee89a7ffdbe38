//! The tool's rules.

use super::event::{ToolDescribed, ToolRegistered, ToolRetired, ToolVersionPublished};
use super::{PublishToolVersion, RegisterTool, ToolCommand, ToolError, ToolEvent, ToolProfile};
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
    retired: bool,
}

/// What a registered tool remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    name: String,
    profile: ToolProfile,
    latest: Version,
    definition_hash: String,
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
            ToolCommand::PublishVersion(publish) => self.publish_version(*publish)?,
            ToolCommand::Retire { reason } => self.retire(reason)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: ToolEvent) {
        match event {
            ToolEvent::Registered(event) => {
                self.life = Some(Life {
                    name: event.name,
                    profile: event.profile,
                    latest: event.tool_version,
                    definition_hash: event.definition_hash,
                });
            }
            ToolEvent::Described(event) => {
                if let Some(life) = &mut self.life {
                    life.profile = event.profile;
                }
            }
            ToolEvent::VersionPublished(event) => {
                if let Some(life) = &mut self.life {
                    life.latest = event.tool_version;
                    life.definition_hash = event.definition_hash;
                }
            }
            ToolEvent::Retired(_) => self.retired = true,
        }
    }
}

impl AggregateRoot for Tool {
    fn is_creation(command: &ToolCommand) -> bool {
        matches!(command, ToolCommand::Register(_))
    }
}

impl Tool {
    /// What is said around it now; none before its registration. A change of single fields starts from
    /// this, and who may see the tool stands in it.
    #[must_use]
    pub fn profile(&self) -> Option<&ToolProfile> {
        self.life.as_ref().map(|life| &life.profile)
    }

    /// Whether it has been retired.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired
    }

    /// Whether a registration says what is there now: the latest definition, title, category and tags. Who
    /// may see the tool is not compared, because it is set apart from what the tool is.
    #[must_use]
    pub fn is_as_in(&self, register: &RegisterTool) -> bool {
        self.life.as_ref().is_some_and(|life| {
            let profile = ToolProfile {
                visibility: life.profile.visibility,
                ..register.profile.clone()
            };
            let hash = register.definition.checked_hash(&life.name);
            life.profile == profile && hash.is_ok_and(|hash| hash == life.definition_hash)
        })
    }

    fn register(&self, register: RegisterTool) -> Result<ToolEvent, ToolError> {
        if self.retired {
            return Err(ToolError::Retired);
        }
        if self.life.is_some() {
            return Err(ToolError::AlreadyRegistered);
        }
        check_name(&register.name)?;
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

    fn publish_version(&self, publish: PublishToolVersion) -> Result<ToolEvent, ToolError> {
        let life = self.active()?;
        let definition_hash = publish.definition.checked_hash(&life.name)?;
        if publish.tool_version <= life.latest {
            return Err(ToolError::VersionNotAbove {
                given: publish.tool_version,
                latest: life.latest.clone(),
            });
        }
        if definition_hash == life.definition_hash {
            return Err(ToolError::DefinitionUnchanged {
                latest: life.latest.clone(),
            });
        }
        Ok(ToolEvent::VersionPublished(Box::new(
            ToolVersionPublished {
                tool_version: publish.tool_version,
                definition: publish.definition,
                definition_hash,
            },
        )))
    }

    fn retire(&self, reason: String) -> Result<ToolEvent, ToolError> {
        self.active()?;
        let found = reason.chars().count();
        if found > MAX_REASON {
            return Err(ToolError::TooLong {
                field: "reason",
                most: MAX_REASON,
                found,
            });
        }
        if !is_clean(&reason) {
            return Err(ToolError::HiddenCharacters { field: "reason" });
        }
        Ok(ToolEvent::Retired(ToolRetired { reason }))
    }

    fn active(&self) -> Result<&Life, ToolError> {
        let life = self.life.as_ref().ok_or(ToolError::NotRegistered)?;
        if self.retired {
            Err(ToolError::Retired)
        } else {
            Ok(life)
        }
    }
}

fn check_name(name: &str) -> Result<(), ToolError> {
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
