//! The health check that compose gives to nats-server, against the nats-server of this machine.

use super::disk::SmallDisk;
use super::world::eventually;
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
        let address = format!("nats://127.0.0.1:{}", self.port);
        let user = (NATS_USER.to_owned(), PASSWORD.to_owned());
        let connect = async_nats::ConnectOptions::with_user_and_password(user.0, user.1);
        jetstream::new(connect.connect(address).await.unwrap())
    }
}

/// Publishes until a message is refused; how many were acknowledged.
async fn publish_until_refused(log: &jetstream::Context) -> u64 {
    let mut acknowledged = 0;
    loop {
        let published = log.publish("log.event", vec![7; 8_192].into()).await;
        let Ok(acknowledgement) = published else {
            return acknowledged;
        };
        match tokio::time::timeout(Duration::from_secs(5), acknowledgement).await {
            Ok(Ok(_)) => acknowledged += 1,
            Ok(Err(_)) | Err(_) => return acknowledged,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_of_compose_ends_a_server_that_left_its_log() {
    if Command::new("wget")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        println!("skipped: there is no `wget`, which the image of nats-server brings");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("store"), 16) else {
        return;
    };
    let ports = super::cluster::free_ports::<2>();
    let mut nats = Nats::start(disk.path(), ports);
    nats.becomes_healthy().await;
    let log = nats.log().await;
    let config = stream::Config {
        name: "LOG".into(),
        subjects: vec!["log.>".into()],
        ..stream::Config::default()
    };
    log.create_stream(config).await.unwrap();
    let before = publish_few(&log).await;
    disk.fill();
    let acknowledged = before + publish_until_refused(&log).await;
    eventually("the check ends the server", async || {
        if nats.child.try_wait().unwrap().is_none() {
            nats.check_health().await;
        }
        nats.child.try_wait().unwrap().is_some()
    })
    .await;
    disk.empty();
    let nats = Nats::start(disk.path(), ports);
    nats.becomes_healthy().await;
    let stream = nats.log().await.get_stream("LOG").await.unwrap();
    let kept = stream.cached_info().state.messages;
    assert!(kept >= acknowledged, "{kept} of {acknowledged}");
}

async fn publish_few(log: &jetstream::Context) -> u64 {
    for _ in 0..10 {
        let acknowledgement = log.publish("log.event", "first".into()).await.unwrap();
        acknowledgement.await.unwrap();
    }
    10
}
