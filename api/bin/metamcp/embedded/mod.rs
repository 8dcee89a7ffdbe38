//! The servers that `metamcp up` and the tests run: a private PostgreSQL and a private nats-server.
//!
//! Both are children of this process and live in one [`DataDir`], which one process at a time may
//! hold. They listen on loopback ports of their own, which stay the same across restarts, and ask
//! for random passwords made at the first start. Started as root, they run as other users.
//!
//! - **Nothing is left behind.** [`EmbeddedServers::stop`] ends them in order; dropping ends them
//!   too. Were this process killed, a leash ends them (see `process.rs`), and whatever still runs
//!   on the data directory is ended before the next start.
//! - **No loss.** nats-server syncs before it acknowledges unless [`Options::sync_always`] is off.
//! - **Recovery.** [`EmbeddedServers::supervise`] restarts a server that died, on the same port.
//!
//! Reading order: `data_dir.rs`, `process.rs`, `service.rs`, then `nats.rs` and `postgres.rs`.

mod data_dir;
mod error;
mod files;
mod initdb;
mod locate;
mod nats;
mod orphan;
mod ports;
mod postgres;
mod process;
mod service;
mod supervisor;
mod user;

pub use data_dir::{DataDir, Instance};
pub use error::EmbeddedError;
pub use locate::{NATS_MINIMUM, NatsProgram, POSTGRES_MINIMUM, PostgresPrograms, tools_dir};
pub(crate) use locate::{on_path, version_of};
pub use nats::{NATS_USER, NatsServer};
pub use postgres::PostgresServer;
pub use supervisor::{EmbeddedServers, Pids, Supervisor};

/// How the servers run. The default is what `metamcp up` uses.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether an acknowledged write is on disk, in both servers. Tests that do not measure or
    /// prove durability may turn it off to be faster.
    pub sync_always: bool,
    /// Whether PostgreSQL writes every statement to its log. Tests count them there.
    pub log_statements: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync_always: true,
            log_statements: false,
        }
    }
}
