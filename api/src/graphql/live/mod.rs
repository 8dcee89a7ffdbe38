//! Subscriptions at `/graphql/ws`: what happens, as it happens.
//!
//! The protocol is graphql-transport-ws. The token comes in `Authorization` or, from a browser, in the
//! payload of `connection_init` (`{"authorization": "Bearer …"}`); `Origin` is checked as for MCP.
//!
//! **Invariants.** Nothing is answered before a token was accepted. While a connection lasts, its token and
//! its right are looked at every second: expired, revoked or withdrawn, it is closed. Connections,
//! subscriptions, messages and what waits for a slow client are bounded. A subscription tells every event
//! of its tenant behind the place where it began, in order, each once, or says where it stopped.
//!
//! Reading order: [`events`], [`tail`]; [`socket`], [`connection`], [`slots`].

mod connection;
mod events;
mod slots;
mod socket;
mod tail;

pub(super) use events::Subscription;

use super::documents::Documents;
use super::schema::Schema;
use crate::config::LimitsConfig;
use crate::state::AppState;
use axum::Extension;
use axum::routing::{MethodRouter, get};
use slots::Slots;
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

/// What the connections of a process share.
#[derive(Clone)]
struct Live {
    schema: Schema,
    documents: Documents,
    slots: Slots,
    shutdown: CancellationToken,
}

/// The route; when `shutdown` is cancelled, connections are closed.
pub(super) fn route(
    schema: Schema,
    limits: &LimitsConfig,
    shutdown: &CancellationToken,
) -> MethodRouter<AppState> {
    let live = Live {
        schema,
        documents: Documents::new(),
        slots: Slots::new(limits),
        shutdown: shutdown.clone(),
    };
    get(socket::open).layer::<_, Infallible>(Extension(live))
}
