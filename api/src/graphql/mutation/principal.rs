//! Changes of principals. A tenant keeps an owner: its last active one cannot lose the role or be deactivated.

use super::{answered, dispatch, optional, read_back, trimmed};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::enums::{PrincipalKind, Role};
use crate::graphql::loaders::PrincipalKey;
use crate::graphql::principal::Principal;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use bus::DispatchError;
use chrono::{DateTime, Utc};
use domain::id::PrincipalId;
use domain::personal::PersonalField;
use domain::principal::{
    DescribePrincipal, FieldChange, PrincipalCommand, RegisterPrincipal, SealedFields,
};
use projections::owners::{self, OwnersError, OwnersHeld};
use projections::{Moment, access};

/// A principal to register.
#[derive(Debug, InputObject)]
struct RegisterPrincipalInput {
    /// Its name in your tenant, which never changes: lower-case letters, digits and hyphens.
    handle: String,
    /// What it is.
    kind: PrincipalKind,
    /// What it may do.
    #[graphql(default)]
    roles: Vec<Role>,
    /// The name that people read, 1 to 200 characters. A personal field: it is sealed, and can be erased.
    display_name: Option<String>,
    /// An e-mail address. A personal field, too.
    email: Option<String>,
}

/// What to correct of a principal. What is left out stays; null or an empty text removes it.
#[derive(Debug, InputObject)]
struct DescribePrincipalInput {
    /// Which.
    handle: String,
    /// The name that people read, 1 to 200 characters.
    display_name: MaybeUndefined<String>,
    /// An e-mail address.
    email: MaybeUndefined<String>,
}

/// A role of a principal.
#[derive(Debug, InputObject)]
struct RoleInput {
    /// Whose.
    handle: String,
    /// Which.
    role: Role,
}

/// A principal to deactivate or to reactivate.
#[derive(Debug, InputObject)]
struct PrincipalInput {
    /// Which.
    handle: String,
}

/// Tokens to refuse.
#[derive(Debug, InputObject)]
struct RevokeTokensInput {
    /// Whose.
    handle: String,
    /// Refuse the tokens issued before this moment, at the latest now, which is meant when left out.
    issued_before: Option<DateTime<Utc>>,
}

/// A changed principal.
#[derive(SimpleObject)]
pub(super) struct PrincipalPayload {
    /// The principal after the change; null when `notice` says why.
    principal: Option<Principal>,
    /// The position of the change in the log.
    pub(super) sequence: Sequence,
    /// Why the accepted change is not shown, or not yet, and what of an erasure is still to come.
    notice: Option<String>,
}

impl PrincipalPayload {
    pub(super) async fn of(
        session: &Session,
        id: PrincipalId,
        sequence: Sequence,
    ) -> Result<Self, ApiError> {
        let key = PrincipalKey(id);
        let (principal, notice) = read_back(session, access::NAME, sequence, key).await?;
        Ok(Self {
            principal: principal.map(|principal| Principal(principal, Moment::Now)),
            sequence,
            notice,
        })
    }

    /// With a notice, behind the one that there may be.
    pub(super) fn with_notice(mut self, notice: &str) -> Self {
        self.notice = Some(match self.notice {
            Some(first) => format!("{first} {notice}"),
            None => notice.to_owned(),
        });
        self
    }
}

/// The changes of principals.
#[derive(Default)]
pub(super) struct PrincipalMutations;

#[Object]
impl PrincipalMutations {
    /// Registers a person, an agent or a program. Its tokens are issued separately. The handle of a person
    /// is a personal field; that of an agent or a program stands in the log in plain.
    async fn register_principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The principal.")] input: RegisterPrincipalInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let roles: Vec<domain::principal::Role> = input.roles.into_iter().map(Into::into).collect();
        session.authorize(Action::RegisterPrincipal, &Resource::new_principal(&roles))?;
        let handle = trimmed(&input.handle);
        let id = PrincipalId::derive(&session.caller.tenant, &handle);
        let register = RegisterPrincipal {
            kind: input.kind.into(),
            handle,
            roles,
            display_name: optional(input.display_name),
            email: optional(input.email),
            sealed: SealedFields::default(),
        };
        register.check().map_err(DispatchError::Rejected)?;
        let vault = &session.state.vault;
        let register = vault.seal(&session.caller.tenant, &id, register).await?;
        let command = PrincipalCommand::Register(register);
        let sequence = send(session, &id, command, command_id).await?;
        PrincipalPayload::of(session, id, sequence).await.map(Some)
    }

    /// Corrects a principal's display name or e-mail address. For owners and administrators. What stood there
    /// before can be read no more, but for the log, where it stays sealed, and an undo.
    async fn describe_principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The corrections.")] input: DescribePrincipalInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let target = Target::load(session, Action::DescribePrincipal, &input.handle, None).await?;
        let mut describe = DescribePrincipal {
            display_name: field_change(input.display_name),
            email: field_change(input.email),
        };
        describe.check().map_err(DispatchError::Rejected)?;
        let fields = [
            (PersonalField::DisplayName, &mut describe.display_name),
            (PersonalField::Email, &mut describe.email),
        ];
        for (field, change) in fields {
            if let FieldChange::Set { text, sealed } = change {
                let (vault, tenant) = (&session.state.vault, &session.caller.tenant);
                *sealed = Some(vault.seal_text(tenant, &target.id, field, text).await?);
            }
        }
        let command = PrincipalCommand::Describe(describe);
        let sequence = send(session, &target.id, command, command_id).await?;
        PrincipalPayload::of(session, target.id, sequence)
            .await
            .map(Some)
    }

    /// Gives a principal a role.
    async fn grant_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose and which.")] input: RoleInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let role = input.role.into();
        let target = Target::load(session, Action::GrantRole, &input.handle, Some(role)).await?;
        let command = PrincipalCommand::GrantRole(role);
        let sequence = send(session, &target.id, command, command_id).await?;
        PrincipalPayload::of(session, target.id, sequence)
            .await
            .map(Some)
    }

    /// Takes a role from a principal. The last active owner keeps that role (`LAST_OWNER`).
    async fn revoke_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose and which.")] input: RoleInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let role = input.role.into();
        let target = Target::load(session, Action::RevokeRole, &input.handle, Some(role)).await?;
        let command = PrincipalCommand::RevokeRole(role);
        if role == domain::principal::Role::Owner {
            let changed = change_keeping_an_owner(session, target, command, command_id).await?;
            return Ok(Some(changed));
        }
        let sequence = send(session, &target.id, command, command_id).await?;
        PrincipalPayload::of(session, target.id, sequence)
            .await
            .map(Some)
    }

    /// Refuses every request of a principal from now on. The last active owner stays active (`LAST_OWNER`).
    async fn deactivate_principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The principal.")] input: PrincipalInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let target =
            Target::load(session, Action::DeactivatePrincipal, &input.handle, None).await?;
        let command = PrincipalCommand::Deactivate;
        change_keeping_an_owner(session, target, command, command_id)
            .await
            .map(Some)
    }

    /// Accepts the requests of a deactivated principal again.
    async fn reactivate_principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The principal.")] input: PrincipalInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let target =
            Target::load(session, Action::ReactivatePrincipal, &input.handle, None).await?;
        let command = PrincipalCommand::Reactivate;
        let sequence = send(session, &target.id, command, command_id).await?;
        PrincipalPayload::of(session, target.id, sequence)
            .await
            .map(Some)
    }

    /// Refuses every token that a principal was issued so far. All may do this with their own.
    async fn revoke_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and until when.")] input: RevokeTokensInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let target = Target::load(session, Action::RevokeTokens, &input.handle, None).await?;
        let now = Utc::now();
        let issued_before = input.issued_before.unwrap_or(now);
        if issued_before > now {
            return Err(ApiError::Rejected {
                code: "MOMENT_IN_FUTURE",
                message: "`issuedBefore` lies in the future; tokens to come cannot be revoked"
                    .into(),
            });
        }
        let command = PrincipalCommand::RevokeTokens { issued_before };
        let sequence = send(session, &target.id, command, command_id).await?;
        PrincipalPayload::of(session, target.id, sequence)
            .await
            .map(Some)
    }
}

fn field_change(new: MaybeUndefined<String>) -> FieldChange {
    match new.map(optional) {
        MaybeUndefined::Undefined => FieldChange::Keep,
        MaybeUndefined::Null => FieldChange::Clear,
        MaybeUndefined::Value(text) => FieldChange::to(text),
    }
}

/// An existing principal that the caller may act on, from the log itself.
pub(super) struct Target {
    pub(super) id: PrincipalId,
    active_owner: bool,
}

impl Target {
    /// `role` is the one to grant or revoke: with it, an owner's business is an owner's.
    pub(super) async fn load(
        session: &Session,
        action: Action,
        handle: &str,
        role: Option<domain::principal::Role>,
    ) -> Result<Self, ApiError> {
        let tenant = &session.caller.tenant;
        let id = PrincipalId::named(tenant, handle.trim());
        let principal = session
            .state
            .dispatcher
            .load::<domain::principal::Principal>(tenant, id.as_str())
            .await?
            .unwrap_or_default();
        let roles = principal.roles().ok_or(ApiError::NotFound)?;
        let concerned = roles.iter().chain(role.as_ref());
        session.authorize(
            action,
            &Resource::principal(&session.caller, &id, concerned),
        )?;
        let owner = roles.contains(&domain::principal::Role::Owner);
        Ok(Self {
            id,
            active_owner: owner && principal.is_active(),
        })
    }
}

/// Sends a command that may take an owner away, unless it is the last active one, and reads the principal back.
pub(super) async fn change_keeping_an_owner(
    session: &Session,
    target: Target,
    command: PrincipalCommand,
    command_id: Option<UuidScalar>,
) -> Result<PrincipalPayload, ApiError> {
    let id = target.id.as_str();
    if let Some(sequence) =
        answered::<domain::principal::Principal>(session, id, command_id).await?
    {
        return PrincipalPayload::of(session, target.id, sequence).await;
    }
    let _held = match target.active_owner {
        true => Some(keep_an_owner(session).await?),
        false => None,
    };
    let sequence = send(session, &target.id, command, command_id).await?;
    PrincipalPayload::of(session, target.id, sequence).await
}

/// Refuses when the tenant has no other active owner. Hold what it returns until the command that takes
/// one away is committed, and `access` shows it.
pub(super) async fn keep_an_owner(session: &Session) -> Result<OwnersHeld, ApiError> {
    let (state, tenant) = (&session.state, &session.caller.tenant);
    let held = owners::keep_one(&state.reads, &state.log, &state.positions, tenant, WAIT).await;
    held.map_err(|error| match error {
        OwnersError::LastOwner => ApiError::Rejected {
            code: "LAST_OWNER",
            message: error.to_string(),
        },
        OwnersError::Busy => ApiError::Unavailable {
            message: error.to_string(),
        },
        OwnersError::Lock(_) => ApiError::unavailable("the read model", &error),
        OwnersError::Query(error) => error.into(),
        OwnersError::Log(error) => error.into(),
    })
}

pub(super) async fn send(
    session: &Session,
    id: &PrincipalId,
    command: PrincipalCommand,
    command_id: Option<UuidScalar>,
) -> Result<Sequence, ApiError> {
    dispatch::<domain::principal::Principal>(session, id.as_str(), command, command_id).await
}
