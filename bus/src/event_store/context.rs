//! An aggregate together with where its last commit lies.

use domain::AggregateRoot;
use domain::id::{CommandId, CommitId};
use std::collections::HashMap;

/// Where a commit lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRef {
    /// The commit.
    pub commit_id: CommitId,
    /// Position in the log.
    pub stream_sequence: u64,
    /// Position in the aggregate.
    pub aggregate_sequence: u64,
}

/// An aggregate folded from its history, and the position that its next commit must expect.
#[derive(Debug, Clone)]
pub struct AggregateContext<A> {
    pub(crate) aggregate_id: String,
    pub(crate) aggregate: A,
    pub(crate) stream_sequence: u64,
    pub(crate) aggregate_sequence: u64,
    pub(crate) hash: Option<String>,
    /// The commands that made it, so that a retry finds its answer after the server's window closed.
    pub(crate) commands: HashMap<CommandId, CommitRef>,
}

impl<A: AggregateRoot> AggregateContext<A> {
    /// An aggregate without history.
    #[must_use]
    pub fn empty(aggregate_id: &str) -> Self {
        Self {
            aggregate_id: aggregate_id.to_owned(),
            aggregate: A::default(),
            stream_sequence: 0,
            aggregate_sequence: 0,
            hash: None,
            commands: HashMap::new(),
        }
    }

    /// The aggregate's id.
    #[must_use]
    pub fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    /// The folded state.
    #[must_use]
    pub fn state(&self) -> &A {
        &self.aggregate
    }

    /// `stream_sequence` of the last commit; 0 when there is none.
    #[must_use]
    pub fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    /// `aggregate_sequence` of the last commit; 0 when there is none.
    #[must_use]
    pub fn aggregate_sequence(&self) -> u64 {
        self.aggregate_sequence
    }

    /// Hex SHA-256 of the last commit's body.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }
}

impl<A: AggregateRoot> cqrs_es::AggregateContext<A> for AggregateContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}
