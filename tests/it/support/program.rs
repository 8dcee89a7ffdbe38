//! The program, run on an installation of a test as an operator runs it.

use super::{Installation, PATIENCE};
use api::config::Config;
use secrecy::ExposeSecret;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::Command;

impl Installation {
    /// Runs `metamcp` in a folder. Without a terminal: it cannot ask.
    pub(crate) async fn program(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = program(&self.config, folder, arguments);
        let done = tokio::time::timeout(3 * PATIENCE, command.output()).await;
        done.unwrap().unwrap()
    }
}

/// `metamcp` in a folder, on the servers and keys of a configuration. Dropping what it spawns kills it.
pub(crate) fn program(config: &Config, folder: &Path, arguments: &[&str]) -> Command {
    let nats = &config.nats;
    let address = config.postgres.address().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.arg("--data-dir").arg(folder.join("none"));
    command.env("METAMCP__POSTGRES__URL", address.expose_secret());
    let keys = &config.privacy.keys_dir;
    command.env("METAMCP__PRIVACY__KEYS_DIR", keys);
    command.env("METAMCP__LEDGER__KEYS_DIR", &config.ledger.keys_dir);
    command.env("METAMCP__AUTH__KEYS_DIR", &config.auth.keys_dir);
    command.env("METAMCP__NATS__URL", &nats.url);
    command.env("METAMCP__NATS__USER", nats.user.as_deref().unwrap());
    let password = nats.password.as_ref().unwrap().expose_secret();
    command.env("METAMCP__NATS__PASSWORD", password);
    command.env("METAMCP__NATS__STREAM", &nats.stream);
    command.env("METAMCP__NATS__SUBJECT_ROOT", &nats.subject_root);
    command
}

/// What it printed, and its exit code.
pub(crate) fn said(output: &Output) -> (String, Option<i32>) {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    (String::from_utf8(both).unwrap(), output.status.code())
}
