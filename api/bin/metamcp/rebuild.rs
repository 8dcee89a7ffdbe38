//! `metamcp rebuild`: a read model anew from the log, beside the live one, which serves all the while.
#![expect(clippy::print_stdout, reason = "the comparison is the output")]

use crate::app::Backend;
use crate::cli::Installation;
use api::config::Config;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use projections::rebuild::{
    Finish, Progress, Rebuilt, drop_old, drop_old_index, rebuild_all, rebuild_search,
    rebuild_together,
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
    let what = args.projection.as_str();
    if !["all", "drop-old"].contains(&what) && !registry::NAMES.contains(&what) {
        let known = format!("{}, all; and drop-old", registry::NAMES.join(", "));
        let name = args.projection;
        return Err(ProjectionError::Unknown { name, known }.into());
    }
    let finish = match (args.check, args.force) {
        (true, _) => Finish::Check,
        (false, true) => Finish::Swap,
        (false, false) => Finish::SwapIfEqual,
    };
    let backend = Backend::connect(&config).await?;
    if what == "drop-old" {
        for name in registry::NAMES {
            forget(name, &config, &backend).await?;
        }
        println!("What earlier rebuilds have replaced is removed.");
        return Ok(());
    }
    let rebuilt = rebuild(what, &config, &backend, finish).await?;
    rebuilt.iter().for_each(print);
    for one in rebuilt.iter().filter(|one| one.swapped && args.drop_old) {
        forget(&one.projector, &config, &backend).await?;
    }
    let differs = rebuilt.iter().filter(|one| !one.is_equal() && !one.swapped);
    let differs: Vec<_> = differs.map(|one| one.projector.as_str()).collect();
    let name = match differs.as_slice() {
        [] => return Ok(()),
        // The index was made of the one that differs.
        [name] if !search::SOURCES.contains(name) => name,
        _ => "all",
    };
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

/// One read model, or all from one reading of the log, swapped together or not at all.
async fn rebuild(
    what: &str,
    config: &Config,
    backend: &Backend,
    finish: Finish,
) -> anyhow::Result<Vec<Rebuilt>> {
    let bars = Bars::new()?;
    let names = registry::NAMES.into_iter();
    let of_each: HashMap<_, _> = names
        .filter(|name| what == "all" || what == *name)
        .map(|name| (name, bars.bar(name)))
        .collect();
    let progress: Progress = Arc::new(move |name, at, goal| {
        if let Some(bar) = of_each.get(name) {
            bar.set_length(goal);
            bar.set_position(at);
        }
    });
    let (log, database) = (&backend.log, &backend.database);
    let rebuilt = match relational(what) {
        Some(projector) => {
            rebuild_together(vec![projector], log, database, finish, &progress).await
        }
        None => {
            let index = backend.open_index(config, false).await?;
            if what == search::NAME {
                let progress = |at, goal| progress(search::NAME, at, goal);
                let rebuilt = rebuild_search(&index, log, database, finish, &progress).await;
                rebuilt.map(|one| vec![one])
            } else {
                rebuild_all(&index, log, database, finish, &progress).await
            }
        }
    };
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
