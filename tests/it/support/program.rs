//! The program, run on an installation of a test as an operator runs it.

use super::{Installation, PATIENCE};
use secrecy::ExposeSecret;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

impl Installation {
    /// Runs `metamcp` in a folder. Without a terminal: it cannot ask.
    pub(crate) async fn program(&self, folder: &Path, arguments: &[&str]) -> Output {
        let (nats, servers) = (&self.config.nats, &self.servers);
        let address = self.config.postgres.address().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
        command
            .args(arguments)
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        command.arg("--data-dir").arg(folder.join("none"));
        command.env("METAMCP__POSTGRES__URL", address.expose_secret());
        let keys = &self.config.privacy.keys_dir;
        command.env("METAMCP__PRIVACY__KEYS_DIR", keys);
        command.env("METAMCP__LEDGER__KEYS_DIR", &self.config.ledger.keys_dir);
        command.env("METAMCP__AUTH__KEYS_DIR", &self.config.auth.keys_dir);
        command.env("METAMCP__NATS__URL", &nats.url);
        command.env("METAMCP__NATS__USER", nats.user.as_deref().unwrap());
        command.env("METAMCP__NATS__PASSWORD", servers.embedded.nats.password());
        command.env("METAMCP__NATS__STREAM", &nats.stream);
        command.env("METAMCP__NATS__SUBJECT_ROOT", &nats.subject_root);
        let done = tokio::time::timeout(3 * PATIENCE, command.output()).await;
        done.unwrap().unwrap()
    }
}

/// What it printed, and its exit code.
pub(crate) fn said(output: &Output) -> (String, Option<i32>) {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    (String::from_utf8(both).unwrap(), output.status.code())
}
