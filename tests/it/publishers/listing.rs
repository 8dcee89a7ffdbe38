//! The mark of a publisher is seen where its tools are offered, by every tenant.

use super::{REVOKE, installation, prove};
use crate::mcp::call;
use crate::support::{Client, DnsServer};
use api::trust::SigningKey;
use domain::principal::Role;
use serde_json::{Value, json};

const SERVER: &str = "mutation($slug: String!, $registryName: String) {
    registerServer(input: { slug: $slug, name: $slug, registryName: $registryName }) { sequence } }";
const TOOL: &str =
    "mutation($server: String!) { registerTool(input: { server: $server, name: \"forecast\",
    description: \"Tells the weather\", visibility: PUBLIC }) { sequence } }";
const OFFERED: &str =
    "query($wanted: Boolean) { marketplace(filter: { verifiedPublisher: $wanted }) {
    totalCount nodes { reference verifiedPublisher { namespace verified method } } } }";

async fn offered(client: &Client, wanted: Option<bool>) -> Value {
    let wanted = json!({ "wanted": wanted });
    client.data(OFFERED, wanted).await["marketplace"].take()
}

#[tokio::test]
async fn a_listing_carries_the_mark_of_the_tenant_that_proved_the_namespace() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let acme = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let copycat = installation
        .client("copycat", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    for maker in [&acme, &copycat] {
        let server = json!({ "slug": "weather", "registryName": "com.example/weather" });
        maker.data(SERVER, server).await;
        maker.data(TOOL, json!({ "server": "weather" })).await;
    }
    installation.settle().await;
    let unmarked = offered(&beta, Some(false)).await;
    assert_eq!(unmarked["totalCount"], 2);
    let key = SigningKey::generate().unwrap();
    assert_eq!(prove(&acme, &dns, "com.example", &key).await, "VERIFIED");
    installation.settle().await;

    let mark = json!({ "namespace": "com.example", "verified": true, "method": "DNS" });
    let marked = json!({ "reference": "@acme/weather/forecast", "verifiedPublisher": mark });
    let bare = json!({ "reference": "@copycat/weather/forecast", "verifiedPublisher": null });
    for (wanted, expected) in [(Some(true), &marked), (Some(false), &bare)] {
        let page = offered(&beta, wanted).await;
        assert_eq!(page, json!({ "totalCount": 1, "nodes": [expected] }));
    }
    let ranked = "{ marketplace(query: \"weather\", filter: { verifiedPublisher: true }) { nodes { reference } } }";
    let ranked = beta.data(ranked, json!({})).await;
    assert_eq!(
        ranked["marketplace"]["nodes"],
        json!([{ "reference": "@acme/weather/forecast" }])
    );
    let install = "mutation { installTool(input: { publisher: \"acme\", server: \"weather\",
        tool: \"forecast\" }) { sequence } }";
    beta.data(install, json!({})).await;
    installation.settle().await;
    let tool = json!({ "tool": "@acme/weather/forecast" });
    let read = call(&beta, "describe_tool", tool).await;
    assert_eq!(
        read["structuredContent"]["verified_publisher"],
        json!({ "namespace": "com.example", "method": "dns" })
    );

    acme.data(REVOKE, json!({ "namespace": "com.example" }))
        .await;
    installation.settle().await;
    assert_eq!(offered(&beta, Some(true)).await["totalCount"], 0);
}
