//! `metamcp privacy`: what people may ask of whoever keeps data about them.
#![expect(clippy::print_stdout, reason = "the outcome is the output")]

mod export;

pub use export::export;

use crate::app::Backend;
use crate::cli::Installation;
use anyhow::{Context, bail};
use bus::{CommandContext, DispatchError};
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{Principal, PrincipalCommand, PrincipalError, Role};
use projections::owners::{self, OwnersError, OwnersHeld};
use projections::{Positions, access, dead_letter, reviews, search};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a running projector may take to destroy the key.
const DESTROYED: Duration = Duration::from_secs(30);
/// How long it may take to remove the older versions of the search index, which is told when it takes longer.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Forget a person for good: its personal fields become unreadable, its tokens stop working.
    Erase(Args),
    /// Print everything that is known of a person, as JSON.
    Export(Args),
    /// Wrap all keys of persons with a new key-encryption key, and remove the older ones.
    RotateKey {
        #[command(flatten)]
        installation: Installation,
    },
}

/// Whom it is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The person: a principal's handle, or its id.
    subject: String,
    /// Its tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    #[command(flatten)]
    installation: Installation,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Erase(args) => erase(args).await,
        Command::Export(args) => {
            let backend = Backend::connect(&args.installation.config()?).await?;
            let (tenant, id, _) = find(&backend, &args).await?;
            let mut out = std::io::BufWriter::new(std::io::stdout());
            export(&backend.log, &backend.vault, &tenant, &id, &mut out).await
        }
        Command::RotateKey { installation } => {
            let backend = Backend::connect(&installation.config()?).await?;
            let done = backend.vault.rotate().await?;
            println!(
                "{} keys are wrapped with key {} now; removed: {}.",
                done.rewrapped,
                done.key_id,
                done.removed.join(", ")
            );
            println!(
                "Backups of the schema `vault` from before need a removed key: make a new one."
            );
            Ok(())
        }
    }
}

async fn erase(args: Args) -> anyhow::Result<()> {
    let backend = Backend::connect(&args.installation.config()?).await?;
    let (tenant, id, principal) = find(&backend, &args).await?;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let positions = Positions::start(&backend.database, &backend.log, &stop);
    let roles = principal.roles();
    let active_owner =
        principal.is_active() && roles.is_some_and(|roles| roles.contains(&Role::Owner));
    let held = match active_owner {
        true => Some(keep_an_owner(&backend, &positions, &tenant).await?),
        false => None,
    };
    let context = CommandContext::new(tenant.clone(), Actor::operator("cli"));
    let erase =
        backend
            .dispatcher
            .dispatch::<Principal>(&context, id.as_str(), PrincipalCommand::Erase);
    let at = match erase.await {
        Ok(done) => done.stream_sequence,
        // Asked again: see that it is brought to its end.
        Err(DispatchError::Rejected(PrincipalError::Erased)) => backend.log.head().await?,
        Err(error) => bail!(error),
    };
    for projector in [access::NAME, reviews::NAME] {
        positions
            .wait_for(projector, at, DESTROYED)
            .await
            .context(
                "the erasure is in the log, but the key and the texts are not destroyed yet: running projectors do that; see /readyz",
            )?;
    }
    drop(held);
    println!("Principal {id} of tenant `{tenant}` is erased: its key is destroyed.");
    if positions
        .wait_for(search::NAME, at, FORGOTTEN)
        .await
        .is_err()
    {
        println!(
            "Older versions of the search index are not removed yet: that is done when `search` has reached {at}; see /readyz."
        );
    }
    if principal.handle_is_in_plain() {
        println!("Its handle was never sealed and stays readable in the log; see docs/privacy.md.");
    }
    refuse_parked(&backend, &tenant, &id).await
}

/// Who has parked the erasure, or an earlier commit and so the erasure behind it, has passed it and wiped nothing.
async fn refuse_parked(
    backend: &Backend,
    tenant: &TenantId,
    id: &PrincipalId,
) -> anyhow::Result<()> {
    let wipe = [reviews::NAME, search::NAME];
    let person = (tenant, id);
    let parked = dead_letter::holding_back(&backend.database, &backend.log, person, &wipe).await?;
    if parked.is_empty() {
        return Ok(());
    }
    let parked = parked.join("` and `");
    bail!(
        "PARKED: `{parked}` could not apply commits of this principal and has not wiped what it holds. `metamcp dead-letter list` says why; once that is mended, run `metamcp dead-letter retry` and then this again"
    )
}

/// Refuses when the tenant has no other active owner, as the API does: an erasure has no way back, and nobody could
/// let anybody in any more. Keep what it returns until the erasure is in `access`.
async fn keep_an_owner(
    backend: &Backend,
    positions: &Positions,
    tenant: &TenantId,
) -> anyhow::Result<OwnersHeld> {
    let reads = backend.database.read_pool(1);
    match owners::keep_one(&reads, &backend.log, positions, tenant, DESTROYED).await {
        Ok(held) => Ok(held),
        Err(OwnersError::LastOwner) => bail!(
            "LAST_OWNER: this is the last active owner of tenant `{tenant}`. Register another one first: metamcp tenant register --tenant {tenant} --owner HANDLE"
        ),
        Err(OwnersError::Busy) => bail!("UNAVAILABLE: {}", OwnersError::Busy),
        Err(error) => Err(error).context(
            "how many owners there are is not known: running projectors tell; see /readyz",
        ),
    }
}

/// The principal of a handle, or else of an id, from the log itself.
async fn find(
    backend: &Backend,
    args: &Args,
) -> anyhow::Result<(TenantId, PrincipalId, Principal)> {
    let tenant = TenantId::new(args.tenant.clone())?;
    let of_name = PrincipalId::named(&tenant, &args.subject);
    for id in [Some(of_name), PrincipalId::parse(&args.subject).ok()] {
        let Some(id) = id else { continue };
        let found = backend.dispatcher.load::<Principal>(&tenant, id.as_str());
        if let Some(principal) = found.await? {
            return Ok((tenant, id, principal));
        }
    }
    bail!("tenant {tenant} has no principal {}", args.subject)
}
