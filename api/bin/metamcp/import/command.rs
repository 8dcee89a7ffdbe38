//! The command line of an import: files, progress on a terminal, Ctrl-C, the summary.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the summary and the notes are the output"
)]

use super::{Note, Observer, Options, Summary, run};
use crate::app;
use crate::cli::Installation;
use crate::serve::asked_to_stop;
use anyhow::Context;
use api::config::Config;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::taxonomy::CATEGORY_NOT_FOUND;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use projections::Database;
use semver::Version;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::BufReader;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Some lines were rejected; everything else is in the registry.
pub(super) const SOME_REJECTED: u8 = 3;
/// Stopped by Ctrl-C, as shells say it.
pub(super) const INTERRUPTED: u8 = 130;
/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;

/// Which files, into which tenant.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 everything is in the registry, 1 stopped by an error, \
    3 some lines were rejected, 130 interrupted. Running it again registers only what is missing."
)]
pub struct Args {
    /// Servers, one JSON object a line: `slug`, `name`, `description`, `homepage`, `license`, `transport`,
    /// `category`, `tags`.
    #[arg(long)]
    servers: PathBuf,
    /// Tools, one JSON object a line: `server` (a slug), `name`, `title`, `description`, `input_schema`,
    /// `output_schema`, `category`, `tags`.
    #[arg(long)]
    tools: PathBuf,
    /// The tenant, which must be registered.
    #[arg(long, default_value = "default", value_parser = tenant)]
    tenant: TenantId,
    /// Commands in flight at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    in_flight: u16,
    /// The version that the tools get.
    #[arg(long, default_value = "1.0.0")]
    tool_version: Version,
    /// Reject the lines that name a category which the tenant's taxonomy lacks. Without this, such a category is
    /// added to it. A tenant without a taxonomy accepts any category, and gets none by an import.
    #[arg(long)]
    known_categories_only: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    installation: Installation,
}

pub(super) fn tenant(text: &str) -> Result<TenantId, domain::id::InvalidId> {
    TenantId::new(text)
}

/// Imports, tells how it goes on standard error, and prints the summary on standard output.
///
/// # Errors
/// When a file cannot be read, the installation is not found, or the log is away.
pub async fn run_command(args: Args) -> anyhow::Result<ExitCode> {
    let (servers, servers_size) = open(&args.servers).await?;
    let (tools, tools_size) = open(&args.tools).await?;
    let config = args.installation.running()?;
    let dispatcher = app::dispatcher(&config).await?;
    let options = Options {
        in_flight: usize::from(args.in_flight),
        tool_version: args.tool_version,
        add_categories: !args.known_categories_only,
        servers_name: args.servers.display().to_string(),
        tools_name: args.tools.display().to_string(),
        ..Options::default()
    };
    let stop = CancellationToken::new();
    let listening = stop_when_asked(&stop);
    let progress = Progress::new(servers_size + tools_size)?;
    let actor = Actor::operator("import");
    let ended = run(
        &dispatcher,
        &args.tenant,
        &actor,
        servers,
        tools,
        &options,
        &progress,
        &stop,
    )
    .await;
    listening.abort();
    progress.bar.finish_and_clear();
    let summary = ended?;
    print(&summary, args.json)?;
    if let Some(hint) = category_hint(&summary, args.known_categories_only) {
        eprintln!("{hint}");
    }
    if let Some(behind) = indexing(&config, &summary).await {
        eprintln!("{behind}");
    }
    Ok(match (summary.interrupted, summary.is_whole()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(SOME_REJECTED),
    })
}

/// Cancels on Ctrl-C, until it is aborted.
pub(super) fn stop_when_asked(stop: &CancellationToken) -> JoinHandle<()> {
    let asked = stop.clone();
    tokio::spawn(async move {
        if asked_to_stop().await.is_ok() {
            asked.cancel();
            // The second Ctrl-C does not wait for what is in flight: nothing is lost by it.
            if asked_to_stop().await.is_ok() {
                std::process::exit(i32::from(INTERRUPTED));
            }
        }
    })
}

fn print(summary: &Summary, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(summary)?);
    } else {
        println!("{summary}");
    }
    Ok(())
}

/// What to do when a whole catalogue stumbles over the tenant's taxonomy.
fn category_hint(summary: &Summary, known_categories_only: bool) -> Option<String> {
    let rejected = summary.rejected.get(CATEGORY_NOT_FOUND)?;
    known_categories_only.then(|| {
        format!(
            "{rejected} × {CATEGORY_NOT_FOUND}: run it again without --known-categories-only to add what the tenant's taxonomy lacks"
        )
    })
}

/// Word of an index that is not as far as the import; none when it is, or cannot be asked.
async fn indexing(config: &Config, summary: &Summary) -> Option<String> {
    let last = summary.last_stream_sequence?;
    let database = Database::new(&config.postgres.address().ok()?).ok()?;
    let at = database.position_of(projections::search::NAME).await.ok()?;
    (at < last).then(|| {
        format!(
            "Indexing goes on: search has {at} of the log's {last} commits so far; /readyz shows its progress"
        )
    })
}

async fn open(path: &Path) -> anyhow::Result<(BufReader<File>, u64)> {
    let named = || format!("{} cannot be read", path.display());
    let file = File::open(path).await.with_context(named)?;
    let about = file.metadata().await.with_context(named)?;
    if about.is_dir() {
        anyhow::bail!("{} is a folder", path.display());
    }
    Ok((BufReader::with_capacity(BUFFER, file), about.len()))
}

/// A bar on standard error when that is a terminal; the notes in any case.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(bytes: u64) -> anyhow::Result<Self> {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = "importing {bar:30} {bytes} of {total_bytes} ({eta} left)";
        let bar = ProgressBar::with_draw_target(Some(bytes), target)
            .with_style(ProgressStyle::with_template(style)?);
        Ok(Self { bar })
    }
}

impl Observer for Progress {
    fn read(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn noted(&self, note: &Note) {
        self.bar.suspend(|| eprintln!("{note}"));
    }

    fn waiting(&self, patience: Duration, why: &str) {
        let seconds = patience.as_secs();
        let text = format!("{why}; trying again for up to {seconds} s (Ctrl-C stops)");
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_categories_hears_how_to_add_them() {
        let mut summary = Summary::default();
        assert_eq!(category_hint(&summary, true), None);
        summary.rejected.insert(CATEGORY_NOT_FOUND, 7);
        assert_eq!(category_hint(&summary, false), None, "they are retired");
        assert!(category_hint(&summary, true).is_some());
    }
}
