//! What takes an event of a principal back.

use super::{Principal, PrincipalCommand, PrincipalEvent};
use crate::undo::{Respect, Undo};

impl Undo for Principal {
    fn respect(event: &PrincipalEvent) -> Respect {
        match event {
            PrincipalEvent::Registered(_) | PrincipalEvent::Erased(_) => Respect::Life,
            PrincipalEvent::Described(_) => Respect::Profile,
            PrincipalEvent::RoleGranted(event) => Respect::Role(event.role),
            PrincipalEvent::RoleRevoked(event) => Respect::Role(event.role),
            PrincipalEvent::TeamJoined(event) => Respect::Team(event.team.clone()),
            PrincipalEvent::TeamLeft(event) => Respect::Team(event.team.clone()),
            PrincipalEvent::Deactivated(_) | PrincipalEvent::Reactivated(_) => Respect::Active,
            PrincipalEvent::TokensRevoked(_) => Respect::Tokens,
        }
    }

    fn compensation(
        event: &PrincipalEvent,
        before: &Self,
    ) -> Result<PrincipalCommand, &'static str> {
        match event {
            PrincipalEvent::Described(_) => {
                Ok(PrincipalCommand::RestoreDescription(before.description()))
            }
            PrincipalEvent::RoleGranted(event) => Ok(PrincipalCommand::RevokeRole(event.role)),
            PrincipalEvent::RoleRevoked(event) => Ok(PrincipalCommand::GrantRole(event.role)),
            PrincipalEvent::TeamJoined(event) => {
                Ok(PrincipalCommand::LeaveTeam(event.team.clone()))
            }
            PrincipalEvent::TeamLeft(event) => Ok(PrincipalCommand::JoinTeam(event.team.clone())),
            PrincipalEvent::Deactivated(_) => Ok(PrincipalCommand::Reactivate),
            PrincipalEvent::Reactivated(_) => Ok(PrincipalCommand::Deactivate),
            PrincipalEvent::Registered(_) => {
                Err("a principal stays registered; deactivate it, or erase it")
            }
            PrincipalEvent::TokensRevoked(_) => {
                Err("a refused token may be in wrong hands; issue a new one")
            }
            PrincipalEvent::Erased(_) => Err("the key is gone; register the person anew"),
        }
    }
}
