//! What a principal was before a commit.

use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::Recorded;
use sqlx::PgConnection;

/// Keeps the image of the principal that a commit is about to change; from then on, its row holds since
/// that commit. Nothing is kept for a principal that only begins.
pub(super) async fn supersede(
    connection: &mut PgConnection,
    recorded: &Recorded,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "WITH image AS (
             INSERT INTO principals_past (tenant, principal_id, roles, teams, active,
                                          tokens_revoked_before, updated_at, valid_from, valid_to)
             SELECT tenant, principal_id, roles, teams, active, tokens_revoked_before, updated_at, valid_from, $3
             FROM principals WHERE tenant = $1 AND principal_id = $2 AND valid_from < $3
         )
         UPDATE principals SET valid_from = $3 WHERE tenant = $1 AND principal_id = $2",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(to_i64(recorded.stream_sequence))
    .execute(connection)
    .await?;
    Ok(())
}
