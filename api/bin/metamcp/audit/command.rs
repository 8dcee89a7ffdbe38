//! The subcommands of `metamcp audit`.
#![expect(
    clippy::print_stdout,
    reason = "heads, proofs and verdicts are the output"
)]

use super::export::{Bounds, export};
use super::fault::Fault;
use super::read;
use super::signed_to::SignedTo;
use super::verify::{Verified, Verifier};
use super::verify_file::verify_file;
use crate::app::Backend;
use crate::cli::Installation;
use anyhow::{Context, bail, ensure};
use api::config::Config;
use bus::SignerAnswer;
use indicatif::{ProgressBar, ProgressStyle};
use projections::ledger::{LedgerKeys, SignedHead, heads, tree};
use serde_json::json;
use std::io::{BufWriter, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What a verification that found a fault exits with.
const TAMPERED: u8 = 3;
/// What one exits with that found none, where heads cover fewer commits than was asked for.
const NOT_SIGNED: u8 = 4;
/// How long a signature may take.
const SIGN: Duration = Duration::from_secs(10);

/// What to do with the ledger.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the first key that signs tree heads, and print its public half.
    Keygen {
        #[command(flatten)]
        installation: Installation,
        /// Names the log in keys and heads, such as `example.com/metamcp`; the host of the API without it.
        #[arg(long)]
        origin: Option<String>,
    },
    /// Begin to sign with a new key. The first head is signed by the old one, too.
    RotateKey {
        #[command(flatten)]
        installation: Installation,
    },
    /// Print the public keys, oldest first: what `verify --key` reads.
    Keys {
        #[command(flatten)]
        installation: Installation,
    },
    /// Print the last signed tree head.
    Head {
        #[command(flatten)]
        installation: Installation,
        /// Have one signed over the log as it is now; a projector must be running.
        #[arg(long)]
        sign: bool,
    },
    /// Print the proof that a commit stands in the log, as JSON.
    Proof {
        #[command(flatten)]
        installation: Installation,
        /// The commit's position in the log.
        sequence: u64,
        /// Size of the tree; without it, that of the first signed head that covers the commit.
        #[arg(long)]
        tree_size: Option<u64>,
        /// Size of an earlier tree that is to be proved the beginning of this one.
        #[arg(long)]
        consistent_with: Option<u64>,
    },
    /// Write the log, or a part of it, with its signed tree heads to standard output.
    Export {
        #[command(flatten)]
        installation: Installation,
        /// Position of the first commit.
        #[arg(long)]
        from: Option<u64>,
        /// Position of the last commit.
        #[arg(long)]
        to: Option<u64>,
    },
    /// Verify an export, offline. Exits with 0 when all is well, with 3 when something is not, and with 4 when only
    /// `--signed-to` is not met.
    Verify {
        /// The export.
        file: PathBuf,
        /// Public keys that you trust, one a line.
        #[arg(long)]
        key: PathBuf,
        /// Tree heads that you have kept: the file of `ledger.head_file`, what `head` printed, or an earlier export.
        #[arg(long)]
        heads: Option<PathBuf>,
        /// Insist that signed heads, of the export or of `--heads`, cover the commits up to this position, or all of
        /// the export: whoever takes the last heads out of a file can write the commits behind the others anew.
        #[arg(long, value_name = "N|end")]
        signed_to: Option<SignedTo>,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Keygen {
            installation,
            origin,
        } => {
            let config = installation.config()?;
            let origin = origin.unwrap_or_else(|| default_origin(&config));
            println!("{}", keys(&config).generate(&origin)?);
        }
        Command::RotateKey { installation } => {
            println!("{}", keys(&installation.config()?).rotate()?);
        }
        Command::Keys { installation } => {
            for key in keys(&installation.config()?).all()? {
                println!("{}", key.verifying());
            }
        }
        Command::Head { installation, sign } => head(&installation.config()?, sign).await?,
        Command::Proof {
            installation,
            sequence,
            tree_size,
            consistent_with,
        } => {
            let config = installation.config()?;
            proof(&config, sequence, tree_size, consistent_with).await?;
        }
        Command::Export {
            installation,
            from,
            to,
        } => write_export(&installation.config()?, Bounds { from, to }).await?,
        Command::Verify {
            file,
            key,
            heads,
            signed_to,
        } => return verify(&file, &key, heads.as_deref(), signed_to),
    }
    Ok(ExitCode::SUCCESS)
}

/// A key for an installation that has none: what `metamcp up` does at its first start.
pub(crate) fn first_key(config: &Config) -> anyhow::Result<()> {
    let keys = keys(config);
    if keys.all()?.is_empty() {
        keys.generate(&default_origin(config))?;
    }
    Ok(())
}

fn keys(config: &Config) -> LedgerKeys {
    LedgerKeys::new(&config.ledger.keys_dir)
}

/// The API's host and port: what tells this log from others.
fn default_origin(config: &Config) -> String {
    let base = config.http.base_url();
    let host = base
        .split_once("://")
        .map_or(base.as_str(), |(_, host)| host);
    format!("{}/metamcp", host.trim_end_matches('/'))
}

async fn head(config: &Config, sign: bool) -> anyhow::Result<()> {
    let log = crate::app::connect_log(config).await?;
    let note = match sign {
        true => match log.ask_for_tree_head(SIGN).await? {
            SignerAnswer::Note(note) => note,
            SignerAnswer::Refused(reason) => bail!(reason),
        },
        false => {
            let last = log.tree_heads().await?.last().await?;
            last.context("no tree head has been signed yet")?.note
        }
    };
    print!("{note}");
    Ok(())
}

async fn proof(
    config: &Config,
    sequence: u64,
    tree_size: Option<u64>,
    consistent_with: Option<u64>,
) -> anyhow::Result<()> {
    const NOT_COVERED: &str = "the ledger does not cover this: the size must be at least the commit's position, and the ledger must have come so far";
    let backend = Backend::connect(config).await?;
    let mut reads = backend.database.connect().await?;
    let signed = heads::covering(&mut reads, tree_size.unwrap_or(sequence)).await?;
    let size = match (tree_size, &signed) {
        (Some(size), _) => size,
        (None, Some(signed)) => signed.head().size,
        (None, None) => tree::size(&mut reads).await?,
    };
    let hex = |hashes: Vec<domain::merkle::TreeHash>| -> Vec<String> {
        hashes.iter().map(ToString::to_string).collect()
    };
    let leaf = tree::leaf(&mut reads, sequence)
        .await?
        .context(NOT_COVERED)?;
    let now = tree::frontier(&mut reads, size)
        .await?
        .context(NOT_COVERED)?;
    let inclusion = tree::inclusion(&mut reads, sequence, size).await?;
    let signed = signed.filter(|head| head.head().size == size && head.head().root == now.root());
    let mut proof = json!({
        "stream_sequence": sequence,
        "leaf_hash": leaf.to_string(),
        "tree_size": size,
        "root_hash": now.root().to_string(),
        "inclusion": hex(inclusion.context(NOT_COVERED)?),
        "tree_head": signed.map(|head| head.note().to_owned()),
    });
    if let Some(old) = consistent_with {
        let then = tree::frontier(&mut reads, old)
            .await?
            .context(NOT_COVERED)?;
        let path = tree::consistency(&mut reads, old, size).await?;
        proof["consistency"] = json!({
            "tree_size": old,
            "root_hash": then.root().to_string(),
            "path": hex(path.context("the earlier size must be from 1 to the size of the tree")?),
        });
    }
    println!("{proof:#}");
    Ok(())
}

async fn write_export(config: &Config, bounds: Bounds) -> anyhow::Result<()> {
    let backend = Backend::connect(config).await?;
    let bar = bar("{bar:30} {pos}/{len} commits ({per_sec}, {eta} left)")?;
    let progress = |at: u64, of: u64| {
        bar.set_length(of);
        bar.set_position(at);
    };
    let mut out = BufWriter::with_capacity(1 << 20, stdout());
    let written = export(&backend.log, &backend.database, bounds, &mut out, &progress).await;
    bar.finish_and_clear();
    written.map(drop)
}

fn verify(
    file: &Path,
    key: &Path,
    kept: Option<&Path>,
    signed_to: Option<SignedTo>,
) -> anyhow::Result<ExitCode> {
    let keys = read::keys(key)?;
    let kept = kept.map(kept_heads).transpose()?.unwrap_or_default();
    let length = std::fs::metadata(file)
        .with_context(|| file.display().to_string())?
        .len();
    let bar = bar("{bar:30} {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)")?;
    bar.set_length(length);
    let outcome = match Verifier::new(keys, kept) {
        Ok(verifier) => verify_file(file, verifier, &|at| bar.set_position(at))?,
        Err(fault) => Err(fault),
    };
    bar.finish_and_clear();
    Ok(match outcome {
        Ok(verified) => {
            let missed = signed_to.and_then(|to| to.missed(verified.signed_to, verified.to));
            if let Some(asked) = missed {
                let signed = verified.signed_to;
                println!(
                    "NOT SIGNED AS ASKED: signed heads cover the commits up to {signed}, and --signed-to asks for {asked}."
                );
            }
            println!("{}", summary(&verified));
            missed.map_or(ExitCode::SUCCESS, |_| ExitCode::from(NOT_SIGNED))
        }
        Err(fault) => {
            println!("{}", verdict(&fault));
            ExitCode::from(TAMPERED)
        }
    })
}

/// The heads that somebody has kept: a file without any would compare nothing, and say nothing of it.
fn kept_heads(file: &Path) -> anyhow::Result<Vec<SignedHead>> {
    let heads = read::heads(file)?;
    ensure!(!heads.is_empty(), "{} holds no tree head", file.display());
    Ok(heads)
}

fn verdict(fault: &Fault) -> String {
    let commits = fault.commits().map_or_else(String::new, |commits| {
        match commits.start() == commits.end() {
            true => format!("\n  commit        {}", commits.start()),
            false => format!("\n  commits       {} to {}", commits.start(), commits.end()),
        }
    });
    format!(
        "NOT VERIFIED: {fault}{commits}\nThis is the first fault; nothing behind it was looked at."
    )
}

fn summary(verified: &Verified) -> String {
    let Verified { from, to, .. } = verified;
    let mut text = format!(
        "Verified: commits {from} to {to}.\n  \
         objects       {}, each numbered and chained without a gap\n  \
         tree heads    {}",
        verified.objects,
        agree(verified.heads, &verified.keys),
    );
    let kept = &verified.kept;
    if kept.any() {
        let agree = agree(kept.heads, &kept.keys);
        text.push_str(&format!("\n  kept heads    {agree}"));
    }
    if kept.before > 0 {
        text.push_str(&format!(
            "\n  not compared  {} kept heads over fewer commits than lie before this part",
            kept.before
        ));
    }
    if let Some(largest) = kept.largest_beyond {
        text.push_str(&format!(
            "\n  not compared  {} kept heads beyond this part, which ends at {to}: they cover up to {largest} commits",
            kept.beyond
        ));
    }
    if kept.unknown > 0 {
        text.push_str(&format!(
            "\n  not compared  {} kept heads are signed by keys that you did not give",
            kept.unknown
        ));
    }
    text.push_str(&format!(
        "\n  signed        commits up to {}",
        verified.signed_to
    ));
    if verified.signed_to < *to {
        text.push_str(&format!(
            "\n  NOT SIGNED    commits {} to {to}: behind the last signed head, only their own chains hold them",
            verified.signed_to + 1
        ));
    }
    if *from > 1 {
        text.push_str(&format!(
            "\n  not included  commits 1 to {}: that they are unchanged is proved, what they say is not shown",
            from - 1
        ));
    }
    if verified.unreadable > 0 {
        text.push_str(&format!(
            "\n  unreadable    {} bodies are no commits; the tree holds their bytes",
            verified.unreadable
        ));
    }
    if verified.unknown_heads > 0 {
        text.push_str(&format!(
            "\n  unknown keys  {} tree heads are signed by keys that you did not give",
            verified.unknown_heads
        ));
    }
    text.push_str(&format!(
        "\n  root          {} over {to} commits",
        verified.tree.root()
    ));
    text
}

/// How many heads agree, and whose they are.
fn agree(heads: u64, keys: &[String]) -> String {
    match heads {
        0 => "0 agree".to_owned(),
        heads => format!("{heads} agree, signed by {}", keys.join(", ")),
    }
}

pub(crate) fn bar(template: &str) -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(template)?))
}
