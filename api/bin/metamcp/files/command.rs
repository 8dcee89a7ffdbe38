//! The command lines of `metamcp export` and `metamcp apply`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "plans and outcomes are the output"
)]

use super::layout::{FORMAT, Manifest};
use super::{read, write};
use crate::app::Backend;
use crate::cli::Installation;
use crate::plan::{Plan, Problem, Reader, RegistrySpec, RehearsalError, Rehearsed};
use anyhow::{Context, bail};
use domain::envelope::Actor;
use domain::id::TenantId;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// There is something to change, with `--detailed-exitcode`.
const CHANGES: u8 = 2;
/// Something is refused; nothing was changed.
const REFUSED: u8 = 3;
/// How long one command is tried while the log is away.
const PATIENCE: Duration = Duration::from_secs(30);
/// Plans that are made because others change the registry at the same time.
const MAX_PLANS: u32 = 5;

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The folder: empty, new, or that of an earlier export.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// With every version of each tool and its definition, so that another tenant can be given all of them.
    #[arg(long)]
    all_versions: bool,
    #[command(flatten)]
    installation: Installation,
}

/// What to make of a registry.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 the registry matches the files, or would; 1 stopped by an error; \
    2 there are changes to make (--dry-run --detailed-exitcode); 3 refused, and nothing was changed."
)]
pub(crate) struct ApplyArgs {
    /// The folder that `metamcp export` wrote.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print the plan and stop.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with 2 when there is something to change.
    #[arg(long, requires = "dry_run")]
    detailed_exitcode: bool,
    /// Take out of use, or uninstall, what the files do not name; principals are left alone.
    #[arg(long)]
    prune: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// The tenant, instead of the one that the files are of.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    installation: Installation,
}

/// Writes a tenant's registry as files.
///
/// # Errors
/// When the installation or the folder cannot be used.
pub(crate) async fn export(args: ExportArgs) -> anyhow::Result<()> {
    let tenant = TenantId::new(args.tenant)?;
    let backend = Backend::connect(&args.installation.running()?).await?;
    let mut reader = Reader::new(&backend);
    if args.all_versions {
        reader = reader.with_all_versions();
    }
    let observed = reader.observe(&tenant, None).await?;
    let manifest = Manifest {
        format: FORMAT,
        tenant: tenant.to_string(),
        position: observed.position,
    };
    let (position, tools) = (observed.position, observed.tools.len());
    let registry = RegistrySpec::from(observed);
    let (folder, servers) = (args.out, registry.servers.len());
    let done = write(&folder, &manifest, &registry)?;
    for file in &done.removed {
        println!("removed {file}");
    }
    println!(
        "Tenant {tenant} as of position {position}: {servers} servers, {tools} tools; {} files of {} written.",
        done.written,
        folder.display()
    );
    Ok(())
}

/// Makes a registry match files.
///
/// # Errors
/// When the installation cannot be used, or the plan stops on its way.
pub(crate) async fn apply(args: ApplyArgs) -> anyhow::Result<ExitCode> {
    let folder = match read(&args.folder) {
        Ok(folder) => folder,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let tenant = TenantId::new(args.tenant.unwrap_or(folder.manifest.tenant))?;
    let backend = Backend::connect(&args.installation.running()?).await?;
    let planned = match plan(&backend, &tenant, &folder.registry, args.prune).await? {
        Ok(planned) => planned,
        Err(problems) => return Ok(refuse(&problems)),
    };
    println!("{}", planned.plan());
    if args.dry_run {
        let changes = args.detailed_exitcode && !planned.plan().is_empty();
        return Ok(ExitCode::from(if changes { CHANGES } else { 0 }));
    }
    if planned.plan().is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !confirmed("Make these changes?")? {
        println!("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    }
    let actor = Actor::operator("apply");
    let applied = planned.carry_out(&backend, &actor, PATIENCE);
    println!("{}", applied.await?);
    Ok(ExitCode::SUCCESS)
}

/// A plan that the domain accepts, or what it refuses. While others change the registry, planned anew.
async fn plan(
    backend: &Backend,
    tenant: &TenantId,
    wanted: &RegistrySpec,
    prune: bool,
) -> anyhow::Result<Result<Rehearsed, Vec<Problem>>> {
    let reader = Reader::new(backend);
    for _ in 0..MAX_PLANS {
        let observed = reader.observe_for(tenant, wanted).await?;
        let plan = match Plan::make(tenant, wanted, &observed, prune) {
            Ok(plan) => plan,
            Err(problems) => return Ok(Err(problems)),
        };
        match plan.rehearse(&backend.dispatcher).await {
            Ok(rehearsed) => return Ok(Ok(rehearsed)),
            Err(RehearsalError::Refused(problems)) => return Ok(Err(problems)),
            Err(RehearsalError::Moved(object)) => {
                eprintln!("{object} has just been changed by somebody else; planning again");
            }
            Err(error @ RehearsalError::Log(_)) => return Err(error.into()),
        }
    }
    bail!("others keep changing the registry; try again later (REGISTRY_MOVED)")
}

fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    eprintln!(
        "Refused, problems: {}. Nothing was changed.",
        problems.len()
    );
    ExitCode::from(REFUSED)
}

/// Asks on the terminal.
///
/// # Errors
/// When there is no terminal to ask on, or it is gone.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here: give --yes to go on, or --dry-run to see the plan only");
    }
    print!("{question} Only `yes` is taken for one: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.context("the answer cannot be read")?;
    Ok(answer.trim() == "yes")
}
