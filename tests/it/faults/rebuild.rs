//! `metamcp rebuild all` while the live models serve and writes go on.

use super::load::Load;
use super::verify::{all_is_well, read_models_equal_a_rebuild};
use super::world::{
    Process, World, environment, eventually, log, metamcp, owner, postgres, ready, said,
};
use sqlx::Row;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_writes_is_unnoticed_and_keeps_the_old_models_until_told() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    // The rebuild takes the processor from the live projectors for a while. How far behind permissions may be is not
    // what is looked at here: that nobody is refused because of the swap is.
    let mut variables = environment(&world.config);
    variables.push(("METAMCP__AUTH__MAX_ACCESS_LAG".into(), "30s".into()));
    let path = world.folder.path().join("metamcp");
    let _metamcp = Process::start_with(path, "api,projector", variables).await;
    ready(&client).await;
    let load = Load::start(&client, 3);
    eventually("something to rebuild", async || {
        load.look(|seen| seen.acknowledged.len()) > 100
    })
    .await;
    let before = load.look(|seen| seen.acknowledged.len());
    let rebuilt = metamcp(&world.config, &["rebuild"]).await;
    assert!(rebuilt.status.success(), "{}", said(&rebuilt));
    let during = load.look(|seen| seen.acknowledged.len()) - before;
    println!("{during} commands were acknowledged during the rebuild");
    assert!(during > 0, "no write went on");
    let only_checked = metamcp(&world.config, &["rebuild", "--check"]).await;
    assert!(only_checked.status.success(), "{}", said(&only_checked));
    let after = load.look(|seen| seen.acknowledged.len());
    eventually("the swapped models follow", async || {
        load.look(|seen| seen.acknowledged.iter().skip(after).any(|one| one.visible))
    })
    .await;
    let seen = load.stop().await;
    assert_eq!(seen.unavailable, 0, "a request was refused");
    all_is_well(&events, &seen).await;

    let relational = projections::registry::relational().into_iter();
    let mut old: Vec<_> = relational
        .map(|one| format!("{}_old", one.name()))
        .collect();
    old.sort();
    assert_eq!(old_schemas(&world).await, old);
    let dropped = metamcp(&world.config, &["rebuild", "drop-old"]).await;
    assert!(dropped.status.success(), "{}", said(&dropped));
    assert!(old_schemas(&world).await.is_empty());
    let at_once = metamcp(&world.config, &["rebuild", "catalog", "--drop-old"]).await;
    assert!(at_once.status.success(), "{}", said(&at_once));
    assert!(old_schemas(&world).await.is_empty());
    read_models_equal_a_rebuild(&world.config, &events).await;
    world.stop().await;
}

async fn old_schemas(world: &World) -> Vec<String> {
    let mut connection = postgres(&world.config).await;
    let statement =
        "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%\\_old' ORDER BY 1";
    let rows = sqlx::query(statement).fetch_all(&mut connection).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}
