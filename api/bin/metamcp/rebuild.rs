//! `metamcp rebuild`: a read model anew from the log, beside the live one.
#![expect(clippy::print_stdout, reason = "the comparison is the output")]

use crate::app::Backend;
use crate::cli::Installation;
use api::config::Config;
use indicatif::{ProgressBar, ProgressStyle};
use projections::ProjectionError;
use projections::rebuild::{Finish, Rebuilt, rebuild, rebuild_search};
use projections::registry;

/// Which read model, and what to do with the new one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `catalog`, `access`, `archive`, `search` or `all`.
    projection: String,
    /// Only compare; the live model stays.
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// Swap also when the two differ: mends a damaged model.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    installation: Installation,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.installation.running()?;
    let names: Vec<&str> = match args.projection.as_str() {
        "all" => registry::NAMES.to_vec(),
        name if registry::NAMES.contains(&name) => vec![name],
        name => {
            let (name, known) = (
                name.to_owned(),
                format!("{}, all", registry::NAMES.join(", ")),
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
    let mut differs = Vec::new();
    for name in names {
        let rebuilt = one(name, &config, &backend, finish).await?;
        print(&rebuilt);
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

async fn one(
    name: &str,
    config: &Config,
    backend: &Backend,
    finish: Finish,
) -> anyhow::Result<Rebuilt> {
    let style = "{prefix} {bar:30} {pos}/{len} ({per_sec}, {eta} left)";
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template(style)?)
        .with_prefix(name.to_owned());
    let progress = |at, goal| {
        bar.set_length(goal);
        bar.set_position(at);
    };
    let relational = registry::relational()
        .into_iter()
        .find(|projector| projector.name() == name);
    let rebuilt = match relational {
        Some(projector) => {
            rebuild(
                projector,
                &backend.log,
                &backend.database,
                finish,
                &progress,
            )
            .await
        }
        None => {
            let index = backend.open_index(config, false).await?;
            rebuild_search(&index, &backend.database, finish, &progress).await
        }
    };
    bar.finish_and_clear();
    Ok(rebuilt?)
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
        "swapped in"
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
