//! What tools are chosen by beside their words: ratings and proved publishers, with real reviews and proofs.

use crate::mcp::{call, names as receipts};
use crate::publishers;
use crate::support::{Client, DnsServer, Installation};
use api::trust::SigningKey;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild_search};
use serde_json::{Value, json};

const SEARCH: &str =
    "query($query: String!, $filter: SearchToolsFilter, $sort: SearchSort! = RELEVANCE,
        $first: Int! = 10, $after: String) {
    searchTools(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
        hits { reference } pageInfo { hasNextPage endCursor }
        facets { visibilities { value count } publishers { value count } verified { value count }
                 ratings { value count } } } }";
const REVIEW: &str = "mutation($name: String!, $rating: Int!) {
    reviewTool(input: { server: \"db\", name: $name, rating: $rating }) { review { id } } }";

/// A tenant with one server and some tools.
pub(super) async fn fill(
    installation: &Installation,
    tenant: &str,
    registry_name: &str,
    tools: &[&str],
) -> Client {
    let owner = installation.client(tenant, "owner", &[Role::Owner]).await;
    let server = "mutation($registryName: String!) { registerServer(input: {
        slug: \"db\", name: \"Database\", registryName: $registryName }) { sequence } }";
    owner
        .data(server, json!({ "registryName": registry_name }))
        .await;
    for name in tools {
        let tool = "mutation($name: String!) { registerTool(input: { server: \"db\", name: $name,
            description: \"Handles the rows of a table\", visibility: PUBLIC }) { sequence } }";
        owner.data(tool, json!({ "name": name })).await;
    }
    installation.settle().await;
    owner
}

pub(super) async fn found(client: &Client, variables: Value) -> Value {
    client.data(SEARCH, variables).await["searchTools"].take()
}

pub(super) fn references(found: &Value) -> Vec<&str> {
    let hits = found["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["reference"].as_str().unwrap()).collect()
}

/// The tools that a line finds, over GraphQL and over MCP, which agree.
pub(super) async fn names(client: &Client, line: &str, sort: &str) -> Vec<String> {
    let graphql = found(client, json!({ "query": line, "sort": sort })).await;
    let lower = sort.to_lowercase();
    let mcp = call(
        client,
        "search_tools",
        json!({ "query": line, "sort": lower }),
    )
    .await;
    let short = |name: &&str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = references(&graphql).iter().map(short).collect();
    let told: Vec<String> = receipts(&mcp).iter().map(short).collect();
    assert_eq!(names, told, "{line} {sort}");
    names
}

async fn sorted(client: &Client, line: &str) -> Vec<String> {
    let mut names = names(client, line, "NAME").await;
    names.sort();
    names
}

async fn review(client: &Client, name: &str, rating: i32) -> Value {
    let review = client.data(REVIEW, json!({ "name": name, "rating": rating }));
    review.await["reviewTool"]["review"]["id"].take()
}

#[tokio::test]
async fn ratings_narrow_sort_and_count_and_follow_each_review() {
    let installation = Installation::start().await;
    let owner = fill(
        &installation,
        "acme",
        "com.acme/db",
        &["copy", "drop", "read"],
    )
    .await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let rival = fill(
        &installation,
        "beta",
        "com.beta/db",
        &["copy", "drop", "read"],
    )
    .await;
    review(&ada, "copy", 5).await;
    review(&owner, "copy", 5).await;
    let worst = review(&ada, "drop", 1).await;
    for name in ["copy", "read"] {
        review(&rival, name, 1).await;
    }
    review(&rival, "drop", 5).await;
    installation.settle().await;

    // m = 11/3: copy has (18.33 + 10) / 7 = 4.05, read 3.67, drop (18.33 + 1) / 6 = 3.22.
    assert_eq!(
        names(&ada, "rows", "RATING").await,
        ["copy", "read", "drop"]
    );
    assert_eq!(
        names(&ada, "server:db", "RATING").await,
        ["copy", "read", "drop"]
    );
    for (line, expected) in [
        ("rows rating:4", &["copy"] as &[&str]),
        ("rating:>=3.5", &["copy", "read"]),
        ("rows -rating:3.5", &["drop"]),
        ("rating:4.5", &[]),
    ] {
        assert_eq!(sorted(&ada, line).await, expected, "{line}");
    }
    let filtered = json!({ "query": "rows", "filter": { "minRating": 4 } });
    assert_eq!(references(&found(&ada, filtered).await), ["db/copy"]);
    let filtered = json!({ "query": "rows", "min_rating": 4 });
    assert_eq!(
        receipts(&call(&ada, "search_tools", filtered).await),
        ["copy"]
    );
    let facets = &found(&ada, json!({ "query": "rows" })).await["facets"];
    let ratings = json!([{ "value": "4", "count": 1 }, { "value": "3.5", "count": 2 },
                         { "value": "3", "count": 3 }, { "value": "2", "count": 3 }]);
    assert_eq!(facets["ratings"], ratings);
    assert_eq!(
        facets["visibilities"],
        json!([{ "value": "public", "count": 3 }])
    );
    // The other tenant's reviews are of its own tools of the same names, and count for it alone.
    assert_eq!(names(&rival, "rows", "RATING").await[0], "drop");

    let hide = "mutation($review: ID!) { moderateReview(input: {
        review: $review, action: HIDE, reason: \"An advertisement\" }) { sequence } }";
    owner.data(hide, json!({ "review": worst })).await;
    installation.settle().await;
    // m = 5: what nobody has reviewed is as good as the rest.
    assert_eq!(sorted(&ada, "rating:4").await, ["copy", "drop", "read"]);
    let restore = hide.replace("HIDE", "RESTORE");
    owner.data(&restore, json!({ "review": worst })).await;
    installation.settle().await;
    assert_eq!(sorted(&ada, "-rating:3.5").await, ["drop"]);

    let equal = rebuilt(&installation).await;
    assert!(equal, "a rebuild has the same ratings");
    for (query, filter) in [
        ("rows rating:6", json!({})),
        ("rating:abc", json!({})),
        ("rows", json!({ "minRating": 0.5 })),
        ("rows rating:4", json!({ "minRating": 3 })),
    ] {
        let code = ada
            .code(SEARCH, json!({ "query": query, "filter": filter }))
            .await;
        assert_eq!(code, "INVALID_SEARCH_QUERY", "{query}");
    }
    for wrong in [
        json!({ "query": "rows rating:6" }),
        json!({ "query": "rows", "min_rating": 6 }),
        json!({ "query": "rows", "sort": "stars" }),
    ] {
        let refused = call(&ada, "search_tools", wrong.clone()).await;
        let code = &refused["_meta"]["metamcp/error"]["code"];
        assert_eq!(code, "INVALID_SEARCH_QUERY", "{wrong}");
    }
}

/// Whether a rebuilt index equals the live one.
pub(super) async fn rebuilt(installation: &Installation) -> bool {
    let app = &installation.app;
    let outcome = rebuild_search(
        &app.index,
        &app.state.log,
        &app.database,
        Finish::Check,
        &|_, _| {},
    );
    outcome.await.unwrap().is_equal()
}

#[tokio::test]
async fn pages_by_rating_stand_still_while_reviews_arrive() {
    let installation = Installation::start().await;
    let tools = ["a", "b", "c", "d", "e"];
    let owner = fill(&installation, "acme", "com.acme/db", &tools).await;
    for (name, rating) in tools.iter().zip(1..) {
        review(&owner, name, rating).await;
    }
    installation.settle().await;
    let whole = found(&owner, json!({ "query": "rows", "sort": "RATING" })).await;
    assert_eq!(references(&whole), ["db/e", "db/d", "db/c", "db/b", "db/a"]);
    let (mut seen, mut after, mut page) = (Vec::new(), Value::Null, 0);
    loop {
        let wanted = json!({ "query": "rows", "sort": "RATING", "first": 1, "after": after });
        let answer = found(&owner, wanted).await;
        seen.extend(references(&answer).into_iter().map(str::to_owned));
        after = answer["pageInfo"]["endCursor"].clone();
        if answer["pageInfo"]["hasNextPage"] == false {
            break;
        }
        // The worst one rises, and with it the mean of all.
        let fan = installation
            .client("acme", &format!("fan-{page}"), &[Role::Agent])
            .await;
        review(&fan, "a", 5).await;
        installation.settle().await;
        page += 1;
    }
    assert_eq!(json!(seen), json!(references(&whole)));
    let now = found(&owner, json!({ "query": "rows", "sort": "RATING" })).await;
    assert_ne!(references(&now), references(&whole));
}

#[tokio::test]
async fn a_publisher_is_found_as_long_as_its_proof_holds_and_by_its_tenant() {
    let dns = DnsServer::start().await;
    let installation = publishers::installation(&dns, |_| ()).await;
    let acme = fill(&installation, "acme", "com.example.api/db", &["copy"]).await;
    let beta = fill(&installation, "beta", "com.example/db", &["copy"]).await;
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    assert_eq!(sorted(&acme, "verified:true").await, [""; 0]);
    assert_eq!(
        publishers::prove(&acme, &dns, "com.example", &key).await,
        "VERIFIED"
    );
    installation.settle().await;
    for (line, count) in [
        ("rows verified:true", 1),
        ("publisher:com.example", 1),
        ("publisher:com.example.api", 0),
        ("-publisher:com.example", 0),
        ("rows verified:false", 0),
    ] {
        assert_eq!(sorted(&acme, line).await.len(), count, "{line}");
    }
    for filter in [
        json!({ "verified": true }),
        json!({ "publishers": ["com.example"] }),
        json!({ "withoutPublishers": ["org.example"] }),
    ] {
        let answer = found(&acme, json!({ "query": "rows", "filter": filter })).await;
        assert_eq!(references(&answer), ["db/copy"], "{filter}");
        let publisher = json!([{ "value": "com.example", "count": 1 }]);
        assert_eq!(answer["facets"]["publishers"], publisher);
        assert_eq!(
            answer["facets"]["verified"],
            json!([{ "value": "true", "count": 1 }])
        );
    }
    for argument in [
        json!({ "query": "rows", "verified": true }),
        json!({ "query": "rows", "publisher": "com.example" }),
    ] {
        assert_eq!(
            receipts(&call(&acme, "search_tools", argument).await),
            ["copy"]
        );
    }
    let wrong = json!({ "query": "publisher:@acme" });
    assert_eq!(acme.code(SEARCH, wrong).await, "INVALID_SEARCH_QUERY");

    // The namespace counts for one tenant at a time, and passes on when that one gives it up.
    assert_eq!(
        publishers::prove(&beta, &dns, "com.example", &other).await,
        "CONTESTED"
    );
    installation.settle().await;
    assert_eq!(sorted(&beta, "verified:true").await, [""; 0]);
    let revoke = "mutation { revokeNamespace(input: {
        namespace: \"com.example\", reason: \"sold\" }) { sequence } }";
    acme.data(revoke, json!({})).await;
    installation.settle().await;
    assert_eq!(sorted(&acme, "verified:true").await, [""; 0]);
    assert_eq!(sorted(&beta, "publisher:com.example").await, ["copy"]);
    assert!(rebuilt(&installation).await);
}

#[tokio::test]
async fn an_installed_tool_carries_its_publishers_mark_and_its_public_rating() {
    let dns = DnsServer::start().await;
    let installation = publishers::installation(&dns, |_| ()).await;
    let acme = fill(&installation, "acme", "com.acme/db", &["copy"]).await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    let install = "mutation { installTool(input: { publisher: \"acme\", server: \"db\",
        tool: \"copy\", range: \"^1\" }) { sequence } }";
    beta.data(install, json!({})).await;
    let key = SigningKey::generate().unwrap();
    publishers::prove(&acme, &dns, "com.acme", &key).await;
    review(&acme, "copy", 1).await;
    installation.settle().await;
    let seen = found(&beta, json!({ "query": "rows publisher:com.acme" })).await;
    assert_eq!(references(&seen), ["@acme/db/copy"]);
    assert_eq!(
        seen["facets"]["ratings"][0],
        json!({ "value": "3", "count": 1 })
    );
    assert_eq!(sorted(&beta, "rating:3").await, ["copy"]);
    assert_eq!(sorted(&acme, "rating:3").await, [""; 0]);

    // What a member of an installing tenant thinks of it is for all, beside what its own tenant thinks.
    let publicly =
        "mutation { reviewTool(input: { publisher: \"acme\", server: \"db\", name: \"copy\",
        rating: 5 }) { sequence } }";
    beta.data(publicly, json!({})).await;
    installation.settle().await;
    assert_eq!(sorted(&beta, "rating:5").await, ["copy"]);
    assert_eq!(sorted(&acme, "rating:3").await, ["copy"]);
    assert_eq!(sorted(&acme, "rating:3.1").await, [""; 0]);
    let hide =
        "mutation { describeTool(input: { server: \"db\", name: \"copy\", visibility: TENANT }) {
        sequence } }";
    acme.data(hide, json!({})).await;
    installation.settle().await;
    assert_eq!(sorted(&acme, "-rating:1.1").await, ["copy"]);
    assert!(rebuilt(&installation).await);
}
