//! Principals, grants and `accessAt`: who could do what, when, and by whose decision.

use super::{sequence, server, tool};
use crate::support::{Client, Installation};
use domain::id::{PrincipalId, TenantId};
use domain::principal::Role;
use serde_json::{Value, json};

const ACCESS: &str = "query($at: AsOf, $action: ToolAction! = READ, $principal: String! = \"ada\",
        $tool: String! = \"commit\") {
    accessAt(principal: $principal, server: \"git\", tool: $tool, at: $at, action: $action) {
        allowed obstacles sequence policyVersion principal { handle roles active } tool { name visibility }
        grants { role sequence eventType grantedAt grantedBy { kind id } principal { handle } } } }";

async fn access(client: &Client, variables: Value) -> Value {
    client.data(ACCESS, variables).await["accessAt"].take()
}

async fn change(client: &Client, mutation: &str) -> u64 {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    sequence(client, &mutation, json!({})).await
}

#[tokio::test]
async fn grants_are_listed_as_they_were_with_who_gave_them() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let register = "registerPrincipal(input: { handle: \"ada\", kind: USER, roles: [AGENT] })";
    let registered = change(&owner, register).await;
    let granted = change(
        &owner,
        "grantRole(input: { handle: \"ada\", role: AUDITOR })",
    )
    .await;
    let revoked = change(
        &owner,
        "revokeRole(input: { handle: \"ada\", role: AGENT })",
    )
    .await;
    let query =
        "query($asOf: AsOf, $after: String) { grants(first: 2, after: $after, asOf: $asOf) {
        nodes { role sequence eventType grantedBy { kind } principal { handle roles } }
        pageInfo { hasNextPage endCursor } }
        principal(handle: \"ada\", asOf: $asOf) { roles } }";
    let mut seen = Vec::new();
    for position in [registered, granted, revoked] {
        let (mut after, mut of_ada) = (Value::Null, Vec::new());
        loop {
            let variables = json!({ "asOf": { "sequence": position }, "after": after });
            let answer = owner.data(query, variables).await;
            for grant in answer["grants"]["nodes"].as_array().unwrap() {
                if grant["principal"]["handle"] == "ada" {
                    assert_eq!(grant["grantedBy"]["kind"], "USER", "{grant:#}");
                    of_ada.push((grant["role"].clone(), grant["sequence"].as_u64().unwrap()));
                    // The principal is of the same moment.
                    assert_eq!(grant["principal"]["roles"], answer["principal"]["roles"]);
                }
            }
            after = answer["grants"]["pageInfo"]["endCursor"].clone();
            if answer["grants"]["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        seen.push(of_ada);
    }
    let (agent, auditor) = ((json!("AGENT"), registered), (json!("AUDITOR"), granted));
    assert_eq!(
        seen,
        [
            vec![agent.clone()],
            vec![agent, auditor.clone()],
            vec![auditor]
        ]
    );
}

#[tokio::test]
async fn an_erased_person_is_asked_about_by_the_name_that_is_shown() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let ada = installation.client("acme", "ada", &[Role::Publisher]).await;
    server(&ada, "git").await;
    let made = tool(&ada, "git", "commit").await;
    change(&owner, "erasePrincipal(input: { handle: \"ada\" })").await;
    installation.settle().await;
    let id = PrincipalId::derive(&TenantId::new("acme").unwrap(), "ada");
    let shown = format!("erased:{id}");

    let then = json!({ "principal": shown, "at": { "sequence": made } });
    let then = access(&owner, then).await;
    assert_eq!(then["allowed"], true, "{then:#}");
    assert_eq!(then["principal"]["handle"], json!(shown));
    let now = access(&owner, json!({ "principal": shown })).await;
    assert_eq!(now["allowed"], false, "{now:#}");
    let query = "query($name: String!) { principal(handle: $name) { handle }
        auditLog(filter: { actor: $name, type: \"tool.registered\" }) { nodes { sequence } } }";
    let found = owner.data(query, json!({ "name": shown })).await;
    assert_eq!(found["principal"]["handle"], json!(shown));
    let done = json!([{ "sequence": made }]);
    assert_eq!(found["auditLog"]["nodes"], done);
}

#[tokio::test]
async fn access_at_says_who_could_and_by_which_grant() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let empty = server(&owner, "git").await;
    let made = tool(&owner, "git", "commit").await;
    let register = "registerPrincipal(input: { handle: \"ada\", kind: USER, roles: [] })";
    let registered = change(&owner, register).await;
    let granted = change(&owner, "grantRole(input: { handle: \"ada\", role: AGENT })").await;
    let hidden = change(
        &owner,
        "describeTool(input: { server: \"git\", name: \"commit\", \
        visibility: PRIVATE })",
    )
    .await;
    let raised = change(
        &owner,
        "grantRole(input: { handle: \"ada\", role: PUBLISHER })",
    )
    .await;
    let retired = change(
        &owner,
        "retireTool(input: { server: \"git\", name: \"commit\" })",
    )
    .await;
    let out = change(&owner, "deactivatePrincipal(input: { handle: \"ada\" })").await;

    let both = json!(["PRINCIPAL_ABSENT", "TOOL_ABSENT"]);
    for (position, action, obstacles, roles) in [
        (empty, "READ", both, json!([])),
        (made, "READ", json!(["PRINCIPAL_ABSENT"]), json!([])),
        (registered, "READ", json!(["NOT_PERMITTED"]), json!([])),
        (granted, "READ", json!([]), json!(["AGENT"])),
        (granted, "SEARCH", json!([]), json!(["AGENT"])),
        (
            granted,
            "PUBLISH_VERSION",
            json!(["NOT_PERMITTED"]),
            json!([]),
        ),
        (hidden, "READ", json!(["NOT_PERMITTED"]), json!([])),
        (raised, "READ", json!([]), json!(["PUBLISHER"])),
        (raised, "PUBLISH_VERSION", json!([]), json!(["PUBLISHER"])),
        (retired, "READ", json!([]), json!(["PUBLISHER"])),
        (
            retired,
            "SEARCH",
            json!(["TOOL_RETIRED"]),
            json!(["PUBLISHER"]),
        ),
        (
            out,
            "READ",
            json!(["PRINCIPAL_DEACTIVATED"]),
            json!(["PUBLISHER"]),
        ),
    ] {
        let found = access(
            &owner,
            json!({ "at": { "sequence": position }, "action": action }),
        )
        .await;
        let by: Vec<_> = found["grants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|grant| &grant["role"])
            .collect();
        assert_eq!(
            (&found["obstacles"], json!(by)),
            (&obstacles, roles),
            "{position} {action}: {found:#}"
        );
        assert_eq!(
            found["allowed"],
            json!(obstacles == json!([])),
            "{position} {action}"
        );
        assert_eq!(found["sequence"], position);
    }
    let then = access(&owner, json!({ "at": { "sequence": granted } })).await;
    let grant = &then["grants"][0];
    assert_eq!(grant["eventType"], "principal.role_granted");
    assert_eq!(grant["sequence"], granted);
    assert_eq!(
        (&grant["grantedBy"]["kind"], &then["tool"]["visibility"]),
        (&json!("USER"), &json!("TENANT"))
    );
    assert_eq!(
        then["principal"],
        json!({ "handle": "ada", "roles": ["AGENT"], "active": true })
    );
    let policy = owner
        .data("{ registry { policyVersion } }", json!({}))
        .await;
    assert_eq!(then["policyVersion"], policy["registry"]["policyVersion"]);
    // Without a moment it is the present, and a grant's time leads back to it.
    assert_eq!(
        access(&owner, json!({})).await["obstacles"],
        json!(["PRINCIPAL_DEACTIVATED"])
    );
    // A commit about a principal is a moment as well.
    let registration = owner.data("{ principal(handle: \"ada\") { registeredAt } }", json!({}));
    let time = registration.await["principal"]["registeredAt"].take();
    let by_time = access(&owner, json!({ "at": { "time": time } })).await;
    assert_eq!(by_time["sequence"], registered, "{by_time:#}");
    let by_time = access(&owner, json!({ "at": { "time": grant["grantedAt"] } })).await;
    assert_eq!(
        (&by_time["allowed"], &by_time["sequence"]),
        (&json!(true), &json!(granted))
    );
}

#[tokio::test]
async fn rights_are_shown_to_those_who_may_see_principals() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    server(&owner, "git").await;
    tool(&owner, "git", "commit").await;
    let grants = "{ grants { nodes { role } } }";
    for (handle, role) in [("agent", Role::Agent), ("pub", Role::Publisher)] {
        let client = installation.client("acme", handle, &[role]).await;
        assert_eq!(
            client.code(ACCESS, json!({ "principal": handle })).await,
            "FORBIDDEN"
        );
        assert_eq!(client.code(grants, json!({})).await, "FORBIDDEN");
    }
    let auditor = installation
        .client("acme", "auditor", &[Role::Auditor])
        .await;
    let seen = access(&auditor, json!({ "principal": "agent" })).await;
    assert_eq!(seen["allowed"], true);
    auditor.data(grants, json!({})).await;
    // Of another tenant there is neither the one nor the other.
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let seen = access(&other, json!({ "principal": "agent" })).await;
    assert_eq!(
        seen["obstacles"],
        json!(["PRINCIPAL_ABSENT", "TOOL_ABSENT"])
    );
}
