//! `metamcp import registry`: mirrors a registry that speaks the official MCP registry's API, or documents in a
//! file.
//!
//! **What is kept.** Every version's document as it is there, and its status. A version that is deleted there is
//! deleted here; what was never here is not brought in to be deleted.
//!
//! **Where it stands** is in the log and nowhere else: each event of a mirror says on which page of which pass it
//! was read, and when that pass began ([`domain::server::Mirrored`]). A run first ends the pass that the last
//! event belongs to, from its page on, and then asks for what has changed since that pass began. What is read
//! twice changes nothing, so a run that was stopped, by whatever, is finished by running it again.
//!
//! # Reading order
//! `passes.rs` (what happens), `fetch.rs` (pages), `entry.rs` (what a page or a file holds), `apply.rs` (from an
//! entry to commands), `summary.rs` (what is told), `progress.rs` (and meanwhile), `command.rs` (the command line).

mod apply;
mod command;
mod entry;
mod fetch;
mod file;
mod passes;
mod progress;
mod summary;

pub use command::{Args, run_command};
pub use entry::slug_of;
pub use fetch::{FetchError, Registry};
pub use file::read_documents;
pub use passes::{mirror_documents, mirror_registry};
pub use summary::{Refusal, Summary};

use bus::{BusError, Dispatcher};
use domain::envelope::Actor;
use domain::id::TenantId;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Into which registry, on whose behalf, and until when.
#[derive(Debug)]
pub struct Target<'a> {
    /// Where commands go.
    pub dispatcher: &'a Dispatcher,
    /// The tenant.
    pub tenant: &'a TenantId,
    /// Who mirrors.
    pub actor: &'a Actor,
    /// How long a page, or the log, is tried while it does not answer.
    pub patience: Duration,
    /// Ends the mirror after the entry that it is at.
    pub stop: &'a CancellationToken,
}

/// Why a mirror ended before its end. What it did stays, and a run that gets further goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Nothing was changed.
    #[error("there is no tenant `{0}`: check --tenant, or register the tenant first")]
    UnknownTenant(TenantId),
    /// The registry does not answer, or not as one does. Its source says what to do, which is seldom to try again.
    #[error("the registry cannot be read further; what was mirrored stays")]
    Fetch(#[from] FetchError),
    /// The log stayed away.
    #[error("the event log failed; run the same command again: it goes on where it stopped")]
    Log(#[from] BusError),
}
