//! A client of the API, as a person's script would be one.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A client with or without a token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: Option<String>,
    pub(crate) http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(base: &str, token: Option<String>) -> Self {
        let http = reqwest::Client::builder()
            .timeout(super::PATIENCE)
            .build()
            .unwrap();
        Self {
            base: base.to_owned(),
            token,
            http,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.base));
        self.authorize(request).send().await.unwrap()
    }

    /// The whole answer of a GraphQL operation.
    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/graphql", self.base));
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let response = self.authorize(request).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// The data of an operation that must succeed.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let (status, mut answer) = self.graphql(query, variables).await;
        assert!(
            status == 200 && answer.get("errors").is_none(),
            "{status}: {answer:#}"
        );
        answer["data"].take()
    }

    /// The code of the first error of an operation that must fail.
    pub(crate) async fn code(&self, query: &str, variables: Value) -> String {
        let (status, answer) = self.graphql(query, variables).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{status}: no error code in {answer:#}"))
            .to_owned()
    }

    /// Waits until a token that was revoked just now is refused. Five seconds later nobody is let in with it any more.
    /// A process that does not know permissions as they are by then answers 503, which fails closed, and 401 once it
    /// does.
    pub(crate) async fn is_kept_out(&self) {
        let begun = Instant::now();
        loop {
            let asked = begun.elapsed();
            let (status, answer) = self.graphql("{ viewer { handle } }", json!({})).await;
            match status.as_u16() {
                401 => return,
                200 => assert!(asked < Duration::from_secs(5), "still let in: {answer}"),
                status => assert_eq!(status, 503, "{answer}"),
            }
            assert!(asked < super::PATIENCE, "{status}: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the MCP tool `describe_tool` says of a tool, `server/name`, in the stateless revision.
    pub(crate) async fn describe(&self, tool: &str) -> String {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let arguments = json!({ "tool": tool });
        let params = json!({ "name": "describe_tool", "arguments": arguments, "_meta": meta });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let request = self.http.post(format!("{}/mcp", self.base)).json(&message);
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "describe_tool");
        let response = self.authorize(request).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        let text = answer["result"]["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{answer:#}")).to_owned()
    }

    pub(crate) fn authorize(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}
