//! Mutations: what they change, what they refuse, and that a repetition is safe.

use super::{REGISTER_SERVER, REGISTER_TOOL, register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_server_is_described_field_by_field_and_retired_with_its_tools() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let input = json!({ "slug": " git ", "name": " Git ", "homepage": "https://git-scm.com",
        "license": "GPL-2.0-only", "tags": ["vcs"], "transport": "STREAMABLE_HTTP" });
    client
        .data(REGISTER_SERVER, json!({ "input": input }))
        .await;
    register_tool(&client, "git", "commit", json!({})).await;
    let describe = "mutation($input: DescribeServerInput!) { describeServer(input: $input) {
        server { name description homepage license tags transport } notice } }";
    let input = json!({ "slug": "git", "description": "Version control", "homepage": null });
    let payload = client.data(describe, json!({ "input": input })).await["describeServer"].take();
    assert_eq!(
        payload["server"],
        json!({ "name": "Git", "description": "Version control", "homepage": null,
                "license": "GPL-2.0-only", "tags": ["vcs"], "transport": "STREAMABLE_HTTP" })
    );
    assert_eq!(payload["notice"], json!(null));
    for (input, code) in [
        (
            json!({ "slug": "git", "description": "Version control" }),
            "UNCHANGED",
        ),
        (json!({ "slug": "git", "name": null }), "FIELD_MISSING"),
        (
            json!({ "slug": "git", "name": "Gi\u{202e}t" }),
            "HIDDEN_CHARACTERS",
        ),
        (
            json!({ "slug": "git", "homepage": "javascript:alert(1)" }),
            "INVALID_HOMEPAGE",
        ),
        (json!({ "slug": "gone", "name": "x" }), "NOT_FOUND"),
    ] {
        assert_eq!(
            client.code(describe, json!({ "input": input })).await,
            code,
            "{input}"
        );
    }
    let retired = client
        .data(
            "mutation { retireServer(input: { slug: \"git\", reason: \"Moved\" }) {
                server { status retiredReason toolCount } } }",
            json!({}),
        )
        .await["retireServer"]["server"]
        .take();
    assert_eq!(
        retired,
        json!({ "status": "RETIRED", "retiredReason": "Moved", "toolCount": 0 })
    );
    let input = json!({ "server": "git", "name": "push", "description": "Pushes" });
    assert_eq!(
        client.code(REGISTER_TOOL, json!({ "input": input })).await,
        "SERVER_RETIRED"
    );
}

#[tokio::test]
async fn a_tools_versions_are_kept_newest_first() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    register_tool(&client, "git", "commit", json!({ "title": "Commit" })).await;
    let publish = "mutation($input: PublishToolVersionInput!) { publishToolVersion(input: $input) {
        tool { title version description versions { nodes { version publishedBy { kind } } } } } }";
    let version = |version: &str, description: &str| {
        json!({ "input": { "server": "git", "name": "commit", "version": version,
                           "description": description } })
    };
    let tool =
        client.data(publish, version("1.10.0", "Records")).await["publishToolVersion"]["tool"]
            .take();
    assert_eq!(
        (&tool["version"], &tool["title"]),
        (&json!("1.10.0"), &json!("Commit"))
    );
    let by = json!({ "kind": "USER" });
    assert_eq!(
        tool["versions"]["nodes"],
        json!([{ "version": "1.10.0", "publishedBy": by }, { "version": "1.0.0", "publishedBy": by }])
    );
    for (number, description, code) in [
        ("1.10.0", "Other", "VERSION_TAKEN"),
        ("2.0.0", "Records", "DEFINITION_UNCHANGED"),
        ("2.0", "Other", "INVALID_VERSION"),
        ("2.0.0", "", "FIELD_MISSING"),
    ] {
        assert_eq!(
            client.code(publish, version(number, description)).await,
            code
        );
    }
    let large = json!({ "type": "object", "title": "x".repeat(65_500) });
    for (more, code) in [
        (
            json!({ "name": "x", "inputSchema": large, "outputSchema": large }),
            "DEFINITION_TOO_LARGE",
        ),
        (json!({}), "TOOL_ALREADY_REGISTERED"),
        (json!({ "name": "b\u{0}d" }), "INVALID_TOOL_NAME"),
        (json!({ "name": "x", "inputSchema": [] }), "INVALID_SCHEMA"),
        (
            json!({ "name": "x", "server": "nowhere" }),
            "SERVER_NOT_FOUND",
        ),
        (
            json!({ "name": "x", "tags": vec!["t"; 1] , "title": "x".repeat(201) }),
            "FIELD_TOO_LONG",
        ),
    ] {
        let mut input = json!({ "server": "git", "name": "commit", "description": "Commits" });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert_eq!(
            client.code(REGISTER_TOOL, json!({ "input": input })).await,
            code,
            "{input}"
        );
    }
}

#[tokio::test]
async fn a_command_sent_twice_is_decided_once() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let variables = json!({ "input": { "slug": "git", "name": "Git" },
        "id": "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e" });
    let first = client.data(REGISTER_SERVER, variables.clone()).await;
    assert_eq!(client.data(REGISTER_SERVER, variables).await, first);
    let other = json!({ "input": { "slug": "hg", "name": "Mercurial" },
        "id": "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e" });
    assert_eq!(
        client.code(REGISTER_SERVER, other).await,
        "COMMAND_ID_REUSED"
    );
    let fresh = json!({ "input": { "slug": "git", "name": "Git" } });
    assert_eq!(
        client.code(REGISTER_SERVER, fresh).await,
        "SERVER_ALREADY_REGISTERED"
    );
    let bad = json!({ "input": { "slug": "svn", "name": "Subversion" }, "id": "not-a-uuid" });
    assert_eq!(
        client.code(REGISTER_SERVER, bad).await,
        "GRAPHQL_VALIDATION_FAILED"
    );
}

#[tokio::test]
async fn one_failed_mutation_leaves_the_answers_of_the_others() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let (_, answer) = client
        .graphql(
            "mutation { one: registerServer(input: { slug: \"one\", name: \"One\" }) { sequence }
                        bad: registerServer(input: { slug: \"B A D\", name: \"Bad\" }) { sequence }
                        two: registerServer(input: { slug: \"two\", name: \"Two\" }) { server { slug } } }",
            json!({}),
        )
        .await;
    assert!(answer["data"]["one"]["sequence"].is_u64(), "{answer:#}");
    assert_eq!(answer["data"]["two"]["server"]["slug"], "two");
    assert_eq!(answer["data"].get("bad"), Some(&json!(null)), "{answer:#}");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID_SLUG");
    assert_eq!(answer["errors"][0]["path"], json!(["bad"]));
}

#[tokio::test]
async fn roles_bound_what_can_be_changed() {
    let installation = Installation::start().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let admin = installation.client("acme", "admin", &[Role::Admin]).await;
    let register =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    assert_eq!(agent.code(register, json!({})).await, "FORBIDDEN");
    let principal = "mutation($roles: [Role!]!) { registerPrincipal(input: {
        handle: \"bot\", kind: SERVICE, roles: $roles }) { principal { handle kind roles active } } }";
    assert_eq!(
        admin.code(principal, json!({ "roles": ["OWNER"] })).await,
        "FORBIDDEN"
    );
    let made = admin.data(principal, json!({ "roles": ["AGENT"] })).await;
    assert_eq!(
        made["registerPrincipal"]["principal"],
        json!({ "handle": "bot", "kind": "SERVICE", "roles": ["AGENT"], "active": true })
    );
    let grant = "mutation($role: Role!) { grantRole(input: { handle: \"bot\", role: $role }) {
        principal { roles } } }";
    assert_eq!(
        admin.code(grant, json!({ "role": "OWNER" })).await,
        "FORBIDDEN"
    );
    assert_eq!(
        admin.code(grant, json!({ "role": "AGENT" })).await,
        "ROLE_ALREADY_HELD"
    );
    let granted = admin.data(grant, json!({ "role": "AUDITOR" })).await;
    assert_eq!(
        granted["grantRole"]["principal"]["roles"],
        json!(["AGENT", "AUDITOR"])
    );
    let rename = "mutation { renameTenant(input: { displayName: \"Acme Corp\" }) { tenant { displayName } } }";
    assert!(["FORBIDDEN", "NOT_FOUND"].contains(&agent.code(rename, json!({})).await.as_str()));
    let renamed = admin.data(rename, json!({})).await;
    assert_eq!(
        renamed["renameTenant"]["tenant"]["displayName"],
        "Acme Corp"
    );
}

const REVOKE_OWNER: &str = "mutation($handle: String!) {
    revokeRole(input: { handle: $handle, role: OWNER }) { sequence } }";
const DEACTIVATE: &str = "mutation($handle: String!) {
    deactivatePrincipal(input: { handle: $handle }) { principal { active } } }";

/// Leaves `keep` as the only active owner.
async fn only_owner(installation: &Installation, keep: &[&str]) -> Vec<Client> {
    let mut clients = Vec::new();
    for handle in keep {
        clients.push(installation.client("acme", handle, &[Role::Owner]).await);
    }
    // The founder, whom the first client's registration brought in.
    let (_, answer) = clients[0]
        .graphql(DEACTIVATE, json!({ "handle": "founder" }))
        .await;
    let code = &answer["errors"][0]["extensions"]["code"];
    assert!(code.is_null() || code == "NOT_FOUND", "{answer:#}");
    clients
}

#[tokio::test]
async fn the_last_active_owner_stays() {
    let installation = Installation::start().await;
    let owner = only_owner(&installation, &["ada"]).await.remove(0);
    let ada = json!({ "handle": "ada" });
    assert_eq!(owner.code(REVOKE_OWNER, ada.clone()).await, "LAST_OWNER");
    assert_eq!(owner.code(DEACTIVATE, ada).await, "LAST_OWNER");
    let bob = "mutation { registerPrincipal(input: { handle: \"bob\", kind: USER, roles: [OWNER] }) { sequence } }";
    owner.data(bob, json!({})).await;
    let gone = owner.data(DEACTIVATE, json!({ "handle": "bob" })).await;
    assert_eq!(gone["deactivatePrincipal"]["principal"]["active"], false);
    assert_eq!(
        owner.code(REVOKE_OWNER, json!({ "handle": "ada" })).await,
        "LAST_OWNER"
    );
}

#[tokio::test]
async fn two_owners_that_remove_each_other_leave_one() {
    let installation = Installation::start().await;
    let owners = only_owner(&installation, &["ada", "bob"]).await;
    let (one, two) = tokio::join!(
        owners[0].graphql(REVOKE_OWNER, json!({ "handle": "bob" })),
        owners[1].graphql(REVOKE_OWNER, json!({ "handle": "ada" })),
    );
    let failed = [&one.1, &two.1]
        .iter()
        .filter(|answer| answer.get("errors").is_some())
        .count();
    assert_eq!(failed, 1, "{one:?} {two:?}");
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let mut reads = installation.app.state.reads.tenant(&tenant).await.unwrap();
    assert_eq!(
        projections::access::count_active_owners(&mut reads)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn all_may_revoke_their_own_tokens_and_it_takes_effect() {
    let installation = Installation::start().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    installation.client("acme", "victim", &[Role::Agent]).await;
    let revoke = "mutation($handle: String!, $before: DateTime) {
        revokeTokens(input: { handle: $handle, issuedBefore: $before }) { sequence } }";
    assert_eq!(
        agent.code(revoke, json!({ "handle": "victim" })).await,
        "NOT_FOUND"
    );
    let future = json!({ "handle": "agent", "before": "2999-01-01T00:00:00Z" });
    assert_eq!(agent.code(revoke, future).await, "MOMENT_IN_FUTURE");
    agent.data(revoke, json!({ "handle": "agent" })).await;
    for _ in 0..50 {
        let (status, _) = agent.graphql("{ viewer { handle } }", json!({})).await;
        if status == 401 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the token is still accepted after 5 s");
}
