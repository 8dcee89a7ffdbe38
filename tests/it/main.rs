//! The integration tests: one binary, real servers, a tree that mirrors the surfaces.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why it is skipped"
)]

mod access;
mod as_of;
mod audit;
mod commands;
mod docs;
mod doctor;
mod embedded;
mod evolution;
mod faults;
mod files;
mod graphql;
mod health;
mod import;
mod ledger;
mod log;
mod marketplace;
mod mcp;
mod model_change;
mod nats_security;
mod privacy;
mod projections;
mod publishers;
mod recommend;
mod registry;
mod reviews;
mod search;
mod secrets;
mod similar;
mod story;
mod support;
mod taxonomy;
mod teams;
mod tokens;
mod up;
mod versions;
