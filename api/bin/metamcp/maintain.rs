//! `metamcp migrate` and `metamcp schema`.
#![expect(clippy::print_stdout, reason = "what these commands are for")]

use crate::cli::Installation;
use anyhow::Context;
use projections::Database;
use std::process::ExitCode;

/// Which database.
#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    installation: Installation,
}

pub(crate) async fn migrate(args: MigrateArgs) -> anyhow::Result<()> {
    let config = args.installation.running()?;
    let database = Database::new(&config.postgres.address()?).context("postgres.url")?;
    database.migrate().await?;
    println!("The database is up to date.");
    Ok(())
}

pub(crate) fn print_schema() -> ExitCode {
    print!("{}", api::graphql::sdl());
    ExitCode::SUCCESS
}
