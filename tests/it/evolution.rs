//! Old, unknown and newer wire forms in a real log.

use crate::support::{Installation, PATIENCE};
use domain::envelope::{Actor, Commit, StoredEvent};
use domain::id::{CommandId, CommitId, CorrelationId, PrincipalId, TenantId};
use domain::principal::Role;
use projections::ProjectorState;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Writes an event as another release of the program would have.
async fn publish(installation: &Installation, aggregate: &str, id: &str, event: Value) -> u64 {
    let config = &installation.config;
    let client = async_nats::ConnectOptions::with_user_and_password(
        config.nats.user.clone().unwrap(),
        installation.servers.embedded.nats.password().to_owned(),
    )
    .connect(installation.servers.embedded.nats.address())
    .await
    .unwrap();
    let event: StoredEvent = serde_json::from_value(event).unwrap();
    let commit = Commit {
        commit_id: CommitId(Uuid::now_v7()),
        tenant: TenantId::new("acme").unwrap(),
        aggregate: aggregate.to_owned(),
        aggregate_id: id.to_owned(),
        sequence: 1,
        actor: Actor::system("another release"),
        command_id: CommandId(Uuid::now_v7()),
        correlation_id: CorrelationId(Uuid::now_v7()),
        recorded_at: chrono::DateTime::from_timestamp_micros(1_700_000_000_000_000).unwrap(),
        previous_hash: None,
        events: vec![event],
    };
    let subject = format!("{}.acme.{aggregate}.{id}", config.nats.subject_root);
    let body = commit.to_canonical().unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let published = jetstream.publish(subject, body.into()).await.unwrap();
    published.await.unwrap().sequence
}

/// A principal that a release before the sealing has registered.
#[tokio::test]
async fn a_log_of_an_older_release_is_read_on() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let id = PrincipalId::derive(&TenantId::new("acme").unwrap(), "old-timer");
    let golden = include_str!("../../domain/fixtures/events/principal.registered.v1.json");
    let mut event: Value = serde_json::from_str(golden).unwrap();
    event["data"]["handle"] = json!("old-timer");
    let at = publish(&installation, "principal", id.as_str(), event).await;
    installation.reached("access", at).await;
    let shown = "{ principal(handle: \"old-timer\") { handle kind roles displayName } }";
    assert_eq!(
        owner.data(shown, json!({})).await["principal"],
        json!({ "handle": "old-timer", "kind": "AGENT", "roles": ["PUBLISHER", "AGENT"],
                "displayName": null })
    );
    let grant = "mutation { grantRole(input: { handle: \"old-timer\", role: ADMIN }) {
        principal { roles } } }";
    let granted = owner.data(grant, json!({})).await;
    assert_eq!(
        granted["grantRole"]["principal"]["roles"],
        json!(["ADMIN", "PUBLISHER", "AGENT"])
    );
}

/// What decides permissions stops; the others put the commit aside and go on.
async fn parked_and_halted(aggregate: &str, event: Value) {
    let installation = Installation::start().await;
    installation.client("acme", "owner", &[Role::Owner]).await;
    let at = publish(&installation, aggregate, "0123", event).await;
    installation.reached("catalog", at).await;
    installation.reached("archive", at).await;
    let begun = Instant::now();
    loop {
        let health = installation.app.state.positions.health();
        let of = |name: &str| health.iter().find(|one| one.projector == name).unwrap();
        let halted = matches!(of("access").state, ProjectorState::Halted { .. });
        if halted && of("catalog").parked == 1 && of("archive").parked == 1 {
            assert!(of("access").position < at);
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{health:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_unknown_type_stops_permissions_and_is_parked_elsewhere() {
    let event = json!({ "type": "tool.teleported", "version": 1, "data": {} });
    parked_and_halted("tool", event).await;
}

#[tokio::test]
async fn an_unknown_version_stops_permissions_and_is_parked_elsewhere() {
    let event = json!({ "type": "principal.registered", "version": 99, "data": {} });
    parked_and_halted("principal", event).await;
}
