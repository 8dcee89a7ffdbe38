//! Keeps what the rows say of use.
//!
//! Uses are telemetry and come without an event. `search.uses` is what the rows say; it follows the recent uses of
//! `usage.tools` in steps: a tool is taken up again when its use has doubled or halved, so a search that sorts by use
//! sees its order of magnitude, and a tool in steady use is seldom written. Uses only leave the window when a day ends,
//! so a tool goes down at most once a day.
//!
//! **Delivery.** Rows are written while the transaction holds the projector's checkpoint, as the projector's own are:
//! there is one writer at a time. After a crash between the two some are written again.

use super::NAME;
use super::documents;
use super::projector::{SearchProjector, position};
use crate::checkpoint;
use crate::error::ProjectionError;
use crate::lease;
use crate::store::Database;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether uses have changed so much.
const LOOK: Duration = Duration::from_secs(5);
/// Most tools and tenants of one step; what is left waits for the next look.
const STEP: i64 = 512;

/// Uses that have more bits than the rows say, or fewer.
const DUE: &str = "FROM usage.tools LEFT JOIN search.uses USING (tenant, tool_id)
     WHERE recent >> coalesce(bucket, 0) > 0 OR recent >> (bucket - 1) = 0";

impl SearchProjector {
    /// Brings uses into the index until `stop`, whatever fails in between. Any number of processes may run it.
    pub async fn follow_uses(self, database: Database, stop: CancellationToken) {
        let pool = database.owner_pool(1);
        while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
            let step = async {
                let mut connection = pool.acquire().await?;
                self.bring_uses(&mut connection).await
            };
            if let Err(error) = step.await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "uses are not brought into the search index at the moment"
                );
            }
        }
    }

    async fn bring_uses(&self, connection: &mut PgConnection) -> Result<(), ProjectionError> {
        let statement = format!("SELECT EXISTS (SELECT {DUE})");
        let due = sqlx::query_scalar(&statement).fetch_one(&mut *connection);
        if !due.await? {
            return Ok(());
        }
        lease::begin(connection).await?;
        let mut transaction = connection.begin().await?;
        let entered = checkpoint::enter(&mut transaction, NAME, NAME, true).await?;
        let tools: Vec<String> = sqlx::query_scalar(&format!(
            "WITH due AS (
                 SELECT tool_id, tenant, length(ltrim(recent::bit(64)::text, '0')) AS bits {DUE}
                 ORDER BY tool_id, tenant LIMIT $1
             ), kept AS (
                 INSERT INTO search.uses (tool_id, tenant, bucket)
                 SELECT tool_id, tenant, bits FROM due WHERE bits > 0
                 ON CONFLICT (tool_id, tenant) DO UPDATE SET bucket = excluded.bucket
             ), gone AS (
                 DELETE FROM search.uses USING due
                 WHERE uses.tool_id = due.tool_id AND uses.tenant = due.tenant AND bits = 0
             )
             SELECT DISTINCT tool_id FROM due"
        ))
        .bind(STEP)
        .fetch_all(&mut *transaction)
        .await?;
        let position = position(&mut transaction, entered.at.stream_sequence).await?;
        let documents = documents::of_tools(&mut transaction, &tools).await?;
        self.write(&mut transaction, position, &documents).await?;
        transaction.commit().await?;
        Ok(())
    }
}
