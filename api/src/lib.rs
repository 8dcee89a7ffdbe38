//! The only part that knows HTTP: GraphQL for people's consoles, MCP for agents, and health.
//!
//! # Reading order
//! 1. [`router`]: the index of every route, with the layers around them.
//! 2. [`authn`] and [`context`]: from a bearer token to a [`context::Caller`].
//! 3. [`authz`]: from a caller, an action and a resource to yes or no. The rules are `policy/*.polar`.
//! 4. [`graphql`] and [`mcp`]: the two surfaces. A write is resolver → authorizer → dispatcher; a read is
//!    resolver → authorizer → query. There is no layer between.
//!    [`registry`] is a third one, for reading only.
//!    What both answer alike stands once: `resolution`, `published`, `recommend`.
//! 5. [`error`]: the one taxonomy, and its three outward forms.
//! 6. [`trust`]: looks up what proves a publisher's namespace. [`fetch`]: reads what other servers answer.
//! 7. [`config`], [`state`], [`telemetry`], [`serve`]: what surrounds them.

// The merged root types of the schema nest one level for each of their parts.
#![recursion_limit = "256"]

pub mod authn;
pub mod authz;
pub mod config;
pub mod context;
pub mod error;
pub mod fetch;
pub mod graphql;
pub mod http;
pub mod mcp;
mod published;
mod recommend;
pub mod registry;
mod resolution;
pub mod router;
pub mod serve;
pub mod state;
pub mod telemetry;
pub mod trust;
