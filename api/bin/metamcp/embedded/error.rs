//! What can go wrong with the embedded servers: each in one line that also says how to mend it.

use std::path::PathBuf;
use std::process::ExitStatus;

/// A failure to set up, start or supervise the embedded servers.
///
/// The text of an underlying operating-system error is its source, not part of its own text.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// A file or folder of the data directory could not be read or written.
    #[error(
        "cannot {action} {path}: free the disk, make the folder writable, or choose another --data-dir"
    )]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The folder holds something else than a data directory.
    #[error("{0} is neither empty nor a data directory of MetaMCP: choose another --data-dir")]
    Foreign(PathBuf),
    /// The data directory was written by a newer release.
    #[error(
        "{path} has layout version {found}, this release knows up to {known}: \
         run the newer metamcp again, or choose another --data-dir"
    )]
    NewerVersion {
        /// The data directory.
        path: PathBuf,
        /// The version in its `VERSION` file.
        found: String,
        /// The newest version that this release knows.
        known: u32,
    },
    /// The file that names the layout's version holds something else.
    #[error(
        "{file} holds `{found}`, which is no layout version: if release {release} wrote this data directory, \
         write {known} into the file; otherwise restore it from a backup",
        release = env!("CARGO_PKG_VERSION")
    )]
    DamagedVersion {
        /// The file.
        file: PathBuf,
        /// What it holds, shortened.
        found: String,
        /// The newest version that this release knows.
        known: u32,
    },
    /// Another process holds the data directory.
    #[error(
        "{path} is in use by process {pid} ({url}): stop that one, or choose another --data-dir"
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Its holder.
        pid: String,
        /// Where the holder serves, or what it does instead.
        url: String,
    },
    /// Started as root, but the servers' users cannot reach the data directory.
    #[error(
        "the servers do not run as root and cannot enter {folder}: \
         choose a --data-dir elsewhere (for example /var/lib/metamcp), or `chmod o+x {folder}`"
    )]
    NotTraversable {
        /// The folder that other users may not enter.
        folder: PathBuf,
    },
    /// A program is missing or too old.
    #[error("{program} {minimum} or newer was not found: run `./dev setup`, or install it")]
    Missing {
        /// The program.
        program: &'static str,
        /// The oldest version that serves.
        minimum: String,
    },
    /// None of the users that a server could run as exists.
    #[error(
        "started as root, but there is no user {0} to run a server as: run `./dev setup`, or start as another user"
    )]
    NoUser(String),
    /// A program could not be started at all.
    #[error(
        "cannot start {program}: see that it and its folders may be executed by the user it runs as"
    )]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A server ended before it was ready.
    #[error(
        "{name} ended with {status} instead of starting: {reason} (log: {log}){}",
        mend(reason)
    )]
    Exited {
        /// The server.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The telling line of its log.
        reason: String,
        /// Its log file.
        log: PathBuf,
    },
    /// A server did not become ready in time.
    #[error(
        "{name} was not ready after {seconds} s: see {log}, and whether the disk or the machine is overloaded"
    )]
    NotReady {
        /// The server.
        name: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// A process of an earlier run could not be ended.
    #[error("{name} of an earlier run (process {pid}) does not end: end it by `kill -9 {pid}`")]
    OrphanRemains {
        /// The server.
        name: &'static str,
        /// The process.
        pid: i32,
    },
}

/// What to do about a reason that says so itself.
fn mend(reason: &str) -> &'static str {
    match reason.to_lowercase().contains("no space left") {
        true => "; the disk is full: free some of it and start again, or choose another --data-dir",
        false => "",
    }
}

impl EmbeddedError {
    /// For `map_err` on file operations.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
