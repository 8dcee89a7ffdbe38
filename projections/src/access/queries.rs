//! Tenants, and principals with their roles and teams: as they are, and principals as they were at a moment.

use super::sunset;
use crate::by_id::one_of;
use crate::error::{QueryError, corrupt};
use crate::moment::{FOREVER, Moment};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::id::{PrincipalId, TenantId};
use domain::principal::{PrincipalKind, Role};
use domain::team::Team;
use domain::tenant::AfterSunset;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

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

/// A principal with its roles and teams.
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
    /// The teams that it is in.
    pub teams: BTreeSet<Team>,
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

const COLUMNS: &str = "principal_id, kind, handle, display_name, email, roles, teams, active, \
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
                    past.roles, past.teams, past.active, past.tokens_revoked_before,
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
    let statement = format!(
        "{} AND {}",
        select(moment),
        one_of("principal_id", "$1", ids.len())
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    rows.iter()
        .map(|row| read_principal(row).map(|principal| (principal.id.clone(), principal)))
        .collect()
}

/// The tenant's principals by handle, all or those in a team.
///
/// # Errors
/// [`QueryError`].
pub async fn principals(
    connection: &mut TenantConnection,
    team: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Principal>, QueryError> {
    let after = page.keyset()?.map(|keyset| keyset.key);
    let moment = connection.moment();
    let statement = format!(
        "{} AND ($1::text IS NULL OR handle > $1) AND ($3::text IS NULL OR $3 = ANY (teams)) ORDER BY handle LIMIT $2",
        select(moment)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(after)
        .bind(page.limit())
        .bind(team)
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
    count_active_owners_besides(connection, &[]).await
}

/// How many active owners the tenant has besides these.
///
/// # Errors
/// [`QueryError`].
pub async fn count_active_owners_besides(
    connection: &mut TenantConnection,
    besides: &[PrincipalId],
) -> Result<i64, QueryError> {
    let besides: Vec<&str> = besides.iter().map(PrincipalId::as_str).collect();
    let statement = "SELECT count(*) FROM access.principals
                     WHERE active AND $1 = ANY (roles) AND principal_id <> ALL ($2)";
    let count = sqlx::query_scalar(statement)
        .bind(Role::Owner.as_str())
        .bind(besides)
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
    let teams: Result<BTreeSet<_>, _> = row
        .try_get::<Vec<String>, _>("teams")?
        .into_iter()
        .map(Team::new)
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
        teams: teams.map_err(corrupt)?,
        active: row.try_get("active")?,
        tokens_revoked_before: row.try_get("tokens_revoked_before")?,
        erased_at: row.try_get("erased_at")?,
        registered_at: row.try_get("registered_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
