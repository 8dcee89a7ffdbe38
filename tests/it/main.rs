//! The integration tests: one binary, real servers, a tree that mirrors the surfaces.

mod access;
mod docs;
mod embedded;
mod faults;
mod graphql;
mod health;
mod import;
mod log;
mod mcp;
mod projections;
mod search;
mod support;
mod up;
