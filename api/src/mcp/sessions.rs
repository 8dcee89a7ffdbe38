//! Sessions of the revisions before 2026-07-28, each bound to the principal and the route that opened it.
//!
//! Invariants: a session id is 122 random bits and worth nothing to anybody else: used by another
//! principal, tenant or route it is as unknown as an invented one. The map of bindings holds exactly the
//! sessions that live: both are released in [`SessionManager::close_session`], which rmcp calls at the
//! end of every session, idle time-out included. Sessions live in this process; after a restart, or on
//! another instance, a client gets 404 and opens a new one, as the specification asks of it.

use crate::context::Caller;
use crate::telemetry::MCP_SESSIONS;
use axum::http::request::Parts;
use axum::http::{Extensions, Uri};
use domain::id::{PrincipalId, TenantId};
use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A session without traffic for so long is closed. Longer than rmcp's five minutes: an agent that waits
/// for a person should find its session again.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Most sessions of one principal at one route; one more closes the one that rested longest.
const MAX_PER_OWNER: usize = 32;
/// Most sessions of this process; one more is refused with 503.
const MAX_SESSIONS: usize = 10_000;

/// Whom a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    tenant: TenantId,
    principal: PrincipalId,
    route: String,
}

impl Owner {
    /// The owner of what this request opens or uses; `None` without authentication.
    pub(super) fn of(extensions: &Extensions, uri: &Uri) -> Option<Self> {
        let caller = extensions.get::<Caller>()?;
        Some(Self {
            tenant: caller.tenant.clone(),
            principal: caller.principal.clone(),
            route: uri.path().to_owned(),
        })
    }
}

/// rmcp's in-memory sessions, and whose they are.
pub(super) struct Sessions {
    local: LocalSessionManager,
    bindings: Mutex<Bindings>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(IDLE);
        Self {
            local,
            bindings: Mutex::default(),
        }
    }

    /// Whether the session lives and belongs to this owner; then it counts as used.
    pub(super) fn admits(&self, id: &str, owner: &Owner) -> bool {
        self.bindings().admits(id, owner)
    }

    /// Whether no further session can be opened.
    pub(super) fn is_full(&self) -> bool {
        self.bindings().sessions.len() >= MAX_SESSIONS
    }

    fn bindings(&self) -> MutexGuard<'_, Bindings> {
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The request that opens the session came past the authentication layer: a fault of ours.
    #[error("a session was opened by a request without a caller")]
    Unbound,
    #[error(transparent)]
    Local(#[from] LocalSessionManagerError),
}

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionError> {
        Ok(self.local.create_session().await?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let owner = opener(&message).ok_or(SessionError::Unbound)?;
        let displaced = self.bindings().bind(id.clone(), owner);
        if let Some(displaced) = displaced
            && let Err(error) = self.close_session(&displaced).await
        {
            tracing::warn!(%error, "a displaced MCP session did not close");
        }
        let answer = self.local.initialize_session(id, message).await;
        if answer.is_err() {
            self.bindings().release(id);
        }
        Ok(answer?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        self.bindings().release(id);
        Ok(self.local.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.resume(id, last_event_id).await?)
    }
}

/// Who sent the `initialize` request: rmcp keeps the HTTP request's head in the message.
fn opener(message: &ClientJsonRpcMessage) -> Option<Owner> {
    let ClientJsonRpcMessage::Request(request) = message else {
        return None;
    };
    let parts = request.request.extensions().get::<Parts>()?;
    Owner::of(&parts.extensions, &parts.uri)
}

/// Which session belongs to whom, and which of an owner's sessions rested longest.
#[derive(Default)]
struct Bindings {
    sessions: HashMap<SessionId, Binding>,
    owned: HashMap<Owner, Vec<SessionId>>,
    clock: u64,
}

struct Binding {
    owner: Owner,
    used: u64,
}

impl Bindings {
    /// Binds a new session; returns the owner's session that has to go for it.
    fn bind(&mut self, id: SessionId, owner: Owner) -> Option<SessionId> {
        self.clock += 1;
        let owned = self.owned.entry(owner.clone()).or_default();
        let displaced = if owned.len() >= MAX_PER_OWNER {
            let used = |id: &SessionId| self.sessions.get(id).map(|binding| binding.used);
            owned.iter().min_by_key(|id| used(id)).cloned()
        } else {
            None
        };
        owned.push(id.clone());
        self.sessions.insert(
            id,
            Binding {
                owner,
                used: self.clock,
            },
        );
        self.measure();
        displaced
    }

    fn admits(&mut self, id: &str, owner: &Owner) -> bool {
        self.clock += 1;
        match self.sessions.get_mut(id) {
            Some(binding) if binding.owner == *owner => {
                binding.used = self.clock;
                true
            }
            Some(_) | None => false,
        }
    }

    fn release(&mut self, id: &SessionId) {
        let Some(binding) = self.sessions.remove(id) else {
            return;
        };
        if let Some(owned) = self.owned.get_mut(&binding.owner) {
            owned.retain(|other| other != id);
            if owned.is_empty() {
                self.owned.remove(&binding.owner);
            }
        }
        self.measure();
    }

    fn measure(&self) {
        let living = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        metrics::gauge!(MCP_SESSIONS).set(f64::from(living));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(tenant: &str, handle: &str, route: &str) -> Owner {
        let tenant = TenantId::new(tenant).unwrap();
        let principal = PrincipalId::derive(&tenant, handle);
        Owner {
            tenant,
            principal,
            route: route.into(),
        }
    }

    fn id(number: usize) -> SessionId {
        SessionId::from(format!("session-{number}"))
    }

    #[test]
    fn admits_a_session_to_its_owner_only() {
        let mut bindings = Bindings::default();
        let anna = owner("acme", "anna", "/");
        assert_eq!(bindings.bind(id(1), anna.clone()), None);
        assert!(bindings.admits("session-1", &anna));
        for other in [
            owner("acme", "ben", "/"),
            owner("other", "anna", "/"),
            owner("acme", "anna", "/x"),
        ] {
            assert!(!bindings.admits("session-1", &other), "{other:?}");
        }
        assert!(!bindings.admits("session-2", &anna));
    }

    #[test]
    fn keeps_nothing_of_a_released_session() {
        let mut bindings = Bindings::default();
        let anna = owner("acme", "anna", "/");
        bindings.bind(id(1), anna.clone());
        bindings.release(&id(1));
        bindings.release(&id(1));
        assert!(!bindings.admits("session-1", &anna));
        assert!(bindings.sessions.is_empty() && bindings.owned.is_empty());
    }

    #[test]
    fn displaces_the_session_that_rested_longest() {
        let mut bindings = Bindings::default();
        let anna = owner("acme", "anna", "/");
        for number in 0..MAX_PER_OWNER {
            assert_eq!(bindings.bind(id(number), anna.clone()), None);
        }
        assert!(bindings.admits("session-0", &anna));
        assert_eq!(bindings.bind(id(100), owner("acme", "ben", "/")), None);
        assert_eq!(bindings.bind(id(101), anna), Some(id(1)));
    }
}
