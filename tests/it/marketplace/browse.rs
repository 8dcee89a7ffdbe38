//! The marketplace counted and sorted: facets over what is listed, and orders whose pages stand still.

use super::{SHOW, server, show};
use crate::mcp::call;
use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BROWSE: &str = "query($query: String, $filter: MarketplaceFilter, $sort: SearchSort, $first: Int! = 50,
    $after: String) { marketplace(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
        totalCount nodes { name } pageInfo { hasNextPage endCursor } facets { counted
            categories { value count } tags { value count } servers { value count } statuses { value count }
            visibilities { value count } verified { value count } ratings { value count } } } }";
const OFFER: &str =
    "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";

/// `acme` offers tools of two categories; one is rated, one hidden, one retired. `beta` looks.
async fn world() -> (Installation, Client, Client) {
    let installation = Installation::start().await;
    let acme = installation.client("acme", "owner", &[Role::Owner]).await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    server(&acme, "maps").await;
    for (name, category, tags, visibility) in [
        ("bus", "travel", json!(["eu"]), "PUBLIC"),
        ("post", "mail", json!([]), "PUBLIC"),
        ("route", "travel", json!(["eu"]), "PUBLIC"),
        ("secret", "spying", json!(["dark"]), "TENANT"),
        ("old", "history", json!(["gone"]), "PUBLIC"),
    ] {
        let input = json!({ "server": "maps", "name": name, "category": category, "tags": tags,
                            "description": "Plans a journey", "visibility": visibility });
        acme.data(OFFER, json!({ "input": input })).await;
    }
    let retire = "mutation { retireTool(input: { server: \"maps\", name: \"old\" }) { sequence } }";
    acme.data(retire, json!({})).await;
    installation.settle().await;
    for name in ["route", "bus"] {
        let tool = format!("publisher: \"acme\", server: \"maps\", tool: \"{name}\"");
        let install = format!("mutation {{ installTool(input: {{ {tool} }}) {{ sequence }} }}");
        beta.data(&install, json!({})).await;
    }
    let review = "mutation { reviewTool(input: { publisher: \"acme\", server: \"maps\",
        name: \"route\", rating: 5 }) { sequence } }";
    beta.data(review, json!({})).await;
    installation.settle().await;
    (installation, acme, beta)
}

async fn browse(client: &Client, variables: Value) -> Value {
    client.data(BROWSE, variables).await["marketplace"].take()
}

fn names(page: &Value) -> Vec<&str> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes.map(|node| node["name"].as_str().unwrap()).collect()
}

/// A facet as (value, count).
fn counts(page: &Value, facet: &str) -> Vec<(String, u64)> {
    let values = page["facets"][facet].as_array().unwrap().iter();
    let count = |one: &Value| {
        let value = one["value"].as_str().unwrap().to_owned();
        (value, one["count"].as_u64().unwrap())
    };
    values.map(count).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let expected = expected.iter();
    expected
        .map(|(value, count)| ((*value).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn facets_count_what_is_listed_and_their_values_filter() {
    let (_installation, acme, beta) = world().await;
    for (client, variables) in [
        (&beta, json!({})),
        (&beta, json!({ "sort": "RATING" })),
        (&beta, json!({ "query": "journey" })),
        (&acme, json!({})),
    ] {
        let page = browse(client, variables.clone()).await;
        assert_eq!(page["totalCount"], 3, "{variables}");
        assert_eq!(page["facets"]["counted"], 3, "{variables}");
        let categories = counts(&page, "categories");
        assert_eq!(categories, pairs(&[("travel", 2), ("mail", 1)]));
        assert_eq!(counts(&page, "tags"), pairs(&[("eu", 2)]));
        assert_eq!(counts(&page, "statuses"), pairs(&[("active", 3)]));
        assert_eq!(counts(&page, "visibilities"), pairs(&[("public", 3)]));
        assert_eq!(counts(&page, "verified"), pairs(&[("false", 3)]));
        let said = page.to_string();
        for hidden in ["secret", "spying", "dark", "history", "gone"] {
            assert!(!said.contains(hidden), "{said}");
        }
        for (value, count) in categories {
            let line = json!({ "query": format!("category:{value}") });
            assert_eq!(browse(client, line).await["totalCount"], count);
            let field = json!({ "filter": { "categories": [value] } });
            let narrowed = browse(client, field).await;
            assert_eq!(narrowed["totalCount"], count);
            assert_eq!(counts(&narrowed, "categories"), pairs(&[(&value, count)]));
        }
    }
    // Several values of one list mean any of them, by name and in a search, as in the line of the query.
    for (filter, line, expected) in [
        (
            json!({ "categories": ["travel", "mail"] }),
            "category:travel category:mail",
            &["bus", "post", "route"][..],
        ),
        (
            json!({ "categories": ["mail", "absent"], "tags": [] }),
            "category:mail category:absent",
            &["post"][..],
        ),
        (
            json!({ "categories": ["travel", "mail"], "tags": ["eu", "us"] }),
            "category:travel category:mail tag:eu tag:us",
            &["bus", "route"][..],
        ),
    ] {
        let by_name = browse(&beta, json!({ "filter": filter })).await;
        assert_eq!(names(&by_name), expected, "{filter}");
        assert_eq!(by_name["totalCount"], expected.len(), "{filter}");
        assert_eq!(by_name["facets"]["counted"], expected.len(), "{filter}");
        for variables in [
            json!({ "query": "journey", "filter": filter }),
            json!({ "query": format!("journey {line}") }),
        ] {
            let page = browse(&beta, variables).await;
            let mut found = names(&page);
            found.sort_unstable();
            assert_eq!(found, expected, "{filter}");
        }
    }
    // m = 5, so everything has five stars where one review of five is all there is.
    let rated = browse(&beta, json!({ "filter": { "minRating": 5 } })).await;
    assert_eq!(names(&rated), ["bus", "post", "route"]);
    assert_eq!(rated["facets"]["counted"], 3);
    assert_eq!(counts(&rated, "ratings")[0], ("4.5".to_owned(), 3));
    // What is out of use is there for its own tenant only, whatever is asked for.
    for client in [&beta, &acme] {
        let retired = browse(client, json!({ "query": "status:retired" })).await;
        assert_eq!(
            (&retired["totalCount"], names(&retired)),
            (&json!(0), vec![])
        );
    }
    let own = "{ searchTools(query: \"status:retired\") { totalCount } }";
    let found = acme.data(own, json!({})).await;
    assert_eq!(found["searchTools"]["totalCount"], 1);
    let found = beta.data(own, json!({})).await;
    assert_eq!(found["searchTools"]["totalCount"], 0);
}

#[tokio::test]
async fn the_marketplace_is_sorted_by_name_rating_recency_and_the_tenants_own_use() {
    let (installation, acme, beta) = world().await;
    let other = json!({ "server": "maps", "name": "route", "rating": 1, "publisher": "acme" });
    let review = "mutation($input: ReviewToolInput!) { reviewTool(input: $input) { sequence } }";
    let agent = installation.client("beta", "agent", &[Role::Agent]).await;
    let bad =
        json!({ "input": { "name": "bus", "rating": 1, "server": "maps", "publisher": "acme" } });
    agent.data(review, bad).await;
    assert_eq!(
        beta.code(review, json!({ "input": other })).await,
        "REVIEW_EXISTS"
    );
    let touched = json!({ "server": "maps", "name": "post", "title": "Post" });
    acme.data(SHOW, json!({ "input": touched })).await;
    call(&agent, "describe_tool", json!({ "tool": "@acme/maps/bus" })).await;
    installation.settle().await;
    for (sort, expected) in [
        (json!("NAME"), &["bus", "post", "route"] as &[&str]),
        (Value::Null, &["bus", "post", "route"]),
        (json!("RELEVANCE"), &["bus", "post", "route"]),
        (json!("RATING"), &["route", "post", "bus"]),
    ] {
        let page = browse(&beta, json!({ "sort": sort })).await;
        assert_eq!(names(&page), expected, "{sort}");
        let page = browse(&beta, json!({ "sort": sort, "query": "tag:eu" })).await;
        let with: Vec<_> = expected.iter().filter(|name| **name != "post").collect();
        assert_eq!(names(&page).iter().collect::<Vec<_>>(), with, "{sort}");
    }
    let page = browse(&beta, json!({ "sort": "UPDATED" })).await;
    assert_eq!(names(&page)[0], "post");
    let begun = Instant::now();
    while names(&browse(&beta, json!({ "sort": "USE" })).await)[0] != "bus" {
        assert!(begun.elapsed() < PATIENCE, "counted within some seconds");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Who has used nothing learns nothing of who has: what is equal is by name.
    show(&acme, "maps", "bus", "PRIVATE").await;
    show(&acme, "maps", "bus", "PUBLIC").await;
    installation.settle().await;
    let gamma = installation.client("gamma", "owner", &[Role::Owner]).await;
    let page = browse(&gamma, json!({ "sort": "USE" })).await;
    assert_eq!(names(&page), ["bus", "post", "route"]);
    let bad = json!({ "filter": { "minRating": 6 }, "sort": "RATING" });
    assert_eq!(beta.code(BROWSE, bad).await, "RATING_OUT_OF_RANGE");
}

#[tokio::test]
async fn one_review_of_five_stars_does_not_make_a_tool_of_five_stars() {
    let (installation, _acme, beta) = world().await;
    let agent = installation.client("beta", "agent", &[Role::Agent]).await;
    let review = "mutation { reviewTool(input: { publisher: \"acme\", server: \"maps\",
        name: \"bus\", rating: 1 }) { sequence } }";
    agent.data(review, json!({})).await;
    installation.settle().await;
    // m = 3: the one review of route makes (15 + 5) / 6, that of bus (15 + 1) / 6, and post has none.
    for (least, expected) in [
        (json!(5), &[] as &[&str]),
        (json!(3.34), &[]),
        (json!(3.33), &["route"]),
        (json!(3), &["post", "route"]),
        (json!(2.67), &["post", "route"]),
        (json!(2.66), &["bus", "post", "route"]),
    ] {
        // By name, as a search, in the line of the query, and in what is counted beside them.
        for variables in [
            json!({ "filter": { "minRating": least } }),
            json!({ "query": "journey", "filter": { "minRating": least } }),
            json!({ "query": format!("journey rating:{least}") }),
            json!({ "sort": "NAME", "query": format!("rating:{least}") }),
        ] {
            let page = browse(&beta, variables.clone()).await;
            let mut found = names(&page);
            found.sort_unstable();
            assert_eq!(found, expected, "{variables}");
            assert_eq!(page["totalCount"], expected.len(), "{variables}");
            assert_eq!(page["facets"]["counted"], expected.len(), "{variables}");
        }
    }
    for query in [Value::Null, json!("journey")] {
        let wrong = json!({ "query": query, "filter": { "minRating": 3.333 } });
        assert_eq!(beta.code(BROWSE, wrong).await, "INVALID_SEARCH_QUERY");
    }
    let twice = json!({ "query": "journey rating:3", "filter": { "minRating": 3 } });
    assert_eq!(beta.code(BROWSE, twice).await, "INVALID_SEARCH_QUERY");
}

#[tokio::test]
async fn pages_of_a_sorted_marketplace_stand_still_while_it_changes() {
    let (installation, acme, beta) = world().await;
    for sort in ["UPDATED", "RATING"] {
        let whole = browse(&beta, json!({ "sort": sort })).await;
        let first = browse(&beta, json!({ "sort": sort, "first": 1 })).await;
        assert_eq!(names(&first), [names(&whole)[0]]);
        // What stood last becomes the first.
        let last = names(&whole)[2];
        let touched = json!({ "server": "maps", "name": last, "title": format!("Now {sort}") });
        acme.data(SHOW, json!({ "input": touched })).await;
        installation.settle().await;
        let mut seen = names(&first);
        let mut after = first["pageInfo"]["endCursor"].clone();
        let second = browse(&beta, json!({ "sort": sort, "first": 1, "after": after })).await;
        seen.extend(names(&second));
        after = second["pageInfo"]["endCursor"].clone();
        let third = browse(&beta, json!({ "sort": sort, "first": 1, "after": after })).await;
        seen.extend(names(&third));
        assert_eq!(seen, names(&whole), "{sort}");
        assert_eq!(third["pageInfo"]["hasNextPage"], false);
        let other = json!({ "sort": "USE", "first": 1, "after": after });
        assert_eq!(beta.code(BROWSE, other).await, "INVALID_CURSOR");
    }
}

/// A page of the versions of a tool, as its publisher and as another tenant asks for them.
#[tokio::test]
async fn versions_come_in_pages_newest_first_with_their_definitions() {
    let world = super::life::world().await;
    // Published last, though it is not the highest.
    super::publish(&world.acme, "maps", "route", "1.2.1", "Plans a short route").await;
    world.installation.settle().await;
    let fields = "nodes { version description inputSchema } pageInfo { hasNextPage endCursor }";
    let own = format!(
        "query($after: String) {{ it: tool(server: \"maps\", name: \"route\") {{
            versions(first: 3, after: $after) {{ {fields} }} }} }}"
    );
    let offered = format!(
        "query($after: String) {{ it: listing(publisher: \"acme\", server: \"maps\", tool: \"route\") {{
            versions(first: 3, after: $after) {{ {fields} }} }} }}"
    );
    for (client, query) in [(&world.acme, &own), (&world.beta, &offered)] {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "after": after });
            let page = client.data(query, variables).await["it"]["versions"].take();
            let nodes = page["nodes"].as_array().unwrap();
            assert!(nodes.len() <= 3, "{page}");
            seen.extend(nodes.iter().map(|node| {
                assert_eq!(node["inputSchema"], Value::Null);
                let [version, description] = ["version", "description"]
                    .map(|field| node[field].as_str().unwrap().to_owned());
                (version, description)
            }));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        let expected = [
            ("1.2.1", "Plans a short route"),
            ("2.0.0", "Plans a bicycle route with views"),
            ("1.2.0", "Plans a bicycle route with hills"),
            ("1.0.0", "Plans a bicycle route"),
        ];
        let expected = expected.map(|(version, told)| (version.to_owned(), told.to_owned()));
        assert_eq!(seen, expected);
        let bad = json!({ "after": "nonsense" });
        assert_eq!(client.code(query, bad).await, "INVALID_CURSOR");
    }
}
