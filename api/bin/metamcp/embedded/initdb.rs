//! Creates the database cluster at the first start, wholly or not at all: it is made under another
//! name and renamed when complete, so that an interruption costs nothing but a new beginning.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::process::{Launch, POLL};
use super::service::telling_line;
use super::{EmbeddedError, Options, PostgresPrograms, orphan};

/// Creates the cluster `data` with the role and database `metamcp`. `launch` tells folder, user
/// and log file; its program and arguments are not used.
pub(super) async fn create(
    programs: &PostgresPrograms,
    launch: &Launch,
    data: &Path,
    password: &str,
    options: &Options,
) -> Result<(), EmbeddedError> {
    tracing::info!(path = %data.display(), "creating the database");
    let new = data.with_extension("new");
    orphan::end(
        "initdb",
        "initdb",
        &new,
        &[(Signal::TERM, Duration::from_secs(5))],
    )
    .await?;
    if new.exists() {
        fs::remove_dir_all(&new).map_err(EmbeddedError::io("remove", &new))?;
    }
    let mut initdb = Step {
        program: programs.program("initdb"),
        arguments: vec!["--pgdata".into(), new.clone().into()],
        input: String::new(),
    };
    initdb.arguments.extend(
        [
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth-local=peer",
            "--auth-host=scram-sha-256",
            "--data-checksums",
            "--no-instructions",
        ]
        .map(Into::into),
    );
    let mut single_user = Step {
        program: programs.program("postgres"),
        // Statements end with an empty line (-j); an error ends the program.
        arguments: ["--single", "-j", "-c", "exit_on_error=on", "-D"]
            .map(Into::into)
            .into(),
        input: format!(
            "CREATE ROLE metamcp LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n\n\
             CREATE DATABASE metamcp OWNER metamcp;\n\n"
        ),
    };
    single_user
        .arguments
        .extend([new.clone().into(), "postgres".into()]);
    if !options.sync_always {
        initdb.arguments.push("--no-sync".into());
        single_user.arguments.insert(1, "-F".into());
    }
    initdb.run(launch).await?;
    single_user.run(launch).await?;
    fs::rename(&new, data).map_err(EmbeddedError::io("create", data))
}

/// One program of the creation, and what it reads.
struct Step {
    program: PathBuf,
    arguments: Vec<OsString>,
    input: String,
}

impl Step {
    /// Runs the program to its end, with its output in the server's log. Like a server it ends with
    /// this process, and when the future is dropped.
    async fn run(self, launch: &Launch) -> Result<(), EmbeddedError> {
        let launch = Launch {
            program: self.program,
            arguments: self.arguments,
            abrupt: Signal::TERM,
            ..launch.clone()
        };
        let mut running = launch.spawn_reading(Stdio::piped())?;
        if let Some(mut input) = running.input() {
            let _ = input.write_all(self.input.as_bytes()); // the status tells what went wrong
        }
        let status = loop {
            if let Some(status) = running.exited() {
                break status;
            }
            tokio::time::sleep(POLL).await;
        };
        if status.success() {
            return Ok(());
        }
        Err(EmbeddedError::Exited {
            name: "creating the database",
            status,
            reason: telling_line(&launch.log, running.log_start),
            log: launch.log.clone(),
        })
    }
}
