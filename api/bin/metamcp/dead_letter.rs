//! `metamcp dead-letter`: the commits that a projector could not apply and put aside.
#![expect(clippy::print_stdout, reason = "the list is the output")]

use crate::app::Backend;
use crate::cli::Installation;
use projections::dead_letter::{self, DeadLetter};
use projections::search::SearchProjector;
use std::sync::Arc;

/// What to do with parked commits.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what is parked, and why.
    List {
        #[command(flatten)]
        installation: Installation,
    },
    /// Apply what is parked, in order, after an upgrade or once the cause is gone.
    Retry {
        #[command(flatten)]
        installation: Installation,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { installation } => {
            let backend = Backend::connect(&installation.config()?).await?;
            print(&dead_letter::list(&backend.database).await?);
            Ok(())
        }
        Command::Retry { installation } => retry(&installation).await,
    }
}

async fn retry(installation: &Installation) -> anyhow::Result<()> {
    let config = installation.config()?;
    let backend = Backend::connect(&config).await?;
    let index = backend.open_index(&config, false).await?;
    let search = SearchProjector::new(index, Arc::new(|_| {}));
    let retried = dead_letter::retry(&search, &backend.log, &backend.database).await?;
    for (projector, at) in &retried.applied {
        println!("{projector}: commit {at} is applied");
    }
    if retried.remaining.is_empty() {
        println!("Nothing is parked.");
        return Ok(());
    }
    print(&retried.remaining);
    anyhow::bail!("{} commits are still parked", retried.remaining.len())
}

fn print(letters: &[DeadLetter]) {
    if letters.is_empty() {
        println!("Nothing is parked.");
    }
    for letter in letters {
        println!(
            "{}: commit {} of {}, parked {}: {}",
            letter.projector,
            letter.stream_sequence,
            letter.subject,
            letter.parked_at.format("%Y-%m-%d %H:%M:%S UTC"),
            letter.error
        );
    }
}
