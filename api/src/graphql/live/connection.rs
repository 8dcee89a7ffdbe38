//! Who is at the other end of a connection, and what its operations are answered with.

use super::Live;
use super::slots::Slot;
use crate::authn::admit;
use crate::authz::{Action, Resource};
use crate::context::Caller;
use crate::error::{ApiError, TokenProblem};
use crate::graphql::error::{finish, refusal};
use crate::graphql::session::Session;
use crate::state::AppState;
use async_graphql::{Data, Executor, Request, Response};
use domain::id::CorrelationId;
use futures::stream::{self, BoxStream, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// One connection. Cheap to clone: the protocol's machinery holds one, the socket another.
#[derive(Clone)]
pub(super) struct Connection(Arc<Parts>);

struct Parts {
    state: AppState,
    live: Live,
    correlation_id: CorrelationId,
    subscriptions: Arc<Semaphore>,
    party: Mutex<Party>,
}

/// Who it is, once that is known.
struct Party {
    slot: Slot,
    admitted: Option<Admitted>,
    /// Why the last token was not accepted.
    refused: Option<ApiError>,
}

#[derive(Clone)]
struct Admitted {
    token: SecretString,
    caller: Caller,
}

impl Connection {
    pub(super) fn new(
        state: AppState,
        live: Live,
        slot: Slot,
        correlation_id: CorrelationId,
    ) -> Self {
        let subscriptions = Arc::new(Semaphore::new(state.config.limits.live_subscriptions));
        let party = Party {
            slot,
            admitted: None,
            refused: None,
        };
        Self(Arc::new(Parts {
            state,
            live,
            correlation_id,
            subscriptions,
            party: Mutex::new(party),
        }))
    }

    /// Accepts a token, or remembers why not.
    ///
    /// # Errors
    /// As [`admit`], and [`ApiError::Unavailable`] when the principal has too many connections.
    pub(super) async fn authenticate(&self, token: &str) -> Result<(), ApiError> {
        let admitted = admit(&self.0.state, token, self.0.correlation_id).await;
        let mut party = self.party();
        let admitted = admitted.and_then(|caller| {
            party.slot.give_to(&caller)?;
            Ok(caller)
        });
        match admitted {
            Ok(caller) => {
                party.admitted = Some(Admitted {
                    token: token.to_owned().into(),
                    caller,
                });
                Ok(())
            }
            Err(error) => {
                party.refused = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Accepts `connection_init`: with a token in its payload, unless the request had one already.
    pub(super) async fn initialise(
        &self,
        payload: serde_json::Value,
    ) -> async_graphql::Result<Data> {
        match token_of(&payload) {
            Some(token) => self.authenticate(token).await?,
            None if self.caller().is_some() => {}
            None => {
                let missing = ApiError::from(TokenProblem::Missing);
                self.party().refused = Some(missing.clone());
                return Err(missing.into());
            }
        }
        Ok(Data::default())
    }

    /// Whether its token would still be accepted, and its principal may still read the log.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn look_again(&self) -> Result<(), ApiError> {
        let Some(Admitted { token, .. }) = self.party().admitted.clone() else {
            return Ok(());
        };
        let state = &self.0.state;
        let caller = admit(state, token.expose_secret(), self.0.correlation_id).await?;
        let tenant = Resource::tenant();
        state
            .authorizer
            .authorize(&caller, Action::ReadAudit, &tenant)?;
        if let Some(admitted) = &mut self.party().admitted {
            admitted.caller = caller;
        }
        Ok(())
    }

    /// Whether a token was accepted.
    pub(super) fn is_admitted(&self) -> bool {
        self.caller().is_some()
    }

    /// Why the last token was not accepted.
    pub(super) fn refused(&self) -> Option<ApiError> {
        self.party().refused.clone()
    }

    fn caller(&self) -> Option<Caller> {
        let party = self.party();
        let admitted = party.admitted.as_ref();
        admitted.map(|admitted| admitted.caller.clone())
    }

    fn party(&self) -> std::sync::MutexGuard<'_, Party> {
        self.0.party.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(
        &self,
        mut request: Request,
    ) -> Result<BoxStream<'static, Response>, Box<Response>> {
        let refused = |error: ApiError| Box::new(refusal(error));
        let Some(caller) = self.caller() else {
            return Err(refused(TokenProblem::Missing.into()));
        };
        let state = &self.0.state;
        let documents = &self.0.live.documents;
        let (operation, _) = documents.check(&mut request, &state.config.limits)?;
        if operation.kind != "subscription" {
            return Err(refused(ApiError::Invalid {
                code: "NOT_A_SUBSCRIPTION",
                message: "send queries and mutations with POST to /graphql".into(),
            }));
        }
        let permit = Arc::clone(&self.0.subscriptions).try_acquire_owned();
        let permit = permit.map_err(|_| {
            refused(ApiError::Invalid {
                code: "TOO_MANY_SUBSCRIPTIONS",
                message: "the connection has as many subscriptions as it may \
                          (limits.live_subscriptions): end one"
                    .into(),
            })
        })?;
        let request = request.data(Session::new(state.clone(), caller));
        let limits = state.config.limits.clone();
        let responses = self.0.live.schema.execute_stream(request);
        let responses = responses.map(move |mut response| {
            let _held_as_long_as_the_stream = &permit;
            finish(&mut response, &limits);
            response
        });
        Ok(responses.boxed())
    }
}

impl Executor for Connection {
    /// Not called by the protocol, which streams every answer.
    async fn execute(&self, request: Request) -> Response {
        let mut answers = self.execute_stream(request, None);
        answers.next().await.unwrap_or_default()
    }

    fn execute_stream(
        &self,
        request: Request,
        _session_data: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        match self.subscribe(request) {
            Ok(responses) => responses,
            Err(refused) => stream::once(async move { *refused }).boxed(),
        }
    }
}

/// The token in the payload of `connection_init`: `{"authorization": "Bearer …"}`, in whatever case.
fn token_of(payload: &serde_json::Value) -> Option<&str> {
    let members = payload.as_object()?.iter();
    let mut named = members.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (scheme, token) = named.next()?.1.as_str()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_payload_carries_a_bearer_token() {
        assert_eq!(
            token_of(&json!({ "Authorization": "Bearer abc" })),
            Some("abc")
        );
        assert_eq!(
            token_of(&json!({ "authorization": "bearer  abc " })),
            Some("abc")
        );
        for none in [
            json!(null),
            json!({}),
            json!({ "authorization": 7 }),
            json!({ "authorization": "abc" }),
            json!({ "authorization": "Basic abc" }),
            json!(["Bearer abc"]),
        ] {
            assert_eq!(token_of(&none), None, "{none}");
        }
    }
}
