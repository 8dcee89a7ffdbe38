//! Read model `access`: tenants with their rules, principals, their roles, and the policies on record. Authentication and authorization read it, so
//! its projector stops at a commit that it cannot apply instead of passing it over. It also is the
//! place that shows principals' personal fields in plain: erasing a person wipes them here and destroys the key, in
//! the transaction that moves the checkpoint.

mod grants;
mod past;
mod policies;
mod sunset;

pub use grants::{Grant, grants, grants_of};
pub use policies::{AdoptedPolicy, Adoption, adoptions, last_adoption_of, policy};
pub use sunset::after_sunset;

use crate::checkpoint::to_i64;
use crate::error::{ProjectionError, QueryError};
use crate::moment::{FOREVER, Moment};
use crate::page::{Keyset, Page, PageRequest};
use crate::projector::{OnPoison, Projector, Recorded};
use crate::rebuild::copies_of;
use crate::store::TenantConnection;
use crate::vault;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::AnyEvent;
use domain::id::{PrincipalId, TenantId};
use domain::personal::{Personal, erased_handle};
use domain::principal::{
    PrincipalDescribed, PrincipalEvent, PrincipalKind, PrincipalRegistered, Role,
};
use domain::tenant::{AfterSunset, TenantEvent};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

/// The projector's name.
pub const NAME: &str = "access";

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
         SET handle = $3, display_name = NULL, email = NULL, roles = '{}', active = false,
             erased_at = $4, updated_at = $4
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

fn exactly_one(recorded: &Recorded, rows: u64) -> Result<(), ProjectionError> {
    if rows == 1 {
        return Ok(());
    }
    Err(ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason: format!(
            "{} {} has no row",
            recorded.commit.aggregate, recorded.commit.aggregate_id
        ),
    })
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its slug.
    pub id: TenantId,
    /// The name that people read.
    pub display_name: String,
    /// What it says of versions whose sunset has come; none to do as the installation does.
    pub after_sunset: Option<AfterSunset>,
    /// When it began.
    pub registered_at: DateTime<Utc>,
}

/// A principal with its roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// The name that it is known by; `erased:` and its id when that cannot be read any more.
    pub handle: String,
    /// The name that people read.
    pub display_name: Option<String>,
    /// An address of electronic mail.
    pub email: Option<String>,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// False when it is deactivated.
    pub active: bool,
    /// Tokens issued before this are refused.
    pub tokens_revoked_before: Option<DateTime<Utc>>,
    /// When the person was forgotten.
    pub erased_at: Option<DateTime<Utc>>,
    /// When it began.
    pub registered_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The connection's tenant; none when it is not registered.
///
/// # Errors
/// [`QueryError`].
pub async fn tenant(connection: &mut TenantConnection) -> Result<Option<Tenant>, QueryError> {
    let statement = format!(
        "SELECT tenant, display_name, registered_at, {} FROM access.tenants",
        sunset::PRESENT
    );
    let row = sqlx::query(&statement)
        .fetch_optional(&mut **connection)
        .await?;
    row.map(|row| {
        Ok(Tenant {
            id: row.try_get::<String, _>(0)?.try_into().map_err(corrupt)?,
            display_name: row.try_get(1)?,
            registered_at: row.try_get(2)?,
            after_sunset: sunset::read(row.try_get::<Option<&str>, _>(3)?)?,
        })
    })
    .transpose()
}

const COLUMNS: &str = "principal_id, kind, handle, display_name, email, roles, active, \
                       tokens_revoked_before, erased_at, registered_at, updated_at";

/// `SELECT` of the principals that there are at a moment. What never changes stands in the live row only,
/// and so do personal fields: corrected or erased, they are so in the past, too.
fn select(moment: Moment) -> String {
    let rows = match moment {
        Moment::Now => "access.principals WHERE true".to_owned(),
        Moment::At(_) => moment.either(
            &format!(
                "SELECT tenant, {COLUMNS}, valid_from, {FOREVER} AS valid_to FROM access.principals"
            ),
            "SELECT tenant, principal_id, live.kind, live.handle, live.display_name, live.email,
                    past.roles, past.active, past.tokens_revoked_before,
                    NULL::timestamptz AS erased_at, live.registered_at, past.updated_at,
                    past.valid_from, past.valid_to
             FROM access.principals_past AS past
             JOIN access.principals AS live USING (tenant, principal_id)",
            "principals",
        ),
    };
    format!("SELECT {COLUMNS} FROM {rows}")
}

/// One principal.
///
/// # Errors
/// [`QueryError`].
pub async fn principal(
    connection: &mut TenantConnection,
    id: &PrincipalId,
) -> Result<Option<Principal>, QueryError> {
    let mut found = principals_by_id(connection, std::slice::from_ref(id)).await?;
    Ok(found.remove(id))
}

/// Several principals in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn principals_by_id(
    connection: &mut TenantConnection,
    ids: &[PrincipalId],
) -> Result<HashMap<PrincipalId, Principal>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(PrincipalId::as_str).collect();
    let moment = connection.moment();
    let statement = format!("{} AND principal_id = ANY ($1)", select(moment));
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    rows.iter()
        .map(|row| read_principal(row).map(|principal| (principal.id.clone(), principal)))
        .collect()
}

/// The tenant's principals by handle.
///
/// # Errors
/// [`QueryError`].
pub async fn principals(
    connection: &mut TenantConnection,
    page: &PageRequest,
) -> Result<Page<Principal>, QueryError> {
    let after = page.keyset()?.map(|keyset| keyset.key);
    let moment = connection.moment();
    let statement = format!(
        "{} AND ($1::text IS NULL OR handle > $1) ORDER BY handle LIMIT $2",
        select(moment)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(after)
        .bind(page.limit())
        .fetch_all(&mut **connection)
        .await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read_principal).collect();
    let cursor = |row: &Principal| Keyset::encode(&row.handle, row.id.as_str());
    Ok(Page::cut(rows?, page.first, cursor))
}

/// How many active owners the tenant has.
///
/// # Errors
/// [`QueryError`].
pub async fn count_active_owners(connection: &mut TenantConnection) -> Result<i64, QueryError> {
    let statement = "SELECT count(*) FROM access.principals WHERE active AND $1 = ANY (roles)";
    let count = sqlx::query_scalar(statement)
        .bind(Role::Owner.as_str())
        .fetch_one(&mut **connection)
        .await?;
    Ok(count)
}

fn read_principal(row: &PgRow) -> Result<Principal, QueryError> {
    let roles: Result<BTreeSet<_>, _> = row
        .try_get::<Vec<String>, _>("roles")?
        .iter()
        .map(|role| Role::from_str(role))
        .collect();
    let kind: String = row.try_get("kind")?;
    Ok(Principal {
        id: row
            .try_get::<String, _>("principal_id")?
            .try_into()
            .map_err(corrupt)?,
        kind: PrincipalKind::from_str(&kind).map_err(corrupt)?,
        handle: row.try_get("handle")?,
        display_name: row.try_get("display_name")?,
        email: row.try_get("email")?,
        roles: roles.map_err(corrupt)?,
        active: row.try_get("active")?,
        tokens_revoked_before: row.try_get("tokens_revoked_before")?,
        erased_at: row.try_get("erased_at")?,
        registered_at: row.try_get("registered_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

pub(crate) fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> QueryError {
    QueryError::Corrupt(error.into())
}
