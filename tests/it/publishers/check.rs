//! `metamcp publishers check`: what is verified is looked up again.

use super::{STATUS, VERIFY, WebServer, claim, from_loopback, installation, proof, prove, status};
use crate::support::DnsServer;
use api::trust::SigningKey;
use axum::http::StatusCode;
use domain::principal::Role;
use metamcp::publishers::recheck;
use serde_json::json;
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_check_lapses_what_is_gone_and_leaves_what_cannot_be_looked_up() {
    let (dns, web) = (DnsServer::start().await, WebServer::start().await);
    let installation = installation(&dns, |config| from_loopback(config, &web)).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let key = SigningKey::generate().unwrap();
    for namespace in ["com.stays", "com.gone", "com.changed", "com.broken"] {
        assert_eq!(prove(&client, &dns, namespace, &key).await, "VERIFIED");
    }
    dns.address("files.com", Ipv4Addr::LOCALHOST);
    web.serve(StatusCode::OK, &key.public_key().record());
    let challenge = claim(&client, "com.files").await;
    client
        .data(VERIFY, proof(&key, "com.files", "HTTP", &challenge))
        .await;
    installation.settle().await;
    recheck(&installation.config).await.unwrap();
    installation.settle().await;
    assert_eq!(status(&client, "com.files").await, "VERIFIED");

    let other = SigningKey::generate().unwrap();
    dns.forget("gone.com");
    dns.texts("changed.com", &[&other.public_key().record()]);
    dns.breaks("broken.com");
    web.serve(StatusCode::GONE, "");
    let told = recheck(&installation.config).await.unwrap_err().to_string();
    assert!(told.contains("1 of 5"), "{told}");
    installation.settle().await;
    for (namespace, status, reason) in [
        ("com.stays", "VERIFIED", json!(null)),
        ("com.gone", "LAPSED", json!("record_missing")),
        ("com.changed", "LAPSED", json!("key_missing")),
        ("com.broken", "VERIFIED", json!(null)),
        ("com.files", "LAPSED", json!("record_missing")),
    ] {
        let answer = client.data(STATUS, json!({ "namespace": namespace })).await;
        assert_eq!(
            answer["publisher"],
            json!({ "status": status, "reason": reason }),
            "{namespace}"
        );
    }

    // What is back is proved again.
    dns.texts("gone.com", &[&key.public_key().record()]);
    let shown = "{ publisher(namespace: \"com.gone\") { challenge } }";
    let challenge = client.data(shown, json!({})).await["publisher"]["challenge"].take();
    let again = proof(&key, "com.gone", "DNS", challenge.as_str().unwrap());
    client.data(VERIFY, again).await;
    assert_eq!(status(&client, "com.gone").await, "VERIFIED");
}
