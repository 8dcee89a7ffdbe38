//! What every handler shares. Cheap to clone; built once at start-up.

use crate::authn::{PrincipalCache, Tokens};
use crate::authz::Authorizer;
use crate::config::Config;
use bus::{Dispatcher, Log};
use metrics_exporter_prometheus::PrometheusHandle;
use projections::search::CurrentIndex;
use projections::{Positions, ReadPool, Vault};
use std::ops::Deref;
use std::sync::Arc;

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
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
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
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
