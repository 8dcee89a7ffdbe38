//! The principal's rules.

use super::event::{
    PrincipalDeactivated, PrincipalReactivated, PrincipalRegistered, RoleGranted, RoleRevoked,
    TokensRevoked,
};
use super::{PrincipalCommand, PrincipalError, PrincipalEvent, RegisterPrincipal, Role};
use crate::aggregate::AggregateRoot;
use crate::id::check_slug;
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A principal, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    registered: bool,
    deactivated: bool,
    roles: BTreeSet<Role>,
    tokens_revoked_before: Option<DateTime<Utc>>,
}

impl Aggregate for Principal {
    const TYPE: &'static str = "principal";
    type Command = PrincipalCommand;
    type Event = PrincipalEvent;
    type Error = PrincipalError;
    type Services = ();

    async fn handle(
        &mut self,
        command: PrincipalCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), PrincipalError> {
        let event = match command {
            PrincipalCommand::Register(register) => self.register(register)?,
            PrincipalCommand::GrantRole(role) => self.grant_role(role)?,
            PrincipalCommand::RevokeRole(role) => self.revoke_role(role)?,
            PrincipalCommand::Deactivate => self.deactivate()?,
            PrincipalCommand::Reactivate => self.reactivate()?,
            PrincipalCommand::RevokeTokens { issued_before } => {
                self.revoke_tokens(issued_before)?
            }
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PrincipalEvent) {
        match event {
            PrincipalEvent::Registered(event) => {
                self.registered = true;
                self.roles = event.roles;
            }
            PrincipalEvent::RoleGranted(event) => {
                self.roles.insert(event.role);
            }
            PrincipalEvent::RoleRevoked(event) => {
                self.roles.remove(&event.role);
            }
            PrincipalEvent::Deactivated(_) => self.deactivated = true,
            PrincipalEvent::Reactivated(_) => self.deactivated = false,
            PrincipalEvent::TokensRevoked(event) => {
                self.tokens_revoked_before = Some(event.issued_before);
            }
        }
    }
}

impl AggregateRoot for Principal {
    fn is_creation(command: &PrincipalCommand) -> bool {
        matches!(command, PrincipalCommand::Register(_))
    }
}

impl Principal {
    /// The roles that it holds now; none before its registration. Who may change a principal depends on
    /// them.
    #[must_use]
    pub fn roles(&self) -> Option<&BTreeSet<Role>> {
        self.registered.then_some(&self.roles)
    }

    /// True for a registered principal whose requests are accepted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.registered && !self.deactivated
    }

    fn register(&self, register: RegisterPrincipal) -> Result<PrincipalEvent, PrincipalError> {
        if self.registered {
            return Err(PrincipalError::AlreadyRegistered);
        }
        check_slug("handle", &register.handle)?;
        Ok(PrincipalEvent::Registered(PrincipalRegistered {
            kind: register.kind,
            handle: register.handle,
            roles: register.roles.into_iter().collect(),
        }))
    }

    fn grant_role(&self, role: Role) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if self.deactivated {
            return Err(PrincipalError::Deactivated);
        }
        if self.roles.contains(&role) {
            return Err(PrincipalError::RoleAlreadyHeld(role));
        }
        Ok(PrincipalEvent::RoleGranted(RoleGranted { role }))
    }

    fn revoke_role(&self, role: Role) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if !self.roles.contains(&role) {
            return Err(PrincipalError::RoleNotHeld(role));
        }
        Ok(PrincipalEvent::RoleRevoked(RoleRevoked { role }))
    }

    fn deactivate(&self) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if self.deactivated {
            return Err(PrincipalError::Deactivated);
        }
        Ok(PrincipalEvent::Deactivated(PrincipalDeactivated {}))
    }

    fn reactivate(&self) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if !self.deactivated {
            return Err(PrincipalError::Active);
        }
        Ok(PrincipalEvent::Reactivated(PrincipalReactivated {}))
    }

    fn revoke_tokens(
        &self,
        issued_before: DateTime<Utc>,
    ) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if self
            .tokens_revoked_before
            .is_some_and(|before| issued_before <= before)
        {
            return Err(PrincipalError::AlreadyRevoked);
        }
        Ok(PrincipalEvent::TokensRevoked(TokensRevoked {
            issued_before,
        }))
    }

    fn check_registered(&self) -> Result<(), PrincipalError> {
        if self.registered {
            Ok(())
        } else {
            Err(PrincipalError::NotRegistered)
        }
    }
}
