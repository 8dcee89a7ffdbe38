//! `metamcp audit`: keys, tree heads, proofs, and exports of the log that an outsider verifies. What an export
//! holds, and what a verification can and cannot find: `docs/audit.md`.

mod chain;
mod command;
mod examine;
mod export;
mod fault;
pub mod format;
mod read;
mod signed_heads;
mod signed_to;
mod verify;
mod verify_file;

pub use export::{Bounds, export};
pub use fault::Fault;
pub use read::{Lines, heads, keys};
pub use verify::{Kept, Verified, Verifier};
pub use verify_file::verify_file;

pub(crate) use chain::{Link, follows};
pub(crate) use command::{Command, bar, first_key, run};
pub(crate) use signed_heads::Shelf;
