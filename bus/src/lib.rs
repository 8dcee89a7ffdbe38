//! The log: the only code that speaks NATS.
//!
//! One commit is one message on the stream `METAMCP_EVENTS`, subject
//! `metamcp.event.<tenant>.<aggregate>.<id>`. A publish carries the position that the command saw of its
//! aggregate, so two writers never both win; the server's acknowledgement means that the commit is on disk.
//!
//! # Reading order
//! 1. [`subject`]: where a commit lies. 2. [`stream`]: connecting, and the stream's asserted configuration.
//! 3. [`event_store`]: load and append one aggregate. 4. [`dispatch`]: from a command to a commit; with
//!    [`dispatch::Merge`], where the command is made of what the object says, on exactly that.
//! 5. [`consumer`]: reading the whole log in order. 6. [`tail`] and [`feed`]: its live end, read once for those in a
//!    process who keep read models, and for those who follow a tenant.
//! 7. [`tree_heads`]: the signed tree heads beside it. 8. [`restore`]: filling an empty log with what another one held.

pub mod consumer;
pub mod dispatch;
pub mod error;
pub mod event_store;
pub mod feed;
pub mod restore;
pub mod stream;
pub mod subject;
pub mod tail;
mod trace;
pub mod tree_heads;
pub mod usage;

pub use consumer::{LogEntry, LogReader};
pub use dispatch::{CommandContext, Committed, DispatchError, Dispatcher, PlannedError, UndoError};
pub use error::BusError;
pub use feed::Feed;
pub use restore::{RestoreError, RestoredCommit};
pub use stream::{Log, LogOptions};
pub use tail::Tail;
pub use tree_heads::{SignerAnswer, StoredHead, TreeHeads};
pub use usage::{Usage, UsageRecorder, Use};
