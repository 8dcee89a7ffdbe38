//! What takes an event of a server back.

use super::{Server, ServerCommand, ServerEvent};
use crate::undo::{Respect, Undo};

impl Undo for Server {
    fn respect(event: &ServerEvent) -> Respect {
        match event {
            ServerEvent::Registered(_) | ServerEvent::Retired(_) | ServerEvent::Restored(_) => {
                Respect::Life
            }
            ServerEvent::Described(_) => Respect::Profile,
            ServerEvent::ManifestPublished(_) | ServerEvent::ManifestStatusChanged(_) => {
                Respect::Manifests
            }
        }
    }

    fn compensation(event: &ServerEvent, before: &Self) -> Result<ServerCommand, &'static str> {
        match event {
            ServerEvent::Described(_) => before
                .profile()
                .cloned()
                .map(ServerCommand::Describe)
                .ok_or("nothing was said of the server before"),
            ServerEvent::Registered(_) => Err("a server stays registered; retire it"),
            ServerEvent::ManifestPublished(_) => {
                Err("a published version stays; set its status to deprecated or deleted")
            }
            ServerEvent::ManifestStatusChanged(event) => before
                .status_again(&event.server_version)
                .map(ServerCommand::SetManifestStatus)
                .ok_or("the version was not published before"),
            ServerEvent::Retired(_) => Ok(ServerCommand::Restore),
            ServerEvent::Restored(_) => Ok(ServerCommand::Retire {
                reason: before.retired_reason().unwrap_or_default().to_owned(),
            }),
        }
    }
}
