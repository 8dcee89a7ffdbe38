//! What a tenant says of versions whose sunset has come, and since when. Each rule is a row of its own, so the
//! table knows the past as it knows the present.

use crate::checkpoint::to_i64;
use crate::error::{ProjectionError, QueryError, corrupt};
use crate::projector::Recorded;
use crate::store::TenantConnection;
use domain::tenant::{AfterSunset, TenantAfterSunsetSet};
use sqlx::PgConnection;
use std::str::FromStr;

/// The rule in force, for a statement over the present.
pub(super) const PRESENT: &str =
    "(SELECT after_sunset FROM access.sunset_rules ORDER BY valid_from DESC LIMIT 1)";

/// Adds a rule.
pub(super) async fn apply(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &TenantAfterSunsetSet,
) -> Result<(), ProjectionError> {
    let statement =
        "INSERT INTO sunset_rules (tenant, valid_from, after_sunset) VALUES ($1, $2, $3)";
    sqlx::query(statement)
        .bind(recorded.commit.tenant.as_str())
        .bind(to_i64(recorded.stream_sequence))
        .bind(event.after_sunset.map(AfterSunset::as_str))
        .execute(connection)
        .await?;
    Ok(())
}

/// What the connection's tenant said at the connection's moment; none when it said nothing, and the installation
/// decides.
///
/// # Errors
/// [`QueryError`].
pub async fn after_sunset(
    connection: &mut TenantConnection,
) -> Result<Option<AfterSunset>, QueryError> {
    let moment = connection.moment();
    let statement = format!(
        "SELECT after_sunset FROM access.sunset_rules WHERE true{} ORDER BY valid_from DESC LIMIT 1",
        moment.since("valid_from")
    );
    let rule: Option<Option<String>> = sqlx::query_scalar(&statement)
        .persistent(moment.is_now())
        .fetch_optional(&mut **connection)
        .await?;
    read(rule.flatten().as_deref())
}

pub(super) fn read(rule: Option<&str>) -> Result<Option<AfterSunset>, QueryError> {
    rule.map(AfterSunset::from_str).transpose().map_err(corrupt)
}
