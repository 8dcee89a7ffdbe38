//! The command line of a mirror: address or file, progress, Ctrl-C, the summary.
#![expect(clippy::print_stdout, reason = "the summary is the output")]

use super::progress::Progress;
use super::{Registry, Summary, Target, mirror_documents, mirror_registry, read_documents};
use crate::app;
use crate::cli::Installation;
use crate::import::command::{INTERRUPTED, SOME_REJECTED, stop_when_asked, tenant};
use anyhow::Context;
use api::config::Config;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::server::Mirrored;
use projections::{Database, manifests};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The variable that holds the token for the registry that is read.
const TOKEN: &str = "METAMCP_REGISTRY_TOKEN";
/// How long a page, or the log, is tried while it does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which registry, into which tenant.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A registry that wants a token gets the one in METAMCP_REGISTRY_TOKEN.\n\
    Exit status: 0 all is mirrored, 1 stopped by an error, 3 some documents were refused, 130 interrupted. \
    Running it again mirrors what has changed since."
)]
pub struct Args {
    /// The address of a registry (https://registry.example.org), or a file: a JSON array or JSON lines, of
    /// server.json documents or of pages of the registry's API.
    source: String,
    /// The tenant, which must be registered.
    #[arg(long, default_value = "default", value_parser = tenant)]
    tenant: TenantId,
    /// Read the whole registry again instead of what has changed.
    #[arg(long)]
    full: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    installation: Installation,
}

/// Mirrors, tells how it goes on standard error, and prints the summary on standard output.
///
/// # Errors
/// When the source cannot be read, the installation is not found, or the log is away.
pub async fn run_command(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.installation.running()?;
    let dispatcher = app::dispatcher(&config).await?;
    let (stop, actor) = (CancellationToken::new(), Actor::operator("import"));
    let target = Target {
        dispatcher: &dispatcher,
        tenant: &args.tenant,
        actor: &actor,
        patience: PATIENCE,
        stop: &stop,
    };
    let listening = stop_when_asked(&stop);
    let progress = Progress::new()?;
    let ended = mirror(&args, &config, &target, &progress).await;
    listening.abort();
    progress.end();
    let summary = ended?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&summary)?),
        false => println!("{summary}"),
    }
    Ok(match (summary.interrupted, summary.is_whole()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(SOME_REJECTED),
    })
}

async fn mirror(
    args: &Args,
    config: &Config,
    target: &Target<'_>,
    progress: &Progress,
) -> anyhow::Result<Summary> {
    let progress = |summary: &Summary| progress.tell(summary);
    let file = Path::new(&args.source);
    if file.exists() {
        let documents = read_documents(file).await?;
        return Ok(mirror_documents(target, documents, &progress).await?);
    }
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let token = token.map(Into::into);
    let registry = Registry::new(&args.source, token)?;
    let last = match args.full {
        true => None,
        false => last_mirrored(config, target.tenant, &registry).await?,
    };
    Ok(mirror_registry(target, &registry, last, &progress).await?)
}

/// Where the last run was. A read model that is behind the log shows an earlier place, from which more is
/// read and nothing is doubled.
async fn last_mirrored(
    config: &Config,
    tenant: &TenantId,
    registry: &Registry,
) -> anyhow::Result<Option<Mirrored>> {
    let database = Database::new(&config.postgres.address()?)?;
    let mut reads = database.read_pool(1).tenant(tenant).await?;
    let last = manifests::last_mirrored(&mut reads, registry.name()).await;
    last.context(
        "where the last run was cannot be read: check that PostgreSQL is running, or use --full",
    )
}
