//! Loading one object from the log: how long it takes by the number of its commits, which decides whether snapshots
//! are needed. The limit is a fetch of as many messages in one go.

use crate::harness::{Goal, Report, Settings, median, millis};
use crate::world::{World, dispatch, fetch, log_of, tenant};
use anyhow::{Context as _, Result};
use bus::Dispatcher;
use domain::id::ServerId;
use domain::server::{RegisterServer, Server, ServerCommand, ServerProfile};
use std::time::Instant;

/// Loads of each size.
const LOADS: usize = 21;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(false).await?;
    let (config, tenant, raw) = (world.log_only(), tenant()?, world.raw().await?);
    let dispatcher = Dispatcher::new(log_of(&config).await?);
    let id: String = ServerId::derive(&tenant, "long").into();
    let mut written = 0;
    for commits in [1, 4, 5, 10, 100, settings.size(1_000, 200)] {
        while written < commits {
            dispatch::<Server>(&dispatcher, &tenant, &id, command(written)).await?;
            written += 1;
        }
        let (mut loads, mut fetches) = (Vec::new(), Vec::new());
        for _ in 0..LOADS {
            let begun = Instant::now();
            let server = dispatcher.load::<Server>(&tenant, &id).await?;
            loads.push(begun.elapsed().as_secs_f64());
            server.context("a server")?;
            let begun = Instant::now();
            fetch(&raw, &config.nats.stream, commits).await?;
            fetches.push(begun.elapsed().as_secs_f64());
        }
        let (load, fetched) = (median(&loads), median(&fetches));
        report.line(
            format!("load of an object of {commits} commits"),
            (millis(load), millis(fetched)),
            load / fetched,
            Goal::None,
        );
    }
    Ok(())
}

/// Registers it, then describes it again and again.
fn command(number: usize) -> ServerCommand {
    let profile = ServerProfile {
        name: "Long".to_owned(),
        description: format!("Its description number {number}."),
        ..ServerProfile::default()
    };
    match number {
        0 => ServerCommand::Register(RegisterServer {
            slug: "long".to_owned(),
            profile,
        }),
        _ => ServerCommand::Describe(profile),
    }
}
