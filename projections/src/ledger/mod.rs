//! The ledger: a Merkle tree (RFC 9162) over the commits of all tenants in stream order, and its signed
//! heads. With a head that was kept elsewhere, an outsider checks the log without trusting whoever runs it.
//!
//! # Reading order
//! 1. [`projector`]: the tree's nodes, as a read model. It hashes bodies and decodes nothing, so it covers
//!    commits that other projectors park. 2. [`tree`]: roots and proofs from those rows.
//! 3. [`note`]: the signed form of a head; [`keys`]: who signs. 4. [`heads`]: the heads in Postgres.
//! 5. [`signer`]: when a head is signed, and what is compared before; [`sinks`]: where copies go.

pub mod heads;
pub mod keys;
pub mod note;
mod projector;
pub mod signer;
pub mod sinks;
pub mod tree;

pub use keys::LedgerKeys;
pub use note::{SignedHead, SigningKey, TreeHead, VerifyingKey};
pub use projector::LedgerProjector;
pub use signer::{SignError, Signer};
pub use sinks::Sinks;

/// The projector's name.
pub const NAME: &str = "ledger";
