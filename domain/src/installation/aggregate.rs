//! The installation's rules.

use super::{
    ForeignTool, Install, InstallationCommand, InstallationError, InstallationEvent,
    InstallationInstalled, InstallationRepinned, InstallationUninstalled, Repin, highest,
};
use crate::aggregate::AggregateRoot;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// An installation, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    pub(super) pin: Option<Pin>,
}

/// What an installation remembers while the tool is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pin {
    pub(super) tool: ForeignTool,
    pub(super) range: VersionReq,
    /// What the range meant when it was pinned.
    pub(super) tool_version: Version,
}

impl Aggregate for Installation {
    const TYPE: &'static str = "installation";
    type Command = InstallationCommand;
    type Event = InstallationEvent;
    type Error = InstallationError;
    type Services = ();

    async fn handle(
        &mut self,
        command: InstallationCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), InstallationError> {
        let event = match command {
            InstallationCommand::Install(install) => self.install(*install)?,
            InstallationCommand::Repin(repin) => self.repin(repin)?,
            InstallationCommand::Uninstall => self.uninstall()?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: InstallationEvent) {
        match event {
            InstallationEvent::Installed(event) => {
                self.pin = Some(Pin {
                    tool: event.tool,
                    range: event.range,
                    tool_version: event.tool_version,
                });
            }
            InstallationEvent::Repinned(event) => {
                if let Some(pin) = &mut self.pin {
                    pin.range = event.range;
                    pin.tool_version = event.tool_version;
                }
            }
            InstallationEvent::Uninstalled(_) => self.pin = None,
        }
    }
}

impl AggregateRoot for Installation {
    /// Nearly always the first; after an uninstallation the dispatcher loads and decides again.
    fn is_creation(command: &InstallationCommand) -> bool {
        matches!(command, InstallationCommand::Install(_))
    }
}

impl Installation {
    /// Which tool is installed; none when it is not, or no longer.
    #[must_use]
    pub fn tool(&self) -> Option<&ForeignTool> {
        self.pin.as_ref().map(|pin| &pin.tool)
    }

    fn install(&self, install: Install) -> Result<InstallationEvent, InstallationError> {
        if self.pin.is_some() {
            return Err(InstallationError::AlreadyInstalled);
        }
        let tool_version = within(&install.range, &install.published)?;
        Ok(InstallationEvent::Installed(Box::new(
            InstallationInstalled {
                tool: install.tool,
                range: install.range,
                tool_version,
            },
        )))
    }

    fn repin(&self, repin: Repin) -> Result<InstallationEvent, InstallationError> {
        let pin = self.pin.as_ref().ok_or(InstallationError::NotInstalled)?;
        if pin.range == repin.range {
            return Err(InstallationError::Unchanged);
        }
        let tool_version = within(&repin.range, &repin.published)?;
        Ok(InstallationEvent::Repinned(InstallationRepinned {
            range: repin.range,
            tool_version,
        }))
    }

    fn uninstall(&self) -> Result<InstallationEvent, InstallationError> {
        self.pin.as_ref().ok_or(InstallationError::NotInstalled)?;
        Ok(InstallationEvent::Uninstalled(InstallationUninstalled {}))
    }
}

fn within(range: &VersionReq, published: &[Version]) -> Result<Version, InstallationError> {
    highest(range, published)
        .cloned()
        .ok_or_else(|| InstallationError::NoVersionInRange {
            range: range.clone(),
            highest: published.iter().max().cloned(),
        })
}
