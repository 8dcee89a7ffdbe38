//! What the `metamcp` program is made of, as a library for its integration tests.
//!
//! `cli.rs` is the index of the subcommands, one file each. `app.rs` puts the parts together, the same way
//! for `up`, `serve` and the tests. `embedded/` runs the private servers of `up`.

pub mod app;
pub mod audit;
pub mod bench_search;
pub mod cli;
mod dead_letter;
pub mod doctor;
pub mod embedded;
pub mod files;
pub mod import;
mod lock;
mod maintain;
pub mod openapi;
pub mod plan;
pub mod privacy;
mod provision;
pub mod publishers;
mod rebuild;
pub mod restore;
mod serve;
mod tenant;
mod token;
mod up;
mod waiting;
mod web;

pub use provision::{provision, provision_tenant};
