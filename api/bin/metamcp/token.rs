//! `metamcp token`: for whoever has access to the signing keys.
#![expect(clippy::print_stdout, reason = "a token is the output")]

use crate::app;
use crate::cli::Installation;
use anyhow::{Context, bail};
use api::authn::Tokens;
use domain::id::{PrincipalId, TenantId};
use domain::principal::Principal;
use secrecy::ExposeSecret;
use std::time::Duration;

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print a new token of a principal.
    Issue {
        #[command(flatten)]
        installation: Installation,
        /// The principal's tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// The principal's handle.
        #[arg(long, default_value = "admin")]
        principal: String,
        /// Its life in hours; `auth.token_ttl` without it.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        hours: Option<u64>,
    },
    /// Begin to sign with a new key; tokens of the old one stay good until they expire.
    RotateKeys {
        #[command(flatten)]
        installation: Installation,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Issue {
            installation,
            tenant,
            principal,
            hours,
        } => {
            let config = installation.running()?;
            let tenant = TenantId::new(tenant)?;
            let id = PrincipalId::derive(&tenant, &principal);
            if app::dispatcher(&config)
                .await?
                .load::<Principal>(&tenant, id.as_str())
                .await?
                .is_none()
            {
                bail!("tenant {tenant} has no principal {principal}; register it first");
            }
            let ttl = hours.map(|hours| Duration::from_secs(hours.saturating_mul(3_600)));
            let issued = Tokens::open(&config)?.issue(&tenant, &id, ttl)?;
            println!("{}", issued.token.expose_secret());
            Ok(())
        }
        Command::RotateKeys { installation } => {
            let tokens = Tokens::open(&installation.config()?)?;
            let kid = tokens
                .keys()
                .rotate()
                .context("the new key cannot be written")?;
            println!("New tokens are signed with key {kid}.");
            Ok(())
        }
    }
}
