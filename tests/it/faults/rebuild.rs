//! `metamcp rebuild all` while the live models serve and writes go on, when it is killed, and twice at once.

use super::load::Load;
use super::verify::{all_is_well, read_models_equal_a_rebuild};
use super::world::{
    Process, RECOVERY, World, environment, eventually, log, metamcp, owner, postgres, ready, said,
};
use crate::support::Client;
use bus::Log;
use projections::{ProjectionError, registry};
use sqlx::{Executor, PgConnection, Row};
use std::process::{Output, Stdio};
use tokio::process::{Child, Command};

/// The advisory lock before which a rebuild is stopped.
const BARRIER: i64 = 7;

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

/// Stops whoever moves a checkpoint, in the middle of its transaction, until it is lifted.
struct Barrier(PgConnection);

impl Barrier {
    async fn raise(world: &World, checkpoint: &str) -> Self {
        let mut connection = postgres(&world.config).await;
        let statement = format!(
            "CREATE OR REPLACE FUNCTION public.barrier() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_advisory_xact_lock({BARRIER});
                 RETURN NULL;
             END $$;
             CREATE OR REPLACE TRIGGER barrier AFTER UPDATE ON metamcp.checkpoints FOR EACH ROW
                 WHEN (NEW.projector = '{checkpoint}') EXECUTE FUNCTION public.barrier();
             SELECT pg_advisory_lock({BARRIER})"
        );
        connection.execute(statement.as_str()).await.unwrap();
        Self(connection)
    }

    /// Waits until a rebuild stands before it.
    async fn stops(&mut self, rebuild: &mut Child) {
        let waiting = format!(
            "SELECT EXISTS (
                 SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
                 WHERE locktype = 'advisory' AND NOT granted AND classid = 0 AND objid = {BARRIER}
                   AND datname = current_database())"
        );
        eventually("the rebuild stands before the barrier", async || {
            let ended = rebuild.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {ended:?}");
            let stands = sqlx::query_scalar::<_, bool>(&waiting).fetch_one(&mut self.0);
            stands.await.unwrap()
        })
        .await;
    }

    /// Who waited goes on, and later ones pass by.
    async fn lift(mut self) {
        let statement = format!("SELECT pg_advisory_unlock({BARRIER})");
        self.0.execute(statement.as_str()).await.unwrap();
    }
}

/// Begins a rebuild. Dropping it kills it.
fn begin(world: &World, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_metamcp"))
        .args(arguments)
        .envs(environment(&world.config))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Whether a rebuild was refused because another one runs. If it was not, it has succeeded.
fn refused(rebuild: &Output) -> bool {
    let text = said(rebuild);
    let mut names = registry::NAMES.into_iter();
    let runs = names.any(|name| text.contains(&ProjectionError::RebuildRuns(name).to_string()));
    assert_eq!(rebuild.status.success(), !runs, "{text}");
    runs
}

async fn finishes(rebuild: Child) {
    let ended = tokio::time::timeout(RECOVERY, rebuild.wait_with_output());
    let ended = ended.await.expect("it goes on").unwrap();
    assert!(ended.status.success(), "{}", said(&ended));
}

/// A process whose models follow the log, which holds something.
async fn followed(world: &World) -> (Log, Client, Process) {
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let process = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    changes_are_shown(&client, &events).await;
    (events, client, process)
}

/// Writes until changes are shown: the live models follow the log.
async fn changes_are_shown(client: &Client, events: &Log) {
    let load = Load::start(client, 2);
    eventually("changes are shown", async || {
        load.look(|seen| seen.acknowledged.iter().filter(|one| one.visible).count() > 20)
    })
    .await;
    let seen = load.stop().await;
    all_is_well(events, &seen).await;
}

/// The live schemas themselves, whatever their names are later.
async fn generation(world: &World) -> Vec<(String, i64)> {
    let mut connection = postgres(&world.config).await;
    let names: Vec<_> = registry::relational()
        .iter()
        .map(|one| one.name())
        .collect();
    let statement = "SELECT nspname::text, oid::bigint FROM pg_namespace
                     WHERE nspname = ANY($1) ORDER BY 1";
    let found = sqlx::query_as(statement).bind(names);
    found.fetch_all(&mut connection).await.unwrap()
}

/// What there is of copies: schemas, checkpoints and parked commits, each under the name of its copy.
async fn copies(world: &World) -> Vec<String> {
    let mut connection = postgres(&world.config).await;
    let statement = "SELECT name FROM (
                         SELECT nspname::text FROM pg_namespace
                         UNION ALL SELECT projector FROM metamcp.checkpoints
                         UNION ALL SELECT projector FROM metamcp.dead_letters) AS found (name)
                     WHERE name LIKE '%\\_rebuild' ORDER BY 1";
    let found = sqlx::query_scalar(statement).fetch_all(&mut connection);
    found.await.unwrap()
}

/// A copy of each model, with its checkpoint.
fn copy_of_each() -> Vec<String> {
    let relational = registry::relational().into_iter();
    let names = relational.map(|one| format!("{}_rebuild", one.name()));
    let mut each: Vec<_> = names.flat_map(|name| [name.clone(), name]).collect();
    each.sort();
    each
}

/// Once with the rows of one copy written, and once with some models in their places; neither is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_rebuild_leaves_the_live_models_alone_and_nothing_behind_the_next() {
    let world = World::start().await;
    let (events, client, process) = followed(&world).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    for checkpoint in ["catalog_rebuild", "catalog"] {
        let before = generation(&world).await;
        let mut barrier = Barrier::raise(&world, checkpoint).await;
        let mut rebuild = begin(&world, &["rebuild"]);
        barrier.stops(&mut rebuild).await;
        rebuild.kill().await.unwrap();
        barrier.lift().await;
        assert_eq!(copies(&world).await, copy_of_each(), "{checkpoint}");
        changes_are_shown(&client, &events).await;
        assert_eq!(generation(&world).await, before, "{checkpoint}");

        // Until PostgreSQL has noticed that the killed one is gone, the next one is refused.
        eventually("the next rebuild succeeds", async || {
            !refused(&metamcp(&world.config, &["rebuild"]).await)
        })
        .await;
        let after = generation(&world).await;
        assert_eq!(after.len(), before.len(), "{checkpoint}");
        assert!(before.iter().all(|live| !after.contains(live)));
        let left = copies(&world).await;
        assert!(left.is_empty(), "{checkpoint}: {left:?}");
        read_models_equal_a_rebuild(&world.config, &events).await;
    }
    drop(process);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rebuilds_at_once_the_later_is_refused_and_the_first_finishes() {
    let world = World::start().await;
    let (events, _, process) = followed(&world).await;
    let before = generation(&world).await;
    let mut barrier = Barrier::raise(&world, "catalog_rebuild").await;
    let mut first = begin(&world, &["rebuild"]);
    barrier.stops(&mut first).await;
    for later in [
        &["rebuild"][..],
        &["rebuild", "catalog"][..],
        &["rebuild", "catalog", "--check"][..],
    ] {
        let later = metamcp(&world.config, later).await;
        assert!(refused(&later), "{}", said(&later));
    }
    assert_eq!(copies(&world).await, copy_of_each());
    assert_eq!(generation(&world).await, before);
    barrier.lift().await;
    finishes(first).await;
    let after = generation(&world).await;
    assert!(before.iter().all(|live| !after.contains(live)));
    let left = copies(&world).await;
    assert!(left.is_empty(), "{left:?}");
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(process);
    world.stop().await;
}

/// One model is being rebuilt: a rebuild of all is refused at it, and leaves nothing of those before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_refused_leaves_no_copy_of_the_models_before() {
    let world = World::start().await;
    let (_, _, process) = followed(&world).await;
    let mut barrier = Barrier::raise(&world, "catalog_rebuild").await;
    let mut first = begin(&world, &["rebuild", "catalog"]);
    barrier.stops(&mut first).await;
    let mine = copies(&world).await;
    assert!(mine.iter().all(|copy| copy.contains("catalog")), "{mine:?}");
    let all = metamcp(&world.config, &["rebuild"]).await;
    assert!(refused(&all), "{}", said(&all));
    assert_eq!(copies(&world).await, mine);
    barrier.lift().await;
    finishes(first).await;
    drop(process);
    world.stop().await;
}
