//! Policies on record: what was possible is judged by the rules of then, and a change of them is recorded once.

use super::{sequence, server, tool};
use crate::support::{Client, Installation, serve};
use domain::id::TenantId;
use domain::policy::version_of;
use domain::principal::Role;
use metamcp::app::Role as ProcessRole;
use projections::access;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const BUILT_IN: &str = include_str!("../../../api/policy/registry.polar");
const ACCESS: &str = "query($at: AsOf) {
    accessAt(principal: \"ada\", server: \"git\", tool: \"commit\", at: $at, action: RETIRE) {
        allowed sequence policyVersion policyRecorded policySequence grants { role }
        policy { policyVersion sequence } } }";
const POLICIES: &str = "query($first: Int! = 10, $after: String, $version: String) {
    policies(first: $first, after: $after, policyVersion: $version) {
        nodes { policyVersion sha256 sequence adoptedAt programVersion inForce } pageInfo { hasNextPage endCursor } } }";

/// The built-in rules, and that agents may take tools out of use.
fn generous() -> String {
    format!("{BUILT_IN}\npermits(\"agent\", \"retire_tool\", _resource);\n")
}

/// A folder of policies with these rules.
fn folder(within: &Path, name: &str, rules: &str) -> PathBuf {
    let folder = within.join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("rules.polar"), rules).unwrap();
    folder
}

async fn access(client: &Client, at: Value) -> Value {
    client.data(ACCESS, json!({ "at": at })).await["accessAt"].take()
}

async fn rename(client: &Client, name: &str) -> u64 {
    let rename = "mutation($name: String!) { done: renameTenant(input: { displayName: $name }) { sequence } }";
    sequence(client, rename, json!({ "name": name })).await
}

/// Position and version of every policy on record.
async fn recorded(installation: &Installation) -> Vec<(u64, String)> {
    let log = &installation.app.state.log;
    let mut found = Vec::new();
    for position in 1..=log.head().await.unwrap() {
        let commit = log.entry_at(position).await.unwrap().unwrap().commit();
        let commit = commit.unwrap();
        if commit.aggregate == "policy" {
            assert_eq!(commit.tenant, TenantId::installation());
            let version = commit.events[0].data["policy_version"].as_str();
            found.push((position, version.unwrap().to_owned()));
        }
    }
    found
}

#[tokio::test]
async fn what_was_possible_is_judged_by_the_policy_of_then() {
    let policies = tempfile::tempdir().unwrap();
    let generous_folder = folder(policies.path(), "generous", &generous());
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    server(&owner, "git").await;
    tool(&owner, "git", "commit").await;
    let register = "mutation { done: registerPrincipal(input: {
        handle: \"ada\", kind: USER, roles: [AGENT] }) { sequence } }";
    let strict = sequence(&owner, register, json!({})).await;
    let (built_in, changed) = (version_of(BUILT_IN), version_of(&generous()));

    let installation = installation
        .restart_with(|config| config.auth.policy_dir = Some(generous_folder))
        .await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let lenient = rename(&owner, "While agents may").await;
    let between = chrono::Utc::now();
    let installation = installation
        .restart_with(|config| config.auth.policy_dir = None)
        .await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let again = rename(&owner, "No longer").await;

    let on_record = recorded(&installation).await;
    let versions: Vec<&str> = on_record.iter().map(|one| one.1.as_str()).collect();
    assert_eq!(versions, [&built_in, &changed, &built_in]);
    for (at, allowed, record) in [
        (json!({ "sequence": strict }), false, &on_record[0]),
        (json!({ "sequence": lenient }), true, &on_record[1]),
        // Before the third policy was recorded, although the tenant's next commit came after it.
        (json!({ "time": between }), true, &on_record[1]),
        (json!({ "sequence": again }), false, &on_record[2]),
        (Value::Null, false, &on_record[2]),
    ] {
        let found = access(&owner, at.clone()).await;
        assert_eq!(found["allowed"], allowed, "{at}: {found:#}");
        assert_eq!(found["policyVersion"], record.1.as_str(), "{at}");
        assert_eq!(found["policyRecorded"], true, "{at}");
        assert_eq!(found["policySequence"], record.0, "{at}");
        let listed = json!({ "policyVersion": record.1, "sequence": record.0 });
        assert_eq!(found["policy"], listed, "{at}");
        let grants = if allowed {
            json!([{ "role": "AGENT" }])
        } else {
            json!([])
        };
        assert_eq!(found["grants"], grants, "{at}");
    }
    // The answer's position names the same moment as the time did.
    let by_time = access(&owner, json!({ "time": between })).await;
    let position = json!({ "sequence": by_time["sequence"] });
    assert_eq!(access(&owner, position).await, by_time);
}

#[tokio::test]
async fn where_no_policy_is_on_record_the_answer_says_so() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let found = access(&owner, json!({ "sequence": 0 })).await;
    assert_eq!(found["policyRecorded"], false, "{found:#}");
    assert_eq!(found["policySequence"], Value::Null);
    assert_eq!(found["policy"], Value::Null);
    assert_eq!(found["policyVersion"], version_of(BUILT_IN));
}

#[tokio::test]
async fn a_change_of_policy_is_recorded_once_however_many_processes_start() {
    let policies = tempfile::tempdir().unwrap();
    let generous_folder = folder(policies.path(), "generous", &generous());
    let installation = Installation::start().await;
    let mut changed = installation.config.clone();
    changed.auth.policy_dir = Some(generous_folder);
    let api = [ProcessRole::Api];
    // A roll-out: two new ones at once beside the old one, which goes on; then the old one is replaced.
    let ((second, _), (third, _)) = tokio::join!(serve(&changed, &api), serve(&changed, &api));
    let (fourth, _) = serve(&changed, &api).await;
    let versions = || async {
        let recorded = recorded(&installation).await;
        recorded.into_iter().map(|one| one.1).collect::<Vec<_>>()
    };
    let (built_in, generous) = (version_of(BUILT_IN), version_of(&generous()));
    assert_eq!(versions().await, [&built_in, &generous].map(Clone::clone));
    // A process that only projects judges nobody.
    let (projector, _) = serve(&installation.config, &[ProcessRole::Projector]).await;
    assert_eq!(versions().await.len(), 2);
    // An old one that starts anew is on record again: it judges.
    let (old, _) = serve(&installation.config, &api).await;
    assert_eq!(
        versions().await,
        [&built_in, &generous, &built_in].map(Clone::clone)
    );
    for app in [second, third, fourth, projector, old] {
        app.stop().await;
    }
}

#[tokio::test]
async fn policies_are_read_as_the_installations_and_as_no_tenants() {
    let installation = Installation::start().await;
    installation.client("acme", "owner", &[Role::Owner]).await;
    installation.settle().await;
    let reads = &installation.app.state.reads;
    let acme = TenantId::new("acme").unwrap();
    let mut of_tenant = reads.tenant(&acme).await.unwrap();
    assert_eq!(access::policy(&mut of_tenant).await.unwrap(), None);
    let mut own = reads.tenant(&TenantId::installation()).await.unwrap();
    let found = access::policy(&mut own).await.unwrap().unwrap();
    assert_eq!(found.text, BUILT_IN);
}

async fn policies(client: &Client, variables: Value) -> Value {
    client.data(POLICIES, variables).await["policies"].take()
}

fn positions(page: &Value) -> Vec<u64> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["sequence"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn policies_are_listed_newest_first_and_say_which_one_judges_now() {
    let folders = tempfile::tempdir().unwrap();
    let generous_folder = folder(folders.path(), "generous", &generous());
    let installation = Installation::start().await;
    let installation = installation
        .restart_with(|config| config.auth.policy_dir = Some(generous_folder))
        .await;
    let installation = installation
        .restart_with(|config| config.auth.policy_dir = None)
        .await;
    let auditor = installation
        .client("acme", "auditor", &[Role::Auditor])
        .await;
    let on_record = recorded(&installation).await;
    let newest_first: Vec<u64> = on_record.iter().rev().map(|one| one.0).collect();
    assert_eq!(newest_first.len(), 3);

    let whole = policies(&auditor, json!({})).await;
    assert_eq!(positions(&whole), newest_first);
    for (node, record) in whole["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .zip(on_record.iter().rev())
    {
        assert_eq!(node["policyVersion"], record.1.as_str());
        let sha256 = node["sha256"].as_str().unwrap();
        assert!(sha256.len() == 64 && sha256.starts_with(&record.1));
        // The built-in rules came back: their first record is history, although it has the same name.
        assert_eq!(node["inForce"], record.0 == newest_first[0], "{node}");
    }
    let registry = "{ registry { version policyVersion } }";
    let registry = auditor.data(registry, json!({})).await["registry"].take();
    assert_eq!(registry["version"], whole["nodes"][0]["programVersion"]);
    assert_eq!(
        registry["policyVersion"],
        whole["nodes"][0]["policyVersion"]
    );
    let named = policies(&auditor, json!({ "version": version_of(&generous()) })).await;
    assert_eq!(positions(&named), newest_first[1..2]);

    let first = policies(&auditor, json!({ "first": 2 })).await;
    assert_eq!(positions(&first), newest_first[..2]);
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = &first["pageInfo"]["endCursor"];
    let rest = policies(&auditor, json!({ "first": 2, "after": after })).await;
    assert_eq!(positions(&rest), newest_first[2..]);
    assert_eq!(rest["pageInfo"]["hasNextPage"], false);

    // Every tenant is judged by them, and those see them there who see its audit log.
    let owner = installation.client("beta", "owner", &[Role::Owner]).await;
    assert_eq!(positions(&policies(&owner, json!({})).await), newest_first);
    for role in [Role::Agent, Role::Publisher] {
        let other = installation
            .client("beta", &format!("a-{role}"), &[role])
            .await;
        assert_eq!(other.code(POLICIES, json!({})).await, "FORBIDDEN");
    }
    let foreign = json!({ "after": "aGVsbG8" });
    assert_eq!(auditor.code(POLICIES, foreign).await, "INVALID_CURSOR");
}
