//! Keeps tenants, principals with their roles and teams, and policies. One statement for each event: such events are few.

use super::{NAME, grants, past, policies, sunset};
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded, exactly_one};
use crate::rebuild::copies_of;
use crate::vault;
use async_trait::async_trait;
use domain::AnyEvent;
use domain::personal::{Personal, erased_handle};
use domain::principal::{PrincipalDescribed, PrincipalEvent, PrincipalRegistered};
use domain::tenant::TenantEvent;
use sqlx::PgConnection;

/// Keeps `tenants`, `sunset_rules`, `principals`, what these were before, `grants` and `policies`.
#[derive(Debug)]
pub struct AccessProjector;

#[async_trait]
impl Projector for AccessProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Tenant(_) | AnyEvent::Principal(_) | AnyEvent::Policy(_) => true,
            AnyEvent::Server(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Review(_)
            | AnyEvent::Installation(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "tenants",
            "sunset_rules",
            "principals",
            "principals_past",
            "grants",
            "policies",
        ]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Stop
    }

    fn sees_personal_fields(&self) -> bool {
        true
    }

    /// One statement per event: principals are few, and most of the log is about tools.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Tenant(event) => apply_tenant(connection, recorded, event).await?,
                    AnyEvent::Principal(event) => {
                        past::supersede(connection, recorded).await?;
                        apply_principal(connection, recorded, event).await?;
                        grants::apply(connection, recorded, event).await?;
                    }
                    AnyEvent::Policy(event) => policies::apply(connection, recorded, event).await?,
                    AnyEvent::Server(_)
                    | AnyEvent::Tool(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Publisher(_) => {}
                    AnyEvent::Taxonomy(_) | AnyEvent::Review(_) => {}
                    AnyEvent::Installation(_) => {}
                }
            }
        }
        Ok(())
    }
}

async fn apply_tenant(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &TenantEvent,
) -> Result<(), ProjectionError> {
    let (display_name, statement) = match event {
        TenantEvent::Registered(event) => (
            &event.display_name,
            "INSERT INTO tenants (tenant, display_name, registered_at, updated_at)
             VALUES ($1, $2, $3, $3)",
        ),
        TenantEvent::Renamed(event) => (
            &event.display_name,
            "UPDATE tenants SET display_name = $2, updated_at = $3 WHERE tenant = $1",
        ),
        TenantEvent::AfterSunsetSet(event) => {
            return sunset::apply(connection, recorded, event).await;
        }
    };
    let done = sqlx::query(statement)
        .bind(recorded.commit.tenant.as_str())
        .bind(display_name)
        .bind(recorded.commit.recorded_at)
        .execute(connection)
        .await?;
    exactly_one(recorded, done.rows_affected())
}

async fn apply_principal(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PrincipalEvent,
) -> Result<(), ProjectionError> {
    let change = match event {
        PrincipalEvent::Registered(event) => return register(connection, recorded, event).await,
        PrincipalEvent::Described(event) => return describe(connection, recorded, event).await,
        PrincipalEvent::Erased(_) => return erase(connection, recorded).await,
        // The new value travels as text, so that one statement shape serves all.
        PrincipalEvent::RoleGranted(event) => {
            ("roles = array_append(roles, $4)", event.role.to_string())
        }
        PrincipalEvent::RoleRevoked(event) => {
            ("roles = array_remove(roles, $4)", event.role.to_string())
        }
        PrincipalEvent::TeamJoined(event) => {
            ("teams = array_append(teams, $4)", event.team.to_string())
        }
        PrincipalEvent::TeamLeft(event) => {
            ("teams = array_remove(teams, $4)", event.team.to_string())
        }
        PrincipalEvent::Deactivated(_) => ("active = $4::boolean", "false".to_owned()),
        PrincipalEvent::Reactivated(_) => ("active = $4::boolean", "true".to_owned()),
        PrincipalEvent::TokensRevoked(event) => (
            "tokens_revoked_before = $4::timestamptz",
            event.issued_before.to_rfc3339(),
        ),
    };
    let (assignment, value) = change;
    let done = sqlx::query(&format!(
        "UPDATE principals SET {assignment}, updated_at = $3
         WHERE tenant = $1 AND principal_id = $2"
    ))
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(recorded.commit.recorded_at)
    .bind(value)
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

/// A field that cannot be read is as it will be after the erasure, so that a model built anew later ends
/// up with the same rows.
async fn register(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PrincipalRegistered,
) -> Result<(), ProjectionError> {
    let id = &recorded.commit.aggregate_id;
    let roles: Vec<&str> = event.roles.iter().map(|role| role.as_str()).collect();
    let handle = event.handle.plain().map(str::to_owned);
    let done = sqlx::query(
        "INSERT INTO principals (tenant, principal_id, kind, handle, display_name, email, roles,
                                 active, registered_at, updated_at, valid_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8, $8, $9)",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(id)
    .bind(event.kind.as_str())
    .bind(handle.unwrap_or_else(|| erased_handle(id)))
    .bind(event.display_name.as_ref().and_then(Personal::plain))
    .bind(event.email.as_ref().and_then(Personal::plain))
    .bind(roles)
    .bind(recorded.commit.recorded_at)
    .bind(to_i64(recorded.stream_sequence))
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

/// What cannot be read is as it will be after the erasure, as in [`register`].
async fn describe(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PrincipalDescribed,
) -> Result<(), ProjectionError> {
    let done = sqlx::query(
        "UPDATE principals SET display_name = $3, email = $4, updated_at = $5
         WHERE tenant = $1 AND principal_id = $2",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(event.display_name.as_ref().and_then(Personal::plain))
    .bind(event.email.as_ref().and_then(Personal::plain))
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

/// Wipes the row and destroys the key. A copy that a rebuild has replaced, or left when it was interrupted,
/// is wiped, too; one that is being built comes to the same rows by itself.
async fn erase(connection: &mut PgConnection, recorded: &Recorded) -> Result<(), ProjectionError> {
    let (commit, id) = (&recorded.commit, &recorded.commit.aggregate_id);
    let done = sqlx::query(
        "UPDATE principals
         SET handle = $3, display_name = NULL, email = NULL, roles = '{}', teams = '{}',
             active = false, erased_at = $4, updated_at = $4
         WHERE tenant = $1 AND principal_id = $2",
    )
    .bind(commit.tenant.as_str())
    .bind(id)
    .bind(erased_handle(id))
    .bind(commit.recorded_at)
    .execute(&mut *connection)
    .await?;
    exactly_one(recorded, done.rows_affected())?;
    for copy in copies_of(connection, NAME, "principals").await? {
        sqlx::query(&format!(
            "UPDATE {copy} SET handle = $3, display_name = NULL, email = NULL
             WHERE tenant = $1 AND principal_id = $2"
        ))
        .bind(commit.tenant.as_str())
        .bind(id)
        .bind(erased_handle(id))
        .execute(&mut *connection)
        .await?;
    }
    vault::destroy(connection, &commit.tenant, id, commit.recorded_at).await?;
    Ok(())
}
