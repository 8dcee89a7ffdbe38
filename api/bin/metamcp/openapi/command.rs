//! The command line of `metamcp import openapi`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "notes, the plan and the outcome are the output"
)]

use super::{Options, reconcile, source, translate};
use crate::app::Backend;
use crate::cli::Installation;
use crate::plan::{Plan, Problem, Reader, RehearsalError};
use domain::envelope::Actor;
use domain::id::TenantId;
use std::process::ExitCode;
use std::time::Duration;

/// Something is refused; nothing was registered.
const REFUSED: u8 = 3;
/// How long one command is tried while the log is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which document, into which tenant.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 the document's operations are in the registry, or would be; 1 stopped by an \
    error; 3 refused, and nothing was registered. Importing the same document again changes nothing."
)]
pub struct Args {
    /// The document, JSON or YAML: a file, or an http or https address.
    #[arg(value_name = "FILE|URL")]
    document: String,
    /// The slug of the server; made of the document's title without it.
    #[arg(long, value_name = "SLUG")]
    server: Option<String>,
    /// The name of the server; the document's title without it.
    #[arg(long)]
    name: Option<String>,
    /// A tag for the server and all its tools; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Print what would happen and stop.
    #[arg(long)]
    dry_run: bool,
    /// The tenant, which must be registered.
    #[arg(long, default_value = "default")]
    tenant: String,
    #[command(flatten)]
    installation: Installation,
}

/// Imports a document.
///
/// # Errors
/// When the installation cannot be used, or the import stops on its way.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tenant = TenantId::new(args.tenant)?;
    let source = match source::read(&args.document).await {
        Ok(source) => source,
        Err(problem) => return Ok(refuse(&[problem])),
    };
    let options = Options {
        server: args.server,
        name: args.name,
        tags: args.tags,
        address: source.address,
    };
    let translation = match translate(&source.text, &options) {
        Ok(translation) => translation,
        Err(problems) => return Ok(refuse(&problems)),
    };
    for warning in &translation.warnings {
        eprintln!("warning: {warning}");
    }
    let backend = Backend::connect(&args.installation.running()?).await?;
    let reader = Reader::new(&backend);
    let observed = reader.observe(&tenant, Some(&translation.slug)).await?;
    let wanted = reconcile(&translation, &observed);
    let plan = match Plan::make(&tenant, &wanted, &observed, false) {
        Ok(plan) => plan,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let planned = match plan.rehearse(&backend.dispatcher).await {
        Ok(planned) => planned,
        Err(RehearsalError::Refused(problems)) => return Ok(refuse(&problems)),
        Err(error) => return Err(error.into()),
    };
    println!("{}", planned.plan());
    if args.dry_run || planned.plan().is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let actor = Actor::operator("import");
    let applied = planned.carry_out(&backend, &actor, PATIENCE);
    println!("{}", applied.await?);
    Ok(ExitCode::SUCCESS)
}

fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    eprintln!(
        "Refused, problems: {}. Nothing was registered.",
        problems.len()
    );
    ExitCode::from(REFUSED)
}
