//! Denials are events: who, what, when, which decision, by which policy. A flood leaves few, and a refusal
//! stands whether or not it can be recorded.

use super::{all, audit};
use crate::support::{Client, Installation, PATIENCE, Servers, serve};
use bus::CommandContext;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::{Principal, PrincipalCommand, Role};
use metamcp::app::Role as ProcessRole;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RETIRE: &str = "mutation { retireServer(input: { slug: \"git\" }) { sequence } }";

async fn denials(auditor: &Client, installation: &Installation) -> Vec<Value> {
    let at = installation.settle().await;
    audit(auditor, json!({ "aggregate": "denial" }), at).await
}

#[tokio::test]
async fn a_denial_says_who_what_when_which_decision_and_which_policy() {
    let installation = Installation::start().await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let agent = installation.client("acme", "bob", &[Role::Agent]).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    super::register_server(&publisher, "git").await;
    assert_eq!(agent.code(RETIRE, json!({})).await, "FORBIDDEN");

    // The answer waited for the record: it is in the log now.
    let found = denials(&auditor, &installation).await;
    assert_eq!(all(&found, "type"), ["denial.recorded"]);
    let policy = auditor
        .data("{ registry { policyVersion } }", json!({}))
        .await;
    let servers = auditor
        .data(
            "{ server(slug: \"git\") { history { nodes { aggregateId } } } }",
            json!({}),
        )
        .await;
    let denial = &found[0];
    assert_eq!(denial["actor"]["kind"], "USER");
    assert_eq!(denial["data"]["principal_id"], denial["actor"]["id"]);
    assert_eq!(denial["data"]["action"], "retire_server");
    assert_eq!(denial["data"]["resource_kind"], "server");
    assert_eq!(
        denial["data"]["resource_id"],
        servers["server"]["history"]["nodes"][0]["aggregateId"]
    );
    assert_eq!(denial["data"]["decision"], "forbidden");
    assert_eq!(
        denial["data"]["policy_version"],
        policy["registry"]["policyVersion"]
    );
    assert_eq!(denial["data"]["times"], 1);
    let of_bob = audit(&auditor, json!({ "actor": "bob" }), 0).await;
    assert_eq!(of_bob, found);
}

#[tokio::test]
async fn what_is_hidden_from_a_caller_is_denied_as_hidden() {
    let installation = Installation::start().await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.client("acme", "bob", &[Role::Agent]).await;
    super::register_server(&publisher, "git").await;
    let hide =
        "mutation { registerTool(input: { server: \"git\", name: \"purge\", description: \"x\",
        visibility: PRIVATE }) { sequence } }";
    publisher.data(hide, json!({})).await;
    let retire =
        "mutation { retireTool(input: { server: \"git\", name: \"purge\" }) { sequence } }";
    assert_eq!(agent.code(retire, json!({})).await, "NOT_FOUND");
    let found = denials(&auditor, &installation).await;
    assert_eq!(found[0]["data"]["decision"], "hidden");
    assert_eq!(found[0]["data"]["action"], "retire_tool");
}

#[tokio::test]
async fn a_denial_over_mcp_is_recorded_too() {
    let installation = Installation::start().await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let nobody = installation.client("acme", "nobody", &[]).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "search_tools", "arguments": { "query": "anything" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                   "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                   "io.modelcontextprotocol/clientCapabilities": {} } } });
    let request = nobody.http.post(format!("{}/mcp", nobody.base)).json(&call);
    let request = nobody
        .authorize(request)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "search_tools");
    let answer = request.send().await.unwrap();
    let correlation = answer.headers()["correlation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["result"]["isError"], true, "{answer:#}");
    let found = denials(&auditor, &installation).await;
    assert_eq!(all(&found, "correlationId"), [&correlation]);
    assert_eq!(found[0]["data"]["action"], "search_tools");
}

#[tokio::test]
async fn a_flood_of_denials_becomes_one_event_and_a_count() {
    // One window from 1970 on: none ends while the test runs.
    let installation = Installation::start_with(|config| {
        config.limits.denial_window = Duration::from_secs(1 << 32);
    })
    .await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let agent = installation.client("acme", "bob", &[Role::Agent]).await;
    let first = agent.code(RETIRE, json!({})).await;
    assert_eq!(first, "FORBIDDEN");
    let flood = (0..49).map(|_| agent.code(RETIRE, json!({})));
    for code in futures::future::join_all(flood).await {
        assert_eq!(code, "FORBIDDEN");
    }
    // Many objects, one after the other: from some number on they are one.
    for number in 0..30 {
        let slug = format!("s{number}");
        let query = "mutation($slug: String!) { describeServer(input: { slug: $slug, name: \"x\" })
            { sequence } }";
        assert_eq!(
            agent.code(query, json!({ "slug": slug })).await,
            "FORBIDDEN"
        );
    }
    let found = denials(&auditor, &installation).await;
    let action = |name: &str| found.iter().filter(|d| d["data"]["action"] == name).count();
    assert_eq!(action("retire_server"), 1);
    assert_eq!(action("describe_server"), api::authz::MOST_OBJECTS + 1);

    // The counts are written when the window ends, or the process.
    let Installation { app, config, .. } = installation;
    app.stop().await;
    let log = Servers::log(&config).await;
    let mut reader = log.read_from(1).await.unwrap();
    let head = log.head().await.unwrap();
    let (mut times, mut seen) = (0, 0);
    while seen < head {
        for entry in reader.next_batch(100).await.unwrap() {
            seen = entry.stream_sequence;
            let commit = entry.commit().unwrap();
            for event in commit
                .events
                .iter()
                .filter(|_| commit.aggregate == "denial")
            {
                times += event.data["times"].as_u64().unwrap();
            }
        }
    }
    assert_eq!(times, 80, "every refusal is counted once");
}

#[tokio::test]
async fn counts_are_written_when_the_window_ends() {
    let installation =
        Installation::start_with(|config| config.limits.denial_window = Duration::from_secs(2))
            .await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let agent = installation.client("acme", "bob", &[Role::Agent]).await;
    // More than there are windows in the time that they take.
    for _ in 0..6 {
        agent.code(RETIRE, json!({})).await;
    }
    let begun = Instant::now();
    loop {
        let found = denials(&auditor, &installation).await;
        let times: u64 = found
            .iter()
            .map(|d| d["data"]["times"].as_u64().unwrap())
            .sum();
        if times == 6 {
            let repeated = found
                .iter()
                .find(|d| d["type"] == "denial.repeated")
                .unwrap();
            assert!(repeated["data"]["total"].as_u64().unwrap() >= 2);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{found:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_refusal_stands_while_the_log_hangs_and_is_recorded_afterwards() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = servers.fresh_config(folder.path()).await;
    config.limits.denial_window = Duration::from_secs(2);
    config.auth.max_access_lag = Duration::from_secs(600);
    let roles = [ProcessRole::Api, ProcessRole::Projector];
    let (app, base) = serve(&config, &roles).await;
    let tenant = TenantId::new("acme").unwrap();
    let dispatcher = &app.state.dispatcher;
    let (vault, actor) = (&app.state.vault, Actor::system("test"));
    let (bob, at, _) = metamcp::provision(dispatcher, vault, &tenant, "bob", &actor)
        .await
        .unwrap();
    // Nobody but its owner may say that it is no owner any more.
    let context = CommandContext::new(tenant.clone(), Actor::system("test"));
    let revoke = PrincipalCommand::RevokeRole(Role::Owner);
    let done = dispatcher
        .dispatch::<Principal>(&context, bob.as_str(), revoke)
        .await;
    let at = at.max(done.unwrap().stream_sequence);
    let positions = &app.state.positions;
    positions.wait_for("access", at, PATIENCE).await.unwrap();
    let token = app.state.tokens.issue(&tenant, &bob, None).unwrap();
    let bob = Client::new(&base, Some(token.token.expose_secret().to_owned()));
    let begun = Instant::now();
    while positions.staleness("access") == Duration::MAX && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let nats = Pid::from_raw(i32::try_from(servers.embedded.nats.pid()).unwrap()).unwrap();
    kill_process(nats, Signal::STOP).unwrap();
    let begun = Instant::now();
    let code = bob
        .code("{ principals { nodes { handle } } }", json!({}))
        .await;
    let elapsed = begun.elapsed();
    kill_process(nats, Signal::CONT).unwrap();
    assert_eq!(code, "FORBIDDEN");
    // The log still hung when the answer came: it waits for its record for a moment only.
    assert!(elapsed < PATIENCE / 2, "{elapsed:?}");

    // The window ends, and what was missing is written: once.
    let mut reader = app.state.log.read_from(at + 1).await.unwrap();
    let next = tokio::time::timeout(PATIENCE, reader.next_batch(1)).await;
    let commit = next.unwrap().unwrap()[0].commit().unwrap();
    assert_eq!(commit.events[0].wire_type, "denial.recorded");
    assert_eq!(commit.events[0].data["times"], 1);
    app.stop().await;
}
