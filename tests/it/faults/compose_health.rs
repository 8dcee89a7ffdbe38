//! The health check that compose gives to nats-server, against the nats-server of this machine.

use super::disk::SmallDisk;
use super::world::eventually;
use crate::support::{Need, cannot_run, free_port};
use async_nats::jetstream::{self, stream};
use metamcp::embedded::{NATS_USER, NatsProgram};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

const PASSWORD: &str = "of-this-test";

/// nats-server as compose starts it: one configuration, a store, a monitoring port.
struct Nats {
    child: Child,
    port: u16,
    monitoring: u16,
}

impl Nats {
    fn start(store: &Path, [port, monitoring]: [u16; 2]) -> Self {
        let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/nats.conf");
        let child = Command::new(NatsProgram::locate().unwrap().path)
            .args(["--addr", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .args(["--http_port", &monitoring.to_string()])
            .arg("--config")
            .arg(configuration)
            .arg("--store_dir")
            .arg(store)
            .env("METAMCP_NATS_PASSWORD", format!("\"{PASSWORD}\""))
            .env("METAMCP_NATS_SYNC_INTERVAL", "always")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            port,
            monitoring,
        }
    }

    async fn check_health(&self) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/nats-health.sh");
        let check = Command::new("sh")
            .arg(script)
            .env(
                "METAMCP_NATS_MONITORING",
                format!("http://127.0.0.1:{}", self.monitoring),
            )
            .env("METAMCP_NATS_PID", self.child.id().unwrap().to_string())
            .output();
        tokio::time::timeout(Duration::from_secs(20), check)
            .await
            .unwrap()
            .unwrap()
    }

    async fn becomes_healthy(&self) {
        eventually("nats-server is healthy", async || {
            self.check_health().await.status.success()
        })
        .await;
    }

    async fn log(&self) -> jetstream::Context {
        self.try_log().await.unwrap()
    }

    /// None while it does not take connections.
    async fn try_log(&self) -> Option<jetstream::Context> {
        let address = format!("nats://127.0.0.1:{}", self.port);
        let (user, password) = (NATS_USER.to_owned(), PASSWORD.to_owned());
        let connect = async_nats::ConnectOptions::with_user_and_password(user, password);
        connect.connect(address).await.ok().map(jetstream::new)
    }
}

/// Publishes until a message is refused; how many were acknowledged.
async fn publish_until_refused(log: &jetstream::Context) -> u64 {
    let mut acknowledged = 0;
    while published(log).await {
        acknowledged += 1;
    }
    acknowledged
}

/// Whether a message is acknowledged.
async fn published(log: &jetstream::Context) -> bool {
    let publish = async {
        let acknowledgement = log.publish("log.event", vec![7; 8_192].into()).await.ok()?;
        acknowledgement.await.ok()
    };
    let published = tokio::time::timeout(Duration::from_secs(5), publish).await;
    matches!(published, Ok(Some(_)))
}

/// As compose: a server that has ended is started anew.
async fn checked_as_compose_does(nats: &mut Nats, store: &Path, ports: [u16; 2]) {
    if nats.child.try_wait().unwrap().is_none() {
        nats.check_health().await;
    }
    if nats.child.try_wait().unwrap().is_some() {
        *nats = Nats::start(store, ports);
    }
}

/// nats-server either serves again by itself or has turned JetStream off, which it does not take back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_health_check_of_compose_a_full_disk_needs_no_hand_work() {
    let wget = Command::new("wget").arg("--version").output().await;
    if wget.is_err() {
        let why = "there is no `wget`, which the image of nats-server brings";
        cannot_run(Need::Program, why);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("store"), 16) else {
        return;
    };
    let ports = [free_port(), free_port()];
    let mut nats = Nats::start(disk.path(), ports);
    nats.becomes_healthy().await;
    let log = nats.log().await;
    let config = stream::Config {
        name: "LOG".into(),
        subjects: vec!["log.>".into()],
        ..stream::Config::default()
    };
    log.create_stream(config).await.unwrap();
    for _ in 0..10 {
        let acknowledgement = log.publish("log.event", "first".into()).await.unwrap();
        acknowledgement.await.unwrap();
    }
    disk.fill();
    let acknowledged = 10 + publish_until_refused(&log).await;
    for _ in 0..3 {
        checked_as_compose_does(&mut nats, disk.path(), ports).await;
        publish_until_refused(&log).await;
    }
    disk.empty();
    eventually("messages are taken again", async || {
        checked_as_compose_does(&mut nats, disk.path(), ports).await;
        match nats.try_log().await {
            Some(log) => published(&log).await,
            None => false,
        }
    })
    .await;
    let stream = nats.try_log().await.unwrap().get_stream("LOG").await;
    let kept = stream.unwrap().cached_info().state.messages;
    assert!(kept > acknowledged, "{kept} of {acknowledged} and one more");
}
