//! `metamcp lock`: the tools of a registry as a file, and what differs from it now.
//!
//! A pipeline commits the file and runs `metamcp lock --check`: a tool that came, went or changed its
//! definition is a line of the output and exit code 1. The format is described in `docs/time-travel.md`.

mod compare;
mod file;

use compare::compare;
use file::Lockfile;

use crate::app::Backend;
use crate::cli::Installation;
use crate::plan::Reader;
use anyhow::{Context, bail};
use api::config::TelemetryConfig;
use api::error::chain;
use api::telemetry::Telemetry;
use domain::id::TenantId;
use domain::tenant::Tenant;
use projections::catalog::{self, Pins};
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
    /// The tenant. `--check` takes what the file says.
    #[arg(long, default_value = "default", conflicts_with = "check")]
    tenant: String,
    #[command(flatten)]
    installation: Installation,
}

/// Runs the command; every failure is exit code 2, so that a pipeline can tell it from a difference.
pub(crate) async fn run(args: Args, telemetry: &TelemetryConfig) -> ExitCode {
    match quietly(&args, telemetry).await {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
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
    let tenant = TenantId::new(args.tenant.as_str())?;
    let pins = read(args, &tenant, &args.server, 0).await?;
    say(&Lockfile::of(&tenant, &args.server, pins).to_string());
    Ok(ExitCode::SUCCESS)
}

async fn check(args: &Args, file: &Path) -> anyhow::Result<ExitCode> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let locked = Lockfile::parse(&text).with_context(|| name.to_string())?;
    let tenant = TenantId::new(locked.tenant.as_str()).with_context(|| name.to_string())?;
    let read = read(args, &tenant, &locked.servers, locked.sequence).await;
    let pins = read.with_context(|| name.to_string())?;
    let differences = compare(&locked, &pins);
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

/// The tools of the registry, when the catalogue has come to the end of the log or to `--at`. `pinned` is the position
/// that a file names, which the log must have.
async fn read(
    args: &Args,
    tenant: &TenantId,
    servers: &[String],
    pinned: u64,
) -> anyhow::Result<Pins> {
    let config = args.installation.config()?;
    let backend = Backend::connect(&config).await?;
    let registered = backend.dispatcher.load::<Tenant>(tenant, tenant.as_str());
    if registered.await?.is_none() {
        bail!(
            "there is no tenant `{tenant}`: check --tenant, or register it with `metamcp tenant register`"
        );
    }
    let head = backend.log.head().await?;
    if pinned > head {
        bail!(
            "the file's `sequence` is {pinned}, and the log ends at {head}: the file is of another registry, or was changed"
        );
    }
    let reader = Reader::new(&backend);
    let (mut reads, _) = reader.at(tenant, args.at).await?;
    for slug in servers {
        if catalog::server_by_slug(&mut reads, slug).await?.is_none() {
            bail!("tenant {tenant} has no server {slug}");
        }
    }
    Ok(catalog::pins(&mut reads, servers).await?)
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
fn complain(error: &anyhow::Error) {
    eprintln!("metamcp: {}", chain(error.as_ref()));
}
