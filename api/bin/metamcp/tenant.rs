//! `metamcp tenant`: for operators of servers of their own, where no `up` makes the first tenant.
#![expect(clippy::print_stdout, reason = "the outcome is the output")]

use crate::app;
use crate::cli::Installation;
use crate::provision::provision;
use domain::envelope::Actor;
use domain::id::TenantId;

/// What to do with tenants.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Register a tenant and its first owner; what is there already stays.
    Register {
        #[command(flatten)]
        installation: Installation,
        /// The tenant: lower-case letters, digits and hyphens.
        #[arg(long)]
        tenant: String,
        /// The handle of its first owner.
        #[arg(long, default_value = "admin")]
        owner: String,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Register {
        installation,
        tenant,
        owner,
    } = command;
    let dispatcher = app::dispatcher(&installation.running()?).await?;
    let tenant = TenantId::new(tenant)?;
    let actor = Actor::operator("cli");
    let (_, _, is_new) = provision(&dispatcher, &tenant, &owner, &actor).await?;
    let outcome = if is_new {
        "is registered"
    } else {
        "was registered before"
    };
    println!("Owner `{owner}` of tenant `{tenant}` {outcome}.");
    println!(
        "For a token: metamcp token issue --tenant {tenant} --principal {owner}{}",
        installation.arguments()
    );
    Ok(())
}
