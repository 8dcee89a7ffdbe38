//! A child that serves: started until it is ready, kept alive, stopped.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::{Launch, POLL, Running};
use super::{EmbeddedError, orphan, ports};

/// How long a server may take to become ready. Recovery of a large log is the longest part.
const READY: Duration = Duration::from_secs(30);
/// How often the log of a server that may give up is read.
const LOOK: Duration = Duration::from_secs(2);
/// The most that is read of it at once.
const LOOK_BYTES: u64 = 1 << 16;

/// What distinguishes the two servers.
#[derive(Debug)]
pub(super) struct Kind {
    /// What logs and errors call it.
    pub(super) name: &'static str,
    /// The program's file name, by which an earlier run's process is known.
    pub(super) program: &'static str,
    /// How to ask it to end, and how long to wait for it each time.
    pub(super) stop: &'static [(Signal, Duration)],
    /// Whether the process with this id is ready: what to read in the server's folder.
    pub(super) is_ready: fn(folder: &Path, pid: u32) -> bool,
    /// What its log says when it goes on running without serving: then it is started again.
    pub(super) gives_up: Option<&'static str>,
}

/// A server that runs, or ran and can be started again in the same place.
#[derive(Debug)]
pub(super) struct Service {
    kind: &'static Kind,
    launch: Launch,
    /// The folder that is an argument of the server's and of no other process.
    folder: PathBuf,
    running: Running,
}

impl Service {
    /// Starts the server and waits until it is ready.
    async fn start(
        kind: &'static Kind,
        launch: Launch,
        folder: PathBuf,
    ) -> Result<Self, EmbeddedError> {
        let running = launch.spawn()?;
        let mut service = Self {
            kind,
            launch,
            folder,
            running,
        };
        service.wait_until_ready().await?;
        tracing::info!(server = service.kind.name, pid = service.pid(), "ready");
        Ok(service)
    }

    /// Starts a server on the port of its last run, or, where that is taken, on a free one, which
    /// is then kept in `port_file`. `launch` says how to start it on a given port.
    pub(super) async fn start_on_a_port(
        kind: &'static Kind,
        launch: impl Fn(u16) -> Launch,
        folder: &Path,
        port_file: &Path,
    ) -> Result<(Self, u16), EmbeddedError> {
        const ATTEMPTS: usize = 5;
        orphan::end(kind.name, kind.program, folder, kind.stop).await?;
        let mut attempt = 1;
        loop {
            let port = ports::remembered(port_file).map_or_else(ports::free, Ok)?;
            match Self::start(kind, launch(port), folder.to_owned()).await {
                Ok(service) => {
                    ports::remember(port_file, port)?;
                    return Ok((service, port));
                }
                // Somebody took the port between the look and the start, so the next attempt draws another one; or a
                // killed run's memory is not yet released.
                Err(error @ EmbeddedError::Exited { .. }) if attempt < ATTEMPTS => {
                    tracing::warn!(%error, attempt, "trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Waits until the server dies or gives up; then starts it again as it was, as often as it takes.
    /// `on_restart` is called with each new process id. Never returns; may be cancelled.
    pub(super) async fn keep_alive(&mut self, on_restart: impl Fn(u32)) {
        const FIRST_PAUSE: Duration = Duration::from_millis(100);
        const LONGEST_PAUSE: Duration = Duration::from_secs(5);
        let mut pause = FIRST_PAUSE;
        let (mut looked, mut seen) = (Instant::now(), self.running.log_start);
        loop {
            tokio::time::sleep(FIRST_PAUSE).await;
            if let Some(status) = self.running.exited() {
                tracing::error!(server = self.kind.name, %status, "ended by itself; starting it again");
            } else if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if !self.gave_up(&mut seen) {
                    continue;
                }
                tracing::error!(server = self.kind.name, "serves no more; starting it again");
                self.running.stop(self.kind.stop).await;
            } else {
                continue;
            }
            while let Err(error) = self.restart().await {
                tracing::error!(server = self.kind.name, %error, ?pause, "could not be started again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            pause = FIRST_PAUSE;
            seen = self.running.log_start;
            on_restart(self.pid());
            tracing::info!(server = self.kind.name, pid = self.pid(), "ready again");
        }
    }

    /// Stops the server in its own way, within bounded time.
    pub(super) async fn stop(mut self) {
        self.running.stop(self.kind.stop).await;
        tracing::info!(server = self.kind.name, "stopped");
    }

    /// Whether the log, from byte `seen` on, says that the server serves no more.
    fn gave_up(&self, seen: &mut u64) -> bool {
        let Some(words) = self.kind.gives_up else {
            return false;
        };
        let mut text = Vec::new();
        let read = File::open(&self.launch.log)
            .and_then(|mut file| file.seek(SeekFrom::Start(*seen)).map(|_| file))
            .and_then(|file| file.take(LOOK_BYTES).read_to_end(&mut text));
        // A last line that is not whole yet is read again.
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        *seen += u64::try_from(whole).unwrap_or(0);
        read.is_ok() && String::from_utf8_lossy(&text).contains(words)
    }

    async fn restart(&mut self) -> Result<(), EmbeddedError> {
        orphan::end(
            self.kind.name,
            self.kind.program,
            &self.folder,
            self.kind.stop,
        )
        .await?;
        self.running = self.launch.spawn()?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), EmbeddedError> {
        let deadline = Instant::now() + READY;
        loop {
            if let Some(status) = self.running.exited() {
                return Err(EmbeddedError::Exited {
                    name: self.kind.name,
                    status,
                    reason: telling_line(&self.launch.log, self.running.log_start),
                    log: self.launch.log.clone(),
                });
            }
            if (self.kind.is_ready)(&self.folder, self.pid()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let (name, log) = (self.kind.name, self.launch.log.clone());
                return Err(EmbeddedError::NotReady {
                    name,
                    seconds: READY.as_secs(),
                    log,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The line of a log, from byte `start` on, that says why its server ended.
pub(super) fn telling_line(log: &Path, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(log)
        .and_then(|mut file| file.seek(SeekFrom::Start(start)).map(|_| file))
        .and_then(|file| file.take(1 << 16).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let is_fatal = |line: &&str| {
        ["FATAL", "PANIC", "[FTL]", "[ERR]", "initdb: error"]
            .iter()
            .any(|mark| line.contains(mark))
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match read {
        Ok(_) => lines
            .clone()
            .find(is_fatal)
            .or(lines.next_back())
            .unwrap_or("it said nothing")
            .to_owned(),
        Err(_) => "its log cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::Mutex;

    /// Fails on the port that it was given first, as a server does whose port somebody takes meanwhile.
    #[tokio::test]
    async fn a_port_that_is_taken_meanwhile_is_drawn_anew() {
        const STARTS: Kind = Kind {
            name: "sh",
            program: "sh",
            stop: &[(Signal::TERM, Duration::from_secs(5))],
            is_ready: |folder, pid| folder.join(pid.to_string()).exists(),
            gives_up: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let port_file = folder.path().join("port");
        let taken = Mutex::new(None);
        let launch = |port: u16| {
            let mut taken = taken.lock().unwrap();
            let script = match taken.is_some() {
                true => "touch $$; exec sleep 60",
                false => "echo '[FTL] the port is taken'; exit 1",
            };
            // Held from here on: it is not drawn a second time.
            taken.get_or_insert_with(|| {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
                (port, listener.unwrap())
            });
            Launch {
                name: STARTS.name,
                program: "/bin/sh".into(),
                arguments: ["-c", script].map(Into::into).into(),
                environment: Vec::new(),
                folder: folder.path().to_owned(),
                log: folder.path().join("log"),
                user: None,
                abrupt: Signal::TERM,
            }
        };
        let started = Service::start_on_a_port(&STARTS, launch, folder.path(), &port_file).await;
        let (service, port) = started.unwrap();
        let (first, _listener) = taken.into_inner().unwrap().unwrap();
        assert_ne!(port, first);
        let kept = std::fs::read_to_string(&port_file).unwrap();
        assert_eq!(kept.trim(), port.to_string());
        service.stop().await;
    }

    #[test]
    fn the_telling_line_is_the_first_fatal_one_of_this_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let earlier = "FATAL: of an earlier start\n";
        std::fs::write(&log, format!("{earlier}LOG: a\nFATAL: b\nLOG: c\n\n")).unwrap();
        assert_eq!(telling_line(&log, earlier.len() as u64), "FATAL: b");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        assert_eq!(telling_line(&log, 0), "two");
        assert_eq!(telling_line(&log, 99), "it said nothing");
    }
}
