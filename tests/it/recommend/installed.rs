//! Tools of other tenants are recommended where they are installed, by what the tenant itself does with them.

use crate::mcp::call;
use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REGISTER: &str =
    "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";
const FIELDS: &str = "similar { reference tool { name } listing { version } reason }
    usedTogether { reference tool { name } listing { version } reason }
    comesNext { reference tool { name } listing { version } reason }";
const ROUTE: &str = "publisher: \"acme\", server: \"maps\", tool: \"route\"";

async fn server(client: &Client, slug: &str) {
    let mutation = format!(
        "mutation {{ registerServer(input: {{ slug: \"{slug}\", name: \"{slug}\" }}) {{ sequence }} }}"
    );
    client.data(&mutation, json!({})).await;
}

async fn tool(client: &Client, server: &str, name: &str, visibility: &str) {
    let input = json!({ "server": server, "name": name, "version": "1.0.0", "visibility": visibility,
                        "description": "Plans a journey by bicycle" });
    client.data(REGISTER, json!({ "input": input })).await;
}

async fn done(client: &Client, mutation: &str, input: &str) {
    let mutation = format!("mutation {{ {mutation}(input: {{ {input} }}) {{ sequence }} }}");
    client.data(&mutation, json!({})).await;
}

/// A tenant that has installed `@acme/maps/route` at `^1`, beside a tool of its own.
async fn tenant(installation: &Installation, slug: &str) -> Client {
    let owner = installation.client(slug, "owner", &[Role::Owner]).await;
    server(&owner, "trips").await;
    tool(&owner, "trips", "plan", "TENANT").await;
    let pinned = format!("{ROUTE}, range: \"^1\"");
    done(&owner, "installTool", &pinned).await;
    owner
}

/// The publisher's tools, of which two are public and one is not.
async fn world() -> (Installation, Client) {
    let installation = Installation::start().await;
    let acme = installation.client("acme", "owner", &[Role::Owner]).await;
    server(&acme, "maps").await;
    tool(&acme, "maps", "route", "PUBLIC").await;
    tool(&acme, "maps", "tour", "PUBLIC").await;
    tool(&acme, "maps", "secret", "TENANT").await;
    let version =
        "server: \"maps\", name: \"route\", version: \"2.0.0\", description: \"Plans a flight\"";
    done(&acme, "publishToolVersion", version).await;
    installation.settle().await;
    (installation, acme)
}

/// What is recommended beside the tool of a tenant's own.
async fn beside_own(client: &Client) -> Value {
    let query = format!("{{ tool(server: \"trips\", name: \"plan\") {{ {FIELDS} }} }}");
    client.data(&query, json!({})).await["tool"].take()
}

/// What is recommended beside the installed one.
async fn beside_installed(client: &Client) -> Value {
    let query = format!("{{ listing({ROUTE}) {{ {FIELDS} }} }}");
    client.data(&query, json!({})).await["listing"].take()
}

fn names(beside: &Value, kind: &str) -> Vec<String> {
    let list = beside[kind].as_array().unwrap().iter();
    list.map(|one| one["reference"].as_str().unwrap().to_owned())
        .collect()
}

/// Agents of a tenant read both tools, one after the other, in two sessions; the answer when that was counted.
async fn used(installation: &Installation, slug: &str, owner: &Client) -> Value {
    for handle in ["agent-1", "agent-2"] {
        let agent = installation.client(slug, handle, &[Role::Agent]).await;
        for tool in ["trips/plan", "@acme/maps/route"] {
            let read = call(&agent, "describe_tool", json!({ "tool": tool })).await;
            assert_ne!(read["isError"], true, "{read:#}");
        }
    }
    let begun = Instant::now();
    loop {
        let seen = beside_own(owner).await;
        if !names(&seen, "comesNext").is_empty() {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{seen:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn installed_tools_are_recommended_and_recommended_beside_in_the_version_that_is_installed() {
    let (installation, _acme) = world().await;
    let beta = tenant(&installation, "beta").await;
    installation.settle().await;
    let seen = used(&installation, "beta", &beta).await;
    let route = "@acme/maps/route";
    for kind in ["similar", "usedTogether", "comesNext"] {
        assert_eq!(names(&seen, kind), [route], "{kind}");
        let one = &seen[kind][0];
        let shown = (&one["tool"], &one["listing"]["version"]);
        assert_eq!(shown, (&Value::Null, &json!("1.0.0")), "{kind}");
        assert!(!one["reason"].as_str().unwrap().is_empty());
    }
    let beside = beside_installed(&beta).await;
    assert_eq!(names(&beside, "similar"), ["trips/plan"]);
    assert_eq!(names(&beside, "usedTogether"), ["trips/plan"]);
    assert_eq!(beside["usedTogether"][0]["tool"]["name"], "plan");

    // Agents get the same.
    let agent = installation.client("beta", "reader", &[Role::Agent]).await;
    let tools = json!({ "tools": ["trips/plan", route, "@acme/maps/tour"] });
    let answer = call(&agent, "recommend_tools", tools).await;
    let told = &answer["structuredContent"];
    for kind in ["similar", "used_together", "comes_next"] {
        assert_eq!(told["tools"][0][kind][0]["tool"], route, "{kind}");
    }
    assert_eq!(told["tools"][1]["similar"][0]["tool"], "trips/plan");
    let absent = &told["errors"][0];
    assert_eq!(absent["code"], "NOT_FOUND", "not installed");
    let described = call(&agent, "describe_tool", json!({ "tool": "trips/plan" })).await;
    assert_eq!(described["structuredContent"]["similar"], json!([route]));
}

#[tokio::test]
async fn what_one_tenant_uses_is_nothing_to_another_and_what_is_gone_is_not_recommended() {
    let (installation, acme) = world().await;
    let beta = tenant(&installation, "beta").await;
    let gamma = tenant(&installation, "gamma").await;
    installation.settle().await;
    used(&installation, "beta", &beta).await;
    // Neither another that has installed the same tool learns of it, nor the publisher.
    for beside in [
        beside_own(&gamma).await,
        beside_installed(&gamma).await,
        beside_installed(&acme).await,
    ] {
        assert!(names(&beside, "usedTogether").is_empty(), "{beside:#}");
        assert!(names(&beside, "comesNext").is_empty(), "{beside:#}");
    }
    let seen = beside_installed(&gamma).await.to_string();
    assert!(!seen.contains("secret") && !seen.contains("tour"), "{seen}");
    let own = beside_installed(&acme).await;
    assert!(
        names(&own, "similar").contains(&"maps/secret".to_owned()),
        "its own"
    );

    // Hidden, offered again, uninstalled.
    let show = |visibility| format!("server: \"maps\", name: \"route\", visibility: {visibility}");
    let everything = ["similar", "usedTogether", "comesNext"];
    done(&acme, "describeTool", &show("TENANT")).await;
    installation.settle().await;
    let seen = beside_own(&beta).await;
    assert!(
        everything.iter().all(|kind| names(&seen, kind).is_empty()),
        "{seen:#}"
    );
    done(&acme, "describeTool", &show("PUBLIC")).await;
    installation.settle().await;
    let seen = beside_own(&beta).await;
    assert!(
        everything.iter().all(|kind| names(&seen, kind).len() == 1),
        "{seen:#}"
    );
    done(&beta, "uninstallTool", ROUTE).await;
    installation.settle().await;
    let seen = beside_own(&beta).await;
    assert!(
        everything.iter().all(|kind| names(&seen, kind).is_empty()),
        "{seen:#}"
    );
}
