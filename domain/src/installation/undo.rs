//! What takes an event of an installation back.
//!
//! A range that was pinned before held a published version then, and is pinned again without a new look:
//! what has become of the tool since shows as it does for every installation.

use super::{Install, Installation, InstallationCommand, InstallationEvent, Repin};
use crate::undo::{Respect, Undo};

impl Undo for Installation {
    /// All say which versions are used, or that none are.
    fn respect(event: &InstallationEvent) -> Respect {
        match event {
            InstallationEvent::Installed(_)
            | InstallationEvent::Repinned(_)
            | InstallationEvent::Uninstalled(_) => Respect::Life,
        }
    }

    fn compensation(
        event: &InstallationEvent,
        before: &Self,
    ) -> Result<InstallationCommand, &'static str> {
        let pin = || {
            before
                .pin
                .clone()
                .ok_or("the tool was not installed before")
        };
        match event {
            InstallationEvent::Installed(_) => Ok(InstallationCommand::Uninstall),
            InstallationEvent::Repinned(_) => pin().map(|pin| {
                InstallationCommand::Repin(Repin {
                    range: pin.range,
                    published: vec![pin.tool_version],
                })
            }),
            InstallationEvent::Uninstalled(_) => pin().map(|pin| {
                InstallationCommand::Install(Box::new(Install {
                    tool: pin.tool,
                    range: pin.range,
                    published: vec![pin.tool_version],
                }))
            }),
        }
    }
}
