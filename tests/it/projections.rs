//! Read models: row-level security, the log's identity, rebuild, parking, leadership.

mod granted;
mod index_swap;
mod swap;
mod two_leaders;

use crate::support::{Installation, serve};
use cqrs_es::Aggregate;
use cqrs_es::persist::PersistedEventRepository;
use domain::principal::Role;
use domain::tool::Tool;
use metamcp::app::Role as ProcessRole;
use projections::rebuild::{Finish, rebuild, rebuild_search};
use projections::registry;
use serde_json::json;
use sqlx::{Connection, Executor, Row};

const REGISTER_SERVER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";
const REGISTER_TOOL: &str = "mutation($server: String!, $name: String!) {
    registerTool(input: { server: $server, name: $name, description: \"Counts things\" }) { sequence } }";

async fn fill(installation: &Installation, tenant: &str) {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    for server in ["one", "two"] {
        publisher
            .data(REGISTER_SERVER, json!({ "slug": server }))
            .await;
        for n in 0..3 {
            let variables = json!({ "server": server, "name": format!("tool_{n}") });
            publisher.data(REGISTER_TOOL, variables).await;
        }
    }
    installation.settle().await;
}

#[tokio::test]
async fn every_table_with_a_tenant_is_under_row_level_security() {
    let installation = Installation::start().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    let rows = connection
        .fetch_all(
            "SELECT c.oid::regclass::text, c.relrowsecurity FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
             WHERE c.relkind IN ('r', 'p')",
        )
        .await
        .unwrap();
    assert!(rows.len() >= 6);
    for row in rows {
        assert!(
            row.get::<bool, _>(1),
            "{} has no row-level security",
            row.get::<String, _>(0)
        );
    }
}

/// The archive is the table of postgres-es: an aggregate folded from it is the one that the log has.
#[tokio::test]
async fn an_aggregate_is_read_back_from_the_archive_by_postgres_es() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let id = domain::id::ToolId::derive(&tenant, "one", "tool_1");
    let repository = projections::archive::repository(installation.app.database.owner_pool(1));
    let stored = repository.get_events::<Tool>(id.as_str()).await.unwrap();
    let mut read_back = Tool::default();
    for event in &stored {
        read_back.apply(serde_json::from_value(event.payload.clone()).unwrap());
    }
    assert_eq!((stored.len(), stored[0].sequence), (1, 1));
    let dispatcher = &installation.app.state.dispatcher;
    let in_the_log = dispatcher.load::<Tool>(&tenant, id.as_str()).await.unwrap();
    assert_eq!(Some(read_back), in_the_log);
}

#[tokio::test]
async fn a_query_sees_its_tenant_only_and_cannot_write() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    fill(&installation, "other").await;
    let acme = domain::id::TenantId::new("acme").unwrap();
    let mut connection = installation.app.state.reads.tenant(&acme).await.unwrap();
    let rows = connection
        .fetch_all("SELECT DISTINCT tenant FROM catalog.tools")
        .await
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(),
        ["acme"]
    );
    assert!(
        connection
            .execute("DELETE FROM catalog.tools")
            .await
            .is_err()
    );
    assert!(
        connection
            .execute("SELECT * FROM metamcp.dead_letters")
            .await
            .is_err()
    );
    // One that stays bound is handed to its tenant only.
    connection.keep();
    let other = domain::id::TenantId::new("other").unwrap();
    for tenant in [&acme, &other, &other, &acme, &other] {
        let mut connection = installation.app.state.reads.tenant(tenant).await.unwrap();
        let statement = "SELECT DISTINCT tenant FROM catalog.tools";
        let rows = connection.fetch_all(statement).await.unwrap();
        let seen: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(seen, [tenant.as_str()]);
        connection.keep();
    }
}

/// What a leader does in one call is done at the place where it left the model, or not at all.
#[tokio::test]
async fn a_batch_is_written_at_its_place_and_on_its_model_only() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let mut connection = installation.app.database.connect().await.unwrap();
    let standing = "SELECT stream_sequence, commit_hash, 'catalog'::regnamespace::oid
                    FROM metamcp.checkpoints WHERE projector = 'catalog'";
    let row = connection.fetch_one(standing).await.unwrap();
    let (at, hash): (i64, Option<String>) = (row.get(0), row.get(1));
    let sqlx::postgres::types::Oid(model) = row.get(2);
    connection
        .execute("PREPARE forget AS DELETE FROM catalog.tools WHERE name <> $1::text")
        .await
        .unwrap();
    let mut call = async |at: i64, hash: Option<&str>, model: u32| {
        let written = sqlx::query(
            "SELECT metamcp.write_batch('catalog', $1, $2, $1 + 1, 'x', 'catalog', $3, 'forget', ARRAY[''])",
        )
        .bind(at)
        .bind(hash)
        .bind(sqlx::postgres::types::Oid(model))
        .execute(&mut connection)
        .await;
        let code = |error: &sqlx::Error| {
            error
                .as_database_error()?
                .code()
                .map(std::borrow::Cow::into_owned)
        };
        written.err().as_ref().and_then(code)
    };
    let hash = hash.as_deref();
    assert_eq!(call(at - 1, hash, model).await.as_deref(), Some("MM001"));
    assert_eq!(
        call(at, Some("another"), model).await.as_deref(),
        Some("MM001")
    );
    assert_eq!(call(at, hash, model + 1).await.as_deref(), Some("MM002"));
    let mut connection = installation.app.database.connect().await.unwrap();
    let row = connection.fetch_one(standing).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), at);
    let tools = "SELECT count(*) FROM catalog.tools";
    let row = connection.fetch_one(tools).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 6);
}

#[tokio::test]
async fn a_rebuilt_model_equals_the_live_one_and_is_swapped_in() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    // Something of each read model.
    let admin = installation.client("acme", "admin", &[Role::Admin]).await;
    for change in [
        "claimNamespace(input: { namespace: \"com.example\" })",
        "addCategory(input: { slug: \"counting\", title: \"Counting\" })",
        "reviewTool(input: { server: \"one\", name: \"tool_0\", rating: 5 })",
    ] {
        let change = format!("mutation {{ {change} {{ sequence }} }}");
        admin.data(&change, json!({})).await;
    }
    installation.settle().await;
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    for projector in registry::relational() {
        let name = projector.name();
        let rebuilt = rebuild(projector, log, database, Finish::SwapIfEqual, &|_, _| {})
            .await
            .unwrap();
        assert!(rebuilt.is_equal() && rebuilt.swapped, "{name}: {rebuilt:?}");
        assert!(
            rebuilt.tables.iter().any(|table| table.live.rows > 0),
            "{name} is empty"
        );
    }
    let search = rebuild_search(
        &installation.app.index,
        log,
        database,
        Finish::SwapIfEqual,
        &|_, _| {},
    )
    .await;
    let search = search.unwrap();
    assert_eq!(search.tables[0].live.rows, 6);
    // The swapped models go on: a new write arrives, and is found.
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    let variables = json!({ "server": "one", "name": "weigh_parcels" });
    publisher.data(REGISTER_TOOL, variables).await;
    installation.settle().await;
    let found = publisher
        .data(
            "{ searchTools(query: \"weigh parcels\") { hits { tool { name } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        found["searchTools"]["hits"][0]["tool"]["name"],
        "weigh_parcels"
    );
}

#[tokio::test]
async fn a_damaged_model_is_noticed_and_mended() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let mut connection = database.connect().await.unwrap();
    connection
        .execute("UPDATE catalog.tools SET name = 'forged' WHERE name = 'tool_0'")
        .await
        .unwrap();
    let catalog = || {
        registry::relational()
            .into_iter()
            .find(|p| p.name() == "catalog")
            .unwrap()
    };
    let refused = rebuild(catalog(), log, database, Finish::SwapIfEqual, &|_, _| {}).await;
    assert!(refused.unwrap_err().to_string().contains("tools"));
    let mended = rebuild(catalog(), log, database, Finish::Swap, &|_, _| {})
        .await
        .unwrap();
    assert!(mended.swapped && !mended.is_equal());
    let forged: i64 =
        sqlx::query_scalar("SELECT count(*) FROM catalog.tools WHERE name = 'forged'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(forged, 0);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_replaced_log_halts_the_projectors() {
    let mut installation = Installation::start().await;
    fill(&installation, "acme").await;
    let head = installation.app.state.log.head().await.unwrap();
    let mut connection = installation.app.database.connect().await.unwrap();
    connection
        .execute("UPDATE metamcp.checkpoints SET commit_hash = 'of another log' WHERE projector = 'access'")
        .await
        .unwrap();
    connection
        .execute(
            format!(
                "UPDATE metamcp.checkpoints SET stream_sequence = {} WHERE projector = 'catalog'",
                head + 5
            )
            .as_str(),
        )
        .await
        .unwrap();
    let roles = [ProcessRole::Api, ProcessRole::Projector];
    installation.become_another(&roles).await;
    let halted = |name: &str| {
        let health = installation.app.state.positions.health();
        let one = health
            .into_iter()
            .find(|one| one.projector == name)
            .unwrap();
        match one.state {
            projections::ProjectorState::Halted { reason } => Some(reason),
            _ => None,
        }
    };
    let begun = std::time::Instant::now();
    while halted("access").is_none() || halted("catalog").is_none() {
        assert!(
            begun.elapsed() < crate::support::PATIENCE,
            "{:?}",
            installation.app.state.positions.health()
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(halted("access").unwrap().contains("another commit"));
    assert!(halted("catalog").unwrap().contains("ends before"));
}

#[tokio::test]
async fn one_of_two_instances_leads_and_the_other_takes_over() {
    let installation = Installation::start().await;
    let (second, base) = serve(
        &installation.config,
        &[ProcessRole::Api, ProcessRole::Projector],
    )
    .await;
    fill(&installation, "acme").await;
    // What the first one projects, the second one sees.
    let head = installation.app.state.log.head().await.unwrap();
    second
        .state
        .positions
        .wait_for("catalog", head, crate::support::PATIENCE)
        .await
        .unwrap();
    installation.app.stop().await;
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let actor = domain::envelope::Actor::system("test");
    let context = bus::CommandContext::new(tenant.clone(), actor);
    let rename = domain::tenant::TenantCommand::Rename {
        display_name: "New".to_owned(),
    };
    let done = second
        .state
        .dispatcher
        .dispatch::<domain::tenant::Tenant>(&context, "acme", rename)
        .await
        .unwrap();
    for projector in registry::NAMES {
        let waited = second.state.positions.wait_for(
            projector,
            done.stream_sequence,
            crate::support::PATIENCE,
        );
        waited.await.unwrap();
    }
    assert!(base.starts_with("http://127.0.0.1"));
    second.stop().await;
}

#[tokio::test]
async fn a_commit_that_nobody_can_read_is_parked_and_stops_what_grants_rights() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let config = &installation.config;
    let client = async_nats::ConnectOptions::with_user_and_password(
        config.nats.user.clone().unwrap(),
        installation.servers.embedded.nats.password().to_owned(),
    )
    .connect(installation.servers.embedded.nats.address())
    .await
    .unwrap();
    let subject = format!("{}.acme.tool.broken", config.nats.subject_root);
    let jetstream = async_nats::jetstream::new(client);
    let published = jetstream.publish(subject, "no commit".into()).await;
    let at = published.unwrap().await.unwrap().sequence;
    installation.reached("catalog", at).await;
    installation.reached("archive", at).await;
    let begun = std::time::Instant::now();
    loop {
        let health = installation.app.state.positions.health();
        let of = |name: &str| {
            health
                .iter()
                .find(|one| one.projector == name)
                .unwrap()
                .clone()
        };
        let stopped = matches!(
            of("access").state,
            projections::ProjectorState::Halted { .. }
        );
        if of("catalog").parked == 1 && stopped {
            break;
        }
        assert!(begun.elapsed() < crate::support::PATIENCE, "{health:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
