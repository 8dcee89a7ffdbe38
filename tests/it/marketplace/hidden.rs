//! The law of the marketplace: whatever becomes of the visibilities of a tenant's tools, another tenant
//! sees the public ones and not a word of the others; and what is hidden answers as what is absent.

use super::{OFFER, errors, server, show, tool};
use crate::mcp::call;
use crate::support::{Client, Installation, Live};
use domain::principal::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TOOLS: usize = 9;
const VISIBILITIES: [&str; 3] = ["PRIVATE", "TENANT", "PUBLIC"];

/// The word that only the tool with this number contains.
fn word(n: usize) -> String {
    format!(
        "quux{}ly",
        [
            "alpha", "bravo", "carol", "delta", "echos", "fritz", "golfs", "hotel", "india"
        ][n]
    )
}

/// Who looks, and a tool of their tenant that they see whatever becomes of the others.
struct Viewer<'c> {
    client: &'c Client,
    own: &'static str,
    /// Whether the audit log is theirs to read.
    audits: bool,
}

impl Viewer<'_> {
    /// The whole answer. A query that is refused shows nothing, and would prove nothing.
    async fn told(&self, query: &str) -> String {
        let (status, answer) = self.client.graphql(query, json!({})).await;
        let answered = status == 200 && answer.get("errors").is_none();
        assert!(answered, "{query}: {status}: {answer:#}");
        answer.to_string()
    }

    /// The same of a tool over MCP, text and structured form.
    async fn called(&self, tool: &str, arguments: Value) -> String {
        let answer = call(self.client, tool, arguments).await;
        assert_ne!(answer["isError"], true, "{tool}: {answer:#}");
        answer.to_string()
    }

    /// The same of the audit log, which agents are refused.
    async fn audited(&self) -> String {
        let query = "{ auditLog(first: 100) { nodes { type data } } }";
        if self.audits {
            return self.told(query).await;
        }
        let (_, answer) = self.client.graphql(query, json!({})).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code, "FORBIDDEN", "{answer:#}");
        answer.to_string()
    }

    /// The servers as other registries read them.
    async fn mirrored(&self) -> String {
        let response = self.client.get("/v0.1/servers").await;
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }
}

/// Everything that a client can ask for, in one text.
async fn everything(viewer: &Viewer<'_>, head: u64) -> String {
    let mut all = String::new();
    let listing = "name title description tags category inputSchema versions { nodes { description } } installation { range }";
    let facets = "facets { counted categories { value } tags { value } servers { value } statuses { value }
        hints { value } visibilities { value } publishers { value } verified { value } ratings { value } }";
    let beside = "reference reason tool { name description } listing { name description }";
    // One common word, so that a search finds all that may be found.
    let task = "search the catalogue of widgets";
    let queries = [
        "{ tools(first: 100) { totalCount nodes { name description } } servers { totalCount nodes { slug } } }".to_owned(),
        "{ toolFacets(first: 100) { categories { value } tags { value } servers { value } statuses { value } } }".to_owned(),
        format!("{{ marketplace(first: 20) {{ totalCount nodes {{ {listing} }} }} }}"),
        format!("{{ marketplace(first: 20) {{ {facets} }} searched: marketplace(query: \"{task}\") {{ {facets} }} }}"),
        format!("{{ searchTools(query: \"{task}\", first: 50) {{ {facets} }} }}"),
        "{ marketplace(first: 9) { nodes { rating { count } aliases { name } warnings deprecation { message }
           reviews(first: 3) { nodes { version rating text author { name } } } } } }".to_owned(),
        "{ tools(first: 10) { nodes { rating { count } reviews(first: 3) { nodes { text } }
           publicReviews(first: 3) { nodes { text } } } } }".to_owned(),
        format!("{{ tools(first: 10) {{ nodes {{ similar(first: 20) {{ {beside} }} }} }} }}"),
        format!("{{ marketplace(first: 9) {{ nodes {{ similar(first: 20) {{ {beside} }} }} }} }}"),
        "{ installations { nodes { reference listing { name } } } }".to_owned(),
    ];
    for query in &queries {
        all.push_str(&viewer.told(query).await);
    }
    all.push_str(&viewer.audited().await);
    all.push_str(&viewer.mirrored().await);
    for at in 1..=head {
        let past = format!(
            "{{ tools(asOf: {{ sequence: {at} }}) {{ totalCount nodes {{ name description }} }}
               toolFacets(asOf: {{ sequence: {at} }}) {{ categories {{ value }} tags {{ value }} }} }}"
        );
        all.push_str(&viewer.told(&past).await);
    }
    for n in 0..TOOLS {
        let search = format!(
            "{{ searchTools(query: \"{task}\") {{ hits {{ reference }} }}
               own: searchTools(query: \"{secret}\") {{ hits {{ reference why {{ similarity }} }} {facets} }}
               marketplace(query: \"{secret}\") {{ nodes {{ name description }} {facets} }} }}",
            secret = word(n)
        );
        all.push_str(&viewer.told(&search).await);
    }
    let own = viewer.own;
    for (tool, arguments) in [
        ("search_tools", json!({ "query": task })),
        (
            "search_tools",
            json!({ "query": task, "limit": 50, "facets": true, "token_budget": 10_000 }),
        ),
        ("recommend_tools", json!({ "tools": [own], "limit": 20 })),
        ("describe_tool", json!({ "tool": own })),
    ] {
        all.push_str(&viewer.called(tool, arguments).await);
    }
    all
}

fn name(n: usize) -> String {
    format!("tool_{}", word(n))
}

/// A hidden tool and one that never was, asked for in the same way, answer the same bytes.
async fn assert_hidden_as_absent(client: &Client, hidden: &str) {
    let absent = "tool_never_was";
    for mutation in [
        "installTool(input: { publisher: \"acme\", server: \"lab\", tool: $name }) { sequence }",
        "repinTool(input: { publisher: \"acme\", server: \"lab\", tool: $name, range: \"*\" }) { sequence }",
        "uninstallTool(input: { publisher: \"acme\", server: \"lab\", tool: $name }) { sequence }",
        "reviewTool(input: { publisher: \"acme\", server: \"lab\", name: $name, rating: 5 }) { sequence }",
        "reviewTool(input: { publisher: \"acme\", server: \"lab\", name: $name, rating: 5, version: \"1.0.0\" })
            { sequence }",
    ] {
        let mutation = format!("mutation($name: String!) {{ {mutation} }}");
        assert_same(client, &mutation, hidden, absent).await;
    }
    for query in [
        "listing(publisher: \"acme\", server: \"lab\", tool: $name) { name }",
        "listing(publisher: \"acme\", server: \"lab\", tool: $name, version: \"^1\") { reviews { nodes { text } } }",
        "tool(server: \"lab\", name: $name) { dependents { nodes { tenant } } history { nodes { type } } }",
    ] {
        let query = format!("query($name: String!) {{ {query} }}");
        assert_same(client, &query, hidden, absent).await;
    }
    for version in ["", "@1.0.0", "@9.9.9", "@stable"] {
        let reference = |name: &str| format!("@acme/lab/{name}{version}");
        let resolve = "query($name: String!) { resolveTool(reference: $name) { exact } }";
        assert_same(client, resolve, &reference(hidden), &reference(absent)).await;
        for (meta_tool, argument) in [("describe_tool", "tool"), ("compare_tools", "from")] {
            let told = async |name: &str| {
                let tool = json!({ argument: reference(name) });
                call(client, meta_tool, tool).await.to_string()
            };
            let of_hidden = told(hidden).await.replace(hidden, absent);
            assert_eq!(of_hidden, told(absent).await, "{meta_tool}");
        }
    }
}

async fn assert_same(client: &Client, query: &str, hidden: &str, absent: &str) {
    let (status, told) = client.graphql(query, json!({ "name": hidden })).await;
    let (expected, of_absent) = client.graphql(query, json!({ "name": absent })).await;
    assert_eq!(
        (status, errors(&told)),
        (expected, errors(&of_absent)),
        "{query}"
    );
    assert_eq!(
        told["errors"][0]["extensions"]["code"], "NOT_FOUND",
        "{query}"
    );
}

/// A third tenant installs a tool, and writes its word about it.
async fn gossip(gamma: &Client, n: usize) {
    let install =
        "mutation($name: String!) { installTool(input: { publisher: \"acme\", server: \"lab\",
        tool: $name, range: \"*\" }) { sequence } }";
    let named = json!({ "name": name(n) });
    gamma.data(install, named).await;
    let review =
        "mutation($name: String!, $text: String!) { reviewTool(input: { publisher: \"acme\",
        server: \"lab\", name: $name, rating: 3, text: $text }) { sequence } }";
    let text = format!("They say {} is good", word(n));
    gamma
        .data(review, json!({ "name": name(n), "text": text }))
        .await;
}

/// Registers one of the tools, whose word is in all that is said of it.
async fn register(acme: &Client, n: usize) {
    let (name, word) = (name(n), word(n));
    let input = json!({ "server": "lab", "name": name, "version": "1.0.0", "category": word, "tags": [word],
                        "description": format!("Searches the catalogue of widgets {word}"),
                        "visibility": visibility(0, n) });
    acme.data(OFFER, json!({ "input": input })).await;
}

/// The visibilities of a round: each tool takes each of them in some round, and its neighbours others.
fn visibility(round: usize, n: usize) -> &'static str {
    VISIBILITIES[(n * 7 + round * 5 + n / 3) % 3]
}

#[tokio::test]
async fn another_tenant_sees_the_public_tools_and_not_a_word_of_the_others() {
    let installation = Installation::start().await;
    let acme = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let gamma = installation.client("gamma", "owner", &[Role::Owner]).await;
    let mut reviewed = BTreeSet::new();
    // Both tenants have a tool like the others, which similar ones are looked for beside.
    for (client, slug) in [(&beta, "own"), (&acme, "lab")] {
        server(client, slug).await;
        let description = "Searches the catalogue of widgets";
        tool(client, slug, "common", description, "TENANT").await;
    }
    let stranger = Viewer {
        client: &beta,
        own: "own/common",
        audits: true,
    };
    let colleague = Viewer {
        client: &agent,
        own: "lab/common",
        audits: false,
    };
    let from = installation.settle().await + 1;
    let events = format!("subscription {{ events(fromSequence: {from}) {{ type data }} }}");
    let mut live = Live::subscribed(&beta, &events, json!({})).await;
    for n in 0..TOOLS {
        register(&acme, n).await;
    }
    for round in 0..3 {
        for n in
            (0..TOOLS).filter(|n| round > 0 && visibility(round - 1, *n) != visibility(round, *n))
        {
            show(&acme, "lab", &name(n), visibility(round, n)).await;
        }
        installation.settle().await;
        let is = |n: &usize, wanted: &str| visibility(round, *n) == wanted;
        for n in (0..TOOLS).filter(|n| is(n, "PUBLIC")) {
            if reviewed.insert(n) {
                gossip(&gamma, n).await;
            }
        }
        let head = installation.settle().await;
        let seen = everything(&stranger, head).await;
        for n in 0..TOOLS {
            assert_eq!(
                seen.contains(&word(n)),
                is(&n, "PUBLIC"),
                "round {round}: {}",
                word(n)
            );
        }
        let public = (0..TOOLS).filter(|n| is(n, "PUBLIC")).count();
        let count = beta.data("{ marketplace { totalCount } }", json!({})).await;
        assert_eq!(count["marketplace"]["totalCount"], public);
        let rated = "{ marketplace(first: 9, filter: { minRating: 1 }) { totalCount
            nodes { rating { count } reviews(first: 3) { nodes { text } } } } }";
        let rated = beta.data(rated, json!({})).await["marketplace"].take();
        assert_eq!(rated["totalCount"], public, "each of them has its review");
        let nodes = rated["nodes"].as_array().unwrap();
        assert!(
            nodes.iter().all(|node| node["rating"]["count"] == 1),
            "{rated:#}"
        );
        for n in (0..TOOLS).filter(|n| !is(n, "PUBLIC")) {
            assert_hidden_as_absent(&beta, &name(n)).await;
        }
        // The tenant's own agents see all but the private ones.
        let seen = everything(&colleague, head).await;
        for n in 0..TOOLS {
            assert_eq!(
                !seen.contains(&word(n)),
                is(&n, "PRIVATE"),
                "round {round}: {}",
                word(n)
            );
        }
    }
    // All this time the other tenant's subscription has heard nothing of it.
    server(&beta, "last").await;
    let heard: Value = live.event().await;
    assert_eq!(heard["type"], "server.registered", "{heard:#}");
    assert_eq!(heard["data"]["slug"], "last");
}
