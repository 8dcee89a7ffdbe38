//! What a batch changes beside the rows that it writes whole: a statement each.

use super::rows::{InstallationRow, Key};
use crate::catalog::save::fetch;
use crate::error::ProjectionError;
use domain::installation::Version;
use domain::tool::Deprecation;
use domain::tool::reference::{Offer, current};
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// A version that may be the current one.
#[derive(Deserialize)]
struct OfferRow {
    tenant: String,
    tool_id: String,
    tool_version: Version,
    yanked: bool,
}

/// Versions that were yanked, with the reason, or are not any more.
pub(super) async fn save_yanked(
    connection: &mut PgConnection,
    versions: &BTreeMap<(Key, &Version), Option<&str>>,
) -> Result<(), ProjectionError> {
    if versions.is_empty() {
        return Ok(());
    }
    let (tenants, tools, names) = unzip(versions.keys());
    let reasons: Vec<_> = versions.values().copied().collect();
    sqlx::query(
        "UPDATE versions SET yanked = r IS NOT NULL, yanked_reason = r
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS touched (t, i, v, r)
         WHERE tenant = t AND tool_id = i AND tool_version = v",
    )
    .bind(tenants)
    .bind(tools)
    .bind(names)
    .bind(reasons)
    .execute(connection)
    .await?;
    Ok(())
}

/// Versions of which something else is said to those who use them.
pub(super) async fn save_deprecated(
    connection: &mut PgConnection,
    versions: &BTreeMap<(Key, &Version), Option<&Deprecation>>,
) -> Result<(), ProjectionError> {
    if versions.is_empty() {
        return Ok(());
    }
    let (tenants, tools, names) = unzip(versions.keys());
    let told: Vec<_> = versions.values().map(|told| told.map(Json)).collect();
    sqlx::query(
        "UPDATE versions SET deprecation = d
         FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) AS touched (t, i, v, d)
         WHERE tenant = t AND tool_id = i AND tool_version = v",
    )
    .bind(tenants)
    .bind(tools)
    .bind(names)
    .bind(told)
    .execute(connection)
    .await?;
    Ok(())
}

/// Versions of tools by column.
fn unzip<'k>(
    versions: impl Iterator<Item = &'k (Key, &'k Version)>,
) -> (Vec<&'k str>, Vec<&'k str>, Vec<String>) {
    let (mut tenants, mut tools, mut names) = (vec![], vec![], vec![]);
    for ((tenant, tool), version) in versions {
        tenants.push(tenant.as_str());
        tools.push(tool.as_str());
        names.push(version.to_string());
    }
    (tenants, tools, names)
}

/// Which version of a tool is the current one, by the rule of the domain.
pub(super) async fn find_current(
    connection: &mut PgConnection,
    changed: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    if changed.is_empty() {
        return Ok(());
    }
    let statement = "SELECT jsonb_build_object('tenant', tenant, 'tool_id', tool_id,
                'tool_version', tool_version, 'yanked', yanked) FROM versions
         JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND tool_id = i";
    let mut offers: BTreeMap<Key, Vec<OfferRow>> = BTreeMap::new();
    for Json(row) in fetch::<OfferRow>(connection, statement, changed).await? {
        let key = (row.tenant.clone(), row.tool_id.clone());
        offers.entry(key).or_default().push(row);
    }
    let (mut tenants, mut tools, mut versions) = (vec![], vec![], vec![]);
    for ((tenant, tool), rows) in &offers {
        let offers = rows.iter().map(|row| Offer {
            version: &row.tool_version,
            yanked: row.yanked,
        });
        if let Some(version) = current(offers) {
            tenants.push(tenant.as_str());
            tools.push(tool.as_str());
            versions.push(version.to_string());
        }
    }
    sqlx::query(
        "UPDATE listings SET tool_version = v
         FROM unnest($1::text[], $2::text[], $3::text[]) AS found (t, i, v)
         WHERE tenant = t AND tool_id = i",
    )
    .bind(tenants)
    .bind(tools)
    .bind(versions)
    .execute(connection)
    .await?;
    Ok(())
}

/// The definitions of a tool are shown exactly when the tool is.
pub(super) async fn list_versions(
    connection: &mut PgConnection,
    tools: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    if tools.is_empty() {
        return Ok(());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) =
        tools.iter().map(|(t, i)| (t.as_str(), i.as_str())).unzip();
    sqlx::query(
        "UPDATE versions SET listed = listings.listed
         FROM listings JOIN unnest($1::text[], $2::text[]) AS touched (t, i)
              ON listings.tenant = t AND listings.tool_id = i
         WHERE versions.tenant = listings.tenant AND versions.tool_id = listings.tool_id
           AND versions.listed <> listings.listed",
    )
    .bind(tenants)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what was uninstalled, for both sides.
pub(super) async fn forget(
    connection: &mut PgConnection,
    uninstalled: &[InstallationRow],
) -> Result<(), ProjectionError> {
    if uninstalled.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&InstallationRow) -> &str| -> Vec<&str> {
        uninstalled.iter().map(value).collect()
    };
    sqlx::query(
        "WITH gone (tenant, id, publisher, tool) AS (
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         ), dependents AS (
             DELETE FROM dependents USING gone
             WHERE dependents.tenant = gone.publisher AND dependents.tool_id = gone.tool
               AND dependents.installer = gone.tenant
         )
         DELETE FROM installations USING gone
         WHERE installations.tenant = gone.tenant AND installations.installation_id = gone.id",
    )
    .bind(column(|row| &row.tenant))
    .bind(column(|row| &row.installation_id))
    .bind(column(|row| &row.publisher))
    .bind(column(|row| &row.tool_id))
    .execute(connection)
    .await?;
    Ok(())
}
