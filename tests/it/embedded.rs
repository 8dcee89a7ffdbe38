//! The embedded servers, for real: what `metamcp up` promises about starting, stopping and faults.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use metamcp::embedded::{DataDir, EmbeddedError, EmbeddedServers, NatsServer, Options};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const FAST: Options = Options {
    sync_always: false,
    log_statements: false,
};

fn open(folder: &TempDir) -> DataDir {
    DataDir::open(folder.path()).expect("the data directory")
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
    kill_process(pid, Signal::KILL).expect("a live process");
}

fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// Connects as often as it takes: a server that is being restarted refuses for a moment.
async fn postgres(url: &str) -> PgConnection {
    for _ in 0..400 {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    panic!("PostgreSQL did not come back");
}

/// `async-nats` takes no credentials from a URL by itself.
async fn connect(url: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    let address: async_nats::ServerAddr = url.parse().expect("an address");
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let (user, password) = (part(address.username()), part(address.password()));
    async_nats::ConnectOptions::with_user_and_password(user, password)
        .connect(address)
        .await
}

async fn jetstream(url: &str) -> async_nats::jetstream::Context {
    for _ in 0..400 {
        match connect(url).await {
            Ok(client) => return async_nats::jetstream::new(client),
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    panic!("nats-server did not come back");
}

async fn publish(url: &str, subject: &'static str) -> u64 {
    let context = jetstream(url).await;
    let stream = async_nats::jetstream::stream::Config {
        name: "TEST".into(),
        subjects: vec!["test.>".into()],
        ..Default::default()
    };
    context
        .get_or_create_stream(stream)
        .await
        .expect("the stream");
    let ack = context.publish(subject, "x".into()).await.expect("sent");
    ack.await.expect("acknowledged").sequence
}

#[tokio::test]
async fn keeps_ports_passwords_and_data_over_a_stop_and_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &Options::default())
        .await
        .expect("a first start");
    let urls = (servers.nats.url(), servers.postgres.url());
    let pids = [servers.nats.pid(), servers.postgres.pid()];
    assert_eq!(publish(&urls.0, "test.1").await, 1);
    let mut connection = postgres(&urls.1).await;
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS value")
        .execute(&mut connection)
        .await
        .expect("DDL");
    drop(connection);
    servers.stop().await;
    assert!(!pids.into_iter().any(is_alive));

    let servers = EmbeddedServers::start(&dir, &Options::default())
        .await
        .expect("a second start");
    assert_eq!((servers.nats.url(), servers.postgres.url()), urls);
    assert_eq!(publish(&urls.0, "test.2").await, 2);
    let mut connection = postgres(&urls.1).await;
    let value: i32 = sqlx::query_scalar("SELECT value FROM kept")
        .fetch_one(&mut connection)
        .await
        .expect("a row");
    assert_eq!(value, 7);
}

#[tokio::test]
async fn the_database_role_is_bound_by_row_level_security() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &FAST).await.expect("a start");
    let mut connection = postgres(&servers.postgres.url()).await;
    let (superuser, bypasses): (bool, bool) =
        sqlx::query_as("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            .fetch_one(&mut connection)
            .await
            .expect("a row");
    assert!(!superuser && !bypasses);
    let wrong = servers.postgres.url().replace("metamcp:", "postgres:");
    assert!(
        PgConnection::connect(&wrong).await.is_err(),
        "the superuser has no password"
    );
    let wrong = servers.nats.url().replace("metamcp:", "metamcp:x");
    assert!(
        connect(&wrong).await.is_err(),
        "nats-server wants the password"
    );
}

/// PostgreSQL refuses to run as root, and nobody else should: started by root, both servers run as somebody else.
#[tokio::test]
async fn started_by_root_the_servers_do_not_run_as_root() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: the tests are not run by root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &FAST).await.expect("a start");
    for pid in [servers.nats.pid(), servers.postgres.pid()] {
        // Real, effective, saved and file system's: none of the four may be root's.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let users: Vec<&str> = users.expect("users").split_whitespace().collect();
        let name = status.lines().next().unwrap_or_default();
        assert_eq!(users.len(), 4, "{name}");
        assert!(!users.contains(&"0"), "{name}: {users:?}");
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_on_the_same_port_with_its_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &Options::default())
        .await
        .expect("a start");
    let (nats_url, postgres_url) = (servers.nats.url(), servers.postgres.url());
    let supervisor = servers.supervise();
    let mut pids = supervisor.pids();
    let before = *pids.borrow_and_update();
    assert_eq!(publish(&nats_url, "test.1").await, 1);

    kill(before.nats);
    kill(before.postgres);
    let wait = pids.wait_for(|now| now.nats != before.nats && now.postgres != before.postgres);
    let now = *tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("in time")
        .expect("alive");

    assert_eq!(publish(&nats_url, "test.2").await, 2);
    let one: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut postgres(&postgres_url).await)
        .await
        .expect("a row");
    assert_eq!(one, 1);
    supervisor.stop().await;
    assert!(!is_alive(now.nats) && !is_alive(now.postgres));
}

#[tokio::test]
async fn ends_the_orphans_of_a_killed_run_before_it_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &Options::default())
        .await
        .expect("a start");
    let (url, pids) = (
        servers.nats.url(),
        [servers.nats.pid(), servers.postgres.pid()],
    );
    assert_eq!(publish(&url, "test.1").await, 1);
    std::mem::forget(servers); // as if this process had been killed together with the leashes

    let servers = EmbeddedServers::start(&dir, &Options::default())
        .await
        .expect("a start");
    assert!(
        !pids.into_iter().any(is_alive),
        "the earlier run's servers were ended"
    );
    assert_eq!(servers.nats.url(), url, "their ports were free again");
    assert_eq!(publish(&url, "test.2").await, 2);
}

#[tokio::test]
async fn takes_another_port_when_the_remembered_one_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let squatter = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = squatter.local_addr().expect("an address").port();
    std::fs::write(folder.path().join("settings/nats.port"), port.to_string()).expect("written");
    let nats = NatsServer::start(&dir, &FAST).await.expect("a start");
    assert!(!nats.url().ends_with(&format!(":{port}")));
    publish(&nats.url(), "test.1").await;
}

#[tokio::test]
async fn many_instances_start_at_the_same_time() {
    let folders = [(); 4].map(|()| tempfile::tempdir().expect("a folder"));
    let dirs: Vec<DataDir> = folders.iter().map(open).collect();
    let starts = dirs.iter().map(|dir| NatsServer::start(dir, &FAST));
    let servers = futures::future::try_join_all(starts)
        .await
        .expect("all of them");
    for server in &servers {
        assert_eq!(
            publish(&server.url(), "test.1").await,
            1,
            "a log of its own"
        );
    }
    let pids: Vec<u32> = servers.iter().map(NatsServer::pid).collect();
    drop(servers);
    assert!(!pids.into_iter().any(is_alive), "dropping ends them");
}

#[tokio::test]
async fn a_broken_start_says_what_the_server_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = open(&folder);
    let servers = EmbeddedServers::start(&dir, &FAST).await.expect("a start");
    servers.stop().await;
    let control = folder.path().join("postgres/data/global/pg_control");
    std::fs::write(&control, "rubbish").expect("written");
    let error = EmbeddedServers::start(&dir, &FAST)
        .await
        .expect_err("a damaged cluster");
    assert!(matches!(error, EmbeddedError::Exited { .. }));
    assert!(error.to_string().contains("pg_control"), "{error}");
}

/// Run by the next test in a process of its own, which is then killed.
#[tokio::test]
#[ignore = "a helper: it waits to be killed"]
async fn holds_servers_until_it_is_killed() {
    let folder = std::env::var_os("METAMCP_TEST_FOLDER").expect("the folder");
    let dir = DataDir::open(Path::new(&folder)).expect("the data directory");
    let servers = EmbeddedServers::start(&dir, &FAST).await.expect("a start");
    dir.announce(&format!(
        "{} {}",
        servers.nats.pid(),
        servers.postgres.pid()
    ))
    .expect("announced");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_neither_servers_nor_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut holder = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "embedded::holds_servers_until_it_is_killed",
        ])
        .env("METAMCP_TEST_FOLDER", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("a process");
    let pids = loop {
        assert!(
            holder.try_wait().expect("its state").is_none(),
            "it ended by itself"
        );
        let words = DataDir::holder(folder.path())
            .map(|holder| holder.url)
            .unwrap_or_default();
        let pids: Vec<u32> = words
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        if pids.len() == 2 {
            break pids;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    let refusal = DataDir::open(folder.path())
        .expect_err("it is in use")
        .to_string();
    assert!(
        refusal.contains(&format!("process {}", holder.id())),
        "{refusal}"
    );

    holder.kill().expect("killed");
    holder.wait().expect("ended");
    DataDir::open(folder.path()).expect("a stale lock is no obstacle");
    for _ in 0..200 {
        if !pids.iter().any(|pid| is_alive(*pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("servers outlived their process");
}
