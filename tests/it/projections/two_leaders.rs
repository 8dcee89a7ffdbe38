//! Two leaders of one projector at a time. PostgreSQL's lock excludes that, unless it is lost without its connection,
//! as it can be behind a pool that many share. Each write checks its place all the same.

use super::{REGISTER_SERVER, fill};
use crate::support::{Installation, PATIENCE, serve};
use domain::principal::Role;
use metamcp::app::{App, Role as ProcessRole};
use projections::rebuild::{Finish, rebuild};
use projections::{ProjectionError, ProjectorState, dead_letter, registry};
use serde_json::json;
use sqlx::Executor;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The one writes what comes live in one call, the other in a transaction of several.
const LED_TWICE: [&str; 2] = ["catalog", "archive"];
/// Whoever moves such a checkpoint gives up its lock by that, and does not notice.
const LET_GO: &str = "
    CREATE FUNCTION public.let_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_unlock(hashtextextended('metamcp.projector.' || NEW.projector, 0));
        RETURN NULL;
    END $$;
    CREATE TRIGGER let_go AFTER UPDATE ON metamcp.checkpoints FOR EACH ROW
        WHEN (NEW.projector IN ('catalog', 'archive')) EXECUTE FUNCTION public.let_go()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_leaders_at_one_position_the_later_is_deposed_and_writes_nothing() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let mut connection = database.connect().await.unwrap();
    connection.execute(LET_GO).await.unwrap();
    let slug = json!({ "slug": "lets-go" });
    publisher.data(REGISTER_SERVER, slug).await;
    installation.settle().await;
    connection
        .execute("DROP TRIGGER let_go ON metamcp.checkpoints")
        .await
        .unwrap();
    let roles = [ProcessRole::Api, ProcessRole::Projector];
    let (second, _) = serve(&installation.config, &roles).await;
    let apps = [&installation.app, &second];
    let begun = Instant::now();
    while !both_lead(apps) {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", health(apps));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Both stand at one position, and get the commit behind it.
    let slug = json!({ "slug": "contested" });
    tokio::join!(
        publisher.data(REGISTER_SERVER, slug),
        one_is_deposed_of_each(apps)
    );
    installation.settle().await;
    // A row that is written a second time violates a key, and its commit would be parked.
    let letters = dead_letter::list(database).await.unwrap();
    assert!(letters.is_empty(), "{letters:?}");
    for projector in registry::relational() {
        let rebuilt = rebuild(projector, log, database, Finish::Check, &|_, _| {}).await;
        let rebuilt = rebuilt.unwrap();
        assert!(rebuilt.is_equal(), "{rebuilt:?}");
    }
    second.stop().await;
}

fn health(apps: [&App; 2]) -> [Vec<projections::ProjectorHealth>; 2] {
    apps.map(|app| app.state.positions.health())
}

/// What each of the two does with a projector.
fn states(apps: [&App; 2], projector: &str) -> [ProjectorState; 2] {
    health(apps).map(|all| {
        let mut all = all.into_iter();
        all.find(|one| one.projector == projector).unwrap().state
    })
}

fn both_lead(apps: [&App; 2]) -> bool {
    let running = |state: ProjectorState| state == ProjectorState::Running;
    let mut projectors = LED_TWICE.into_iter();
    projectors.all(|one| states(apps, one).into_iter().all(running))
}

/// Waits until of the leaders of each projector one has said that it is none. It says so until it tries again.
async fn one_is_deposed_of_each(apps: [&App; 2]) {
    let deposed = ProjectorState::Retrying {
        reason: ProjectionError::Deposed.to_string(),
    };
    let mut seen = BTreeSet::new();
    let begun = Instant::now();
    while seen.len() < LED_TWICE.len() {
        let now = LED_TWICE.into_iter();
        seen.extend(now.filter(|one| states(apps, one).contains(&deposed)));
        assert!(begun.elapsed() < PATIENCE, "{seen:?}; {:#?}", health(apps));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
