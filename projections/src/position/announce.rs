//! Tells the other instances how far the projectors of this one are.

use super::Positions;
use sqlx::postgres::PgPool;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The channel on which positions are announced: `<projector>:<stream_sequence>`.
pub(super) const CHANNEL: &str = "metamcp_position";
/// How long positions gather behind an announcement. The first one after a silence never waits.
const GATHER: Duration = Duration::from_millis(2);

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct News {
    positions: Mutex<BTreeMap<&'static str, u64>>,
    there_are: Notify,
}

impl News {
    pub(super) fn add(&self, projector: &'static str, stream_sequence: u64) {
        let mut positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        positions.insert(projector, stream_sequence);
        drop(positions);
        self.there_are.notify_one();
    }

    async fn next(&self) -> Vec<String> {
        self.there_are.notified().await;
        let taken = std::mem::take(
            &mut *self
                .positions
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        taken
            .into_iter()
            .map(|(projector, at)| format!("{projector}:{at}"))
            .collect()
    }
}

/// Announces for ever. What could not be told is not told again: the monitors of the others find it.
pub(super) async fn announce(positions: Positions, pool: PgPool) {
    loop {
        let news = positions.inner.news.next().await;
        if news.is_empty() {
            continue;
        }
        let told = sqlx::query("SELECT pg_notify($1, news) FROM unnest($2::text[]) AS news")
            .bind(CHANNEL)
            .bind(news)
            .execute(&pool)
            .await;
        if let Err(error) = told {
            tracing::debug!(%error, "positions could not be announced");
        }
        tokio::time::sleep(GATHER).await;
    }
}
