//! The category taxonomy: what it refuses, what it counts, and what an import makes of it.

use crate::support::{Client, Installation};
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use metamcp::import::{Options, Silent, Summary, run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const ADD: &str = "mutation($slug: String!, $parent: String) {
    addCategory(input: { slug: $slug, title: \"A title\", parent: $parent }) {
        taxonomy { version categories { slug parent status toolCount } } sequence notice } }";
const TOOL: &str = "mutation($name: String!, $category: String, $visibility: Visibility! = TENANT) {
    registerTool(input: { server: \"git\", name: $name, description: \"Does it\", category: $category,
        tags: [\"vcs\"], visibility: $visibility }) { tool { category } sequence } }";
const FACETS: &str = "query($filter: ToolFilter) { toolFacets(filter: $filter) {
    categories { value count } tags { value count } servers { value count } statuses { value count } } }";

async fn add(client: &Client, slug: &str) -> Value {
    client.data(ADD, json!({ "slug": slug })).await["addCategory"].take()
}

async fn with_server(client: &Client) {
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    client.data(server, json!({})).await;
}

async fn tool(client: &Client, name: &str, category: &str, visibility: &str) {
    let tool = json!({ "name": name, "category": category, "visibility": visibility });
    client.data(TOOL, tool).await;
}

#[tokio::test]
async fn from_the_first_category_on_others_are_refused_and_nothing_is_half_registered() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    with_server(&owner).await;
    tool(&owner, "log", "Whatever you like", "TENANT").await;
    assert_eq!(
        agent.code(ADD, json!({ "slug": "databases" })).await,
        "FORBIDDEN"
    );
    let first = add(&owner, "databases").await;
    assert_eq!(
        first["taxonomy"],
        json!({ "version": 1, "categories": [
            { "slug": "databases", "parent": null, "status": "ACTIVE", "toolCount": 0 }] })
    );
    let head = installation.settle().await;
    let unknown = json!({ "name": "diff", "category": "database" });
    let (_, answer) = owner.graphql(TOOL, unknown).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "CATEGORY_NOT_FOUND");
    assert!(
        error["message"].as_str().unwrap().contains("`databases`"),
        "{error}"
    );
    let server =
        "mutation { registerServer(input: { slug: \"pg\", name: \"Pg\", category: \"sql\" })
        { sequence } }";
    assert_eq!(owner.code(server, json!({})).await, "CATEGORY_NOT_FOUND");
    let describe = |fields: &str| {
        format!(
            "mutation {{ describeTool(input: {{ server: \"git\", name: \"log\", {fields} }})
            {{ tool {{ category }} sequence }} }}"
        )
    };
    let refused = describe("category: \"sql\"");
    assert_eq!(owner.code(&refused, json!({})).await, "CATEGORY_NOT_FOUND");
    assert_eq!(installation.settle().await, head, "nothing was written");

    let kept = owner.data(&describe("title: \"Log\""), json!({})).await;
    assert_eq!(
        kept["describeTool"]["tool"]["category"],
        "Whatever you like"
    );
    let moved = owner
        .data(&describe("category: \"databases\""), json!({}))
        .await;
    let moved_at = &moved["describeTool"]["sequence"];
    let counted = "{ taxonomy { categories { slug toolCount } } }";
    let counted = agent.data(counted, json!({})).await["taxonomy"]["categories"].take();
    assert_eq!(counted, json!([{ "slug": "databases", "toolCount": 1 }]));
    // Taking it back would bring back what the taxonomy does not have.
    let undo = "mutation($commit: ID!) { undo(commit: $commit) { event
        node { ... on Taxonomy { version } } } }";
    let moved = json!({ "commit": moved_at });
    assert_eq!(owner.code(undo, moved).await, "CATEGORY_NOT_FOUND");

    let retire = "mutation { retireCategory(input: { slug: \"databases\" }) { sequence
        taxonomy { categories { slug } } } }";
    let retired = owner.data(retire, json!({})).await["retireCategory"].take();
    assert_eq!(retired["taxonomy"]["categories"], json!([]));
    let late = json!({ "name": "diff", "category": "databases" });
    assert_eq!(owner.code(TOOL, late.clone()).await, "CATEGORY_NOT_FOUND");
    let back = json!({ "commit": retired["sequence"] });
    assert_eq!(agent.code(undo, back.clone()).await, "FORBIDDEN");
    let back = owner.data(undo, back).await["undo"].take();
    assert_eq!(
        back,
        json!({ "event": "taxonomy.category_added", "node": { "version": 3 } })
    );
    owner.data(TOOL, late).await;
}

#[tokio::test]
async fn a_taxonomy_is_its_tenants_own() {
    let installation = Installation::start().await;
    let acme = installation.client("acme", "owner", &[Role::Owner]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    add(&acme, "databases").await;
    let made = json!({ "slug": "postgres", "parent": "databases" });
    let made = acme.data(ADD, made).await["addCategory"]["taxonomy"].take();
    assert_eq!(made["version"], 2);
    let look = "{ taxonomy { id version controlled categories { slug } } }";
    let theirs = other.data(look, json!({})).await["taxonomy"].take();
    assert_eq!(
        (&theirs["version"], &theirs["controlled"]),
        (&json!(0), &json!(false))
    );
    let id = acme.data(look, json!({})).await["taxonomy"]["id"].take();
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(other.code(node, json!({ "id": id })).await, "NOT_FOUND");
    assert_eq!(acme.data(node, json!({ "id": id })).await["node"]["id"], id);
    for (mutation, code) in [
        (
            "addCategory(input: { slug: \"databases\", title: \"x\" })",
            "CATEGORY_EXISTS",
        ),
        (
            "addCategory(input: { slug: \"Data Bases\", title: \"x\" })",
            "INVALID_SLUG",
        ),
        (
            "addCategory(input: { slug: \"sql\", title: \"\" })",
            "FIELD_MISSING",
        ),
        (
            "describeCategory(input: { slug: \"databases\", parent: \"postgres\" })",
            "CATEGORY_CIRCLE",
        ),
        (
            "describeCategory(input: { slug: \"absent\", title: \"x\" })",
            "CATEGORY_NOT_FOUND",
        ),
        (
            "retireCategory(input: { slug: \"databases\" })",
            "CATEGORY_HAS_PARTS",
        ),
    ] {
        let change = format!("mutation {{ {mutation} {{ sequence }} }}");
        assert_eq!(acme.code(&change, json!({})).await, code, "{mutation}");
    }
}

#[tokio::test]
async fn facets_count_what_the_caller_may_see_and_no_more() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let other = installation.client("other", "bob", &[Role::Owner]).await;
    with_server(&owner).await;
    for (name, category, visibility) in [
        ("log", "history", "TENANT"),
        ("blame", "history", "TENANT"),
        ("diff", "changes", "TENANT"),
        ("secret", "secrets", "PRIVATE"),
    ] {
        tool(&owner, name, category, visibility).await;
    }
    let retire =
        "mutation { retireTool(input: { server: \"git\", name: \"blame\" }) { sequence } }";
    owner.data(retire, json!({})).await;
    let seen = agent.data(FACETS, json!({})).await["toolFacets"].take();
    let count = |value: &str, count: i64| json!({ "value": value, "count": count });
    assert_eq!(
        seen["categories"],
        json!([count("history", 2), count("changes", 1)])
    );
    assert_eq!(seen["tags"], json!([count("vcs", 3)]));
    assert_eq!(seen["servers"], json!([count("git", 3)]));
    assert_eq!(
        seen["statuses"],
        json!([count("active", 2), count("retired", 1)])
    );
    let all = owner.data(FACETS, json!({})).await["toolFacets"].take();
    assert_eq!(all["servers"], json!([count("git", 4)]));
    let active = json!({ "filter": { "status": "ACTIVE", "category": "history" } });
    let active = agent.data(FACETS, active).await["toolFacets"].take();
    assert_eq!(active["categories"], json!([count("history", 1)]));
    let none = other.data(FACETS, json!({})).await["toolFacets"].take();
    assert_eq!(none["categories"], json!([]));
}

#[tokio::test]
async fn an_import_keeps_to_the_taxonomy_or_adds_to_it() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    add(&owner, "databases").await;
    let servers = "{\"slug\": \"pg\", \"category\": \"databases\"}\n{\"slug\": \"mail\", \"category\": \"post\"}";
    let tools = "{\"server\": \"pg\", \"name\": \"query\", \"description\": \"x\", \"category\": \"data-stores\"}
        {\"server\": \"pg\", \"name\": \"dump\", \"description\": \"x\", \"category\": \"Data Stores\"}";
    let tools = tools.replace("\n        ", "\n");
    let strict = import(&installation, servers, &tools, false).await;
    assert_eq!((strict.servers.registered, strict.tools.registered), (1, 0));
    assert_eq!(strict.rejected["CATEGORY_NOT_FOUND"], 3);
    assert_eq!(strict.categories_added, 0);
    let adding = import(&installation, servers, &tools, true).await;
    assert_eq!((adding.servers.registered, adding.tools.registered), (1, 1));
    assert_eq!(adding.categories_added, 2);
    assert_eq!(
        adding.rejected["INVALID_SLUG"], 1,
        "what is no slug is no category"
    );
    installation.settle().await;
    let look = "{ taxonomy { version categories { slug title } } }";
    let found = owner.data(look, json!({})).await["taxonomy"].take();
    assert_eq!(found["version"], 3);
    let stores = &found["categories"][0];
    assert_eq!(
        *stores,
        json!({ "slug": "data-stores", "title": "Data stores" })
    );
}

async fn import(
    installation: &Installation,
    servers: &str,
    tools: &str,
    add_categories: bool,
) -> Summary {
    let options = Options {
        add_categories,
        ..Options::default()
    };
    run(
        &installation.app.state.dispatcher,
        &TenantId::new("acme").unwrap(),
        &Actor::operator("test"),
        servers.as_bytes(),
        tools.as_bytes(),
        &options,
        &Silent,
        &CancellationToken::new(),
    )
    .await
    .unwrap()
}
