//! What every handler shares. Cheap to clone; built once at start-up.

use crate::authn::{PrincipalCache, Tokens};
use crate::authz::{Authorizer, Denials, RecordedPolicies};
use crate::config::Config;
use crate::telemetry::SEARCH_SECONDS;
use bus::{Dispatcher, Feed, Log, UsageRecorder};
use metrics_exporter_prometheus::PrometheusHandle;
use projections::search::{self, CurrentIndex, SearchAnswer, SearchError, SearchRequest};
use projections::{Positions, ReadPool, Vault};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shared state of the API; dereferences to its [`Parts`].
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of the state.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where commands go.
    pub dispatcher: Dispatcher,
    /// The log, for its head and its health.
    pub log: Log,
    /// Where queries go: connections bound to one tenant by row-level security.
    pub reads: ReadPool,
    /// How far each projector is: for reading one's own writes, and for health.
    pub positions: Positions,
    /// The live search index.
    pub search: CurrentIndex,
    /// Who may do what; what it refuses goes on record.
    pub authorizer: Arc<dyn Authorizer>,
    /// What past policies allowed.
    pub policies: RecordedPolicies,
    /// The record of refusals, for answers that wait for it.
    pub denials: Denials,
    /// The live end of the log.
    pub feed: Feed,
    /// Records what agents use, without waiting.
    pub usage: UsageRecorder,
    /// Seals personal fields.
    pub vault: Vault,
    /// Issues and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// The principals of recent requests.
    pub principals: PrincipalCache,
    /// Renders the metrics of this process.
    pub metrics: PrometheusHandle,
}

impl AppState {
    /// Shares the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Searches for a surface, measures it, and says in the answer when the index is behind the log.
    pub(crate) async fn search(
        &self,
        request: &SearchRequest,
        surface: &'static str,
    ) -> Result<SearchAnswer, SearchError> {
        let began = Instant::now();
        let mut answer = self.search.search(request).await?;
        metrics::histogram!(SEARCH_SECONDS, "surface" => surface).record(began.elapsed());
        let health = self.positions.health();
        let health = health
            .iter()
            .find(|health| health.projector == search::NAME);
        let behind = health.and_then(|health| {
            behind(
                health.position,
                health.head,
                self.positions.staleness(search::NAME),
            )
        });
        answer.notice = match (answer.notice, behind) {
            (Some(notice), Some(behind)) => Some(format!("{notice}; {behind}")),
            (notice, behind) => notice.or(behind),
        };
        Ok(answer)
    }
}

/// A write is in the index within a fraction of a second; what lasts longer is worth a word.
const BEHIND: Duration = Duration::from_secs(2);

fn behind(position: u64, head: u64, since: Duration) -> Option<String> {
    (position < head && since >= BEHIND).then(|| {
        format!(
            "the search index has {position} of the log's {head} commits so far: tools may be missing"
        )
    })
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_stays_behind_is_worth_a_word() {
        assert_eq!(behind(9, 9, Duration::MAX), None);
        assert_eq!(behind(8, 9, Duration::from_millis(100)), None);
        let notice = behind(8, 9, Duration::from_secs(3)).unwrap();
        assert!(notice.contains("8 of the log's 9"), "{notice}");
    }
}
