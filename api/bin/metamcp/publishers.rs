//! `metamcp publishers`: the publisher's side of a proof, and the operator's re-check of all.
#![expect(
    clippy::print_stdout,
    reason = "keys, signatures and findings are the output"
)]

use crate::app::Backend;
use crate::cli::Installation;
use anyhow::{Context, bail};
use api::config::Config;
use api::trust::{Prover, SigningKey, place};
use bus::{CommandContext, DispatchError, Dispatcher};
use chrono::{SecondsFormat, Utc};
use domain::envelope::Actor;
use domain::publisher::{LapseReason, Publisher, PublisherCommand, PublisherError};
use futures::StreamExt;
use projections::publishers::{Standing, verified_everywhere};
use secrecy::ExposeSecret;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Namespaces that are looked up at the same time.
const AT_ONCE: usize = 8;

/// What to do about publishers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key, and print the record to publish.
    Keygen {
        /// The file to write; it must not be there yet. Keep it secret.
        #[arg(long, default_value = "publisher.pem")]
        key: PathBuf,
    },
    /// Sign the challenge of a claimed namespace, and print what `verifyNamespace` takes.
    Sign {
        /// The file of the key.
        #[arg(long, default_value = "publisher.pem")]
        key: PathBuf,
        /// The challenge, as `publisher { challenge }` shows it.
        challenge: String,
    },
    /// Look up every verified namespace again, and record those whose key is gone.
    Check {
        #[command(flatten)]
        installation: Installation,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Keygen { key } => keygen(&key),
        Command::Sign { key, challenge } => sign(&key, &challenge),
        Command::Check { installation } => recheck(&installation.running()?).await,
    }
}

fn keygen(path: &Path) -> anyhow::Result<()> {
    let key = SigningKey::generate()?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    file.write_all(key.to_pem()?.expose_secret().as_bytes())?;
    file.sync_all()?;
    println!("The key is in {}; keep it secret.", path.display());
    println!("Publish this as a TXT record of your domain (example.com, for com.example), or as");
    println!("https://<your domain>/.well-known/mcp-registry-auth:");
    println!();
    println!("{}", key.public_key().record());
    Ok(())
}

fn sign(path: &Path, challenge: &str) -> anyhow::Result<()> {
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let key = SigningKey::from_pem(&pem.into()).with_context(|| path.display().to_string())?;
    let signed_at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    println!("signedAt: \"{signed_at}\"");
    println!("signature: \"{}\"", key.sign(challenge.trim(), &signed_at));
    Ok(())
}

/// What a re-check has found of one namespace.
enum Finding {
    Stands,
    Lapsed(LapseReason),
    Unknown(String),
}

/// Looks at all, so that one dead domain does not hide another. What cannot be looked up keeps its mark: a
/// resolver's bad day must not take everybody's.
///
/// # Errors
/// When a server is away; at the end, when some namespaces could not be looked up.
pub async fn recheck(config: &Config) -> anyhow::Result<()> {
    let backend = Backend::connect(config).await?;
    let prover = Prover::new(&config.publishers);
    let all = verified_everywhere(&backend.database).await?;
    let (looked, mut unknown) = (all.len(), 0);
    let mut found = futures::stream::iter(all)
        .map(|standing| async {
            let finding = look(&prover, &backend.dispatcher, &standing).await;
            (standing, finding)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((standing, finding)) = found.next().await {
        let Standing {
            tenant, namespace, ..
        } = &standing;
        match finding? {
            Finding::Stands => println!("{namespace} of {tenant}: verified"),
            Finding::Lapsed(reason) => {
                let place = place(namespace, standing.method);
                println!("{namespace} of {tenant}: lapsed, {reason} at {place}");
            }
            Finding::Unknown(why) => {
                unknown += 1;
                println!("{namespace} of {tenant}: stays as it is, {why}");
            }
        }
    }
    if unknown > 0 {
        bail!("{unknown} of {looked} namespaces could not be looked up; run this again later");
    }
    println!("{looked} namespaces were looked up.");
    Ok(())
}

async fn look(
    prover: &Prover,
    dispatcher: &Dispatcher,
    standing: &Standing,
) -> anyhow::Result<Finding> {
    let key = &standing.public_key;
    let reason = match prover
        .check(&standing.namespace, standing.method, key)
        .await
    {
        Ok(None) => return Ok(Finding::Stands),
        Ok(Some(reason)) => reason,
        Err(error) => return Ok(Finding::Unknown(error.to_string())),
    };
    let context = CommandContext::new(standing.tenant.clone(), Actor::system("publishers-check"));
    let command = PublisherCommand::Lapse {
        public_key: key.clone(),
        reason,
    };
    let lapse = dispatcher.dispatch::<Publisher>(&context, standing.id.as_str(), command);
    match lapse.await {
        Ok(_) => Ok(Finding::Lapsed(reason)),
        // It has changed while it was looked up: the next check will see.
        Err(DispatchError::Rejected(
            error @ (PublisherError::NotVerified
            | PublisherError::KeyChanged
            | PublisherError::Revoked),
        )) => Ok(Finding::Unknown(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
