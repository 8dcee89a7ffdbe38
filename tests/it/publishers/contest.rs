//! One namespace counts for one tenant at a time.

use super::{CLAIM, REVOKE, VERIFY, claim, installation, proof, prove, status};
use crate::support::DnsServer;
use api::trust::SigningKey;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::registry;
use serde_json::json;

#[tokio::test]
async fn of_tenants_that_prove_one_namespace_at_once_one_holds_it() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let key = SigningKey::generate().unwrap();
    dns.texts("example.com", &[&key.public_key().record()]);
    let mut clients = Vec::new();
    for tenant in ["one", "two", "three"] {
        let client = installation.client(tenant, "pub", &[Role::Publisher]).await;
        let challenge = claim(&client, "com.example").await;
        clients.push((client, proof(&key, "com.example", "DNS", &challenge)));
    }
    let verify = clients
        .iter()
        .map(|(client, proof)| client.data(VERIFY, proof.clone()));
    futures::future::join_all(verify).await;
    installation.settle().await;

    let mut standing = Vec::new();
    for (client, _) in &clients {
        standing.push(status(client, "com.example").await);
    }
    let holders = standing
        .iter()
        .filter(|status| *status == "VERIFIED")
        .count();
    let contested = standing
        .iter()
        .filter(|status| *status == "CONTESTED")
        .count();
    assert_eq!((holders, contested), (1, 2), "{standing:?}");

    // When the holder gives it up, it is the next one's, and comes back behind them.
    let holder = standing
        .iter()
        .position(|status| status == "VERIFIED")
        .unwrap();
    let namespace = json!({ "namespace": "com.example" });
    let holder = clients.remove(holder).0;
    holder.data(REVOKE, namespace.clone()).await;
    assert_eq!(status(&holder, "com.example").await, "REVOKED");
    assert_eq!(prove(&holder, &dns, "com.example", &key).await, "CONTESTED");
    let mut standing = Vec::new();
    for (client, _) in &clients {
        standing.push(status(client, "com.example").await);
    }
    standing.sort();
    assert_eq!(standing, ["CONTESTED", "VERIFIED"]);
    assert_eq!(
        holder.code(CLAIM, namespace).await,
        "NAMESPACE_ALREADY_CLAIMED"
    );
}

#[tokio::test]
async fn a_new_key_keeps_the_place_and_a_rebuild_comes_to_the_same() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let first = installation.client("one", "pub", &[Role::Publisher]).await;
    let second = installation.client("two", "pub", &[Role::Publisher]).await;
    let (old, new) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let challenge = claim(&first, "com.example").await;
    dns.texts("example.com", &[&old.public_key().record()]);
    first
        .data(VERIFY, proof(&old, "com.example", "DNS", &challenge))
        .await;
    assert_eq!(prove(&second, &dns, "com.example", &old).await, "CONTESTED");
    let again = proof(&old, "com.example", "DNS", &challenge);
    assert_eq!(
        first.code(VERIFY, again).await,
        "NAMESPACE_ALREADY_VERIFIED"
    );
    dns.texts("example.com", &[&new.public_key().record()]);
    first
        .data(VERIFY, proof(&new, "com.example", "DNS", &challenge))
        .await;
    installation.settle().await;
    for _ in 0..2 {
        assert_eq!(status(&first, "com.example").await, "VERIFIED");
        assert_eq!(status(&second, "com.example").await, "CONTESTED");
        let projector = registry::relational()
            .into_iter()
            .find(|projector| projector.name() == projections::publishers::NAME)
            .unwrap();
        let (log, database) = (&installation.app.state.log, &installation.app.database);
        rebuild(projector, log, database, Finish::SwapIfEqual, &|_, _| {})
            .await
            .unwrap();
    }
}
