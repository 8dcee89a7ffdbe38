//! Who held which role, since when, until when, and by which event.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::projector::Recorded;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::WireEvent;
use domain::envelope::{Actor, ActorKind};
use domain::id::PrincipalId;
use domain::principal::{PrincipalEvent, Role};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::str::FromStr;

/// A role that a principal holds, and the event by which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who holds it.
    pub principal: PrincipalId,
    /// The role.
    pub role: Role,
    /// The position of the commit that granted it.
    pub stream_sequence: u64,
    /// That commit's event, such as `principal.role_granted`.
    pub event_type: String,
    /// When that was.
    pub granted_at: DateTime<Utc>,
    /// Who granted it.
    pub granted_by: Actor,
}

/// Begins or ends the grants that an event is about.
pub(super) async fn apply(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PrincipalEvent,
) -> Result<(), ProjectionError> {
    match event {
        PrincipalEvent::Registered(registered) => {
            let roles: Vec<&str> = registered.roles.iter().map(|role| role.as_str()).collect();
            begin(connection, recorded, event, &roles).await
        }
        PrincipalEvent::RoleGranted(granted) => {
            begin(connection, recorded, event, &[granted.role.as_str()]).await
        }
        PrincipalEvent::RoleRevoked(revoked) => {
            end(connection, recorded, Some(revoked.role.as_str())).await
        }
        PrincipalEvent::Erased(_) => end(connection, recorded, None).await,
        // A deactivated principal keeps its roles; they permit nothing while it is.
        PrincipalEvent::Described(_)
        | PrincipalEvent::TeamJoined(_)
        | PrincipalEvent::TeamLeft(_)
        | PrincipalEvent::Deactivated(_)
        | PrincipalEvent::Reactivated(_)
        | PrincipalEvent::TokensRevoked(_) => Ok(()),
    }
}

/// Ends one role's grant, or all.
async fn end(
    connection: &mut PgConnection,
    recorded: &Recorded,
    role: Option<&str>,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "UPDATE grants SET valid_to = $4
         WHERE tenant = $1 AND principal_id = $2 AND role = coalesce($3, role) AND valid_to IS NULL",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(role)
    .bind(to_i64(recorded.stream_sequence))
    .execute(connection)
    .await?;
    Ok(())
}

async fn begin(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PrincipalEvent,
    roles: &[&str],
) -> Result<(), ProjectionError> {
    let commit = &recorded.commit;
    sqlx::query(
        "INSERT INTO grants (tenant, principal_id, role, valid_from, event_type, granted_at,
                             actor_kind, actor_id)
         SELECT $1, $2, role, $4, $5, $6, $7, $8 FROM unnest($3::text[]) AS role",
    )
    .bind(commit.tenant.as_str())
    .bind(&commit.aggregate_id)
    .bind(roles)
    .bind(to_i64(recorded.stream_sequence))
    .bind(event.wire_type())
    .bind(commit.recorded_at)
    .bind(commit.actor.kind.as_str())
    .bind(&commit.actor.id)
    .execute(connection)
    .await?;
    Ok(())
}

const COLUMNS: &str =
    "principal_id, role, valid_from, event_type, granted_at, actor_kind, actor_id";

/// What follows `FROM`: the grants in force at the connection's moment.
fn rows(connection: &TenantConnection) -> String {
    let moment = connection.moment();
    let range = match moment.is_now() {
        true => " AND valid_to IS NULL".to_owned(),
        false => moment.holds("valid_from", "coalesce(valid_to, 9223372036854775807)"),
    };
    format!("access.grants WHERE true{range}")
}

/// The grants in force, in the order in which they were given.
///
/// # Errors
/// [`QueryError`].
pub async fn grants(
    connection: &mut TenantConnection,
    page: &PageRequest,
) -> Result<Page<Grant>, QueryError> {
    let after = page.keyset()?;
    let position: Option<i64> = after
        .as_ref()
        .map(|after| after.key.parse().map_err(|_| QueryError::InvalidCursor))
        .transpose()?;
    let statement = format!(
        "SELECT {COLUMNS} FROM {}
         AND ($1::bigint IS NULL OR (valid_from, principal_id || ' ' || role) > ($1, $2))
         ORDER BY valid_from, principal_id || ' ' || role LIMIT $3",
        rows(connection)
    );
    let found = sqlx::query(&statement)
        .persistent(connection.moment().is_now())
        .bind(position)
        .bind(after.map(|after| after.id))
        .bind(page.limit())
        .fetch_all(&mut **connection)
        .await?;
    let found: Result<Vec<_>, _> = found.iter().map(read).collect();
    let cursor = |grant: &Grant| {
        let id = format!("{} {}", grant.principal, grant.role);
        Keyset::encode(&grant.stream_sequence.to_string(), &id)
    };
    Ok(Page::cut(found?, page.first, cursor))
}

/// The grants of one principal, in the order in which they were given; at most one for each role.
///
/// # Errors
/// [`QueryError`].
pub async fn grants_of(
    connection: &mut TenantConnection,
    principal: &PrincipalId,
) -> Result<Vec<Grant>, QueryError> {
    let statement = format!(
        "SELECT {COLUMNS} FROM {} AND principal_id = $1 ORDER BY valid_from, role",
        rows(connection)
    );
    let found = sqlx::query(&statement)
        .persistent(connection.moment().is_now())
        .bind(principal.as_str())
        .fetch_all(&mut **connection)
        .await?;
    found.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Grant, QueryError> {
    let kind: String = row.try_get("actor_kind")?;
    let role: String = row.try_get("role")?;
    Ok(Grant {
        principal: row
            .try_get::<String, _>("principal_id")?
            .try_into()
            .map_err(corrupt)?,
        role: Role::from_str(&role).map_err(corrupt)?,
        stream_sequence: to_u64(row.try_get("valid_from")?),
        event_type: row.try_get("event_type")?,
        granted_at: row.try_get("granted_at")?,
        granted_by: Actor {
            kind: ActorKind::from_str(&kind).map_err(corrupt)?,
            id: row.try_get("actor_id")?,
        },
    })
}
