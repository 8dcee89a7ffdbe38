//! The principal's rules.

use super::event::{
    PrincipalDeactivated, PrincipalDescribed, PrincipalErased, PrincipalReactivated,
    PrincipalRegistered, RoleGranted, RoleRevoked, TeamJoined, TeamLeft, TokensRevoked,
};
use super::{
    DescribePrincipal, FieldChange, PrincipalCommand, PrincipalError, PrincipalEvent,
    PrincipalKind, RegisterPrincipal, Role,
};
use crate::aggregate::AggregateRoot;
use crate::id::check_slug;
use crate::personal::{Personal, PersonalField, Sealed};
use crate::team::Team;
use crate::text::is_clean;
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most teams of one principal.
pub(super) const MAX_TEAMS: usize = 32;
/// Longest display name, in characters.
const MAX_DISPLAY_NAME: usize = 200;
/// Longest e-mail address (RFC 5321 section 4.5.3.1, less the angle brackets).
const MAX_EMAIL: usize = 254;

/// A principal, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    registered: bool,
    deactivated: bool,
    roles: BTreeSet<Role>,
    teams: BTreeSet<Team>,
    tokens_revoked_before: Option<DateTime<Utc>>,
    handle_in_plain: bool,
    display_name: Option<Personal>,
    email: Option<Personal>,
    erased: bool,
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
            PrincipalCommand::Describe(describe) => self.describe(describe)?,
            PrincipalCommand::RestoreDescription(then) => self.say(then)?,
            PrincipalCommand::GrantRole(role) => self.grant_role(role)?,
            PrincipalCommand::RevokeRole(role) => self.revoke_role(role)?,
            PrincipalCommand::JoinTeam(team) => self.join_team(team)?,
            PrincipalCommand::LeaveTeam(team) => self.leave_team(team)?,
            PrincipalCommand::Deactivate => self.deactivate()?,
            PrincipalCommand::Reactivate => self.reactivate()?,
            PrincipalCommand::RevokeTokens { issued_before } => {
                self.revoke_tokens(issued_before)?
            }
            PrincipalCommand::Erase => self.erase()?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PrincipalEvent) {
        match event {
            PrincipalEvent::Registered(event) => {
                self.registered = true;
                self.handle_in_plain = event.handle.plain().is_some();
                self.roles = event.roles;
                self.display_name = event.display_name;
                self.email = event.email;
            }
            PrincipalEvent::Described(event) => {
                self.display_name = event.display_name;
                self.email = event.email;
            }
            PrincipalEvent::RoleGranted(event) => {
                self.roles.insert(event.role);
            }
            PrincipalEvent::RoleRevoked(event) => {
                self.roles.remove(&event.role);
            }
            PrincipalEvent::TeamJoined(event) => {
                self.teams.insert(event.team);
            }
            PrincipalEvent::TeamLeft(event) => {
                self.teams.remove(&event.team);
            }
            PrincipalEvent::Deactivated(_) => self.deactivated = true,
            PrincipalEvent::Reactivated(_) => self.deactivated = false,
            PrincipalEvent::TokensRevoked(event) => {
                self.tokens_revoked_before = Some(event.issued_before);
            }
            PrincipalEvent::Erased(_) => {
                self.erased = true;
                self.roles.clear();
                self.teams.clear();
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
        self.registered && !self.deactivated && !self.erased
    }

    /// True when the log holds the handle in plain, and so for ever: of an agent or a service, or
    /// registered by a release that did not seal it.
    #[must_use]
    pub fn handle_is_in_plain(&self) -> bool {
        self.handle_in_plain
    }

    fn register(&self, register: RegisterPrincipal) -> Result<PrincipalEvent, PrincipalError> {
        if self.erased {
            return Err(PrincipalError::Erased);
        }
        if self.registered {
            return Err(PrincipalError::AlreadyRegistered);
        }
        register.check()?;
        let RegisterPrincipal { kind, sealed, .. } = register;
        let handle = match kind {
            PrincipalKind::User => Personal::Sealed(
                sealed
                    .handle
                    .ok_or(PrincipalError::NotSealed(PersonalField::Handle))?,
            ),
            PrincipalKind::Agent | PrincipalKind::Service => Personal::Plain(register.handle),
        };
        let (name, email) = (register.display_name.is_some(), register.email.is_some());
        Ok(PrincipalEvent::Registered(PrincipalRegistered {
            kind,
            handle,
            display_name: sealed_if(name, sealed.display_name, PersonalField::DisplayName)?,
            email: sealed_if(email, sealed.email, PersonalField::Email)?,
            roles: register.roles.into_iter().collect(),
        }))
    }

    /// What is said of it, as the last event carries it.
    pub(super) fn description(&self) -> PrincipalDescribed {
        PrincipalDescribed {
            display_name: self.display_name.clone(),
            email: self.email.clone(),
        }
    }

    fn describe(&self, describe: DescribePrincipal) -> Result<PrincipalEvent, PrincipalError> {
        describe.check()?;
        let now = self.description();
        self.say(PrincipalDescribed {
            display_name: changed(
                now.display_name,
                describe.display_name,
                PersonalField::DisplayName,
            )?,
            email: changed(now.email, describe.email, PersonalField::Email)?,
        })
    }

    fn say(&self, described: PrincipalDescribed) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if described == self.description() {
            return Err(PrincipalError::Unchanged);
        }
        Ok(PrincipalEvent::Described(described))
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

    fn join_team(&self, team: Team) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if self.deactivated {
            return Err(PrincipalError::Deactivated);
        }
        if self.teams.contains(&team) {
            return Err(PrincipalError::AlreadyInTeam(team));
        }
        if self.teams.len() >= MAX_TEAMS {
            return Err(PrincipalError::TooManyTeams);
        }
        Ok(PrincipalEvent::TeamJoined(TeamJoined { team }))
    }

    fn leave_team(&self, team: Team) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        if !self.teams.contains(&team) {
            return Err(PrincipalError::NotInTeam(team));
        }
        Ok(PrincipalEvent::TeamLeft(TeamLeft { team }))
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

    fn erase(&self) -> Result<PrincipalEvent, PrincipalError> {
        self.check_registered()?;
        Ok(PrincipalEvent::Erased(PrincipalErased {}))
    }

    /// Nothing is asked of a principal before its registration or after its erasure.
    fn check_registered(&self) -> Result<(), PrincipalError> {
        if !self.registered {
            Err(PrincipalError::NotRegistered)
        } else if self.erased {
            Err(PrincipalError::Erased)
        } else {
            Ok(())
        }
    }
}

impl RegisterPrincipal {
    /// The rules that look at the personal fields. Checked before they are sealed, so that no key is made
    /// for nothing, and again when the command is decided.
    ///
    /// # Errors
    /// [`PrincipalError`] that names the field.
    pub fn check(&self) -> Result<(), PrincipalError> {
        check_slug("handle", &self.handle)?;
        check_description(self.display_name.as_deref(), self.email.as_deref())
    }
}

impl DescribePrincipal {
    /// The rules that look at the personal fields; see [`RegisterPrincipal::check`].
    ///
    /// # Errors
    /// [`PrincipalError`] that names the field.
    pub fn check(&self) -> Result<(), PrincipalError> {
        check_description(self.display_name.text(), self.email.text())
    }
}

fn check_description(
    display_name: Option<&str>,
    email: Option<&str>,
) -> Result<(), PrincipalError> {
    let visible = |name: &str| {
        (1..=MAX_DISPLAY_NAME).contains(&name.chars().count())
            && !name.trim().is_empty()
            && is_clean(name)
    };
    if !display_name.is_none_or(visible) {
        return Err(PrincipalError::InvalidDisplayName);
    }
    if !email.is_none_or(is_email) {
        return Err(PrincipalError::InvalidEmail);
    }
    Ok(())
}

fn changed(
    now: Option<Personal>,
    change: FieldChange,
    field: PersonalField,
) -> Result<Option<Personal>, PrincipalError> {
    match change {
        FieldChange::Keep => Ok(now),
        FieldChange::Clear => Ok(None),
        FieldChange::Set { sealed, .. } => sealed_if(true, sealed, field),
    }
}

/// One `@` between two parts without white space: whether mail arrives is found out by sending one.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    text.len() <= MAX_EMAIL
        && is_clean(text)
        && !text.contains(char::is_whitespace)
        && parts.is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        })
}

fn sealed_if(
    given: bool,
    sealed: Option<Sealed>,
    field: PersonalField,
) -> Result<Option<Personal>, PrincipalError> {
    match (given, sealed) {
        (false, _) => Ok(None),
        (true, Some(sealed)) => Ok(Some(Personal::Sealed(sealed))),
        (true, None) => Err(PrincipalError::NotSealed(field)),
    }
}
