//! `metamcp rebuild`: a read model anew from the log, beside the live one, which serves all the while.
#![expect(clippy::print_stdout, reason = "the comparison is the output")]

use crate::app::Backend;
use crate::cli::Installation;
use api::config::Config;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use projections::rebuild::{
    Finish, Progress, Rebuilt, drop_old, drop_old_index, rebuild_search, rebuild_together,
};
use projections::{ProjectionError, Projector, registry, search};
use std::collections::HashMap;
use std::sync::Arc;

/// Which read model, and what to do with the new one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A read model, such as `catalog`, or `all`; or `drop-old`: remove what earlier rebuilds have
    /// replaced, and build nothing.
    #[arg(default_value = "all")]
    projection: String,
    /// Only compare; the live model stays.
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// Swap also when the two differ: mends a damaged model, and accepts a log that was replaced.
    #[arg(long)]
    force: bool,
    /// Remove the replaced model at once. Without it, it is kept until the next rebuild or `drop-old`.
    #[arg(long, conflicts_with = "check")]
    drop_old: bool,
    #[command(flatten)]
    installation: Installation,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.installation.running()?;
    let names: Vec<&str> = match args.projection.as_str() {
        "all" | "drop-old" => registry::NAMES.to_vec(),
        name if registry::NAMES.contains(&name) => vec![name],
        name => {
            let (name, known) = (
                name.to_owned(),
                format!("{}, all; and drop-old", registry::NAMES.join(", ")),
            );
            return Err(ProjectionError::Unknown { name, known }.into());
        }
    };
    let finish = match (args.check, args.force) {
        (true, _) => Finish::Check,
        (false, true) => Finish::Swap,
        (false, false) => Finish::SwapIfEqual,
    };
    let backend = Backend::connect(&config).await?;
    if args.projection == "drop-old" {
        for name in names {
            forget(name, &config, &backend).await?;
        }
        println!("What earlier rebuilds have replaced is removed.");
        return Ok(());
    }
    let mut differs = Vec::new();
    for rebuilt in rebuild_all(&names, &config, &backend, finish).await? {
        let rebuilt = rebuilt?;
        print(&rebuilt);
        if rebuilt.swapped && args.drop_old {
            forget(&rebuilt.projector, &config, &backend).await?;
        }
        if !rebuilt.is_equal() && !rebuilt.swapped {
            differs.push(rebuilt.projector);
        }
    }
    if !differs.is_empty() {
        anyhow::bail!(
            "{} differ from what the log says: rebuild with --force",
            differs.join(", ")
        );
    }
    Ok(())
}

/// The relational models at the same time, and then the index, which reads from them.
async fn rebuild_all(
    names: &[&str],
    config: &Config,
    backend: &Backend,
    finish: Finish,
) -> anyhow::Result<Vec<Result<Rebuilt, ProjectionError>>> {
    let (log, database) = (&backend.log, &backend.database);
    let bars = MultiProgress::new();
    let style =
        ProgressStyle::with_template("{prefix:8} {bar:30} {pos}/{len} ({per_sec}, {eta} left)")?;
    let bar = |name: &str| {
        let bar = ProgressBar::new(0).with_style(style.clone());
        bars.add(bar.with_prefix(name.to_owned()))
    };
    let projectors: Vec<_> = names.iter().filter_map(|name| relational(name)).collect();
    let of_projectors: HashMap<_, _> = projectors
        .iter()
        .map(|projector| (projector.name(), bar(projector.name())))
        .collect();
    let progress: Progress = Arc::new(move |name, at, goal| {
        if let Some(bar) = of_projectors.get(name) {
            bar.set_length(goal);
            bar.set_position(at);
        }
    });
    let mut rebuilt = rebuild_together(projectors, log, database, finish, &progress).await;
    if names.contains(&search::NAME) && rebuilt.iter().all(Result::is_ok) {
        let bar = bar(search::NAME);
        let progress = |at, goal| {
            bar.set_length(goal);
            bar.set_position(at);
        };
        let index = backend.open_index(config, false).await?;
        rebuilt.push(rebuild_search(&index, log, database, finish, &progress).await);
    }
    bars.clear()?;
    Ok(rebuilt)
}

/// Removes the model that a rebuild has replaced.
async fn forget(name: &str, config: &Config, backend: &Backend) -> anyhow::Result<()> {
    match relational(name) {
        Some(projector) => drop_old(projector.as_ref(), &backend.database).await?,
        None => {
            let index = backend.open_index(config, false).await?;
            drop_old_index(&index, &backend.database).await?;
        }
    }
    Ok(())
}

fn relational(name: &str) -> Option<Arc<dyn Projector>> {
    registry::relational()
        .into_iter()
        .find(|projector| projector.name() == name)
}

fn print(rebuilt: &Rebuilt) {
    for table in &rebuilt.tables {
        let verdict = if table.live == table.rebuilt {
            "equal"
        } else {
            "DIFFERENT"
        };
        println!(
            "{}.{}: {verdict}; live {} rows {}, rebuilt {} rows {}",
            rebuilt.projector,
            table.table,
            table.live.rows,
            table.live.digest,
            table.rebuilt.rows,
            table.rebuilt.digest,
        );
    }
    let swapped = if rebuilt.swapped {
        "swapped in; the replaced one is kept until the next rebuild or `rebuild drop-old`"
    } else {
        "the live model stays"
    };
    println!(
        "{} at position {} in {:.1} s: {swapped}",
        rebuilt.projector,
        rebuilt.stream_sequence,
        rebuilt.elapsed.as_secs_f64()
    );
}
