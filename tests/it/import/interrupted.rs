//! An import that is stopped in the middle: by Ctrl-C, `kill -9`, or a log that goes away.

use super::*;
use crate::support::PATIENCE;
use metamcp::import::{Cause, ImportError, Observer};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Asks to stop when so many bytes have been read.
struct StopAt {
    left: AtomicU64,
    stop: CancellationToken,
}

impl Observer for StopAt {
    fn read(&self, bytes: u64) {
        let left = self.left.load(Ordering::Relaxed);
        self.left
            .store(left.saturating_sub(bytes), Ordering::Relaxed);
        if left <= bytes {
            self.stop.cancel();
        }
    }
}

#[tokio::test]
async fn an_interrupted_run_is_finished_by_the_next_with_nothing_doubled() {
    let registry = Registry::start().await;
    let (servers, tools) = (SAMPLE_SERVERS.as_bytes(), SAMPLE_TOOLS.as_bytes());
    let (all, in_servers) = ((servers.len() + tools.len()) as u64, servers.len() as u64);
    let mut present = 0;
    for at in [in_servers / 2, in_servers + 1_000, all / 2] {
        let stop = CancellationToken::new();
        let observer = StopAt {
            left: AtomicU64::new(at),
            stop: stop.clone(),
        };
        let options = Options {
            in_flight: 8,
            ..Options::default()
        };
        let dispatcher = Dispatcher::new(registry.log.clone());
        let summary = run(
            &dispatcher,
            &acme(),
            &actor(),
            servers,
            tools,
            &options,
            &observer,
            &stop,
        )
        .await
        .unwrap();
        assert!(summary.interrupted && !summary.is_whole());
        let now = summary.servers.present() + summary.tools.present();
        assert!((present..220).contains(&now), "{now} after {present}");
        present = now;
    }
    assert!(present > 21, "{present}");
    // A run that is dropped in flight is what kill -9 leaves behind.
    let killed = tokio::time::timeout(Duration::from_millis(20), registry.import(servers, tools));
    let _ = killed.await;
    let last = registry.import(servers, tools).await;
    assert_eq!(last.servers.present() + last.tools.present(), 220);
    assert_commits(&registry.log, 220).await;
}

#[tokio::test]
async fn two_imports_at_once_register_each_line_once() {
    let registry = Registry::start().await;
    let (servers, tools) = (SAMPLE_SERVERS.as_bytes(), SAMPLE_TOOLS.as_bytes());
    let (one, two) = tokio::join!(
        registry.import(servers, tools),
        registry.import(servers, tools)
    );
    assert!(one.is_whole() && two.is_whole(), "{one:#?} {two:#?}");
    assert_eq!(one.servers.registered + two.servers.registered, 21);
    assert_eq!(one.tools.registered + two.tools.registered, 199);
    assert_commits(&registry.log, 220).await;
}

/// Kills the log when so many bytes have been read, as `kill -9` does.
struct KillAt {
    left: AtomicU64,
    pid: u32,
}

impl Observer for KillAt {
    fn read(&self, bytes: u64) {
        let left = self.left.load(Ordering::Relaxed);
        self.left
            .store(left.saturating_sub(bytes), Ordering::Relaxed);
        if left > 0 && left <= bytes {
            let pid = Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
        }
    }
}

/// The sample, into servers of its own that die in the middle of the tools.
async fn import_and_kill(
    dispatcher: &Dispatcher,
    pid: u32,
    patience: Duration,
) -> Result<Summary, ImportError> {
    metamcp::provision_tenant(dispatcher, &acme(), &actor())
        .await
        .unwrap();
    let middle = SAMPLE_SERVERS.len() + SAMPLE_TOOLS.len() / 2;
    let observer = KillAt {
        left: AtomicU64::new(middle as u64),
        pid,
    };
    let options = Options {
        in_flight: 16,
        patience,
        ..Options::default()
    };
    let (servers, tools) = (SAMPLE_SERVERS.as_bytes(), SAMPLE_TOOLS.as_bytes());
    let stop = CancellationToken::new();
    run(
        dispatcher,
        &acme(),
        &actor(),
        servers,
        tools,
        &options,
        &observer,
        &stop,
    )
    .await
}

#[tokio::test]
async fn a_log_that_is_restarted_only_delays_the_import() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    let log = Servers::log(&config).await;
    let supervisor = servers.embedded.supervise();
    let pid = supervisor.pids().borrow().nats;
    let dispatcher = Dispatcher::new(log.clone());
    let summary = import_and_kill(&dispatcher, pid, Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(
        (summary.servers.present(), summary.tools.present()),
        (21, 199),
        "{summary:#?}"
    );
    // The supervisor may tell of the other server a moment after it serves.
    let mut pids = supervisor.pids();
    let replaced = tokio::time::timeout(PATIENCE, pids.wait_for(|pids| pids.nats != pid)).await;
    assert!(replaced.is_ok_and(|pids| pids.is_ok()), "no other server");
    assert_commits(&log, 220).await;
    supervisor.stop().await;
}

#[tokio::test]
async fn a_log_that_stays_away_stops_the_import_with_what_to_do() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    let dispatcher = Dispatcher::new(Servers::log(&config).await);
    let pid = servers.embedded.nats.pid();
    let ended = import_and_kill(&dispatcher, pid, Duration::from_secs(1)).await;
    let error = ended.unwrap_err();
    assert!(
        error.to_string().contains("run the same command again"),
        "{error}"
    );
    let ImportError::Stopped { cause, summary } = error else {
        panic!("{error}")
    };
    assert!(matches!(cause, Cause::Unavailable { .. }), "{cause}");
    assert_eq!(summary.servers, counts(21, 0, 0));
    assert!((1..199).contains(&summary.tools.registered), "{summary:#?}");
}
