//! The GraphQL surface, for consoles and scripts.
//!
//! A read is: resolver → authorizer → query of the read model. A write is: resolver → authorizer →
//! dispatcher → wait for the read model. There is no layer between. The tenant is the caller's, always; an
//! object that is hidden and one that is absent answer the same `NOT_FOUND`.
//!
//! # Reading order
//! 1. [`schema`], [`query`] and [`mutation`]: the roots. The committed `api/schema.graphql` shows it all.
//! 2. [`server`], [`tool`], [`principal`], [`publisher`], [`tenant`], [`search`], [`recommend`], [`registry`], [`ledger`], [`node`], [`grant`],
//!    [`taxonomy`], [`review`], [`rating`], [`facets`],
//!    [`access_at`], [`actor`], [`policy`], [`definition`], [`compatibility`]: one file for each type, with its entries. [`as_of`]: the moment that an entry looks at.
//!    [`marketplace`]: what other tenants offer, and who has installed it. [`connection`] makes pages, [`loaders`] gathers what nested fields need.
//! 3. [`event`], [`history`] and [`audit`]: what has happened; [`live`]: the same as it happens, over WebSocket.
//! 4. [`handler`], [`documents`], [`limits`], [`error`] and [`nulls`]: what a request passes on its way in and out; [`session`]: what
//!    its resolvers share; [`graphiql`]: the page for browsers.

mod access_at;
mod actor;
mod as_of;
mod audit;
mod compatibility;
mod connection;
mod definition;
mod documents;
mod enums;
mod error;
mod event;
mod facets;
mod grant;
mod graphiql;
mod handler;
mod history;
mod idempotency;
mod ledger;
mod limits;
mod live;
mod loaders;
mod marketplace;
mod mutation;
mod node;
mod nulls;
mod policy;
mod principal;
mod public_review;
mod publisher;
mod query;
mod rating;
mod recommend;
mod registry;
mod review;
mod scalars;
mod schema;
mod search;
mod server;
mod session;
mod taxonomy;
mod tenant;
mod tool;
mod version;

pub use schema::sdl;

use crate::config::LimitsConfig;
use crate::state::AppState;
use axum::Extension;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

/// Operations, by POST. Stands behind authentication: a request without a caller is answered 401.
pub fn operations(limits: &LimitsConfig) -> MethodRouter<AppState> {
    post(handler::execute)
        .layer::<_, Infallible>(Extension(handler::Endpoint::new(limits)))
        .layer(DefaultBodyLimit::max(limits.body_bytes))
}

/// Subscriptions, over WebSocket. Stands outside of the authentication layer, because a browser sends its
/// token in the first message; nothing is answered before a token was accepted.
pub fn subscriptions(
    limits: &LimitsConfig,
    shutdown: &CancellationToken,
) -> MethodRouter<AppState> {
    live::route(schema::build(limits), limits, shutdown)
}

/// The page for browsers, by GET. Public: it holds nothing.
pub fn page() -> MethodRouter<AppState> {
    get(graphiql::show)
}

/// What the page loads, by GET. Public as the page is.
pub fn assets() -> MethodRouter<AppState> {
    get(graphiql::show_asset)
}
