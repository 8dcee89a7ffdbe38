//! Two projector processes. The leader is frozen in the middle of a transaction, past its lease, and wakes
//! up when the other one leads. PostgreSQL has closed its connections by then; that its writes would be refused on
//! open ones, too, is tried in `projections/two_leaders.rs`.

use super::load::Load;
use super::verify::{all_is_well, positions, read_models_equal_a_rebuild};
use super::world::{World, eventually, log, owner, postgres, ready};
use rustix::process::Signal;
use sqlx::{Connection, Executor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_leader_is_deposed_and_cannot_write_when_it_wakes_up() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _api = world.serve("api", "api").await;
    let first = world.serve("first", "projector").await;
    ready(&client).await; // the first one leads
    let load = Load::start(&client, 2);

    // It is stopped inside a transaction: its statement waits for a table that somebody else holds. The first
    // one that needs it reads the rows that are to change, or writes them.
    let mut holder = postgres(&world.config).await;
    let mut lock = holder.begin().await.unwrap();
    lock.execute("LOCK TABLE catalog.servers IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut observer = postgres(&world.config).await;
    // Who leads `catalog` holds this advisory lock. `search` waits for the same table, and is not meant.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN (
                     SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                     AND (classid::bigint << 32) | objid::bigint
                         = hashtextextended('metamcp.projector.catalog', 0))";
    eventually("the leader is inside a transaction", async || {
        sqlx::query_scalar::<_, i64>(waits)
            .fetch_one(&mut observer)
            .await
            .unwrap()
            >= 1
    })
    .await;
    first.signal(Signal::STOP);
    lock.commit().await.unwrap();
    let stood = positions(&world.config).await["catalog"];
    let second = world.serve("second", "projector").await;
    eventually("the other one leads", async || {
        positions(&world.config).await["catalog"] > stood + 5
    })
    .await;
    let moved = positions(&world.config).await["catalog"];

    // The first one wakes up. What it was about to commit is refused, and it follows.
    first.signal(Signal::CONT);
    eventually("the deposed leader hears that it is one", async || {
        first.said().contains("the projector failed")
    })
    .await;
    eventually("the other one goes on", async || {
        positions(&world.config).await["catalog"] > moved
    })
    .await;
    assert!(!second.said().contains("halted"), "{}", second.said());
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop((first, second));
    world.stop().await;
}
