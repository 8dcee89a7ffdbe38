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
    let bars = Bars::new()?;
    let mut rebuilt = relational_models(&names, &backend, finish, &bars).await?;
    rebuilt.iter().for_each(print);
    let stand = finish == Finish::Check || rebuilt.iter().all(|one| one.swapped);
    if names.contains(&search::NAME) && stand {
        let index = search_index(&config, &backend, finish, &bars).await?;
        print(&index);
        rebuilt.push(index);
    }
    for one in rebuilt.iter().filter(|one| one.swapped && args.drop_old) {
        forget(&one.projector, &config, &backend).await?;
    }
    let differs = rebuilt.iter().filter(|one| !one.is_equal() && !one.swapped);
    let differs: Vec<_> = differs.map(|one| one.projector.as_str()).collect();
    let name = match differs.as_slice() {
        [] => return Ok(()),
        [name] => name,
        _ => "all",
    };
    // The models are swapped together and before the index is built, so the index alone may differ.
    anyhow::bail!(
        "not swapped, because not what the log says: {}; `metamcp rebuild {name} --force` swaps all the same",
        differs.join(", ")
    )
}

/// One bar for each model.
struct Bars {
    all: MultiProgress,
    style: ProgressStyle,
}

impl Bars {
    fn new() -> anyhow::Result<Self> {
        let style = "{prefix:11} {bar:30} {pos}/{len} ({per_sec}, {eta} left)";
        Ok(Self {
            all: MultiProgress::new(),
            style: ProgressStyle::with_template(style)?,
        })
    }

    fn bar(&self, name: &str) -> ProgressBar {
        let bar = ProgressBar::new(0).with_style(self.style.clone());
        self.all.add(bar.with_prefix(name.to_owned()))
    }
}

/// All of them from one reading of the log, swapped together or not at all.
async fn relational_models(
    names: &[&str],
    backend: &Backend,
    finish: Finish,
    bars: &Bars,
) -> anyhow::Result<Vec<Rebuilt>> {
    let projectors: Vec<_> = names.iter().filter_map(|name| relational(name)).collect();
    let of_projectors: HashMap<_, _> = projectors
        .iter()
        .map(|projector| (projector.name(), bars.bar(projector.name())))
        .collect();
    let progress: Progress = Arc::new(move |name, at, goal| {
        if let Some(bar) = of_projectors.get(name) {
            bar.set_length(goal);
            bar.set_position(at);
        }
    });
    let (log, database) = (&backend.log, &backend.database);
    let rebuilt = rebuild_together(projectors, log, database, finish, &progress).await;
    bars.all.clear()?;
    Ok(rebuilt?)
}

/// The index comes after the models, because it is made of the catalogue.
async fn search_index(
    config: &Config,
    backend: &Backend,
    finish: Finish,
    bars: &Bars,
) -> anyhow::Result<Rebuilt> {
    let bar = bars.bar(search::NAME);
    let progress = |at, goal| {
        bar.set_length(goal);
        bar.set_position(at);
    };
    let (log, database) = (&backend.log, &backend.database);
    let index = backend.open_index(config, false).await?;
    let rebuilt = rebuild_search(&index, log, database, finish, &progress).await;
    bars.all.clear()?;
    Ok(rebuilt?)
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
