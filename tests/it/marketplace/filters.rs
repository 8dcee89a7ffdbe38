//! What narrows a search of the marketplace narrows it before anything is ranked and cut into pages.

use super::tool;
use crate::publishers;
use crate::support::{Client, DnsServer, Installation};
use api::trust::SigningKey;
use domain::principal::Role;
use serde_json::{Value, json};

const FIND: &str =
    "query($query: String!, $filter: MarketplaceFilter, $first: Int!, $after: String) {
    marketplace(query: $query, filter: $filter, first: $first, after: $after) {
        totalCount nodes { publisher name } pageInfo { hasNextPage endCursor } } }";
const INSTALL: &str = "mutation($tool: String!) { installTool(input: {
    publisher: \"acme\", server: \"maps\", tool: $tool }) { sequence } }";
const REVIEW: &str = "mutation($tool: String!, $rating: Int!) { reviewTool(input: {
    publisher: \"acme\", server: \"maps\", name: $tool, rating: $rating }) { sequence } }";
/// More than a search ranks: what is left out afterwards would leave nothing.
const CROWD: usize = 110;
const TOOLS: usize = 12;

async fn server(client: &Client, registry_name: &str) {
    let server =
        "mutation($name: String!) { registerServer(input: { slug: \"maps\", name: \"Maps\",
        registryName: $name }) { sequence } }";
    client.data(server, json!({ "name": registry_name })).await;
}

/// A proved publisher with tools, six of them rated well and three badly, behind a crowd that fits better.
async fn world(dns: &DnsServer) -> (Installation, Client) {
    let installation = publishers::installation(dns, |_| ()).await;
    let acme = installation.client("acme", "owner", &[Role::Owner]).await;
    let crowd = installation.client("crowd", "owner", &[Role::Owner]).await;
    server(&acme, "com.acme/maps").await;
    server(&crowd, "com.crowd/maps").await;
    for n in 0..CROWD {
        let name = format!("bicycle_{n}");
        tool(&crowd, "maps", &name, "Bicycle", "PUBLIC").await;
    }
    for n in 0..TOOLS {
        let about = "Plans long journeys through the hills on foot, by train or by bicycle";
        tool(&acme, "maps", &format!("route_{n:02}"), about, "PUBLIC").await;
    }
    let key = SigningKey::generate().unwrap();
    let proved = publishers::prove(&acme, dns, "com.acme", &key).await;
    assert_eq!(proved, "VERIFIED");
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    installation.settle().await;
    for n in 0..9 {
        let tool = format!("route_{n:02}");
        beta.data(INSTALL, json!({ "tool": tool })).await;
        let rating = if n < 6 { 5 } else { 2 };
        let review = json!({ "tool": tool, "rating": rating });
        beta.data(REVIEW, review).await;
    }
    installation.settle().await;
    (installation, beta)
}

async fn found(client: &Client, variables: Value) -> Value {
    client.data(FIND, variables).await["marketplace"].take()
}

fn names(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_of_a_filtered_search_are_full_and_counted() {
    let dns = DnsServer::start().await;
    let (_installation, beta) = world(&dns).await;
    let unfiltered = json!({ "query": "bicycle", "first": 50 });
    let unfiltered = found(&beta, unfiltered).await;
    assert!(
        names(&unfiltered)
            .iter()
            .all(|name| !name.starts_with("route")),
        "the crowd fits better"
    );
    for (query, filter, count) in [
        ("bicycle", json!({ "verifiedPublisher": true }), 12),
        ("bicycle verified:true", json!({}), 12),
        // m = 4: one review of 5 stars makes (20 + 5) / 6, one of 2 stars (20 + 2) / 6, and none leaves 4.
        ("bicycle", json!({ "minRating": 4.1 }), 6),
        (
            "bicycle",
            json!({ "minRating": 4, "verifiedPublisher": true }),
            9,
        ),
        (
            "bicycle",
            json!({ "minRating": 3.66, "verifiedPublisher": true }),
            12,
        ),
        ("bicycle verified:true rating:4.1", json!({}), 6),
        ("bicycle rating:4", json!({ "verifiedPublisher": true }), 9),
        (
            "bicycle",
            json!({ "minRating": 4.1, "verifiedPublisher": false }),
            0,
        ),
        (
            "bicycle",
            json!({ "minRating": 4.1, "publisher": "crowd" }),
            0,
        ),
    ] {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let wanted = json!({ "query": query, "filter": filter, "first": 5, "after": after });
            let page = found(&beta, wanted).await;
            assert_eq!(page["totalCount"], count, "{query} {filter}");
            let here = names(&page);
            assert_eq!(here.len(), (count - seen.len()).min(5), "{query} {filter}");
            seen.extend(here);
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{query} {filter}");
        assert!(
            seen.iter().all(|name| name.starts_with("route")),
            "{seen:?}"
        );
    }
    // The list by name has the same measure.
    let by_name =
        "query($least: Float!) { marketplace(filter: { minRating: $least }) { totalCount } }";
    for (least, count) in [(3.66, CROWD + 12), (4.0, CROWD + 9), (4.1, 6), (4.2, 0)] {
        let page = beta.data(by_name, json!({ "least": least })).await;
        assert_eq!(page["marketplace"]["totalCount"], count, "{least}");
    }
    // A page goes on with the search that it is of, its ratings included.
    let first = json!({ "query": "bicycle", "filter": { "minRating": 2 }, "first": 5 });
    let after = found(&beta, first).await["pageInfo"]["endCursor"].take();
    let other =
        json!({ "query": "bicycle", "filter": { "minRating": 3 }, "first": 5, "after": after });
    assert_eq!(beta.code(FIND, other).await, "INVALID_CURSOR");
    let twice = json!({ "query": "bicycle verified:true", "first": 5,
                        "filter": { "verifiedPublisher": true } });
    assert_eq!(beta.code(FIND, twice).await, "INVALID_SEARCH_QUERY");
}
