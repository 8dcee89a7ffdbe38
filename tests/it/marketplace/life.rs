//! An installation from its beginning to its end, as its tenant, its agents and the publisher see it.

use super::{publish, server, show, tool};
use crate::mcp::{call, code, names, text};
use crate::support::{Client, Installation};
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use std::time::Duration;

pub(super) const ROUTE: &str = "publisher: \"acme\", server: \"maps\", tool: \"route\"";
const INSTALLED: &str =
    "{ installations { nodes { reference range version status notice listing { version }
    installedBy { kind } } } }";
const DEPENDENTS: &str = "{ tool(server: \"maps\", name: \"route\") {
    dependents { nodes { tenant range version } } } }";

pub(super) struct World {
    pub(super) installation: Installation,
    pub(super) acme: Client,
    pub(super) beta: Client,
    pub(super) agent: Client,
}

/// `acme` offers a tool with three versions; `beta` has an owner and an agent.
pub(super) async fn world() -> World {
    let installation = Installation::start().await;
    let acme = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    let agent = installation.client("beta", "agent", &[Role::Agent]).await;
    server(&acme, "maps").await;
    tool(&acme, "maps", "route", "Plans a bicycle route", "PUBLIC").await;
    publish(
        &acme,
        "maps",
        "route",
        "1.2.0",
        "Plans a bicycle route with hills",
    )
    .await;
    publish(
        &acme,
        "maps",
        "route",
        "2.0.0",
        "Plans a bicycle route with views",
    )
    .await;
    installation.settle().await;
    World {
        installation,
        acme,
        beta,
        agent,
    }
}

impl World {
    pub(super) async fn done(&self, mutation: &str, arguments: &str) -> Value {
        let mutation = format!(
            "mutation {{ done: {mutation}(input: {{ {arguments} }}) {{
                sequence installation {{ range version status }} }} }}"
        );
        let mut answer = self.beta.data(&mutation, json!({})).await;
        self.installation.settle().await;
        answer["done"].take()
    }

    pub(super) async fn refused(&self, client: &Client, mutation: &str, arguments: &str) -> String {
        let mutation =
            format!("mutation {{ {mutation}(input: {{ {arguments} }}) {{ sequence }} }}");
        client.code(&mutation, json!({})).await
    }

    pub(super) async fn installed(&self) -> Value {
        self.beta.data(INSTALLED, json!({})).await["installations"]["nodes"].take()
    }

    async fn dependents(&self) -> Value {
        self.acme.data(DEPENDENTS, json!({})).await["tool"]["dependents"]["nodes"].take()
    }

    async fn found(&self) -> Value {
        let task = json!({ "query": "plan a bicycle route" });
        call(&self.agent, "search_tools", task).await
    }

    pub(super) async fn described(&self) -> Value {
        let tool = json!({ "tool": "@acme/maps/route" });
        call(&self.agent, "describe_tool", tool).await
    }

    /// The publisher changes something, and goes on as soon as it is answered.
    async fn says(&self, mutation: &str) -> u64 {
        let mutation = format!("mutation {{ said: {mutation} {{ sequence notice }} }}");
        let said = self.acme.data(&mutation, json!({})).await;
        assert_eq!(said["said"]["notice"], Value::Null);
        said["said"]["sequence"].as_u64().unwrap()
    }

    async fn undo(&self, sequence: &Value) {
        let undo = format!("mutation {{ undo(commit: \"{sequence}\") {{ event }} }}");
        self.beta.data(&undo, json!({})).await;
        self.installation.settle().await;
    }
}

#[tokio::test]
async fn an_offered_tool_is_installed_found_pinned_and_uninstalled() {
    let world = world().await;
    let offers =
        "{ marketplace { totalCount nodes { reference version serverName versions { nodes { version } }
        installation { range } } } }";
    let seen = world.beta.data(offers, json!({})).await;
    let versions = json!([{ "version": "2.0.0" }, { "version": "1.2.0" }, { "version": "1.0.0" }]);
    let listing = json!({ "reference": "@acme/maps/route", "version": "2.0.0", "serverName": "maps",
                          "versions": { "nodes": versions }, "installation": null });
    let expected = json!({ "totalCount": 1, "nodes": [listing] });
    assert_eq!(seen["marketplace"], expected);
    let wanted = "{ marketplace(query: \"bicycle\") { nodes { name } } }";
    let ranked = world.beta.data(wanted, json!({})).await;
    assert_eq!(ranked["marketplace"]["nodes"], json!([{ "name": "route" }]));
    assert!(names(&world.found().await).is_empty(), "not installed yet");

    let first = world
        .done("installTool", &format!("{ROUTE}, range: \"^1\""))
        .await;
    let pinned = json!({ "range": "^1", "version": "1.2.0", "status": "AVAILABLE" });
    assert_eq!(first["installation"], pinned);
    let found = world.found().await;
    let hit = &found["structuredContent"]["tools"][0];
    assert_eq!(
        (&hit["publisher"], &hit["version"]),
        (&json!("acme"), &json!("1.2.0"))
    );
    assert!(text(&found).contains("1. @acme/maps/route"), "{found:#}");
    let described = world.described().await;
    let definition = &described["structuredContent"];
    assert_eq!(
        definition["description"],
        "Plans a bicycle route with hills"
    );
    let search = "{ searchTools(query: \"bicycle\") { hits { reference tool { name } listing { version } } } }";
    let hits = world.beta.data(search, json!({})).await;
    let hit =
        json!({ "reference": "@acme/maps/route", "tool": null, "listing": { "version": "1.2.0" } });
    assert_eq!(hits["searchTools"]["hits"], json!([hit]));

    let second = world
        .done("repinTool", &format!("{ROUTE}, range: \"^2\""))
        .await;
    assert_eq!(second["installation"]["version"], "2.0.0");
    publish(
        &world.acme,
        "maps",
        "route",
        "2.1.0",
        "Plans a bicycle route by night",
    )
    .await;
    world.installation.settle().await;
    assert_eq!(world.installed().await[0]["version"], "2.1.0");
    let dependent = json!([{ "tenant": "beta", "range": "^2", "version": "2.1.0" }]);
    assert_eq!(world.dependents().await, dependent);

    world.undo(&second["sequence"]).await;
    assert_eq!(world.installed().await[0]["range"], "^1");
    let gone = world.done("uninstallTool", ROUTE).await;
    assert_eq!(gone["installation"], Value::Null);
    assert_eq!(world.installed().await, json!([]));
    assert_eq!(world.dependents().await, json!([]));
    assert!(names(&world.found().await).is_empty());
    world.undo(&gone["sequence"]).await;
    assert_eq!(world.installed().await[0]["version"], "1.2.0");
}

#[tokio::test]
async fn what_is_offered_no_longer_is_neither_found_nor_described_until_it_is_again() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    assert_eq!(world.installed().await[0]["range"], "^2.0.0");
    show(&world.acme, "maps", "route", "TENANT").await;
    world.installation.settle().await;

    let installed = &world.installed().await[0];
    assert_eq!(installed["status"], "UNAVAILABLE");
    assert_eq!(
        (&installed["version"], &installed["listing"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        installed["notice"]
            .as_str()
            .unwrap()
            .contains("@acme/maps/route")
    );
    assert!(names(&world.found().await).is_empty());
    assert_eq!(code(&world.described().await), "NOT_FOUND");
    assert_eq!(
        world
            .refused(&world.beta, "repinTool", &format!("{ROUTE}, range: \"*\""))
            .await,
        "NOT_FOUND"
    );
    let dependent = json!([{ "tenant": "beta", "range": "^2.0.0", "version": null }]);
    assert_eq!(world.dependents().await, dependent);

    show(&world.acme, "maps", "route", "PUBLIC").await;
    world.installation.settle().await;
    assert_eq!(names(&world.found().await), ["route"]);
    let retire = "mutation { retireServer(input: { slug: \"maps\" }) { sequence } }";
    world.acme.data(retire, json!({})).await;
    world.installation.settle().await;
    assert_eq!(world.installed().await[0]["status"], "UNAVAILABLE");
    assert!(names(&world.found().await).is_empty());
    let gone = world.done("uninstallTool", ROUTE).await;
    assert_eq!(gone["installation"], Value::Null);
}

#[tokio::test]
async fn an_installation_that_makes_no_sense_is_refused_by_its_code() {
    let world = world().await;
    let (beta, agent) = (&world.beta, &world.agent);
    for (range, expected) in [("^9", "NO_VERSION_IN_RANGE"), ("newest", "INVALID_RANGE")] {
        let arguments = format!("{ROUTE}, range: \"{range}\"");
        assert_eq!(
            world.refused(beta, "installTool", &arguments).await,
            expected
        );
    }
    assert_eq!(
        world.refused(beta, "uninstallTool", ROUTE).await,
        "NOT_FOUND"
    );
    assert_eq!(
        world.refused(agent, "installTool", ROUTE).await,
        "FORBIDDEN"
    );
    assert_eq!(
        world.refused(&world.acme, "installTool", ROUTE).await,
        "OWN_TOOL"
    );
    world.done("installTool", ROUTE).await;
    assert_eq!(
        world.refused(beta, "installTool", ROUTE).await,
        "ALREADY_INSTALLED"
    );
    assert_eq!(
        world.refused(agent, "uninstallTool", ROUTE).await,
        "FORBIDDEN"
    );
    let same = format!("{ROUTE}, range: \"^2.0.0\"");
    assert_eq!(world.refused(beta, "repinTool", &same).await, "UNCHANGED");
}

/// The publisher hears of its publication as soon as its own catalogue shows it. The marketplace is made to come
/// later: who reads its tables goes on, who writes to them waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_installed_as_soon_as_its_publisher_hears_that_it_is_there() {
    let world = world().await;
    let mut holder = world.installation.app.database.connect().await.unwrap();
    for (tool_of, range) in [("walk", "^1"), ("route", "^3")] {
        let mut lock = holder.begin().await.unwrap();
        lock.execute("LOCK TABLE marketplace.listings, marketplace.versions IN SHARE MODE")
            .await
            .unwrap();
        match tool_of {
            "walk" => tool(&world.acme, "maps", "walk", "Plans a walk", "PUBLIC").await,
            name => publish(&world.acme, "maps", name, "3.0.0", "Plans a long route").await,
        }
        let install = format!(
            "mutation {{ installTool(input: {{ publisher: \"acme\", server: \"maps\", tool: \"{tool_of}\",
                range: \"{range}\" }}) {{ installation {{ range }} }} }}"
        );
        let release = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            lock.rollback().await.unwrap();
        };
        let ((), installed) = tokio::join!(release, world.beta.data(&install, json!({})));
        let seen = &installed["installTool"]["installation"]["range"];
        assert_eq!(seen, range, "{tool_of}");
    }
}

/// The copy that a rebuild makes is protected as the original: what is listed for all, the rest for nobody.
#[tokio::test]
async fn a_rebuilt_marketplace_is_the_same_and_as_well_protected() {
    let world = world().await;
    tool(
        &world.acme,
        "maps",
        "secret",
        "Knows secret paths",
        "PRIVATE",
    )
    .await;
    world.done("installTool", ROUTE).await;
    let app = &world.installation.app;
    let projector = projections::registry::relational()
        .into_iter()
        .find(|projector| projector.name() == projections::marketplace::NAME);
    let swap = Finish::SwapIfEqual;
    let rebuilt = rebuild(
        projector.unwrap(),
        &app.state.log,
        &app.database,
        swap,
        &|_, _| {},
    )
    .await
    .unwrap();
    let full = rebuilt.tables.iter().all(|table| table.live.rows > 0);
    assert!(rebuilt.swapped && full, "{rebuilt:?}");

    assert_eq!(world.installed().await[0]["status"], "AVAILABLE");
    assert_eq!(world.dependents().await[0]["tenant"], "beta");
    let offers = "{ marketplace { nodes { name } } }";
    let seen = world.beta.data(offers, json!({})).await;
    assert_eq!(seen["marketplace"]["nodes"], json!([{ "name": "route" }]));
    let beta = domain::id::TenantId::new("beta").unwrap();
    let mut reads = app.state.reads.tenant(&beta).await.unwrap();
    let count = |table: &str| format!("SELECT count(*) FROM marketplace.{table}");
    for (table, rows) in [
        ("listings", 1),
        ("versions", 3),
        ("installations", 1),
        ("dependents", 0),
    ] {
        let seen: i64 = sqlx::query_scalar(&count(table))
            .fetch_one(&mut *reads)
            .await
            .unwrap();
        assert_eq!(seen, rows, "{table}");
    }
    let servers = sqlx::query(&count("servers")).fetch_one(&mut *reads).await;
    assert!(servers.is_err(), "nobody asks for these");
}

#[tokio::test]
async fn who_takes_a_tool_away_is_answered_when_no_other_tenant_reads_it_any_more() {
    let world = world().await;
    world
        .done("installTool", &format!("{ROUTE}, range: \"*\""))
        .await;
    let route = "server: \"maps\", name: \"route\"";
    let maps = "slug: \"maps\"";
    for (away, back) in [
        (
            format!("describeTool(input: {{ {route}, visibility: PRIVATE }})"),
            format!("describeTool(input: {{ {route}, visibility: PUBLIC }})"),
        ),
        (
            format!("retireTool(input: {{ {route} }})"),
            format!("restoreTool(input: {{ {route} }})"),
        ),
        (
            format!("retireServer(input: {{ {maps} }})"),
            format!("restoreServer(input: {{ {maps} }})"),
        ),
    ] {
        // Nothing is waited for but the answers.
        let listing = format!("{{ listing({ROUTE}) {{ name }} }}");
        world.says(&away).await;
        assert_eq!(
            world.beta.code(&listing, json!({})).await,
            "NOT_FOUND",
            "{away}"
        );
        assert_eq!(code(&world.described().await), "NOT_FOUND", "{away}");
        world.says(&back).await;
        assert_eq!(
            world.beta.data(&listing, json!({})).await["listing"]["name"],
            "route"
        );
        let sequence = world.says(&away).await;
        world.says(&format!("undo(commit: \"{sequence}\")")).await;
        assert_ne!(world.described().await["isError"], true, "{away}");
    }
}
