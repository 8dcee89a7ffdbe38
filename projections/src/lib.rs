//! Read models: the only code that writes Postgres and LanceDB.
//!
//! A projector reads the log in order and keeps its tables; the rows and the checkpoint commit in one
//! transaction, so each commit of the log takes effect exactly once. Everything here can be dropped and
//! rebuilt from the log.
//!
//! # Reading order
//! 1. [`projector`]: what a projector is. 2. [`registry`]: the list of them. 3. [`runner`]: how they are
//!    driven (leadership, fencing, the log's identity, retry); [`dead_letter`]: what was parked, and its retry.
//! 4. [`catalog`], [`access`], [`archive`], [`manifests`], [`taxonomy`], [`reviews`], [`marketplace`], [`publishers`],
//!    [`usage`], [`search`]: the read models, each with its queries; [`ledger`]: the Merkle tree over the log and its
//!    signed heads; [`archived`]: commits written again from the archive.
//! 5. [`store`]: connections, the tenant's one under row-level security; [`moment`]: the present or the
//!    past, which such a connection looks at; [`sight`]: what of the tools its caller may see. 6. [`position`]: reading one's own
//!    writes, and health. 7. [`rebuild`]: the same model beside the live one, compared and swapped.
//! 8. [`vault`]: the keys of persons, which are no read model. 9. [`owners`]: that a tenant keeps one.

pub mod access;
pub mod archive;
pub mod archived;
mod by_id;
pub mod catalog;
mod checkpoint;
mod copy;
pub mod dead_letter;
pub mod error;
mod lease;
pub mod ledger;
pub mod manifests;
pub mod marketplace;
pub mod moment;
pub mod owners;
pub mod page;
pub mod position;
pub mod projector;
pub mod publishers;
pub mod rebuild;
pub mod registry;
pub mod reviews;
pub mod runner;
pub mod search;
pub mod sight;
pub mod store;
mod successors;
pub mod taxonomy;
pub mod usage;
pub mod vault;

pub use error::{ProjectionError, QueryError};
pub use moment::Moment;
pub use page::{Item, Page, PageRequest};
pub use position::{Positions, ProjectorHealth, ProjectorState};
pub use projector::{OnPoison, Projector, Recorded};
pub use sight::Sight;
pub use store::{Database, ReadPool, TenantConnection};
pub use vault::{Vault, VaultError};
