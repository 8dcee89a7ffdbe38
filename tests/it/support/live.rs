//! A client of the subscriptions, over a WebSocket implementation that is not ours on the server's side of
//! the protocol: graphql-transport-ws, written out.

use super::{Client, PATIENCE};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// An open connection.
pub(crate) struct Live(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server sent.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Value),
    Closed(u16, String),
}

impl Live {
    /// Opens a connection with these headers.
    pub(crate) async fn open(
        base: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Self, tungstenite::Error> {
        let address = format!("{}/graphql/ws", base.replacen("http", "ws", 1));
        let mut request = address.into_client_request().unwrap();
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws".to_owned());
        for (name, value) in headers.iter().chain([&protocol]) {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = timeout(PATIENCE, connect_async(request)).await.unwrap()?;
        Ok(Self(socket))
    }

    /// Opens a connection and is admitted with the client's token.
    pub(crate) async fn admitted(client: &Client) -> Self {
        let mut live = Self::open(&client.base, &[]).await.unwrap();
        let token = client.token.as_deref().unwrap();
        let payload = json!({ "authorization": format!("Bearer {token}") });
        live.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(live.message().await["type"], "connection_ack");
        live
    }

    /// An admitted connection with one subscription.
    pub(crate) async fn subscribed(client: &Client, query: &str, variables: Value) -> Self {
        let mut live = Self::admitted(client).await;
        live.subscribe("1", query, variables).await;
        live
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
    }

    pub(crate) async fn send(&mut self, message: Value) {
        let text = message.to_string();
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next thing that the server says; pings are answered underneath.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("in time");
            match next {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Message(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.expect("a reason");
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("heard {other:?}"),
            }
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            Heard::Closed(code, reason) => panic!("closed with {code}: {reason}"),
        }
    }

    /// The next event of the subscription.
    pub(crate) async fn event(&mut self) -> Value {
        let mut message = self.message().await;
        assert_eq!(message["type"], "next", "{message:#}");
        let payload = message["payload"].take();
        assert!(payload.get("errors").is_none(), "{payload:#}");
        payload["data"]["events"].clone()
    }

    /// The code of the error that the next message holds.
    pub(crate) async fn error(&mut self) -> String {
        let message = self.message().await;
        let code = message["payload"]["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("no error in {message:#}"))
            .to_owned()
    }

    /// Waits for the end of the connection, and answers its code.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code, _) = self.hear().await {
                return code;
            }
        }
    }
}
