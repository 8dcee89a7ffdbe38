//! A refusal stands in the audit log as any commit does, and is not to be undone.

use super::register_server;
use crate::support::Installation;
use domain::principal::Role;
use serde_json::json;

const UNDO: &str = "mutation($commit: ID!) { undo(commit: $commit) { event sequence } }";

#[tokio::test]
async fn a_refusal_is_a_record_that_nobody_takes_back() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let agent = installation.client("acme", "bob", &[Role::Agent]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    register_server(&owner, "git").await;
    let retire = "mutation { retireServer(input: { slug: \"git\" }) { sequence } }";
    assert_eq!(agent.code(retire, json!({})).await, "FORBIDDEN");
    installation.settle().await;
    let log = "{ auditLog(first: 10, filter: { aggregate: \"denial\" }) { nodes { type sequence commitId } } }";
    let mut found = auditor.data(log, json!({})).await;
    let denial = found["auditLog"]["nodes"][0].take();
    assert_eq!(denial["type"], "denial.recorded");

    for name in ["sequence", "commitId"] {
        let commit = json!({ "commit": denial[name] });
        for reader in [&owner, &auditor] {
            let (_, answer) = reader.graphql(UNDO, commit.clone()).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "NOT_UNDOABLE", "{answer:#}");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("`denial.recorded`") && message.contains("change the right"),
                "{message}"
            );
        }
        // Who does not see the commit is told what is told of one that does not exist.
        for stranger in [&agent, &other] {
            assert_eq!(stranger.code(UNDO, commit.clone()).await, "NOT_FOUND");
        }
    }
}
