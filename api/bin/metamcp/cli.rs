//! The index of the command line.

use crate::embedded::DataDir;
use crate::{
    audit, bench_search, dead_letter, doctor, files, import, lock, maintain, openapi, privacy,
    publishers, rebuild, restore, serve, tenant, token, up,
};
use api::config::{Config, TelemetryConfig};
use api::telemetry::Telemetry;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Registry and gateway for the tools that AI agents call over MCP.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Which installation a command works on.
#[derive(Debug, Clone, Args)]
pub struct Installation {
    /// Configuration file (YAML). Without it, the one that `metamcp up` keeps in its data directory.
    #[arg(long, env = "METAMCP_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory of `metamcp up`.
    #[arg(long, env = "METAMCP_DATA_DIR", default_value_os_t = DataDir::default_path())]
    data_dir: PathBuf,
}

impl Installation {
    /// Data directory of `metamcp up`.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn config(&self) -> anyhow::Result<Config> {
        let file = self.file();
        if file.is_none() && std::env::var_os("METAMCP__NATS__URL").is_none() {
            anyhow::bail!(
                "there is no installation at {}: start one with `metamcp up`, or name one with --config",
                self.data_dir.display()
            );
        }
        Ok(Config::load(file.as_deref())?)
    }

    /// Reads the configuration; that of a new installation where there is none yet. For who starts its private
    /// servers himself.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn config_or_new(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.file().as_deref())?)
    }

    /// Whether its servers are somebody else's, and not those of `metamcp up`.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        let kept = up::config_file(&self.data_dir).is_file();
        self.config.is_some() || !kept && std::env::var_os("METAMCP__NATS__URL").is_some()
    }

    fn file(&self) -> Option<PathBuf> {
        let kept = || Some(up::config_file(&self.data_dir)).filter(|file| file.is_file());
        self.config.clone().or_else(kept)
    }
}

impl Installation {
    /// Reads the configuration of an installation that runs.
    ///
    /// # Errors
    /// As [`Self::config`], and when the `metamcp up` that keeps the servers has been stopped.
    pub fn running(&self) -> anyhow::Result<Config> {
        let config = self.config()?;
        let kept = self.config.is_none() && up::config_file(&self.data_dir).is_file();
        if kept && DataDir::holder(&self.data_dir).is_none() {
            let dir = self.data_dir.display();
            anyhow::bail!("nothing runs on {dir}: start `metamcp up --data-dir {dir}` first");
        }
        Ok(config)
    }

    /// The arguments that name this installation to another command, each with a space before it.
    #[must_use]
    pub fn arguments(&self) -> String {
        match &self.config {
            Some(file) => format!(" --config {}", file.display()),
            None if self.data_dir == DataDir::default_path() => String::new(),
            None => format!(" --data-dir {}", self.data_dir.display()),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: private servers, API, projectors.
    Up(up::Args),
    /// Run one or more roles against servers that are already there.
    Serve(serve::Args),
    /// Apply the database migrations that are missing.
    Migrate(maintain::MigrateArgs),
    /// Register servers and tools from files.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Write a tenant's registry as files, for version control.
    Export(files::ExportArgs),
    /// Make a tenant's registry match files, after showing the plan.
    Apply(files::ApplyArgs),
    /// Build a read model anew from the log, compare it with the live one, and swap.
    Rebuild(rebuild::Args),
    /// Pin the versions and definitions of tools in a file, or say what differs from one.
    Lock(lock::Args),
    /// Sign tree heads, prove commits, export the log and verify exports.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Fill an empty log with the commits of an export or of the archive.
    Restore(restore::Args),
    /// The commits that a projector could not apply and put aside.
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// Register the first tenant of an installation.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Erase a person, hand out what is known of one, rotate the key of the keys.
    #[command(subcommand)]
    Privacy(privacy::Command),
    /// Keys and signatures of publishers, and the re-check of all verified namespaces.
    #[command(subcommand)]
    Publishers(publishers::Command),
    /// Issue tokens and rotate signing keys.
    #[command(subcommand)]
    Token(token::Command),
    /// Print the GraphQL schema (SDL).
    Schema,
    /// Check what this machine needs for `metamcp up`, or, where a configuration names servers, those; and say how to
    /// mend what is missing.
    Doctor(Installation),
    /// Measure.
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// A catalogue: one file of servers and one of tools, a JSON object a line.
    Catalogue(import::Args),
    /// An OpenAPI 3.0, 3.1 or 3.2 document: its operations become the tools of one server.
    Openapi(openapi::Args),
    /// Another registry that speaks the official MCP registry's API, or its documents in a file.
    Registry(import::registry::Args),
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// The quality of search on a benchmark.
    Search(bench_search::Args),
}

/// Runs a command; the exit code says how it went.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // Servers end in order, whoever reads what they say.
    if !matches!(cli.command, Command::Up(_) | Command::Serve(_)) {
        end_with_the_reader();
    }
    match cli.command {
        Command::Schema => return maintain::print_schema(),
        Command::Up(_)
        | Command::Serve(_)
        | Command::Migrate(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Apply(_)
        | Command::Rebuild(_)
        | Command::Doctor(_)
        | Command::Lock(_)
        | Command::Audit(_)
        | Command::Restore(_)
        | Command::DeadLetter(_)
        | Command::Tenant(_)
        | Command::Privacy(_)
        | Command::Publishers(_)
        | Command::Token(_)
        | Command::Bench(_) => {}
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime cannot start")),
    };
    let outcome = runtime.block_on(dispatch(cli.command));
    // A blocking task, such as an embedding, does not hold up the end.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Ends the program without a word when nobody reads its output any more, as in `metamcp schema | head -1`. Rust
/// ignores the signal that ends other programs then, and printing panics instead.
fn end_with_the_reader() {
    let otherwise = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(is_closed_pipe) {
            std::process::exit(ENDED_BY_SIGPIPE);
        }
        otherwise(panic);
    }));
}

/// What a shell tells of a program that SIGPIPE has ended.
const ENDED_BY_SIGPIPE: i32 = 128 + 13;

/// Whether it is what `print!` says when the pipe is closed.
fn is_closed_pipe(panic: &str) -> bool {
    panic.starts_with("failed printing to stdout") && panic.contains("Broken pipe")
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Migrate(args) => quietly(maintain::migrate(args)).await,
        Command::Import(ImportCommand::Catalogue(args)) => {
            quietly_to(import::run_command(args)).await
        }
        Command::Import(ImportCommand::Openapi(args)) => quietly_to(openapi::run(args)).await,
        Command::Export(args) => quietly(files::export(args)).await,
        Command::Apply(args) => quietly_to(files::apply(args)).await,
        Command::Import(ImportCommand::Registry(args)) => {
            quietly_to(import::registry::run_command(args)).await
        }
        Command::Rebuild(args) => quietly(rebuild::run(args)).await,
        Command::Lock(args) => Ok(lock::run(args, &quiet()).await),
        Command::Audit(command) => quietly_to(audit::run(command)).await,
        Command::Restore(args) => quietly(restore::run(args)).await,
        Command::DeadLetter(command) => quietly(dead_letter::run(command)).await,
        Command::Tenant(command) => quietly(tenant::run(command)).await,
        Command::Privacy(command) => quietly(privacy::run(command)).await,
        Command::Publishers(command) => quietly(publishers::run(command)).await,
        Command::Token(command) => quietly(token::run(command)).await,
        Command::Bench(BenchCommand::Search(args)) => quietly(bench_search::run(args)).await,
        Command::Doctor(installation) => quietly_to(doctor::run(&installation)).await,
        Command::Schema => Ok(ExitCode::SUCCESS),
    }
}

/// A command that ends: warnings and errors only.
async fn quietly(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    quietly_to(async { command.await.map(|()| ExitCode::SUCCESS) }).await
}

/// The same, for one with exit codes of its own.
async fn quietly_to(
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let telemetry = Telemetry::start(&quiet())?;
    let outcome = command.await;
    telemetry.stop().await;
    outcome
}

fn quiet() -> TelemetryConfig {
    let log_filter = std::env::var("METAMCP__TELEMETRY__LOG_FILTER");
    TelemetryConfig {
        log_filter: log_filter.unwrap_or_else(|_| "warn,metamcp::bench_search=info".to_owned()),
        ..TelemetryConfig::default()
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the program says why it failed"
)]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("metamcp: {}", with_causes(error));
    ExitCode::FAILURE
}

/// An error and its causes in one line. Errors of others may end with the text of their cause: each is said once.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            before if before.ends_with(&cause) => told,
            before => format!("{before}: {cause}"),
        }
    })
}

/// A file that only its owner reads.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    // One that was there keeps its mode otherwise.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_private_also_where_one_was_open_to_all() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (new, open) = (folder.path().join("new"), folder.path().join("open"));
        std::fs::write(&open, "something longer").unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        for file in [new, open] {
            write_private(&file, "secret").unwrap();
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "secret");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let refused = || anyhow::anyhow!("refused");
        let said = with_causes(&refused().context("sending: refused").context("starting"));
        assert_eq!(said, "starting: sending: refused");
        let said = with_causes(&refused().context("sending").context("sending"));
        assert_eq!(said, "sending: refused");
        assert_eq!(with_causes(&refused()), "refused");
    }
}
