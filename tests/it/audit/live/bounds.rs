//! Who may open a connection, and how much may go through it.

use super::EVENTS;
use crate::support::{Heard, Installation, Live};
use domain::principal::Role;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite;

#[tokio::test]
async fn strangers_and_foreign_pages_are_kept_out() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let base = &installation.base;
    let status = |opened: Result<Live, tungstenite::Error>| match opened {
        Ok(_) => 101,
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    };
    let bearer = format!("Bearer {}", owner.token.as_deref().unwrap());
    let evil = [("origin", "https://evil.example".to_owned())];
    assert_eq!(status(Live::open(base, &evil).await), 403);
    let wrong = [("authorization", "Bearer a.b.c".to_owned())];
    assert_eq!(status(Live::open(base, &wrong).await), 401);
    let own = [("origin", base.clone()), ("authorization", bearer)];
    let mut live = Live::open(base, &own).await.unwrap();
    // The header's token is enough: the payload may be empty.
    live.send(json!({ "type": "connection_init" })).await;
    assert_eq!(live.message().await["type"], "connection_ack");

    let mut early = Live::open(base, &[]).await.unwrap();
    early.subscribe("1", EVENTS, json!({})).await;
    assert!(matches!(early.hear().await, Heard::Closed(..)));
    for payload in [json!(null), json!({ "authorization": "Bearer a.b.c" })] {
        let mut live = Live::open(base, &[]).await.unwrap();
        live.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(live.closed().await, 4401);
    }
}

#[tokio::test]
async fn connections_subscriptions_and_documents_are_bounded() {
    let installation = Installation::start_with(|config| {
        config.limits.live_connections_per_principal = 1;
        config.limits.live_subscriptions = 1;
    })
    .await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let mut live = Live::admitted(&owner).await;
    let quiet = json!({ "filter": { "aggregate": "tool" } });
    live.subscribe("query", "{ viewer { handle } }", json!({}))
        .await;
    assert_eq!(live.error().await, "NOT_A_SUBSCRIPTION");
    assert_eq!(live.message().await["type"], "complete");
    live.subscribe("start", EVENTS, json!({ "from": 1, "after": "x" }))
        .await;
    assert_eq!(live.error().await, "INVALID_START");
    assert_eq!(live.message().await["type"], "complete");
    live.subscribe("1", EVENTS, quiet.clone()).await;
    live.subscribe("2", EVENTS, quiet).await;
    assert_eq!(live.error().await, "TOO_MANY_SUBSCRIPTIONS");

    let mut second = Live::open(&owner.base, &[]).await.unwrap();
    let payload = json!({ "authorization": format!("Bearer {}", owner.token.as_deref().unwrap()) });
    second
        .send(json!({ "type": "connection_init", "payload": payload }))
        .await;
    assert_eq!(second.closed().await, 1013);
    drop(live);
    let begun = Instant::now();
    loop {
        let mut third = Live::open(&owner.base, &[]).await.unwrap();
        third
            .send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        if let Heard::Message(message) = third.hear().await {
            assert_eq!(message["type"], "connection_ack");
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the place never came back"
        );
    }
}
