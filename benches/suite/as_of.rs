//! A list of 50 as of a moment, beside the same list as it is now: over GraphQL, from one client.

use crate::corpus::Corpus;
use crate::graphql::one_client;
use crate::harness::{Goal, Report, Settings, alternate, metrics};
use crate::visible::Installation;
use crate::world::{World, seed};
use anyhow::Result;
use metamcp::app::{App, Backend, Role};
use projections::{Positions, access, catalog, registry, runner};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The read models that a list is made of.
const MODELS: [&str; 2] = [access::NAME, catalog::NAME];
/// What they may take to follow.
const PATIENCE: Duration = Duration::from_secs(600);

/// A list as of a moment may cost so many times the live one.
const GOAL: f64 = 3.0;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(false).await?;
    let config = world.config().await?;
    let mut have = 1_000;
    let installation = Installation::start(config, &corpus, have).await?;
    let stop = CancellationToken::new();
    let installation = lists_only(installation, &stop).await?;
    let mut sizes = vec![settings.size(10_000, 2_000)];
    if !settings.quick {
        sizes.push(100_000);
    }
    for events in sizes {
        // A server is one event, 50 tools of it are 50, and every eighth tool has a second version.
        let tools = events * 1_000 / 1_145;
        let dispatcher = &installation.app.state.dispatcher;
        seed(dispatcher, &corpus, &installation.tenant, have..tools).await?;
        have = tools.max(have);
        let head = installation.app.state.log.head().await?;
        for model in MODELS {
            let positions = &installation.app.state.positions;
            positions.wait_for(model, head, PATIENCE).await?;
        }
        measure(settings, report, &installation, head).await?;
    }
    stop.cancel();
    installation.app.stop().await;
    Ok(())
}

/// The same installation with the projectors of [`MODELS`] alone: an index of as many tools takes most of the time,
/// and no list needs it.
async fn lists_only(installation: Installation, stop: &CancellationToken) -> Result<Installation> {
    installation.app.stop().await;
    let config = installation.config;
    let backend = Backend::connect(&config).await?;
    let positions = Positions::start(&backend.database, &backend.log, stop);
    let mut projectors = registry::relational();
    projectors.retain(|projector| MODELS.contains(&projector.name()));
    drop(runner::spawn(
        projectors,
        &backend.log,
        &backend.database,
        &positions,
        stop,
    ));
    let listener = api::serve::bind(installation.address).await?;
    let (roles, silent) = ([Role::Api], Arc::new(|_| {}));
    let app = App::start(config.clone(), &roles, Some(listener), metrics(), silent).await?;
    Ok(Installation {
        app,
        config,
        ..installation
    })
}

/// Early, in the middle and at the end of the log: the earlier, the more rows have begun only later.
async fn measure(
    settings: &Settings,
    report: &mut Report,
    installation: &Installation,
    head: u64,
) -> Result<()> {
    let list = |argument: &str| {
        let request = installation.request(&format!(
            "{{ tools(first: 50{argument}) {{ edges {{ cursor node {{ name title description version category \
             tags visibility status updatedAt }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        ));
        Arc::new(vec![request])
    };
    let live = list("");
    for (place, position) in [
        ("the first tenth", head / 10),
        ("the middle", head / 2),
        ("the end", head),
    ] {
        let past = list(&format!(", asOf: {{ sequence: {position} }}"));
        let pairs = alternate(
            settings.runs().min(5),
            async || one_client(installation.address, &live).await,
            async || one_client(installation.address, &past).await,
        )
        .await?;
        report.times(
            format!("list of 50 as of {place} of {head} events, one request"),
            &pairs,
            Goal::AtMost(GOAL),
        );
    }
    Ok(())
}
