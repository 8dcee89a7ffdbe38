//! `metamcp lock`: the tools of a registry as a file, and what differs from it now.
//!
//! A pipeline commits the file and runs `metamcp lock --check`: a tool that came, went or changed its
//! definition is a line of the output and exit code 1. The format is described in `docs/time-travel.md`.

mod compare;
mod file;
mod installation;
mod remote;

use compare::compare;
use file::Lockfile;
use remote::Remote;

use crate::cli::Installation;
use anyhow::Context;
use api::config::TelemetryConfig;
use api::error::chain;
use api::telemetry::Telemetry;
use domain::id::TenantId;
use projections::catalog::Pins;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The file that `--check` reads without a name.
const DEFAULT_FILE: &str = "metamcp.lock";
/// Something differs.
const DIFFERS: u8 = 1;
/// It could not be found out.
const FAILED: u8 = 2;

/// What to pin, or what to compare.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --url it reads an installation, as its operator; with --url, over the API, what the principal of the \
    token in METAMCP_TOKEN may see, and no installation is looked at."
)]
pub(crate) struct Args {
    /// Compare the registry with this file: exit code 0 when nothing differs, 1 when something does, 2 when
    /// that cannot be found out.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    check: Option<PathBuf>,
    /// Only the tools of this server; may be given several times. `--check` takes what the file says.
    #[arg(long, value_name = "SLUG", conflicts_with = "check")]
    server: Vec<String>,
    /// As of this position of the log instead of its end.
    #[arg(long, value_name = "SEQUENCE")]
    at: Option<u64>,
    /// The tenant. `--check` takes what the file says, and `--url` the tenant of the token.
    #[arg(long, default_value = "default", conflicts_with_all = ["check", "url"])]
    tenant: String,
    /// Read the registry at this address (https://metamcp.example.org), with the token in METAMCP_TOKEN.
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    installation: Installation,
}

/// What was read.
struct Found {
    /// Whose registry.
    tenant: TenantId,
    /// Its tools, or those of some servers.
    pins: Pins,
    /// The positions of commits that the catalogue could not apply, and whose changes they lack.
    parked: Vec<u64>,
}

/// Runs the command; every failure is exit code 2, so that a pipeline can tell it from a difference.
pub(crate) async fn run(args: Args, telemetry: &TelemetryConfig) -> ExitCode {
    match quietly(&args, telemetry).await {
        Ok(code) => code,
        Err(error) => {
            complain(&chain(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

async fn quietly(args: &Args, telemetry: &TelemetryConfig) -> anyhow::Result<ExitCode> {
    let telemetry = Telemetry::start(telemetry)?;
    let outcome = match &args.check {
        Some(file) => check(args, file).await,
        None => print(args).await,
    };
    telemetry.stop().await;
    outcome
}

async fn print(args: &Args) -> anyhow::Result<ExitCode> {
    let servers: BTreeSet<&str> = args.server.iter().map(|slug| slug.trim()).collect();
    let servers: Vec<String> = servers.into_iter().map(str::to_owned).collect();
    let found = read(args, &servers, None).await?;
    say(&Lockfile::of(&found.tenant, &servers, found.pins).to_string());
    Ok(ExitCode::SUCCESS)
}

async fn check(args: &Args, file: &Path) -> anyhow::Result<ExitCode> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let locked = Lockfile::parse(&text).with_context(|| name.to_string())?;
    let read = read(args, &locked.servers, Some(&locked)).await;
    let found = read.with_context(|| name.to_string())?;
    let differences = compare(&locked, &found.pins);
    for difference in &differences {
        say(&format!("{difference}\n"));
    }
    if differences.is_empty() {
        let tools = locked.tools.len();
        say(&format!(
            "Nothing differs from {name}, tools pinned: {tools}.\n"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(DIFFERS))
}

/// The tools of the registry, and those that `pinned` is compared with.
async fn read(args: &Args, servers: &[String], pinned: Option<&Lockfile>) -> anyhow::Result<Found> {
    let found = match &args.url {
        Some(url) => {
            let pinned = pinned.map(|pinned| (pinned.tenant.as_str(), pinned.sequence));
            Remote::new(url)?.read(servers, args.at, pinned).await?
        }
        None => {
            let tenant = pinned.map_or(&args.tenant, |pinned| &pinned.tenant);
            let tenant = TenantId::new(tenant.as_str())?;
            let position = pinned.map_or(0, |pinned| pinned.sequence);
            installation::read(&args.installation, &tenant, servers, args.at, position).await?
        }
    };
    if !found.parked.is_empty() {
        complain(&format!(
            "the catalogue could not apply the commits at {:?}, and what they changed is missing here: an operator finds the \
             cause with `metamcp dead-letter list`, and applies them with `metamcp dead-letter retry`",
            found.parked
        ));
    }
    Ok(found)
}

#[expect(
    clippy::print_stdout,
    reason = "the lockfile or the differences are the output"
)]
fn say(text: &str) {
    print!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "a failure has an exit code of its own here"
)]
fn complain(text: &str) {
    eprintln!("metamcp: {text}");
}
