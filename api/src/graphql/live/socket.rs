//! The WebSocket: who may open one, what goes through it, and when it is closed.

use super::Live;
use super::connection::Connection;
use crate::authn::bearer;
use crate::config::HttpConfig;
use crate::error::ApiError;
use crate::http::correlation;
use crate::state::AppState;
use async_graphql::http::{WebSocket as Protocol, WebSocketProtocols, WsMessage};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{Extensions, HeaderMap, header};
use axum::response::Response;
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt, future};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use url::Url;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// Time for `connection_init`.
const INIT: Duration = Duration::from_secs(10);
/// How often token and right are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often the client is pinged; it answers, or is gone after [`SILENCE`].
const PING: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(40);
/// Time for one message to leave: a client that reads nothing for so long is cut off.
const SEND: Duration = Duration::from_secs(5);
/// Longest reason of a close frame (RFC 6455 section 5.5).
const MAX_REASON: usize = 123;

/// Close codes: of RFC 6455 section 7.4.1, and of the protocol (4000 and above).
mod close {
    pub(super) const AWAY: u16 = 1001;
    pub(super) const LATER: u16 = 1013;
    pub(super) const UNAUTHORIZED: u16 = 4401;
    pub(super) const FORBIDDEN: u16 = 4403;
    pub(super) const INIT_TIMEOUT: u16 = 4408;
}

/// Opens a connection.
pub(super) async fn open(
    State(state): State<AppState>,
    Extension(live): Extension<Live>,
    headers: HeaderMap,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| wrong_protocol())?;
    if !speaks(&headers) {
        return Err(wrong_protocol());
    }
    check_origin(&headers, &state.config.http)?;
    let slot = live.slots.take()?;
    let correlation_id = correlation::of(&extensions);
    let most = state.config.limits.body_bytes;
    let shutdown = live.shutdown.clone();
    let connection = Connection::new(state, live, slot, correlation_id);
    if headers.contains_key(header::AUTHORIZATION) {
        connection.authenticate(bearer(&headers)?).await?;
    }
    let span = tracing::Span::current();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(most)
        .max_frame_size(most);
    Ok(upgrade.on_upgrade(move |socket| {
        async move { serve(socket, connection, &shutdown).await }.instrument(span)
    }))
}

/// Carries messages until one side ends.
async fn serve(socket: WebSocket, connection: Connection, shutdown: &CancellationToken) {
    let (mut sink, incoming) = socket.split();
    let heard = Arc::new(Mutex::new(Instant::now()));
    let listen = Arc::clone(&heard);
    let incoming = incoming
        .take_while(|message| future::ready(message.is_ok()))
        .filter_map(move |message| {
            *listen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            future::ready(match message {
                Ok(Message::Text(text)) => Some(text.as_bytes().to_vec()),
                Ok(Message::Binary(bytes)) => Some(bytes.to_vec()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) | Err(_) => None,
            })
        });
    let opener = connection.clone();
    let initialise = move |payload| async move { opener.initialise(payload).await };
    let protocol = Protocol::new(connection.clone(), incoming, WebSocketProtocols::GraphQLWS)
        .on_connection_init(initialise);
    futures::pin_mut!(protocol);
    let opened = Instant::now();
    let mut look = tokio::time::interval(LOOK);
    let mut ping = tokio::time::interval(PING);
    let end = loop {
        let message = tokio::select! {
            biased;
            () = shutdown.cancelled() => break Some((close::AWAY, "this instance stops".to_owned())),
            _ = look.tick() => match state_of(&connection, opened).await {
                Some(end) => break Some(end),
                None => continue,
            },
            _ = ping.tick() => {
                let silence = heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
                if silence > SILENCE {
                    break None;
                }
                Message::Ping(Vec::new().into())
            }
            next = protocol.next() => match next {
                Some(WsMessage::Text(text)) => Message::Text(text.into()),
                Some(WsMessage::Close(code, reason)) => {
                    let refused = connection.refused().map(|error| close_of(&error));
                    break Some(refused.unwrap_or((code, reason)));
                }
                None => break None,
            },
        };
        if !send(&mut sink, message).await {
            break None;
        }
    };
    if let Some((code, reason)) = end {
        let frame = CloseFrame {
            code,
            reason: cut(&reason).into(),
        };
        send(&mut sink, Message::Close(Some(frame))).await;
    }
}

/// Why the connection must end now.
async fn state_of(connection: &Connection, opened: Instant) -> Option<(u16, String)> {
    if !connection.is_admitted() {
        let late = opened.elapsed() > INIT;
        return late.then(|| (close::INIT_TIMEOUT, "no connection_init in time".to_owned()));
    }
    let error = connection.look_again().await.err()?;
    Some(close_of(&error))
}

fn close_of(error: &ApiError) -> (u16, String) {
    let code = match error {
        ApiError::Unauthenticated(_) => close::UNAUTHORIZED,
        ApiError::Forbidden { .. } | ApiError::NotFound => close::FORBIDDEN,
        ApiError::Rejected { .. }
        | ApiError::RejectedWith { .. }
        | ApiError::Conflict
        | ApiError::Unavailable { .. }
        | ApiError::Invalid { .. }
        | ApiError::Internal { .. } => close::LATER,
    };
    (code, error.to_string())
}

/// False when the client takes nothing or is gone.
async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
    matches!(
        tokio::time::timeout(SEND, sink.send(message)).await,
        Ok(Ok(()))
    )
}

fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON)]
}

fn speaks(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered.filter_map(|value| value.to_str().ok());
    offered
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == PROTOCOL)
}

fn wrong_protocol() -> ApiError {
    ApiError::Invalid {
        code: "WEBSOCKET_REQUIRED",
        message: format!("open a WebSocket with the subprotocol {PROTOCOL}"),
    }
}

/// A page of another origin may not use a person's browser. Programs send no `Origin`.
fn check_origin(headers: &HeaderMap, config: &HttpConfig) -> Result<(), ApiError> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    let allowed = config.origins();
    let admits = |origin: &str| allowed.iter().any(|allowed| same_origin(allowed, origin));
    match (given.next(), given.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if origin.to_str().is_ok_and(admits) => Ok(()),
        (Some(_), _) => Err(ApiError::Forbidden {
            message: "this origin may not connect (http.allowed_origins)".into(),
        }),
    }
}

/// Scheme, host and port are equal (RFC 6454 section 5); `:*` in the configuration allows every port.
fn same_origin(allowed: &str, origin: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else {
        return false;
    };
    let (any_port, allowed) = match allowed.strip_suffix(":*") {
        Some(allowed) => (true, allowed),
        None => (false, allowed),
    };
    let Ok(allowed) = Url::parse(allowed) else {
        return false;
    };
    allowed.scheme() == origin.scheme()
        && allowed.host() == origin.host()
        && origin.has_host()
        && (any_port || allowed.port_or_known_default() == origin.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        for (allowed, origin, same) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example:443", true),
            ("https://a.example/", "https://a.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example.evil", false),
            ("http://localhost:8080", "http://localhost:6274", false),
            ("http://localhost:*", "http://localhost:6274", true),
            ("http://localhost:*", "http://localhost.evil:6274", false),
            ("https://a.example", "null", false),
            ("https://a.example", "", false),
        ] {
            assert_eq!(same_origin(allowed, origin), same, "{allowed} {origin}");
        }
    }

    #[test]
    fn foreign_and_doubled_origins_are_refused() {
        let config = HttpConfig::default();
        let headers = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            headers
        };
        let own = "http://127.0.0.1:8080";
        assert!(check_origin(&headers(&[]), &config).is_ok());
        assert!(check_origin(&headers(&[own]), &config).is_ok());
        assert!(check_origin(&headers(&["https://evil.example"]), &config).is_err());
        assert!(check_origin(&headers(&[own, own]), &config).is_err());
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        let long = "ä".repeat(100);
        assert!(cut(&long).len() <= MAX_REASON && long.starts_with(cut(&long)));
        assert_eq!(cut("short"), "short");
    }
}
