//! Rebuilding `catalog` and `archive` from the log, beside a raw fetch of the log and a `COPY` of the same
//! rows into the same tables with the same indexes.

use crate::corpus::Corpus;
use crate::harness::{Goal, Pairs, Report, Settings, as_f64, median};
use crate::world::{World, fetch, log_of, seed, tenant};
use anyhow::{Result, ensure};
use api::config::Config;
use bus::Dispatcher;
use futures::TryStreamExt;
use metamcp::app::Backend;
use projections::archive::ArchiveProjector;
use projections::catalog::CatalogProjector;
use projections::ledger::LedgerProjector;
use projections::rebuild::{Finish, Progress, rebuild_together};
use projections::{Positions, Projector, runner};
use sqlx::{Connection, Executor, PgConnection};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

type Models = Vec<Arc<dyn Projector>>;

/// `with_ledger` adds the tree over all commits.
pub(crate) async fn run(settings: &Settings, report: &mut Report, with_ledger: bool) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let mut world = World::start(false).await?;
    let mut config = world.log_only();
    let mut sizes = vec![settings.size(10_000, 2_000)];
    if !settings.quick {
        sizes.push(100_000);
    }
    if settings.full {
        sizes.push(1_000_000);
    }
    let mut models: Models = vec![Arc::new(CatalogProjector), Arc::new(ArchiveProjector)];
    let mut bench = "rebuild of catalog and archive";
    if with_ledger {
        models.push(Arc::new(LedgerProjector));
        bench = "rebuild of catalog, archive and ledger";
    }
    let (mut tools, mut smallest) = (0, None);
    for size in sizes {
        // Filled without waiting for the disk, measured as a production server runs.
        world = world.restart(false).await?;
        config.nats.url = world.embedded.nats.address();
        // A server is one event, 50 tools of it are 50, and every eighth tool has a second version.
        let wanted = size * 1_000 / 1_145;
        let dispatcher = Dispatcher::new(log_of(&config).await?);
        seed(&dispatcher, &corpus, &tenant()?, tools..wanted).await?;
        drop(dispatcher);
        tools = wanted;
        world = world.restart(true).await?;
        world.give_database(&mut config).await?;
        let built = measure(settings, report, (&world, &config), (bench, &models)).await?;
        let smallest = *smallest.get_or_insert(built);
        let goal = if size >= 1_000_000 {
            Goal::AtLeast(0.85)
        } else {
            Goal::None
        };
        let texts = (
            format!("{built:.0} events/s"),
            format!("{smallest:.0} events/s"),
        );
        let bench = format!("{bench}, rate at {size} events beside the smallest");
        report.line(bench, texts, built / smallest, goal);
    }
    Ok(())
}

/// Measures at the present size; the rate of rebuilding.
async fn measure(
    settings: &Settings,
    report: &mut Report,
    (world, config): (&World, &Config),
    (bench, projectors): (&str, &Models),
) -> Result<f64> {
    let backend = Backend::connect(config).await?;
    let tables = tables(projectors);
    let head = backend.log.head().await?;
    let events = usize::try_from(head)?;
    live(&backend, projectors, head).await?;
    let (raw, url) = (world.raw().await?, backend_url(config)?);
    let mut connection = PgConnection::connect(&url).await?;
    let rows = copy_out(&mut connection, &tables).await?;
    let (mut whole, mut built) = (Pairs::default(), Pairs::default());
    let (mut fetches, mut copies) = (Vec::new(), Vec::new());
    let runs = if events >= 500_000 {
        1
    } else {
        settings.runs().min(5)
    };
    for run in 0..=runs {
        let begun = Instant::now();
        fetch(&raw, &config.nats.stream, events).await?;
        let fetched = begun.elapsed().as_secs_f64();
        let copied = copy_in(&mut connection, &tables, &rows).await?;
        let (compared, applied) = rebuild_once(&backend, projectors).await?;
        if run > 0 {
            let limit = as_f64(events) / (fetched + copied);
            whole.push(limit, as_f64(events) / compared);
            built.push(limit, as_f64(events) / applied);
            fetches.push(as_f64(events) / fetched);
            copies.push(as_f64(events) / copied);
        }
    }
    let goal = if events >= 50_000 {
        Goal::AtLeast(0.5)
    } else {
        Goal::None
    };
    report.rates(format!("{bench}, {events} events"), &whole, "events", goal);
    report.rates(
        "… of which until the last row is written",
        &built,
        "events",
        Goal::None,
    );
    let texts = (
        format!("{:.0} events/s", median(&fetches)),
        format!("{:.0} events/s", median(&copies)),
    );
    report.line(
        "… the limit's parts: raw fetch, and COPY",
        texts,
        f64::NAN,
        Goal::None,
    );
    Ok(median(&whole.ours))
}

/// Brings the live model up to the head; a very large one by a rebuild, which is what is left to do in minutes.
async fn live(backend: &Backend, projectors: &[Arc<dyn Projector>], head: u64) -> Result<()> {
    if head > 500_000 {
        let (log, database) = (&backend.log, &backend.database);
        let silent: Progress = Arc::new(|_, _, _| {});
        rebuild_together(projectors.to_vec(), log, database, Finish::Swap, &silent).await?;
        return Ok(());
    }
    let stop = CancellationToken::new();
    let positions = Positions::start(&backend.database, &backend.log, &stop);
    let running = runner::spawn(
        projectors.to_vec(),
        &backend.log,
        &backend.database,
        &positions,
        &stop,
    );
    for projector in projectors {
        positions
            .wait_for(projector.name(), head, Duration::from_secs(1_200))
            .await?;
    }
    stop.cancel();
    for task in running {
        task.await?;
    }
    Ok(())
}

/// Seconds of the whole rebuild, its comparison included, and until the last row was written.
async fn rebuild_once(backend: &Backend, projectors: &[Arc<dyn Projector>]) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let applied = Arc::new(Mutex::new(0.0));
    let last = Arc::clone(&applied);
    let progress: Progress = Arc::new(move |_, at, goal| {
        if at == goal
            && let Ok(mut last) = last.lock()
        {
            *last = begun.elapsed().as_secs_f64();
        }
    });
    let (log, database) = (&backend.log, &backend.database);
    let all = projectors.to_vec();
    let rebuilt = rebuild_together(all, log, database, Finish::SwapIfEqual, &progress).await?;
    ensure!(
        rebuilt.iter().all(|one| one.swapped),
        "a rebuilt model differs: {rebuilt:?}"
    );
    let all = begun.elapsed().as_secs_f64();
    let applied = applied.lock().map_or(all, |applied| *applied);
    Ok((all, applied))
}

fn backend_url(config: &Config) -> Result<String> {
    use secrecy::ExposeSecret;
    Ok(config.postgres.address()?.expose_secret().to_owned())
}

/// The tables of models, each with its schema.
fn tables(projectors: &Models) -> Vec<String> {
    let its = |model: &Arc<dyn Projector>| {
        let name = model.name();
        let tables = model.tables().iter();
        tables
            .map(move |table| format!("{name}.{table}"))
            .collect::<Vec<_>>()
    };
    projectors.iter().flat_map(its).collect()
}

/// The rows of every table, as `COPY` writes them.
async fn copy_out(connection: &mut PgConnection, tables: &[String]) -> Result<Vec<Vec<u8>>> {
    let mut copied = Vec::new();
    for table in tables {
        let mut rows = Vec::new();
        let mut parts = connection
            .copy_out_raw(&format!("COPY {table} TO STDOUT"))
            .await?;
        while let Some(part) = parts.try_next().await? {
            rows.extend_from_slice(&part);
        }
        drop(parts);
        copied.push(rows);
    }
    Ok(copied)
}

/// Seconds to copy the rows into empty tables of the same shape.
async fn copy_in(
    connection: &mut PgConnection,
    tables: &[String],
    rows: &[Vec<u8>],
) -> Result<f64> {
    connection
        .execute("DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare")
        .await?;
    for table in tables {
        let name = table.rsplit('.').next().unwrap_or(table);
        let create = format!("CREATE TABLE bare.{name} (LIKE {table} INCLUDING ALL)");
        connection.execute(create.as_str()).await?;
    }
    let begun = Instant::now();
    for (table, rows) in tables.iter().zip(rows) {
        let name = table.rsplit('.').next().unwrap_or(table);
        let mut copy = connection
            .copy_in_raw(&format!("COPY bare.{name} FROM STDIN"))
            .await?;
        for part in rows.chunks(1 << 20) {
            copy.send(part).await?;
        }
        copy.finish().await?;
    }
    Ok(begun.elapsed().as_secs_f64())
}
