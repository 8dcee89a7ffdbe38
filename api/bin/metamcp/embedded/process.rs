//! One child process: how to start it, stop it, and leave nothing behind.
//!
//! A child gets a process group of its own, so that Ctrl-C in a terminal reaches only the parent,
//! which then stops its children in order. Beside each child waits a **leash**: a shell that reads
//! from a pipe which only this process holds open. When this process ends without having stopped
//! its child, the pipe closes and the leash interrupts the child.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::EmbeddedError;
use super::user::RunAs;

/// A log file that is larger than this at a start is put aside, as `<name>.log.old`.
const LOG_LIMIT: u64 = 16 << 20;
/// How often a child is looked at while one waits for it.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// Everything needed to start a child, as often as need be.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The whole environment besides `PATH` and `LANG`: nothing is inherited.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) folder: PathBuf,
    pub(super) log: PathBuf,
    pub(super) user: Option<RunAs>,
    /// The signal for a quick end that still leaves no shared memory or half-written log behind.
    pub(super) abrupt: Signal,
}

impl Launch {
    /// The command without arguments: environment, folder, user.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(user) = &self.user {
            // The standard library drops root's supplementary groups along with the user id.
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Starts the child with its output appended to the log file and nothing to read.
    pub(super) fn spawn(&self) -> Result<Running, EmbeddedError> {
        self.spawn_reading(Stdio::null())
    }

    /// The same with something to read.
    pub(super) fn spawn_reading(&self, input: Stdio) -> Result<Running, EmbeddedError> {
        let failed = |source| EmbeddedError::Spawn {
            program: self.program.clone(),
            source,
        };
        let log = open_log(&self.log).map_err(EmbeddedError::io("write", &self.log))?;
        let log_start = log.metadata().map_or(0, |metadata| metadata.len());
        let errors = log
            .try_clone()
            .map_err(EmbeddedError::io("write", &self.log))?;
        let child = self
            .command(&self.program)
            .args(&self.arguments)
            .stdin(input)
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let mut running = Running {
            name: self.name,
            child,
            leash: None,
            abrupt: self.abrupt,
            log_start,
        };
        running.leash = Some(self.leash(running.pid()).map_err(failed)?);
        Ok(running)
    }

    fn leash(&self, pid: u32) -> std::io::Result<Child> {
        self.command(Path::new("/bin/sh"))
            .args([
                "-c",
                r#"read -r _; kill -INT "$1" 2>/dev/null"#,
                "leash",
                &pid.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}

/// A started child. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    name: &'static str,
    child: Child,
    leash: Option<Child>,
    abrupt: Signal,
    /// The size of the log file before this start.
    pub(super) log_start: u64,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The other end of what a child reads that was started with a pipe.
    pub(super) fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// How the child ended, if it has.
    pub(super) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends each signal in turn and waits up to its time for the child to end; then kills it.
    pub(super) async fn stop(&mut self, signals: &[(Signal, Duration)]) {
        for (signal, patience) in signals {
            self.signal(*signal);
            let deadline = Instant::now() + *patience;
            while Instant::now() < deadline {
                if self.exited().is_some() {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
            tracing::warn!(
                server = self.name,
                pid = self.pid(),
                "does not stop when asked to"
            );
        }
    }

    /// Sends a signal, unless the child has ended: its number may be another process's by then.
    fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal); // it may just have ended
        }
    }
}

/// Ends the child by its abrupt signal, and by `KILL` if that does not do within 3 s.
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.kill(); // before its pipe closes, or it would act
            let _ = leash.wait();
        }
        self.signal(self.abrupt);
        let deadline = Instant::now() + Duration::from_secs(3);
        while self.exited().is_none() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        let _ = self.child.kill(); // does nothing to one that has been waited for
        let _ = self.child.wait();
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends by the signals that it gets, although a shell's background jobs, of which the tests may be one, are born
    /// with `INT` ignored.
    fn sleeper(folder: &Path) -> Launch {
        Launch {
            name: "sleep",
            program: "/usr/bin/env".into(),
            arguments: ["--default-signal=INT", "sleep", "60"]
                .map(Into::into)
                .into(),
            environment: Vec::new(),
            folder: "/".into(),
            log: folder.join("sleep.log"),
            user: None,
            abrupt: Signal::TERM,
        }
    }

    fn is_alive(pid: u32) -> bool {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    }

    #[test]
    fn dropping_ends_child_and_leash() {
        let folder = tempfile::tempdir().unwrap();
        let running = sleeper(folder.path()).spawn().unwrap();
        let pids = [running.pid(), running.leash.as_ref().unwrap().id()];
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        drop(running);
        assert!(!pids.iter().any(|pid| is_alive(*pid)));
    }

    #[test]
    fn the_leash_ends_the_child_when_its_pipe_closes() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = sleeper(folder.path()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let name = format!("/proc/{}/comm", running.pid());
        while fs::read_to_string(&name).unwrap().trim() != "sleep" {
            assert!(Instant::now() < deadline, "it does not sleep");
            std::thread::sleep(POLL);
        }
        drop(running.leash.as_mut().unwrap().stdin.take());
        while running.exited().is_none() {
            assert!(Instant::now() < deadline, "the child outlived its leash");
            std::thread::sleep(POLL);
        }
    }

    #[tokio::test]
    async fn stopping_goes_on_to_a_stronger_signal() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = sleeper(folder.path()).spawn().unwrap();
        let short = Duration::from_millis(50);
        running
            .stop(&[
                (Signal::CONT, short),
                (Signal::TERM, Duration::from_secs(5)),
            ])
            .await;
        assert!(running.exited().is_some());
    }
}
