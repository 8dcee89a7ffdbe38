//! An installation of a release that kept no past gets it from its log.

use crate::support::{Installation, PATIENCE, Servers, serve};
use domain::id::{PrincipalId, TenantId};
use domain::principal::Role;
use metamcp::app::Role as ProcessRole;
use projections::{Database, Moment, PageRequest, access, catalog};
use sqlx::Executor;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
/// The migration that brought the past.
const AS_OF: i64 = 4;

#[tokio::test]
async fn an_older_installation_gets_its_past_from_its_log() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    super::server(&client, "git").await;
    let before = super::tool(&client, "git", "commit").await;
    let retire =
        "mutation { done: retireTool(input: { server: \"git\", name: \"commit\" }) { sequence } }";
    let head = super::sequence(&client, retire, serde_json::json!({})).await;
    installation.settle().await;

    // The same log, and a database as the older release left it: no past, and everything applied.
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let mut config = servers.fresh_config(folder.path()).await;
    config.nats = installation.config.nats.clone();
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    let mut connection = database.connect().await.unwrap();
    let mut older = MIGRATIONS
        .iter()
        .filter(|migration| migration.version < AS_OF)
        .cloned();
    let older = sqlx::migrate::Migrator {
        migrations: older.by_ref().collect::<Vec<_>>().into(),
        ..sqlx::migrate::Migrator::DEFAULT
    };
    older.run(&mut connection).await.unwrap();
    let left = format!(
        "INSERT INTO access.tenants VALUES ('acme', 'acme', now(), now());
         INSERT INTO access.principals VALUES ('acme', 'gone', 'user', 'gone', '{{}}', true, NULL, now(), now());
         INSERT INTO metamcp.checkpoints (projector, stream_sequence)
         VALUES ('access', {head}), ('catalog', {head})"
    );
    connection.execute(left.as_str()).await.unwrap();

    let (app, _) = serve(&config, &[ProcessRole::Projector]).await;
    let applied = || async {
        let statement = "SELECT min(stream_sequence), count(*) FROM metamcp.checkpoints
             WHERE projector IN ('access', 'catalog')";
        let reached: (Option<i64>, i64) = sqlx::query_as(statement)
            .fetch_one(&app.database.owner_pool(1))
            .await
            .unwrap();
        reached == (i64::try_from(head).ok(), 2)
    };
    let begun = std::time::Instant::now();
    while !applied().await {
        assert!(
            begun.elapsed() < PATIENCE,
            "{:?}",
            app.state.positions.health()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let acme = TenantId::new("acme").unwrap();
    let mut reads = app
        .state
        .reads
        .tenant(&acme)
        .await
        .unwrap()
        .at(Moment::At(before));
    let pins = catalog::pins(&mut reads, &[]).await.unwrap();
    assert_eq!(pins.tools[0].status, catalog::Status::Active);
    let principals = access::principals(&mut reads, None, &PageRequest::first(10))
        .await
        .unwrap();
    // By id: the names in this log were sealed with keys of the other database.
    let mut found: Vec<_> = principals
        .items
        .into_iter()
        .map(|item| item.node.id)
        .collect();
    let mut expected = ["founder", "pub"].map(|handle| PrincipalId::derive(&acme, handle));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    app.stop().await;
}
