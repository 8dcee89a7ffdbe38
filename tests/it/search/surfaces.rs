//! The query language, pages, facets and receipts from the outside: GraphQL and MCP ask the same search.

use crate::support::{Client, Installation};
use domain::principal::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

const SEARCH: &str =
    "query($query: String!, $filter: SearchToolsFilter, $sort: SearchSort! = RELEVANCE,
        $first: Int! = 10, $after: String) {
    searchTools(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
        edges { cursor node { tool { name } } } hits { tool { name } }
        pageInfo { hasNextPage hasPreviousPage endCursor } totalCount notice } }";

/// A server with tools that differ in tag, hints, visibility and version.
async fn fill(installation: &Installation, tenant: &str) -> Client {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    let server = json!({ "slug": "db", "name": "Database", "description": "Rows in tables" });
    publisher
        .data(
            "mutation($input: RegisterServerInput!) { registerServer(input: $input) { sequence } }",
            json!({ "input": server }),
        )
        .await;
    for (name, tag, visibility, annotations) in [
        (
            "read_rows",
            "sql",
            "TENANT",
            json!({ "readOnlyHint": true }),
        ),
        (
            "drop_rows",
            "sql",
            "TENANT",
            json!({ "destructiveHint": true }),
        ),
        ("copy_rows", "beta", "PUBLIC", json!(null)),
        (
            "audit_rows",
            "sql",
            "PRIVATE",
            json!({ "readOnlyHint": true }),
        ),
    ] {
        let tool = json!({
            "server": "db", "name": name, "tags": [tag], "category": "databases", "visibility": visibility,
            "description": format!("Handles the rows of a table, one by one: {name}."), "annotations": annotations,
        });
        register(&publisher, tool).await;
    }
    installation.settle().await;
    publisher
}

async fn register(publisher: &Client, tool: Value) {
    let register =
        "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";
    publisher.data(register, json!({ "input": tool })).await;
}

fn names(found: &Value) -> Vec<&str> {
    let hits = found["searchTools"]["hits"].as_array().unwrap().iter();
    let mut names: Vec<_> = hits
        .map(|hit| hit["tool"]["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// The result of an MCP tool.
async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {} } } });
    let request = client
        .http
        .post(format!("{}/mcp", client.base))
        .json(&message);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    let response = client.authorize(request).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut answer: Value = response.json().await.unwrap();
    answer["result"].take()
}

fn receipts(found: &Value) -> Vec<String> {
    let tools = found["structuredContent"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn one_line_is_read_alike_by_every_surface() {
    let installation = Installation::start().await;
    let publisher = fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    for (line, seen, kept) in [
        (
            "rows",
            &["copy_rows", "drop_rows", "read_rows"] as &[&str],
            4,
        ),
        ("rows readonly:true", &["read_rows"], 2),
        ("rows destructive:false", &["read_rows"], 2),
        ("tag:sql", &["drop_rows", "read_rows"], 3),
        (
            "rows -tag:beta category:databases server:db",
            &["drop_rows", "read_rows"],
            3,
        ),
        ("rows visibility:private", &[], 1),
        ("visibility:public", &["copy_rows"], 1),
        (
            "version:^1 status:active",
            &["copy_rows", "drop_rows", "read_rows"],
            4,
        ),
        ("version:2", &[], 0),
        ("\"one by one: drop\"", &["drop_rows"], 1),
    ] {
        let found = agent.data(SEARCH, json!({ "query": line })).await;
        assert_eq!(names(&found), seen, "{line}");
        let found = publisher.data(SEARCH, json!({ "query": line })).await;
        assert_eq!(names(&found).len(), kept, "{line}");
        let mut told = receipts(&call(&agent, "search_tools", json!({ "query": line })).await);
        told.sort();
        assert_eq!(told, seen, "{line}");
    }
    let filter = json!({ "readOnly": true, "version": ">=1, <2", "statuses": ["ACTIVE"] });
    let found = agent
        .data(SEARCH, json!({ "query": "rows", "filter": filter }))
        .await;
    assert_eq!(names(&found), ["read_rows"]);
    let sentence = json!({ "query": "note: rows at 12:30, see https://example.org" });
    assert_eq!(names(&agent.data(SEARCH, sentence).await).len(), 3);
    for (query, filter) in [
        ("rows readonly:maybe", json!({})),
        ("version:new", json!({})),
        ("rows", json!({ "version": "new" })),
        ("rows tag:sql", json!({ "tags": ["beta"] })),
    ] {
        let wrong = json!({ "query": query, "filter": filter });
        assert_eq!(
            agent.code(SEARCH, wrong).await,
            "INVALID_SEARCH_QUERY",
            "{query}"
        );
    }
    let refused = call(
        &agent,
        "search_tools",
        json!({ "query": "rows readonly:maybe" }),
    )
    .await;
    assert_eq!(
        refused["_meta"]["metamcp/error"]["code"],
        "INVALID_SEARCH_QUERY"
    );
    let retire =
        "mutation { retireTool(input: { server: \"db\", name: \"copy_rows\" }) { sequence } }";
    publisher.data(retire, json!({})).await;
    installation.settle().await;
    assert_eq!(
        names(&agent.data(SEARCH, json!({ "query": "rows" })).await).len(),
        2
    );
    let retired = agent
        .data(SEARCH, json!({ "query": "rows status:retired" }))
        .await;
    assert_eq!(names(&retired), ["copy_rows"]);
}

#[tokio::test]
async fn pages_stand_still_while_tools_come_and_go() {
    let installation = Installation::start().await;
    let publisher = fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let other = installation.client("other", "agent", &[Role::Agent]).await;
    let whole = publisher.data(SEARCH, json!({ "query": "rows" })).await;
    let whole = &whole["searchTools"];
    assert_eq!(whole["totalCount"], 4);
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    for page in 0.. {
        let page_of = json!({ "query": "rows", "first": 1, "after": after });
        let found = publisher.data(SEARCH, page_of).await;
        let found = &found["searchTools"];
        seen.extend(found["hits"].as_array().unwrap().clone());
        after = found["pageInfo"]["endCursor"].clone();
        assert_eq!(found["pageInfo"]["hasPreviousPage"], page > 0);
        if found["pageInfo"]["hasNextPage"] == false {
            break;
        }
        let new = json!({ "server": "db", "name": format!("rows_{page}"), "description": "rows rows rows" });
        register(&publisher, new).await;
        installation.settle().await;
    }
    assert_eq!(json!(seen), whole["hits"]);
    let wrong = |query: &str| json!({ "query": query, "after": after });
    for client in [&agent, &other] {
        assert_eq!(client.code(SEARCH, wrong("rows")).await, "INVALID_CURSOR");
    }
    assert_eq!(publisher.code(SEARCH, wrong("row")).await, "INVALID_CURSOR");
    assert_eq!(
        publisher
            .code(SEARCH, json!({ "query": "rows", "after": "x" }))
            .await,
        "INVALID_CURSOR"
    );
}

#[tokio::test]
async fn facets_and_highlights_are_told_when_asked_for() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let found = agent
        .data(
            "{ searchTools(query: \"handling rows\", first: 1) {
                facets { counted tags { value count } hints { value count } statuses { value count } }
                hits { highlights { field fragments { text highlighted } } } } }",
            json!({}),
        )
        .await;
    let found = &found["searchTools"];
    assert_eq!(found["facets"]["counted"], 3);
    assert_eq!(
        found["facets"]["tags"],
        json!([{ "value": "sql", "count": 2 }, { "value": "beta", "count": 1 }])
    );
    assert_eq!(
        found["facets"]["statuses"],
        json!([{ "value": "active", "count": 3 }])
    );
    assert_eq!(
        found["facets"]["hints"][0],
        json!({ "value": "openworld", "count": 3 })
    );
    let highlights = found["hits"][0]["highlights"].as_array().unwrap();
    let description = highlights
        .iter()
        .find(|one| one["field"] == "description")
        .unwrap();
    assert_eq!(
        description["fragments"][0],
        json!({ "text": "Handles", "highlighted": true })
    );
    assert_eq!(
        description["fragments"][2],
        json!({ "text": "rows", "highlighted": true })
    );
}

#[tokio::test]
async fn receipts_fit_a_budget_and_are_expanded_together() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let (mut ids, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let arguments = json!({ "query": "rows", "token_budget": 100, "cursor": cursor });
        let found = call(&agent, "search_tools", arguments).await;
        let found = &found["structuredContent"];
        let tools = found["tools"].as_array().unwrap();
        ids.extend(
            tools
                .iter()
                .map(|tool| tool["id"].as_str().unwrap().to_owned()),
        );
        assert_eq!(found["more"], 3 - ids.len());
        cursor = found["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    ids.sort();
    assert_eq!(
        ids,
        [
            "db/copy_rows@1.0.0",
            "db/drop_rows@1.0.0",
            "db/read_rows@1.0.0"
        ]
    );
    let found = call(&agent, "search_tools", json!({ "query": "read rows" })).await;
    let first = &found["structuredContent"]["tools"][0];
    assert_eq!(first["marks"], json!(["read-only"]));

    ids.extend(["db/audit_rows".to_owned(), "db".to_owned()]);
    let read = call(&agent, "describe_tool", json!({ "tools": ids })).await;
    let read = &read["structuredContent"];
    let tools = read["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 3);
    let hash = tools[2]["definition_hash"].as_str().unwrap();
    assert!(hash.starts_with(first["definition"].as_str().unwrap()));
    let codes: Vec<_> = read["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["code"])
        .collect();
    assert_eq!(codes, ["NOT_FOUND", "INVALID_ARGUMENTS"]);
    let few = json!({ "tools": ids, "token_budget": 100 });
    let few = call(&agent, "describe_tool", few).await;
    assert_eq!(
        few["structuredContent"]["left_out"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let many = vec!["db/read_rows"; 21];
    for wrong in [
        json!({ "tools": many }),
        json!({ "tools": [] }),
        json!({ "tools": ["a/b"], "tool": "a/b" }),
    ] {
        let refused = call(&agent, "describe_tool", wrong.clone()).await;
        assert_eq!(
            refused["_meta"]["metamcp/error"]["code"], "INVALID_ARGUMENTS",
            "{wrong}"
        );
    }
}
