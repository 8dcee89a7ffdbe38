//! The aggregates that were used last, of all types in one bounded cache.
//!
//! Where it is asked, the type is known again; inside, nothing depends on it, so that it is compiled once and not by
//! every crate that sends commands.

use crate::event_store::AggregateContext;
use domain::AggregateRoot;
use domain::id::TenantId;
use moka::sync::Cache;
use std::any::Any;
use std::sync::Arc;

/// Aggregates that are kept in memory.
const CACHED_AGGREGATES: u64 = 10_000;

type AnyAggregate = Arc<dyn Any + Send + Sync>;

#[derive(Clone)]
pub(super) struct Aggregates(Cache<String, AnyAggregate>);

impl Aggregates {
    pub(super) fn new() -> Self {
        Self(Cache::new(CACHED_AGGREGATES))
    }

    pub(super) fn get<A: AggregateRoot>(&self, key: &str) -> Option<Arc<AggregateContext<A>>> {
        Arc::downcast(self.any(key)?).ok()
    }

    pub(super) fn keep<A: AggregateRoot>(&self, key: String, aggregate: Arc<AggregateContext<A>>) {
        self.keep_any(key, aggregate);
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.invalidate(key);
    }

    fn any(&self, key: &str) -> Option<AnyAggregate> {
        self.0.get(key)
    }

    fn keep_any(&self, key: String, aggregate: AnyAggregate) {
        self.0.insert(key, aggregate);
    }
}

pub(super) fn key<A: AggregateRoot>(tenant: &TenantId, aggregate_id: &str) -> String {
    format!("{tenant}.{}.{aggregate_id}", A::TYPE)
}
