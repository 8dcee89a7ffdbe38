//! Liveness, readiness and metrics.

use crate::support::{Client, Installation, serve};
use bus::{CommandContext, Dispatcher};
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::tenant::{Tenant, TenantCommand};
use metamcp::app::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn a_running_installation_is_ready_and_says_where_its_projectors_stand() {
    let installation = Installation::start().await;
    installation.token("acme", "admin", &[]).await;
    installation.settle().await;
    let stranger = installation.stranger();
    assert_eq!(stranger.get("/healthz").await.status(), 200);
    let ready = stranger.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let body: Value = ready.json().await.unwrap();
    assert!(body.to_string().contains("catalog"), "{body:#}");
    let metrics = stranger.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("metamcp_projector_lag"), "{metrics}");
    assert!(metrics.contains("metamcp_commands_total"), "{metrics}");
}

/// What a metric says whose line begins so, over all labels that follow. All tests of this process share a recorder.
async fn counted(client: &Client, metric: &str) -> f64 {
    let metrics = client.get("/metrics").await.text().await.unwrap();
    let lines = metrics.lines().filter(|line| line.starts_with(metric));
    let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    lines.map(number).sum()
}

#[tokio::test]
async fn a_search_is_measured() {
    const SEARCHES: &str = "metamcp_search_seconds_count{surface=\"graphql\"}";
    let installation = Installation::start().await;
    let roles = [domain::principal::Role::Agent];
    let agent = installation.client("acme", "bot", &roles).await;
    let before = counted(&agent, SEARCHES).await;
    let search = "{ searchTools(query: \"count parcels\") { hits { reference } } }";
    agent.data(search, json!({})).await;
    let after = counted(&agent, SEARCHES).await;
    assert!(after >= before + 1.0, "{before} {after}");
}

/// One dispatcher decides on what it remembers, which the other has changed meanwhile.
#[tokio::test]
async fn a_race_of_two_dispatchers_is_counted() {
    const CONFLICTS: &str = "metamcp_command_conflicts_total{aggregate=\"tenant\"}";
    let installation = Installation::start().await;
    installation.token("acme", "admin", &[]).await;
    let stranger = installation.stranger();
    let log = &installation.app.state.log;
    let [one, two] = [(); 2].map(|()| Dispatcher::new(log.clone()));
    let tenant = TenantId::new("acme").unwrap();
    let rename = async |dispatcher: &Dispatcher, name: &str| {
        let context = CommandContext::new(tenant.clone(), Actor::system("test"));
        let display_name = name.to_owned();
        let command = TenantCommand::Rename { display_name };
        let done = dispatcher.dispatch::<Tenant>(&context, tenant.as_str(), command);
        done.await.unwrap();
    };
    rename(&one, "First").await;
    let before = counted(&stranger, CONFLICTS).await;
    rename(&two, "Second").await;
    rename(&one, "Third").await;
    let after = counted(&stranger, CONFLICTS).await;
    assert!(after >= before + 1.0, "{before} {after}");
}

#[tokio::test]
async fn a_process_without_the_api_answers_probes_and_nothing_else() {
    let installation = Installation::start().await;
    let (projector, base) = serve(&installation.config, &[Role::Projector]).await;
    let client = Client::new(&base, None);
    assert_eq!(client.get("/healthz").await.status(), 200);
    assert_eq!(client.get("/metrics").await.status(), 200);
    let body: Value = client.get("/readyz").await.json().await.unwrap();
    assert!(body.to_string().contains("catalog"), "{body:#}");
    assert_eq!(client.get("/graphql").await.status(), 404);
    assert_eq!(client.get("/.well-known/jwks.json").await.status(), 404);
    projector.stop().await;
}

#[tokio::test]
async fn an_unknown_route_is_a_json_404() {
    let installation = Installation::start().await;
    let answer = installation.stranger().get("/nothing-here").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.json::<Value>().await.is_ok());
}
