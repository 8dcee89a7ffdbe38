//! The log: the only code that speaks NATS.
//!
//! One commit is one message on the stream `METAMCP_EVENTS`, subject
//! `metamcp.event.<tenant>.<aggregate>.<id>`. A publish carries the position that the command saw of its
//! aggregate, so two writers never both win; the server's acknowledgement means that the commit is on disk.
//!
//! # Reading order
//! 1. [`subject`]: where a commit lies. 2. [`stream`]: connecting, and the stream's asserted configuration.
//! 3. [`event_store`]: load and append one aggregate. 4. [`dispatch`]: from a command to a commit.
//! 5. [`consumer`]: reading the whole log in order. 6. [`feed`]: its live end, shared by a process.

pub mod consumer;
pub mod dispatch;
pub mod error;
pub mod event_store;
pub mod feed;
pub mod stream;
pub mod subject;
mod trace;

pub use consumer::{LogEntry, LogReader};
pub use dispatch::{CommandContext, Committed, DispatchError, Dispatcher};
pub use error::BusError;
pub use feed::Feed;
pub use stream::{Log, LogOptions};
