//! What takes an event of a tool back.

use super::{Tool, ToolCommand, ToolEvent};
use crate::undo::{Respect, Undo};

impl Undo for Tool {
    fn respect(event: &ToolEvent) -> Respect {
        match event {
            ToolEvent::Registered(_) | ToolEvent::Retired(_) => Respect::Life,
            ToolEvent::Described(_) => Respect::Profile,
            ToolEvent::VersionPublished(_) => Respect::Definition,
        }
    }

    fn compensation(event: &ToolEvent, before: &Self) -> Result<ToolCommand, &'static str> {
        match event {
            ToolEvent::Described(_) => before
                .profile()
                .cloned()
                .map(ToolCommand::Describe)
                .ok_or("nothing was said of the tool before"),
            ToolEvent::Registered(_) => Err("a tool stays registered; retire it"),
            ToolEvent::VersionPublished(_) => Err(
                "agents may have relied on it already; publish the older definition as a new version",
            ),
            ToolEvent::Retired(_) => Err("retiring is final; register the tool under another name"),
        }
    }
}
