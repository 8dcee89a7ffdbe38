//! Agents see the mark of a publisher where they choose a tool, as they see it where they read one.

use super::{REVOKE, installation, prove};
use crate::mcp::{call, text};
use crate::support::{Client, DnsServer, Installation};
use api::trust::SigningKey;
use domain::principal::Role;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SERVER: &str = "mutation($slug: String!, $registryName: String) {
    registerServer(input: { slug: $slug, name: $slug, registryName: $registryName }) { sequence } }";
const TOOL: &str =
    "mutation($server: String!, $name: String!) { registerTool(input: { server: $server, name: $name,
    description: \"Tells the weather\", visibility: PUBLIC }) { sequence } }";
const INSTALL: &str = "mutation { installTool(input: { publisher: \"acme\", server: \"weather\",
    tool: \"forecast\" }) { sequence } }";
const TOOLS: [&str; 3] = ["@acme/weather/forecast", "trips/plan", "plain/umbrella"];

async fn offer(client: &Client, slug: &str, registry_name: Option<&str>, tool: &str) {
    let server = json!({ "slug": slug, "registryName": registry_name });
    client.data(SERVER, server).await;
    let tool = json!({ "server": slug, "name": tool });
    client.data(TOOL, tool).await;
}

/// A tool that `beta` has installed from `acme`, one of its own, and one of its own whose server has no registry name.
async fn world(dns: &DnsServer) -> (Installation, Client, Client) {
    let installation = installation(dns, |_| {}).await;
    let acme = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    offer(&acme, "weather", Some("com.example/weather"), "forecast").await;
    offer(&beta, "trips", Some("org.example/trips"), "plan").await;
    offer(&beta, "plain", None, "umbrella").await;
    installation.settle().await;
    beta.data(INSTALL, json!({})).await;
    installation.settle().await;
    (installation, acme, beta)
}

/// The mark on each tool that is listed, by its name; null where the field is absent.
fn marks(list: &Value, name: impl Fn(&Value) -> String) -> BTreeMap<String, Value> {
    let list = list.as_array().unwrap().iter();
    let mark = |tool: &Value| {
        let mark = tool.get("verified_publisher");
        assert_ne!(mark, Some(&Value::Null), "absent, not null: {tool:#}");
        (name(tool), mark.cloned().unwrap_or_default())
    };
    list.map(mark).collect()
}

async fn searched(agent: &Client) -> (BTreeMap<String, Value>, String) {
    let found = call(agent, "search_tools", json!({ "query": "weather" })).await;
    let name = |tool: &Value| {
        let [server, name] = ["server", "name"].map(|key| tool[key].as_str().unwrap());
        let publisher = tool["publisher"].as_str();
        let publisher = publisher.map(|publisher| format!("@{publisher}/"));
        format!("{}{server}/{name}", publisher.unwrap_or_default())
    };
    let tools = &found["structuredContent"]["tools"];
    (marks(tools, name), text(&found).to_owned())
}

/// The marks on what is like each of the tools.
async fn recommended(agent: &Client) -> (BTreeMap<String, Value>, String) {
    let asked = json!({ "tools": TOOLS, "kinds": ["similar"] });
    let answer = call(agent, "recommend_tools", asked).await;
    let beside = answer["structuredContent"]["tools"].as_array().unwrap();
    let name = |line: &Value| line["tool"].as_str().unwrap().to_owned();
    let of_each = beside.iter().map(|one| marks(&one["similar"], name));
    (of_each.flatten().collect(), text(&answer).to_owned())
}

async fn described(agent: &Client) -> BTreeMap<String, Value> {
    let mut marks = BTreeMap::new();
    for tool in TOOLS {
        let read = call(agent, "describe_tool", json!({ "tool": tool })).await;
        let mark = read["structuredContent"].get("verified_publisher");
        marks.insert(tool.to_owned(), mark.cloned().unwrap_or_default());
    }
    marks
}

#[tokio::test]
async fn receipts_and_recommendations_carry_the_mark_that_describe_tool_tells() {
    let dns = DnsServer::start().await;
    let (installation, acme, beta) = world(&dns).await;
    let agent = installation.client("beta", "agent", &[Role::Agent]).await;
    let unmarked: BTreeMap<String, Value> = TOOLS
        .iter()
        .map(|tool| ((*tool).to_owned(), Value::Null))
        .collect();
    assert_eq!(searched(&agent).await.0, unmarked);
    assert_eq!(recommended(&agent).await.0, unmarked);

    for (maker, namespace) in [(&acme, "com.example"), (&beta, "org.example")] {
        let key = SigningKey::generate().unwrap();
        assert_eq!(prove(maker, &dns, namespace, &key).await, "VERIFIED");
    }
    installation.settle().await;
    let mark = |namespace: &str| json!({ "namespace": namespace, "method": "dns" });
    let mut marked = unmarked.clone();
    marked.insert(TOOLS[0].to_owned(), mark("com.example"));
    marked.insert(TOOLS[1].to_owned(), mark("org.example"));
    assert_eq!(described(&agent).await, marked);
    for (told, said) in [searched(&agent).await, recommended(&agent).await] {
        assert_eq!(told, marked);
        for namespace in ["com.example", "org.example"] {
            let words = format!(" · verified publisher {namespace} (dns)");
            assert!(said.contains(&words), "{said}");
        }
    }

    beta.data(REVOKE, json!({ "namespace": "org.example" }))
        .await;
    installation.settle().await;
    marked.insert(TOOLS[1].to_owned(), Value::Null);
    assert_eq!(described(&agent).await, marked);
    assert_eq!(searched(&agent).await.0, marked);
    assert_eq!(recommended(&agent).await.0, marked);
}
