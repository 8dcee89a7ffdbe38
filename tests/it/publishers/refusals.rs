//! What is no proof: each lack has its code.

use super::{CLAIM, REVOKE, VERIFY, WebServer, claim, from_loopback, installation, proof};
use crate::support::DnsServer;
use api::trust::SigningKey;
use axum::http::StatusCode;
use chrono::{TimeDelta, Utc};
use domain::principal::Role;
use serde_json::json;
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_claim_names_a_domain_of_its_own() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    for (namespace, code) in [
        ("example.COM", "INVALID_NAMESPACE"),
        ("com.example/weather", "INVALID_NAMESPACE"),
        ("1.0.0.127", "INVALID_NAMESPACE"),
        ("com", "PUBLIC_SUFFIX"),
        ("uk.co", "PUBLIC_SUFFIX"),
    ] {
        let variables = json!({ "namespace": namespace });
        assert_eq!(client.code(CLAIM, variables).await, code, "{namespace}");
    }
    let key = SigningKey::generate().unwrap();
    let unclaimed = proof(&key, "com.example", "DNS", "x");
    assert_eq!(client.code(VERIFY, unclaimed).await, "NOT_FOUND");
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let namespace = json!({ "namespace": "com.example" });
    assert_eq!(agent.code(CLAIM, namespace.clone()).await, "FORBIDDEN");
    assert_eq!(agent.code(REVOKE, namespace).await, "FORBIDDEN");
}

#[tokio::test]
async fn each_lack_of_a_dns_proof_has_its_code() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let challenge = claim(&client, "com.example").await;
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let good = || proof(&key, "com.example", "DNS", &challenge);
    let (record, others) = (key.public_key().record(), other.public_key().record());

    assert_eq!(
        client.code(VERIFY, good()).await,
        "PROOF_RECORD_MISSING",
        "no domain"
    );
    for (texts, code) in [
        (vec!["v=spf1 -all"], "PROOF_RECORD_MISSING"),
        (vec!["v=MCPv1; k=ed25519; p=short"], "PROOF_RECORD_INVALID"),
        (vec!["v=MCPv1; k=rsa; p=AQID"], "PROOF_RECORD_INVALID"),
        (vec![others.as_str()], "PROOF_KEY_MISMATCH"),
    ] {
        dns.texts("example.com", &texts);
        assert_eq!(client.code(VERIFY, good()).await, code, "{texts:?}");
    }
    let (_, answer) = client.graphql(VERIFY, good()).await;
    let told = answer["errors"][0]["message"].as_str().unwrap();
    assert!(
        told.contains("example.com") && told.contains(&other.public_key().key),
        "{told}"
    );

    dns.texts("example.com", &[&record]);
    let mut hexless = good();
    hexless["input"]["signature"] = json!("not hex");
    assert_eq!(client.code(VERIFY, hexless).await, "INVALID_SIGNATURE");
    let mut altered = good();
    altered["input"]["signedAt"] = json!(Utc::now().to_rfc3339());
    assert_eq!(client.code(VERIFY, altered).await, "PROOF_KEY_MISMATCH");
    let stale = proof(
        &key,
        "com.example",
        "DNS",
        "metamcp-publisher:com.example:0",
    );
    assert_eq!(client.code(VERIFY, stale).await, "PROOF_KEY_MISMATCH");
    for (signed_at, code) in [
        (
            (Utc::now() - TimeDelta::hours(1)).to_rfc3339(),
            "SIGNATURE_EXPIRED",
        ),
        ("yesterday".to_owned(), "INVALID_MOMENT"),
    ] {
        let mut late = good();
        late["input"]["signature"] = json!(key.sign(&challenge, &signed_at));
        late["input"]["signedAt"] = json!(signed_at);
        assert_eq!(client.code(VERIFY, late).await, code);
    }
    dns.breaks("example.com");
    assert_eq!(client.code(VERIFY, good()).await, "PROOF_UNREACHABLE");
}

/// A server of the operator's own network is not asked for a tenant, whatever DNS says.
#[tokio::test]
async fn nothing_is_fetched_from_a_private_address() {
    let (dns, web) = (DnsServer::start().await, WebServer::start().await);
    let installation = installation(&dns, |config| {
        from_loopback(config, &web);
        config.publishers.allow_private_addresses = false;
    })
    .await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let key = SigningKey::generate().unwrap();
    web.serve(StatusCode::OK, &key.public_key().record());
    let challenge = claim(&client, "com.example").await;
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(169, 254, 169, 254)] {
        dns.address("example.com", address);
        let input = proof(&key, "com.example", "HTTP", &challenge);
        assert_eq!(client.code(VERIFY, input).await, "PROOF_ADDRESS_REFUSED");
    }
}

#[tokio::test]
async fn each_lack_of_an_http_proof_has_its_code() {
    let (dns, web) = (DnsServer::start().await, WebServer::start().await);
    let installation = installation(&dns, |config| from_loopback(config, &web)).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let challenge = claim(&client, "com.example").await;
    let key = SigningKey::generate().unwrap();
    let good = || proof(&key, "com.example", "HTTP", &challenge);
    let record = key.public_key().record();

    assert_eq!(
        client.code(VERIFY, good()).await,
        "PROOF_RECORD_MISSING",
        "no host"
    );
    dns.address("example.com", Ipv4Addr::LOCALHOST);
    let large = format!("{record}\n{}", "x".repeat(5_000));
    for (status, body, code) in [
        (
            StatusCode::NOT_FOUND,
            record.as_str(),
            "PROOF_RECORD_MISSING",
        ),
        (StatusCode::FOUND, &record, "PROOF_UNREACHABLE"),
        (StatusCode::BAD_GATEWAY, &record, "PROOF_UNREACHABLE"),
        (StatusCode::OK, &large, "PROOF_UNREACHABLE"),
        (StatusCode::OK, "<html>", "PROOF_RECORD_MISSING"),
    ] {
        web.serve(status, body);
        assert_eq!(client.code(VERIFY, good()).await, code, "{status}");
    }
}
