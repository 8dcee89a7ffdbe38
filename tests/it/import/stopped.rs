//! The program itself, stopped in the middle as an operator and as the system stop it: by Ctrl-C and by `kill -9`.

use super::*;
use crate::support::{PATIENCE, program};
use api::config::Config;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

const SERVERS: usize = 100;
const TOOLS: usize = 2_900;
/// By how many commits the log has grown when a run is stopped.
const SOME: u64 = 50;

/// Files in a folder, and the log into which they are imported.
struct Catalogue {
    folder: tempfile::TempDir,
    config: Config,
    log: Log,
    _servers: Arc<Servers>,
}

impl Catalogue {
    async fn start() -> Self {
        let servers = Servers::shared().await;
        let folder = tempfile::tempdir().unwrap();
        let config = servers.fresh_config(folder.path()).await;
        let log = Servers::log(&config).await;
        metamcp::provision_tenant(&Dispatcher::new(log.clone()), &acme(), &actor())
            .await
            .unwrap();
        let (mut slugs, mut tools) = (String::new(), String::new());
        for number in 0..SERVERS {
            writeln!(slugs, "{{\"slug\":\"server-{number}\"}}").unwrap();
        }
        for number in 0..TOOLS {
            let server = number % SERVERS;
            writeln!(
                tools,
                "{{\"server\":\"server-{server}\",\"name\":\"tool_{number}\",\
                  \"description\":\"Counts things\"}}"
            )
            .unwrap();
        }
        for (name, text) in [("servers.jsonl", slugs), ("tools.jsonl", tools)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self {
            folder,
            config,
            log,
            _servers: servers,
        }
    }

    fn import(&self, in_flight: &str) -> Command {
        let arguments = [
            "import",
            "catalogue",
            "--servers",
            "servers.jsonl",
            "--tools",
            "tools.jsonl",
            "--tenant",
            "acme",
            "--in-flight",
            in_flight,
            "--json",
        ];
        let mut command = program(&self.config, self.folder.path(), &arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A run that sends one line after the other, so that there is time to stop it, and is in the middle of them.
    async fn in_the_middle(&self) -> Child {
        let before = self.log.head().await.unwrap();
        let mut child = self.import("1").spawn().unwrap();
        let begun = Instant::now();
        while self.log.head().await.unwrap() < before + SOME {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended by itself: {ended:?}");
            assert!(begun.elapsed() < 3 * PATIENCE, "the log does not grow");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child
    }
}

/// The summary that a run prints, and its exit code.
async fn summary(child: Child) -> (serde_json::Value, Option<i32>) {
    let ended = tokio::time::timeout(6 * PATIENCE, child.wait_with_output()).await;
    let ended = ended.expect("it ends").unwrap();
    let summary = serde_json::from_slice(&ended.stdout);
    let summary = summary.unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (summary, ended.status.code())
}

fn present(summary: &serde_json::Value) -> u64 {
    let counts = ["servers", "tools"].map(|file| {
        ["registered", "already_there"].map(|count| summary[file][count].as_u64().unwrap())
    });
    counts.concat().iter().sum()
}

#[tokio::test]
async fn an_import_that_is_stopped_by_a_signal_is_finished_by_the_next_with_nothing_doubled() {
    let catalogue = Catalogue::start().await;
    let interrupted = catalogue.in_the_middle().await;
    let pid = Pid::from_raw(i32::try_from(interrupted.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (first, code) = summary(interrupted).await;
    assert_eq!(code, Some(130), "{first:#}");
    assert_eq!(first["interrupted"], true, "{first:#}");
    // What it says is what it did: whatever was in flight has ended.
    let all = SERVERS + TOOLS;
    let done = usize::try_from(present(&first)).unwrap();
    assert!((50..all).contains(&done), "{first:#}");
    assert_commits(&catalogue.log, done).await;

    let mut killed = catalogue.in_the_middle().await;
    killed.start_kill().unwrap();
    let status = killed.wait().await.unwrap();
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
    let left = commits(&catalogue.log).await.len();
    assert!((done + 50..all).contains(&left), "{left} after {done}");

    let (last, code) = summary(catalogue.import("256").spawn().unwrap()).await;
    assert_eq!(code, Some(0), "{last:#}");
    assert_eq!(last["interrupted"], false, "{last:#}");
    assert_eq!(present(&last), all as u64, "{last:#}");
    assert_commits(&catalogue.log, all).await;
}
